//! Extended attributes, by path or by handle.
//!
//! A WIM keeps Linux extended attributes like those of NTFS: full name with its prefix
//! (`user.comment`), flags 0. Source: wimlib 1.14.5, `xattr.h`, `unix_capture.c`.

use imprint_winvalues::tree::ExtendedAttribute;
use rustix::fd::BorrowedFd;
use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// Most bytes of a value and of a list of names. Source: `XATTR_SIZE_MAX`, `XATTR_LIST_MAX` of
/// Linux's `limits.h`.
pub(super) const MAX_VALUE: usize = 65_536;

/// What has extended attributes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    /// What a path leads to; a symbolic link at its end is meant itself.
    Path(&'a [u8]),
    /// What a path leads to, links followed.
    Followed(&'a [u8]),
    /// What a handle stands for.
    Handle(BorrowedFd<'a>),
}

impl Node<'_> {
    /// Reads a value into `scratch` and returns it; `None` if there is no such attribute.
    pub(super) fn get<'s>(
        self,
        name: &[u8],
        scratch: &'s mut Vec<u8>,
    ) -> Result<Option<&'s [u8]>, Errno> {
        scratch.resize(MAX_VALUE, 0);
        let buf = scratch.as_mut_slice();
        let read = match self {
            Self::Path(path) => rustix::fs::lgetxattr(path, name, buf),
            Self::Followed(path) => rustix::fs::getxattr(path, name, buf),
            Self::Handle(handle) => rustix::fs::fgetxattr(handle, name, buf),
        };
        match read {
            Ok(length) => Ok(scratch.get(..length)),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the names of all attributes; none where they are not supported.
    pub(super) fn list(self, scratch: &mut Vec<u8>) -> Result<Vec<Box<[u8]>>, Errno> {
        scratch.resize(MAX_VALUE, 0);
        let buf = scratch.as_mut_slice();
        let read = match self {
            Self::Path(path) => rustix::fs::llistxattr(path, buf),
            Self::Followed(path) => rustix::fs::listxattr(path, buf),
            Self::Handle(handle) => rustix::fs::flistxattr(handle, buf),
        };
        let length = match read {
            Ok(length) => length,
            Err(Errno::NOTSUP | Errno::NOSYS) => 0,
            Err(error) => return Err(error),
        };
        let names = scratch.get(..length).unwrap_or_default().split(|&b| b == 0);
        Ok(names.filter(|name| !name.is_empty()).map(Into::into).collect())
    }

    /// Sets a value.
    pub(super) fn set(self, name: &[u8], value: &[u8]) -> Result<(), Errno> {
        let flags = XattrFlags::empty();
        match self {
            Self::Path(path) => rustix::fs::lsetxattr(path, name, value, flags),
            Self::Followed(path) => rustix::fs::setxattr(path, name, value, flags),
            Self::Handle(handle) => rustix::fs::fsetxattr(handle, name, value, flags),
        }
    }
}

/// Reads all extended attributes of a file. Those that cannot be read are given to `fault`.
pub(super) fn read_all(
    node: Node<'_>,
    scratch: &mut Vec<u8>,
    mut fault: impl FnMut(Errno),
) -> Vec<ExtendedAttribute> {
    let names = node.list(scratch).unwrap_or_else(|error| {
        fault(error);
        Vec::new()
    });
    let mut attributes = Vec::with_capacity(names.len());
    for name in names {
        match node.get(&name, scratch) {
            // The length field of a WIM's entry has 16 bits, one too few for the largest value.
            Ok(Some(value)) if value.len() > usize::from(u16::MAX) => fault(Errno::TOOBIG),
            Ok(Some(value)) => {
                attributes.push(ExtendedAttribute { name, flags: 0, value: value.into() });
            }
            // Removed in between.
            Ok(None) => {}
            Err(error) => fault(error),
        }
    }
    // File systems list them in any order.
    attributes.sort();
    attributes
}
