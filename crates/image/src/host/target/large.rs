//! Blobs that arrive in pieces.
//!
//! The pieces are written to the first file that needs them; the others are copied from that at the
//! end, which on file systems that share blocks costs nothing and needs no second descriptor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{File, NameId, Tree};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::file::{Destination, open_stream, reopen};
use super::{HostTarget, sparse};
use crate::host::xattr::MAX_VALUE;
use crate::host::{ntfs, sys};
use crate::{BlobUse, SkipReason, TargetError};

/// Bytes copied at once.
const COPY_PIECE: usize = 1 << 20;

/// A large blob on its way into a host directory.
#[derive(Debug)]
pub struct OpenBlob {
    size: u64,
    /// The file being written.
    first: Option<OpenFile>,
    /// Files and streams that become copies of it.
    copies: Vec<(BlobUse, Destination)>,
    /// The bytes themselves, if something must be set at once.
    memory: Option<Mutex<Vec<u8>>>,
    /// Streams set from memory.
    at_once: Vec<(BlobUse, Destination)>,
    /// Whether writing failed and was reported.
    failed: AtomicBool,
}

#[derive(Debug)]
struct OpenFile {
    used: BlobUse,
    destination: Destination,
    name: NameId,
    parent: Arc<OwnedFd>,
    host_name: Vec<u8>,
    file: OwnedFd,
    sparse: bool,
    /// Path inside the image, for errors that end everything.
    path: String,
}

impl HostTarget {
    pub(super) fn open_blob(
        &self,
        tree: &Tree,
        uses: &[BlobUse],
        size: u64,
    ) -> Result<OpenBlob, TargetError> {
        let mut blob = OpenBlob {
            size,
            first: None,
            copies: Vec::new(),
            memory: None,
            at_once: Vec::new(),
            failed: AtomicBool::new(false),
        };
        for &used in uses {
            let Some((name, file, stream)) = self.resolve(tree, &used) else { continue };
            let Some(destination) = self.destination(tree, name, file, stream) else { continue };
            match destination {
                Destination::Main | Destination::StreamFile if blob.first.is_none() => {
                    blob.first = self.open_first(tree, used, destination, name, file)?;
                }
                Destination::Main | Destination::StreamFile => {
                    blob.copies.push((used, destination));
                }
                Destination::StreamAttribute | Destination::Reparse => {
                    blob.at_once.push((used, destination));
                }
            }
        }
        self.provide_memory(tree, &mut blob)?;
        Ok(blob)
    }

    /// Provides memory for what must be set at once, or reports it if it is too large for that.
    fn provide_memory(&self, tree: &Tree, blob: &mut OpenBlob) -> Result<(), TargetError> {
        if blob.at_once.is_empty() {
            return Ok(());
        }
        match usize::try_from(blob.size).ok().filter(|&size| size <= MAX_VALUE) {
            Some(size) => blob.memory = Some(Mutex::new(vec![0; size])),
            None => {
                for (used, _) in std::mem::take(&mut blob.at_once) {
                    self.settle(tree, used.name, "write named stream", Errno::TOOBIG)?;
                }
            }
        }
        Ok(())
    }

    fn open_first(
        &self,
        tree: &Tree,
        used: BlobUse,
        destination: Destination,
        name: NameId,
        file: &File,
    ) -> Result<Option<OpenFile>, TargetError> {
        let mut host_name = self.directories.host_name(tree, name).into_owned();
        let opened = self.directories.parent(tree, name).and_then(|parent| {
            if destination == Destination::Main {
                let opened = self.open_new(parent.as_fd(), &host_name, file)?;
                return Ok((parent, opened));
            }
            let (_, _, stream) = self.resolve(tree, &used).ok_or(Errno::NOENT)?;
            host_name = ntfs::stream_file(&host_name, &stream.name.to_wtf8());
            let opened = open_stream(parent.as_fd(), &host_name)?;
            Ok((parent, opened))
        });
        let (parent, opened) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.settle(tree, name, "make file", error)?;
                return Ok(None);
            }
        };
        let sparse =
            destination == Destination::Main && file.attributes.contains(Attributes::SPARSE_FILE);
        let path = tree.path_of(name).to_string();
        let file = opened;
        Ok(Some(OpenFile { used, destination, name, parent, host_name, file, sparse, path }))
    }

    pub(super) fn write_piece(
        &self,
        open: &OpenBlob,
        offset: u64,
        data: &[u8],
    ) -> Result<(), TargetError> {
        if let Some(memory) = &open.memory {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(data.len());
            if let Some(place) = memory.get_mut(start..end) {
                place.copy_from_slice(data);
            }
        }
        let Some(first) = &open.first else { return Ok(()) };
        if open.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let written = if first.sparse {
            sparse::write(&first.file, data, offset)
        } else {
            sys::write_all(&first.file, data, offset)
        };
        match written {
            Ok(()) => Ok(()),
            Err(error) if sys::ends_everything(error) => {
                let inside = first.path.replace('\\', "/");
                let path = format!("{}{inside}", self.path.display());
                Err(TargetError::Io { operation: "write", path, source: error.into() })
            }
            Err(error) => {
                if !open.failed.swap(true, Ordering::Relaxed) {
                    let reason =
                        SkipReason::Unwritable { operation: "write", error: sys::text(error) };
                    self.skip_path(first.path.clone(), reason);
                }
                Ok(())
            }
        }
    }

    pub(super) fn close_blob(
        &self,
        tree: &Tree,
        open: OpenBlob,
        whole: bool,
    ) -> Result<(), TargetError> {
        let OpenBlob { size, first, copies, memory, at_once, failed } = open;
        if !whole || failed.into_inner() {
            return first.map_or(Ok(()), |first| self.discard(tree, first));
        }
        if let Some(memory) = memory {
            let data = memory.into_inner().unwrap_or_else(PoisonError::into_inner);
            let uses: Vec<BlobUse> = at_once.iter().map(|&(used, _)| used).collect();
            self.put_all(tree, &uses, &data)?;
        }
        let Some(first) = first else { return Ok(()) };
        if let Err(error) = rustix::fs::ftruncate(&first.file, size) {
            let parent = first.parent.as_fd();
            return self.give_up(tree, first.name, parent, &first.host_name, "set size of", error);
        }
        for (used, destination) in copies {
            self.copy(tree, &first, used, destination, size)?;
        }
        self.complete_opened(tree, first)
    }

    /// Removes what was written of a blob that turned out to be broken.
    fn discard(&self, tree: &Tree, first: OpenFile) -> Result<(), TargetError> {
        drop(first.file);
        let removed = sys::remove(&*first.parent, &first.host_name);
        removed.or_else(|error| self.settle(tree, first.name, "remove incomplete", error))
    }

    /// Sets the metadata of a file that was written, and closes it.
    fn complete_opened(&self, tree: &Tree, opened: OpenFile) -> Result<(), TargetError> {
        let Some(file) = tree.file(opened.used.file) else { return Ok(()) };
        let OpenFile { used, destination, name, parent, host_name, file: handle, .. } = opened;
        if destination == Destination::StreamFile {
            return sys::close(handle)
                .or_else(|error| self.settle(tree, name, "write named stream", error));
        }
        self.complete_file(tree, name, used.file, file, (parent.as_fd(), &host_name), handle)
    }

    /// Makes one more file with the data of `first`.
    fn copy(
        &self,
        tree: &Tree,
        first: &OpenFile,
        used: BlobUse,
        destination: Destination,
        size: u64,
    ) -> Result<(), TargetError> {
        let Some((name, file, _)) = self.resolve(tree, &used) else { return Ok(()) };
        let Some(copy) = self.open_first(tree, used, destination, name, file)? else {
            return Ok(());
        };
        let copied = source_of(first).and_then(|from| {
            copy_data(&from, &copy.file, size, copy.sparse)?;
            rustix::fs::ftruncate(&copy.file, size)
        });
        if let Err(error) = copied {
            let parent = copy.parent.as_fd();
            return self.give_up(tree, name, parent, &copy.host_name, "write", error);
        }
        self.complete_opened(tree, copy)
    }

    fn skip_path(&self, path: String, reason: SkipReason) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.push(crate::Skipped { path, reason });
    }
}

/// Opens what was written for reading, by the name it was made under.
fn source_of(first: &OpenFile) -> Result<OwnedFd, Errno> {
    // Through the handle, so that it is that very file.
    let path = sys::path_of_handle(&first.file);
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, rustix::fs::Mode::empty())
        .or_else(|_no_proc| reopen(first.parent.as_fd(), &first.host_name, OFlags::RDONLY))
}

/// Copies `size` bytes, inside the system where it can.
pub(super) fn copy_data(
    from: &OwnedFd,
    to: &OwnedFd,
    size: u64,
    sparse: bool,
) -> Result<(), Errno> {
    let mut done = 0;
    while !sparse && done < size {
        let (mut read_at, mut write_at) = (done, done);
        let left = usize::try_from(size - done).unwrap_or(usize::MAX).min(1 << 30);
        let piece =
            rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), left);
        match piece {
            Ok(0) => break,
            Ok(copied) => done += copied as u64,
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => break,
            Err(error) => return Err(error),
        }
    }
    let mut buf = vec![0; if done < size { COPY_PIECE } else { 0 }];
    while done < size {
        let read = sys::read_full(from, &mut buf, done)?;
        let data = buf.get(..read).filter(|data| !data.is_empty()).ok_or(Errno::IO)?;
        if sparse {
            sparse::write(to, data, done)?;
        } else {
            sys::write_all(to, data, done)?;
        }
        done += read as u64;
    }
    Ok(())
}
