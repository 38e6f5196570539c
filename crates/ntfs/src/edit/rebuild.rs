//! What a repair writes anew: indexes of their entries, records of their attributes, names of other directories.

use imprint_blockio::WriteAt;
use imprint_winvalues::WinName;

use super::index::{IndexName, NAMES, by_name, by_words, key, name_of};
use super::{EditError, Editor, journal, value_of};
use crate::encode::Body;
use crate::layout::{collation, namespace};
use crate::{AttributeKind, FileReference, RecordNumber, Volume};

/// Bytes of a `$FILE_NAME` before its length.
const LENGTH: usize = 64;

/// An index that can be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rebuilt {
    /// The names of a directory.
    Names,
    /// `$Reparse:$R`.
    Reparse,
    /// `$ObjId:$O`.
    Objects,
    /// `$Secure:$SDH`.
    ByHash,
    /// `$Secure:$SII`.
    ById,
}

impl Rebuilt {
    const fn name(self) -> IndexName {
        match self {
            Self::Names => NAMES,
            Self::Reparse => IndexName::view("$R", collation::U32S),
            Self::Objects => IndexName::view("$O", collation::U32S),
            Self::ByHash => IndexName::view("$SDH", collation::SECURITY_HASH),
            Self::ById => IndexName::view("$SII", collation::U32),
        }
    }
}

impl<D: WriteAt> Editor<D> {
    /// Makes an index of a file anew, of these entries; returns how many of them had no place, as another has their
    /// key.
    pub(crate) fn rebuild_index(
        &mut self,
        file: FileReference,
        rebuilt: Rebuilt,
        entries: &[Vec<u8>],
    ) -> Result<u64, EditError> {
        self.attempt(|editor| {
            let mut inode = editor.volume.inode(file)?;
            let index = rebuilt.name();
            let upcase = editor.upcase.clone();
            editor.drop_blocks(&mut inode, &index.units());
            inode.take(AttributeKind::INDEX_ROOT, &index.units());
            let empty = editor.empty_index(index);
            inode.put(empty, &upcase);
            let refused = editor.with_index(&mut inode, index, |tree| {
                let mut refused = 0;
                for entry in entries {
                    let put = if rebuilt == Rebuilt::Names {
                        tree.insert(entry.clone(), by_name(&name_of(entry), &upcase))?
                    } else {
                        tree.insert(entry.clone(), by_words(key(entry)))?
                    };
                    refused += u64::from(!put);
                }
                Ok(refused)
            })?;
            editor.save(&mut inode)?;
            Ok(refused)
        })
    }

    /// Writes the records of a file anew, of the attributes it has.
    pub(crate) fn rewrite(&mut self, file: FileReference) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.volume.inode(file)?;
            editor.save(&mut inode)
        })
    }

    /// Says of the names of a file that are in the directory `from` that they are in `to`. With a `name` they become
    /// this one name.
    pub(crate) fn readdress(
        &mut self,
        file: FileReference,
        from: RecordNumber,
        to: FileReference,
        name: Option<&WinName>,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.volume.inode(file)?;
            let mut met = false;
            inode.attributes.retain_mut(|attribute| {
                let Body::Resident(value) = &mut attribute.body else { return true };
                let value = value.to_mut();
                let parent = value.first_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes));
                let here = FileReference::from_disk(parent).record == from;
                if attribute.kind != AttributeKind::FILE_NAME || !here {
                    return true;
                }
                if let Some(place) = value.first_chunk_mut() {
                    *place = to.to_disk().to_le_bytes();
                }
                if let Some(name) = name {
                    value.truncate(LENGTH);
                    value.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                    value.push(namespace::POSIX);
                    value.extend_from_slice(&name.to_le_bytes());
                    return !std::mem::replace(&mut met, true);
                }
                true
            });
            editor.save(&mut inode)
        })
    }
}

/// Marks a volume as dirty: it is being repaired.
pub(crate) fn mark_dirty<D: WriteAt>(device: D) -> Result<(), EditError> {
    let volume = Volume::open(super::Staged::new(device))?;
    let size = value_of(&volume, RecordNumber(1), AttributeKind::DATA)?.size();
    journal::set_dirty(&volume, size, true)?;
    journal::flush(&volume)
}
