//! Files and directories made, linked, moved and removed.

use imprint_blockio::WriteAt;
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, WinName};

use super::entries::{NewNames, information_attribute};
use super::index::{IndexName, NAMES};
use super::inode::{DIRECTORY, IN_USE, Inode};
use super::table::resident;
use super::{EditError, Editor};
use crate::encode::{IndexShape, NewAttribute, TimesFacts, last_entry, root_value};
use crate::layout::{StandardInformationDisk, namespace};
use crate::{AttributeKind, DirectoryEntry, FileReference, RecordNumber};

/// Bits of file attributes that a volume does not store as they are.
pub(super) const NOT_STORED: Attributes = Attributes::NORMAL
    .union(Attributes::DIRECTORY)
    .union(Attributes::DEVICE)
    .union(Attributes::ENCRYPTED)
    .union(Attributes::SPARSE_FILE)
    .union(Attributes::COMPRESSED)
    .union(Attributes::REPARSE_POINT);
/// The root directory.
const ROOT: RecordNumber = RecordNumber(5);

/// A file to be made.
#[derive(Clone, Debug, Default)]
pub struct NewFile {
    /// Its name.
    pub name: WinName,
    /// Its short name; empty for none.
    pub short_name: WinName,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Its times; `None` for now.
    pub times: Option<Times>,
    /// Its file attributes.
    pub attributes: Attributes,
    /// Its security descriptor, self-relative; `None` for what Windows gives to new files.
    pub security: Option<Vec<u8>>,
    /// Whether its name may differ from another one of the directory in case alone.
    pub posix: bool,
}

impl<D: WriteAt> Editor<D> {
    /// Makes an empty file or directory.
    ///
    /// # Errors
    /// [`EditError::Exists`] if the directory has the name already, in any case of letters; [`EditError`].
    pub fn create(
        &mut self,
        parent: FileReference,
        new: &NewFile,
    ) -> Result<FileReference, EditError> {
        self.attempt(|editor| editor.create_in(parent, new))
    }

    fn create_in(
        &mut self,
        parent: FileReference,
        new: &NewFile,
    ) -> Result<FileReference, EditError> {
        let mut directory = self.directory_inode(parent)?;
        let security = self.security_id(new.security.as_deref(), new.is_directory)?;
        let flags = if new.is_directory { IN_USE | DIRECTORY } else { IN_USE };
        let mut inode = Inode::new(self.take_record(false)?, flags);
        let now = self.options.now;
        let times = match &new.times {
            Some(times) => TimesFacts::new(times, now),
            None => TimesFacts::all(now),
        };
        let attributes = new.attributes.difference(NOT_STORED).bits() & 0x0fff_ffff;
        let information = StandardInformationDisk {
            times: times.disk(),
            attributes: attributes.into(),
            max_versions: 0.into(),
            version: 0.into(),
            class: 0.into(),
            owner: 0.into(),
            security: security.into(),
            quota: 0.into(),
            usn: 0.into(),
        };
        let upcase = self.upcase.clone();
        inode.put(information_attribute(&information), &upcase);
        if new.is_directory {
            inode.put(self.empty_index(NAMES), &upcase);
        } else {
            inode.put(NewAttribute::resident(AttributeKind::DATA, Vec::new()), &upcase);
        }
        let short = Some(&new.short_name).filter(|short| !short.is_empty());
        let names = NewNames { long: &new.name, short, posix: new.posix };
        self.add_names(&mut inode, &mut directory, names)?;
        self.save(&mut inode)?;
        self.touch(&mut directory)?;
        self.save(&mut directory)?;
        Ok(inode.reference)
    }

    /// An index without entries.
    pub(super) fn empty_index(&self, index: IndexName) -> NewAttribute<'static> {
        let block_size = usize::try_from(self.volume.geometry().index_size).unwrap_or(4096);
        let cluster = usize::try_from(self.cluster_size()).unwrap_or(4096);
        let unit = if cluster > block_size { 512 } else { cluster };
        let step = (block_size / unit) as u64;
        let shape = IndexShape { block_size, step, root_room: 0 };
        let mut entries = Vec::new();
        last_entry(None, &mut entries);
        let value = root_value(index.kind, shape, &entries, false);
        let name = std::borrow::Cow::Owned(index.name.into());
        NewAttribute::named(AttributeKind::INDEX_ROOT, name, resident(value))
    }

    /// Gives a file one more name; `posix` if it may differ from another one of the directory in case alone.
    ///
    /// # Errors
    /// [`EditError::IsDirectory`]: directories have one name; [`EditError`].
    pub fn link(
        &mut self,
        file: FileReference,
        parent: FileReference,
        name: &WinName,
        posix: bool,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut directory = editor.directory_inode(parent)?;
            let mut inode = editor.user_inode(file)?;
            if inode.is_directory() {
                return Err(EditError::IsDirectory);
            }
            let names = NewNames { long: name, short: None, posix };
            editor.add_names(&mut inode, &mut directory, names)?;
            editor.save(&mut inode)?;
            editor.touch(&mut directory)?;
            editor.save(&mut directory)
        })
    }

    /// Takes a name, and the short one that belongs to it, out of a directory. The file goes with its last name.
    ///
    /// # Errors
    /// [`EditError::NotEmpty`] for a directory that has entries; [`EditError`].
    pub fn remove(&mut self, parent: FileReference, name: &WinName) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut directory = editor.directory_inode(parent)?;
            let entry = editor.entry(parent, name.units())?.ok_or(EditError::NotFound)?;
            let mut inode = editor.user_inode(entry.reference)?;
            if inode.record() == ROOT {
                return Err(EditError::System);
            }
            if inode.is_directory() && !editor.is_empty(&mut inode)? {
                return Err(EditError::NotEmpty);
            }
            editor.remove_names(&mut inode, &mut directory, &entry)?;
            let others = inode.names().any(|(_, name)| name.namespace != namespace::DOS);
            if others {
                editor.note(inode.reference);
                editor.save(&mut inode)?;
            } else {
                editor.leave_views(&inode)?;
                editor.free(&inode)?;
            }
            editor.touch(&mut directory)?;
            editor.save(&mut directory)
        })
    }

    /// Whether a directory has no entries.
    fn is_empty(&mut self, inode: &mut Inode) -> Result<bool, EditError> {
        self.with_index(inode, NAMES, |tree| Ok(tree.is_empty()))
    }

    /// Gives a name another place. A file that has the new name already is not replaced.
    ///
    /// # Errors
    /// [`EditError::Loop`] for a directory that would lie in itself; [`EditError`].
    pub fn rename(
        &mut self,
        parent: FileReference,
        name: &WinName,
        new_parent: FileReference,
        new_name: &WinName,
        new_short: Option<&WinName>,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut from = editor.directory_inode(parent)?;
            let entry = editor.entry(parent, name.units())?.ok_or(EditError::NotFound)?;
            let mut inode = editor.user_inode(entry.reference)?;
            if inode.record() == ROOT {
                return Err(EditError::System);
            }
            if inode.is_directory() {
                editor.check_loop(&entry, new_parent)?;
            }
            editor.remove_names(&mut inode, &mut from, &entry)?;
            editor.touch(&mut from)?;
            editor.save(&mut from)?;
            let mut to = editor.directory_inode(new_parent)?;
            let names = NewNames { long: new_name, short: new_short, posix: false };
            editor.add_names(&mut inode, &mut to, names)?;
            editor.touch(&mut to)?;
            editor.save(&mut to)?;
            editor.save(&mut inode)
        })
    }

    /// Makes sure that a directory is none of those from `parent` up to the root.
    fn check_loop(&self, moved: &DirectoryEntry, parent: FileReference) -> Result<(), EditError> {
        let mut at = parent;
        // No path is longer than 32,767 units.
        for _ in 0..32_768 {
            if at == moved.reference {
                break;
            }
            let inode = self.volume.inode(at)?;
            let above = inode.names().map(|(_, name)| name.parent).next();
            match above {
                Some(above) if above != at => at = above,
                _ => return Ok(()),
            }
        }
        Err(EditError::Loop)
    }
}
