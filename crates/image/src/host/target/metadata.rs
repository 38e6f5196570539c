//! Times, owner, mode and extended attributes of what was made.

use imprint_winvalues::Attributes;
use imprint_winvalues::reparse::{TAG_JUNCTION, TAG_SYMBOLIC_LINK};
use imprint_winvalues::tree::{File, NameId, Tree, UnixData};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::HostTarget;
use crate::TargetError;
use crate::host::sys;
use crate::host::xattr::Node;

/// Whether a file becomes a symbolic link on Linux.
pub(super) fn is_link(file: &File) -> bool {
    file.attributes.contains(Attributes::REPARSE_POINT)
        && file.reparse.is_some_and(|info| matches!(info.tag, TAG_SYMBOLIC_LINK | TAG_JUNCTION))
}

/// Whether a file is a reparse point that Linux has nothing like.
pub(super) fn is_other_reparse_point(file: &File) -> bool {
    file.reparse.is_some() && !is_link(file)
}

/// What metadata is set on.
#[derive(Clone, Copy)]
enum On<'a> {
    /// An open file or directory.
    Handle(BorrowedFd<'a>),
    /// A name, itself even if it is a symbolic link.
    Name(BorrowedFd<'a>, &'a [u8]),
}

impl HostTarget {
    /// Sets the metadata of an open file or directory.
    pub(super) fn set_metadata_of(
        &self,
        tree: &Tree,
        id: NameId,
        file: &File,
        handle: BorrowedFd<'_>,
    ) -> Result<(), TargetError> {
        self.set_metadata(tree, id, file, On::Handle(handle))
    }

    /// Sets the metadata of a name that cannot be opened: a symbolic link or special file.
    pub(super) fn set_metadata_at(
        &self,
        tree: &Tree,
        id: NameId,
        file: &File,
        parent: BorrowedFd<'_>,
        name: &[u8],
    ) -> Result<(), TargetError> {
        self.set_metadata(tree, id, file, On::Name(parent, name))
    }

    /// The order matters: a change of owner takes away rights and marks that the rest gives, and a
    /// read-only mode would forbid setting extended attributes. Times come last.
    fn set_metadata(
        &self,
        tree: &Tree,
        id: NameId,
        file: &File,
        on: On<'_>,
    ) -> Result<(), TargetError> {
        if self.options.unix_data
            && let Some(extras) = &file.extras
        {
            if let Some(unix) = &extras.unix {
                set_owner(on, unix)
                    .or_else(|error| self.settle_access(tree, id, "set owner of", error))?;
            }
            if !extras.extended_attributes.is_empty() {
                self.set_extended(tree, id, file, on)?;
            }
            if let Some(unix) = extras.unix.filter(|_| !is_link(file)) {
                set_mode(on, unix.mode)
                    .or_else(|error| self.settle_access(tree, id, "set mode of", error))?;
            }
        }
        let times = sys::timestamps(&file.times);
        let set = match on {
            On::Handle(handle) => rustix::fs::futimens(handle, &times),
            On::Name(parent, name) => {
                rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
        };
        set.or_else(|error| self.settle(tree, id, "set times of", error))
    }

    fn set_extended(
        &self,
        tree: &Tree,
        id: NameId,
        file: &File,
        on: On<'_>,
    ) -> Result<(), TargetError> {
        let path = match on {
            On::Handle(_) => Vec::new(),
            On::Name(parent, name) => sys::path_through(parent, name),
        };
        let node = match on {
            On::Handle(handle) => Node::Handle(handle),
            On::Name(..) => Node::Path(&path),
        };
        let attributes = file.extras.as_ref().map(|e| e.extended_attributes.as_slice());
        for attribute in attributes.unwrap_or_default() {
            let set = if attribute.name.contains(&0) {
                Err(Errno::INVAL)
            } else {
                node.set(&attribute.name, &attribute.value)
            };
            if let Err(error) = set {
                if is_about_access(&attribute.name) {
                    self.settle_access(tree, id, "set extended attributes of", error)?;
                } else {
                    self.settle(tree, id, "set extended attributes of", error)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether an extended attribute decides who may do what. Source: wimlib 1.14.5, `xattr.h`.
fn is_about_access(name: &[u8]) -> bool {
    name.starts_with(b"security.")
        || matches!(name, b"system.posix_acl_access" | b"system.posix_acl_default")
}

fn set_owner(on: On<'_>, unix: &UnixData) -> Result<(), Errno> {
    // All ones stands for "leave as it is" in the call, and is no valid number.
    let owner = (unix.uid != u32::MAX).then(|| Uid::from_raw(unix.uid));
    let group = (unix.gid != u32::MAX).then(|| Gid::from_raw(unix.gid));
    match on {
        On::Handle(handle) => rustix::fs::fchown(handle, owner, group),
        On::Name(parent, name) => {
            rustix::fs::chownat(parent, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

fn set_mode(on: On<'_>, mode: u32) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(mode & 0o7777);
    match on {
        On::Handle(handle) => rustix::fs::fchmod(handle, mode),
        On::Name(parent, name) => {
            // The call that takes a name follows links; one by handle needs a file to open, which a
            // pipe or device must not be. A handle without access does neither.
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let handle = rustix::fs::openat(parent, name, flags, Mode::empty())?;
            rustix::fs::chmod(sys::path_of_handle(handle.as_fd()), mode)
        }
    }
}
