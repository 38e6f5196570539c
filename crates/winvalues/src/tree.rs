//! The neutral file tree: what every source of files yields and every target of files takes.
//!
//! A [`Name`] is an entry in a directory, a [`File`] is the thing it names; hard links are several
//! names of one file. Names and files live in two lists and refer to each other by number, so that a
//! tree of a million entries is four allocations deep at most and can be walked in any order.
//!
//! ```text
//!  names: [0 root "" ]──file──►  files: [0 dir ]
//!         [1 "Windows"]──────►          [1 dir ]
//!         [2 "a.dll" ]──┐               [2 data "..." ──► streams: unnamed data, "zone:..." ]
//!         [3 "b.dll" ]──┴────►              ▲ two names: a hard link
//! ```
//!
//! **Invariants**, kept by the methods: the root is [`NameId::ROOT`], has an empty name and is a
//! directory; every other name has a parent that comes before it in the list, so there are no cycles
//! and a forward pass meets parents first; only directories have children; a directory has one name.

mod content;
mod file;
mod filter;
mod paths;

pub use content::{Content, Stream, StreamKind};
pub use file::{ExtendedAttribute, Extras, File, ReparseInfo, TaggedItem, Times, UnixData};
pub use paths::TreePath;

use crate::WinName;
use crate::security::SecurityTable;

/// Number of a name in a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// Number of a file in a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

impl NameId {
    /// The root directory's name.
    pub const ROOT: Self = Self(0);
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct Name {
    /// The long name; empty only for the root.
    pub name: WinName,
    /// The 8.3 name; empty if there is none.
    pub short_name: WinName,
    parent: Option<NameId>,
    file: FileId,
    children: Vec<NameId>,
}

impl Name {
    /// The directory this entry is in; `None` for the root.
    #[must_use]
    pub const fn parent(&self) -> Option<NameId> {
        self.parent
    }

    /// The file this entry names.
    #[must_use]
    pub const fn file(&self) -> FileId {
        self.file
    }

    /// The entries of this directory, in the order they were added.
    #[must_use]
    pub fn children(&self) -> &[NameId] {
        &self.children
    }
}

/// A name cannot be added to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The parent does not exist or is not a directory.
    #[error("parent of a new name should be a directory, but name {parent:?} is not")]
    ParentIsNotADirectory {
        /// The parent asked for.
        parent: NameId,
    },
    /// A directory would get a second name.
    #[error("file {file:?} does not exist or is a directory and cannot have a second name")]
    NotLinkable {
        /// The file asked for.
        file: FileId,
    },
    /// The tree holds as many entries as can be numbered.
    #[error("tree holds the most entries it can number ({limit})")]
    Full {
        /// The most entries.
        limit: u32,
    },
}

/// A tree of files with all that Windows file systems know of them.
#[derive(Clone, Debug)]
pub struct Tree {
    names: Vec<Name>,
    files: Vec<File>,
    /// The security descriptors that files refer to.
    pub security: SecurityTable,
}

impl Tree {
    /// Makes a tree that holds only its root directory.
    #[must_use]
    pub fn new(root: File) -> Self {
        let name = Name {
            name: WinName::default(),
            short_name: WinName::default(),
            parent: None,
            file: FileId(0),
            children: Vec::new(),
        };
        Self { names: vec![name], files: vec![root], security: SecurityTable::new() }
    }

    /// Adds a file under a new name.
    ///
    /// # Errors
    /// [`AddError`] if `parent` is not a directory or the tree is full.
    pub fn add(&mut self, parent: NameId, name: WinName, file: File) -> Result<NameId, AddError> {
        let id = FileId(next_number(self.files.len())?);
        let name = self.add_name(parent, name, id)?;
        self.files.push(File { links: 1, ..file });
        Ok(name)
    }

    /// Adds one more name of a file that is there: a hard link.
    ///
    /// # Errors
    /// [`AddError`] if `parent` is not a directory, `file` is one, or the tree is full.
    pub fn link(
        &mut self,
        parent: NameId,
        name: WinName,
        file: FileId,
    ) -> Result<NameId, AddError> {
        let target = self.file_mut(file).filter(|f| !f.is_directory());
        let target = target.ok_or(AddError::NotLinkable { file })?;
        target.links = target.links.saturating_add(1);
        self.add_name(parent, name, file)
    }

    fn add_name(
        &mut self,
        parent: NameId,
        name: WinName,
        file: FileId,
    ) -> Result<NameId, AddError> {
        let id = NameId(next_number(self.names.len())?);
        let is_directory = self.file_of(parent).is_some_and(File::is_directory);
        let entry = self.name_mut(parent).filter(|_| is_directory);
        let entry = entry.ok_or(AddError::ParentIsNotADirectory { parent })?;
        entry.children.push(id);
        self.names.push(Name {
            name,
            short_name: WinName::default(),
            parent: Some(parent),
            file,
            children: Vec::new(),
        });
        Ok(id)
    }

    /// Returns a name.
    #[must_use]
    pub fn name(&self, id: NameId) -> Option<&Name> {
        self.names.get(index(id.0))
    }

    /// Returns a name to be changed.
    pub fn name_mut(&mut self, id: NameId) -> Option<&mut Name> {
        self.names.get_mut(index(id.0))
    }

    /// Returns a file.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&File> {
        self.files.get(index(id.0))
    }

    /// Returns a file to be changed.
    pub fn file_mut(&mut self, id: FileId) -> Option<&mut File> {
        self.files.get_mut(index(id.0))
    }

    /// Returns the file a name stands for.
    #[must_use]
    pub fn file_of(&self, id: NameId) -> Option<&File> {
        self.file(self.name(id)?.file)
    }

    /// All names, parents before children.
    pub fn names(&self) -> impl ExactSizeIterator<Item = (NameId, &Name)> {
        self.names.iter().enumerate().map(|(id, name)| (NameId(number(id)), name))
    }

    /// All files.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (FileId, &File)> {
        self.files.iter().enumerate().map(|(id, file)| (FileId(number(id)), file))
    }

    /// All files, to be changed.
    pub fn files_mut(&mut self) -> impl ExactSizeIterator<Item = (FileId, &mut File)> {
        self.files.iter_mut().enumerate().map(|(id, file)| (FileId(number(id)), file))
    }
}

/// Numbers are `u32`; a tree that large would not fit memory anyway.
fn next_number(len: usize) -> Result<u32, AddError> {
    u32::try_from(len).ok().filter(|&n| n < u32::MAX).ok_or(AddError::Full { limit: u32::MAX })
}

/// Lossless: `usize` has at least 32 bits on every target.
const fn index(number: u32) -> usize {
    number as usize
}

#[expect(clippy::cast_possible_truncation, reason = "`next_number` lets no index past u32::MAX")]
const fn number(index: usize) -> u32 {
    index as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attributes;

    fn directory() -> File {
        File { attributes: Attributes::DIRECTORY, ..File::default() }
    }

    #[test]
    fn hard_links_are_names_of_one_file() {
        let mut tree = Tree::new(directory());
        let a = tree.add(NameId::ROOT, "a".into(), File::default()).unwrap();
        let file = tree.name(a).unwrap().file();
        let b = tree.link(NameId::ROOT, "b".into(), file).unwrap();
        assert_eq!(tree.file(file).unwrap().links, 2);
        assert_eq!(tree.name(NameId::ROOT).unwrap().children(), [a, b]);
        assert_eq!(tree.path_of(b).to_string(), r"\b");
    }

    #[test]
    fn directories_have_one_name_and_files_no_children() {
        let mut tree = Tree::new(directory());
        let a = tree.add(NameId::ROOT, "a".into(), File::default()).unwrap();
        assert_eq!(
            tree.add(a, "b".into(), File::default()),
            Err(AddError::ParentIsNotADirectory { parent: a })
        );
        assert_eq!(
            tree.link(NameId::ROOT, "b".into(), FileId(0)),
            Err(AddError::NotLinkable { file: FileId(0) })
        );
        assert_eq!(tree.names().len(), 2);
        assert_eq!(tree.files().len(), 2);
    }
}
