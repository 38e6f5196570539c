//! A file and its metadata.

use super::{Stream, StreamKind};
use crate::security::SecurityId;
use crate::{Attributes, FileTime};

/// A file or directory: everything except its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Attributes.
    pub attributes: Attributes,
    /// Security descriptor, in the tree's table.
    pub security: Option<SecurityId>,
    /// Times.
    pub times: Times,
    /// Data streams and reparse data. A file without an unnamed data stream has empty main data.
    pub streams: Vec<Stream>,
    /// Present if [`Attributes::REPARSE_POINT`] is set.
    pub reparse: Option<ReparseInfo>,
    /// What few files have.
    pub extras: Option<Box<Extras>>,
    /// The number of names; kept by the tree.
    pub(super) links: u32,
}

/// The times of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Creation.
    pub creation: FileTime,
    /// Last access.
    pub access: FileTime,
    /// Last change of data.
    pub write: FileTime,
    /// Last change of data or metadata; WIM does not keep it.
    pub change: Option<FileTime>,
}

/// What a directory entry says of a reparse point besides its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReparseInfo {
    /// The tag.
    pub tag: u32,
    /// The reserved field of the reparse buffer's header.
    pub reserved: u16,
    /// Whether an absolute target was left as it was at capture (WIM flag bit 0 set), so that apply
    /// must not adjust it.
    pub not_fixed: bool,
}

/// What few files have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// NTFS object id, 16 to 64 bytes.
    pub object_id: Option<Box<[u8]>>,
    /// Extended attributes (NTFS) or Linux extended attributes.
    pub extended_attributes: Vec<ExtendedAttribute>,
    /// Linux owner and mode.
    pub unix: Option<UnixData>,
    /// Items of a WIM directory entry that are not understood, kept as they are.
    pub unknown_items: Vec<TaggedItem>,
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExtendedAttribute {
    /// Name in bytes, without NUL; at most 255 bytes.
    pub name: Box<[u8]>,
    /// 0x80: a program that does not understand it must not open the file.
    pub flags: u8,
    /// Value; at most 65,535 bytes.
    pub value: Box<[u8]>,
}

/// Linux owner, mode and device number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnixData {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// File type and permission bits as in `st_mode`.
    pub mode: u32,
    /// Device number of a device file, 0 otherwise.
    pub rdev: u32,
}

/// An item that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedItem {
    /// Its tag.
    pub tag: u32,
    /// Its data, without padding.
    pub data: Box<[u8]>,
}

impl Default for File {
    /// An empty file with one name.
    fn default() -> Self {
        Self {
            attributes: Attributes::empty(),
            security: None,
            times: Times::default(),
            streams: Vec::new(),
            reparse: None,
            extras: None,
            links: 1,
        }
    }
}

impl File {
    /// Makes an empty file or directory with these attributes and one name.
    #[must_use]
    pub fn new(attributes: Attributes) -> Self {
        Self { attributes, ..Self::default() }
    }

    /// Whether this is a directory (a directory reparse point is one too).
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        self.attributes.contains(Attributes::DIRECTORY)
    }

    /// The number of names.
    #[must_use]
    pub const fn links(&self) -> u32 {
        self.links
    }

    /// The main data stream, if the file has one.
    #[must_use]
    pub fn main_data(&self) -> Option<&Stream> {
        self.streams.iter().find(|s| s.is_main_data())
    }

    /// The reparse data, if any.
    #[must_use]
    pub fn reparse_data(&self) -> Option<&Stream> {
        self.streams.iter().find(|s| s.kind == StreamKind::Reparse)
    }

    /// The alternate data streams.
    pub fn named_streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(|s| s.kind == StreamKind::Data && !s.name.is_empty())
    }

    /// The extras, made if there were none.
    pub fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }
}
