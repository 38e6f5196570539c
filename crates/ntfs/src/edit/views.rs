//! The indexes of `$Extend`: which files have reparse points, and which object ids.

use imprint_blockio::WriteAt;

use super::index::{IndexName, by_words};
use super::inode::Inode;
use super::{EditError, Editor};
use crate::encode::{Body, view_entry};
use crate::layout::collation;
use crate::{AttributeKind, FileReference, RecordNumber};

/// `$Extend`'s record.
const EXTEND: RecordNumber = RecordNumber(11);
/// The index of `$Reparse`: tag and file.
const REPARSE: IndexName = IndexName::view("$R", collation::U32S);
/// The index of `$ObjId`: the id; file and birth ids.
const OBJECTS: IndexName = IndexName::view("$O", collation::U32S);
/// Bytes of an object id, and of what belongs to one.
const ID: usize = 16;
const BIRTH: usize = 48;

impl<D: WriteAt> Editor<D> {
    /// A file in `$Extend`; `None` if the volume has none: older ones and some programs leave them out.
    fn extended(&self, name: &str) -> Result<Option<Inode>, EditError> {
        let units: Vec<u16> = name.encode_utf16().collect();
        let Some(directory) = self.volume.directory(EXTEND)? else { return Ok(None) };
        match directory.lookup(&units, &self.upcase)? {
            Some(entry) => Ok(Some(self.volume.inode(entry.reference)?)),
            None => Ok(None),
        }
    }

    /// Changes an index of a file in `$Extend`, if there is one.
    fn change_view(
        &mut self,
        file: &str,
        index: IndexName,
        key: &[u8],
        entry: Option<Vec<u8>>,
    ) -> Result<bool, EditError> {
        let Some(mut inode) = self.extended(file)? else { return Ok(false) };
        self.with_index(&mut inode, index, |tree| {
            tree.remove(by_words(key))?;
            if let Some(entry) = entry {
                tree.insert(entry, by_words(key))?;
            }
            Ok(())
        })?;
        self.save(&mut inode)?;
        Ok(true)
    }

    /// Lists a reparse point.
    pub(super) fn enter_reparse(&mut self, file: FileReference, tag: u32) -> Result<(), EditError> {
        let key = reparse_key(file, tag);
        let entry = view_entry(&key, &[]);
        self.change_view("$Reparse", REPARSE, &key, Some(entry)).map(|_| ())
    }

    /// Takes a reparse point off the list.
    pub(super) fn leave_reparse(&mut self, file: FileReference, tag: u32) -> Result<(), EditError> {
        self.change_view("$Reparse", REPARSE, &reparse_key(file, tag), None).map(|_| ())
    }

    /// Whether a file has an object id, and lists it: the id, and what belongs to it. Returns false if another file has it.
    pub(super) fn enter_object(
        &mut self,
        file: FileReference,
        id: &[u8; ID],
        birth: &[u8],
    ) -> Result<bool, EditError> {
        let Some(mut inode) = self.extended("$ObjId")? else { return Ok(true) };
        let mut data = file.to_disk().to_le_bytes().to_vec();
        data.extend_from_slice(birth.get(..birth.len().min(BIRTH)).unwrap_or_default());
        data.resize(8 + BIRTH, 0);
        let entry = view_entry(id, &data);
        let put = self.with_index(&mut inode, OBJECTS, |tree| tree.insert(entry, by_words(id)))?;
        self.save(&mut inode)?;
        Ok(put)
    }

    /// Takes an object id off the list.
    pub(super) fn leave_object(&mut self, id: &[u8]) -> Result<(), EditError> {
        self.change_view("$ObjId", OBJECTS, id, None).map(|_| ())
    }

    /// Takes a file off all lists: it goes.
    pub(super) fn leave_views(&mut self, inode: &Inode) -> Result<(), EditError> {
        if let Some(found) = inode.find(AttributeKind::REPARSE_POINT, &[]) {
            let value = self.volume.held_value(inode, found)?;
            let tag = value.first_chunk().map_or(0, |&tag| u32::from_le_bytes(tag));
            self.leave_reparse(inode.reference, tag)?;
        }
        let object = inode.find(AttributeKind::OBJECT_ID, &[]).map(|found| &found.body);
        if let Some(Body::Resident(id)) = object
            && let Some(id) = id.get(..ID).map(<[u8]>::to_vec)
        {
            self.leave_object(&id)?;
        }
        Ok(())
    }
}

fn reparse_key(file: FileReference, tag: u32) -> Vec<u8> {
    [&tag.to_le_bytes()[..], &file.to_disk().to_le_bytes()].concat()
}
