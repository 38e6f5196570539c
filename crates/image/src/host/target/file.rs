//! Files whose data is in hand.

use std::sync::Arc;

use imprint_winvalues::Attributes;
use imprint_winvalues::reparse::MAX_BUFFER;
use imprint_winvalues::tree::{File, FileId, NameId, Stream, StreamKind, Tree};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{HostTarget, Waiting, metadata, sparse};
use crate::host::xattr::Node;
use crate::host::{ntfs, sys};
use crate::{BlobUse, Capability, TargetError};

/// What a file is made with. Source: wimlib 1.14.5, `unix_apply.c`.
const FILE_MODE: Mode = Mode::from_bits_retain(0o644);
/// The same while its final mode is still to be set: nobody else may read it until then.
const PRIVATE_MODE: Mode = Mode::from_bits_retain(0o600);

/// Makes a new file, in place of another if that is in the way, and opens it for writing.
pub(super) fn create(
    parent: BorrowedFd<'_>,
    name: &[u8],
    file: &File,
    unix_data: bool,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let private = unix_data && file.extras.as_ref().is_some_and(|extras| extras.unix.is_some());
    let mode = if private { PRIVATE_MODE } else { FILE_MODE };
    sys::replacing(parent, name, || rustix::fs::openat(parent, name, flags, mode))
}

/// Opens a file that [`create`] made before.
pub(super) fn reopen(
    parent: BorrowedFd<'_>,
    name: &[u8],
    access: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// Where the bytes of a stream go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The data of a file.
    Main,
    /// A named stream that is a file of its own.
    StreamFile,
    /// A named stream that must be set at once.
    StreamAttribute,
    /// Reparse data.
    Reparse,
}

impl HostTarget {
    /// Finds out where a stream goes; what this target cannot keep is reported.
    pub(super) fn destination(
        &self,
        tree: &Tree,
        name: NameId,
        file: &File,
        stream: &Stream,
    ) -> Option<Destination> {
        let link = self.ntfs.is_none() && metadata::is_link(file);
        let (found, capability) = match stream.kind {
            StreamKind::Reparse if link || self.ntfs.is_some() => {
                (Some(Destination::Reparse), Capability::ReparsePoints)
            }
            // A directory of this kind was reported when it was made.
            StreamKind::Reparse if file.is_directory() => return None,
            StreamKind::Reparse => (None, Capability::ReparsePoints),
            StreamKind::EncryptedRaw => (None, Capability::EncryptedFiles),
            StreamKind::Data if !stream.name.is_empty() => {
                let found = match self.ntfs {
                    Some(ntfs::Streams::Attributes) => Some(Destination::StreamAttribute),
                    Some(ntfs::Streams::Files) => Some(Destination::StreamFile),
                    Some(ntfs::Streams::Hidden) | None => None,
                };
                (found, Capability::NamedStreams)
            }
            // Linux links and directories have no data of their own.
            StreamKind::Data if link || file.is_directory() => (None, Capability::NamedStreams),
            StreamKind::Data => (Some(Destination::Main), Capability::NamedStreams),
        };
        if found.is_none() {
            self.not_kept(tree, name, capability);
        }
        found
    }

    /// Writes data to all streams that refer to it.
    pub(super) fn put_all(
        &self,
        tree: &Tree,
        uses: &[BlobUse],
        data: &[u8],
    ) -> Result<(), TargetError> {
        let mut shared = None;
        uses.iter().try_for_each(|used| self.put_one(tree, used, data, &mut shared))?;
        if shared.is_some() && self.ntfs.is_none() {
            self.make_links_early(tree)?;
        }
        Ok(())
    }

    /// Writes data to one stream. `shared` holds the data for streams that keep it in memory.
    fn put_one(
        &self,
        tree: &Tree,
        used: &BlobUse,
        data: &[u8],
        shared: &mut Option<Arc<[u8]>>,
    ) -> Result<(), TargetError> {
        let Some((name, file, stream)) = self.resolve(tree, used) else { return Ok(()) };
        match self.destination(tree, name, file, stream) {
            None => Ok(()),
            Some(Destination::Main) => self.make_file(tree, name, used.file, file, data),
            Some(Destination::Reparse) => self.keep_reparse(tree, name, used.file, data, shared),
            Some(Destination::StreamAttribute | Destination::StreamFile) => {
                self.put_stream(tree, name, stream, data)
            }
        }
    }

    /// The name, file and stream of a use; `None` if they are not there or must not be made.
    pub(super) fn resolve<'t>(
        &self,
        tree: &'t Tree,
        used: &BlobUse,
    ) -> Option<(NameId, &'t File, &'t Stream)> {
        let file = tree.file(used.file)?;
        let stream = file.streams.get(usize::try_from(used.stream).ok()?)?;
        Some((self.name_of(tree, used.file, used.name)?, file, stream))
    }

    /// Makes a file with its data and metadata.
    pub(super) fn make_file(
        &self,
        tree: &Tree,
        name: NameId,
        id: FileId,
        file: &File,
        data: &[u8],
    ) -> Result<(), TargetError> {
        let parent = match self.directories.parent(tree, name) {
            Ok(parent) => parent,
            Err(error) => return self.settle(tree, name, "open directory of", error),
        };
        let host_name = self.directories.host_name(tree, name);
        let opened = match self.open_new(parent.as_fd(), &host_name, file) {
            Ok(opened) => opened,
            Err(error) => return self.settle(tree, name, "make file", error),
        };
        let sparse = file.attributes.contains(Attributes::SPARSE_FILE);
        let written = if sparse {
            sparse::write(&opened, data, 0)
                .and_then(|()| rustix::fs::ftruncate(&opened, data.len() as u64))
        } else {
            sys::write_all(&opened, data, 0)
        };
        if let Err(error) = written {
            drop(opened);
            return self.give_up(tree, name, parent.as_fd(), &host_name, "write", error);
        }
        self.complete_file(tree, name, id, file, (parent.as_fd(), &host_name), opened)
    }

    /// Makes a file, or opens it where all files are made before.
    pub(super) fn open_new(
        &self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        file: &File,
    ) -> Result<OwnedFd, Errno> {
        if self.ntfs.is_some() {
            return reopen(parent, name, OFlags::WRONLY);
        }
        create(parent, name, file, self.options.unix_data)
    }

    /// Sets the metadata of a file whose data is written, and closes it.
    pub(super) fn complete_file(
        &self,
        tree: &Tree,
        name: NameId,
        id: FileId,
        file: &File,
        (parent, host_name): (BorrowedFd<'_>, &[u8]),
        opened: OwnedFd,
    ) -> Result<(), TargetError> {
        if self.ntfs.is_none() {
            self.set_metadata_of(tree, name, file, opened.as_fd())?;
        }
        if let Err(error) = sys::close(opened) {
            return self.give_up(tree, name, parent, host_name, "close", error);
        }
        self.set_made(id);
        Ok(())
    }

    /// Removes a file that could not be written, and reports it.
    pub(super) fn give_up(
        &self,
        tree: &Tree,
        name: NameId,
        parent: BorrowedFd<'_>,
        host_name: &[u8],
        operation: &'static str,
        error: Errno,
    ) -> Result<(), TargetError> {
        // What cannot be removed either is reported by the first error.
        let _removed: Result<(), Errno> = sys::remove(parent, host_name);
        self.settle(tree, name, operation, error)
    }

    /// Notes reparse data for the end, when nothing is written any more.
    pub(super) fn keep_reparse(
        &self,
        tree: &Tree,
        name: NameId,
        id: FileId,
        data: &[u8],
        shared: &mut Option<Arc<[u8]>>,
    ) -> Result<(), TargetError> {
        if data.len() > MAX_BUFFER {
            return self.settle(tree, name, "set reparse data", Errno::TOOBIG);
        }
        let mut waiting = self.waiting();
        if self.ntfs.is_some() && waiting.bytes() + data.len() > Waiting::MOST {
            drop(waiting);
            return self.settle(tree, name, "keep reparse data", Errno::NOBUFS);
        }
        let new = shared.is_none();
        waiting.add(id, name, shared.get_or_insert_with(|| data.into()), new);
        Ok(())
    }

    /// Writes a whole named stream, on NTFS.
    pub(super) fn put_stream(
        &self,
        tree: &Tree,
        name: NameId,
        stream: &Stream,
        data: &[u8],
    ) -> Result<(), TargetError> {
        let host_name = self.directories.host_name(tree, name);
        let stream_name = stream.name.to_wtf8();
        let written = self.directories.parent(tree, name).and_then(|parent| {
            if self.ntfs == Some(ntfs::Streams::Files) {
                let file_name = ntfs::stream_file(&host_name, &stream_name);
                let opened = open_stream(parent.as_fd(), &file_name)?;
                sys::write_all(&opened, data, 0)?;
                return sys::close(opened);
            }
            let path = sys::path_through(&*parent, &host_name);
            ntfs::write_stream(Node::Path(&path), &stream_name, data)
        });
        written.or_else(|error| self.settle(tree, name, "write named stream", error))
    }
}

/// Opens a named stream by the name of its file, which makes it.
pub(super) fn open_stream(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    // A separator would lead to another directory.
    if name.contains(&b'/') {
        return Err(Errno::INVAL);
    }
    let access = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, FILE_MODE)
}
