//! What stands in the mounted directory.

use std::ffi::OsStr;
use std::io;

use imprint_blockio::{Extent, check_range};
use imprint_partition::Partition;

use crate::{Action, Failure, MountError, Served};

/// The number of the directory at the top.
pub(crate) const ROOT: u64 = 1;

/// A directory or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    File {
        /// Bytes.
        size: u64,
        /// Bytes that take room, at most.
        stored: u64,
    },
}

/// What to look for in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    Data,
    Hole,
}

/// Files and directories that can be mounted. Nodes are numbers; [`ROOT`] is always there.
///
/// **Contract.** Nothing comes or goes while it is mounted. Ranges given to `read` and `write` lie
/// inside the file. Any method may be called from many threads at once.
pub(crate) trait FileSet: Send + Sync + 'static {
    /// Whether files can be written.
    fn is_writable(&self) -> bool;

    /// What has this number.
    fn node(&self, node: u64) -> Option<Node>;

    /// The entry of a directory with this name.
    fn child(&self, directory: u64, name: &OsStr) -> Option<u64>;

    /// The entry of a directory with this index.
    fn entry(&self, directory: u64, index: usize) -> Option<(u64, &OsStr)>;

    /// Fills `buf` from a file.
    fn read(&self, file: u64, offset: u64, buf: &mut [u8]) -> Result<(), Failure>;

    /// Writes `buf` into a file.
    fn write(&self, file: u64, offset: u64, buf: &[u8]) -> Result<(), Failure>;

    /// Finds the first data or hole at or behind `offset`, which lies inside the file. The end of the
    /// file is a hole; `None`: no data follows.
    fn seek(&self, file: u64, offset: u64, sought: Sought) -> Result<Option<u64>, Failure>;

    /// Makes everything written so far durable.
    fn flush(&self) -> Result<(), Failure>;
}

/// A device and its partitions.
#[derive(Debug)]
pub(crate) struct DiskFiles<S> {
    device: S,
    /// The file with index 0 has the number 2, and so on.
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: String,
    /// Bytes of the device.
    start: u64,
    len: u64,
    /// Bytes that are not in its first hole.
    stored: u64,
}

/// How many extents are looked at to find out whether a file has holes: enough for any file with a hole
/// worth looking for, and soon done.
const EXTENTS: usize = 1024;

impl<S: Served> DiskFiles<S> {
    pub(crate) fn new(device: S, partitions: &[Partition]) -> Result<Self, MountError> {
        let size = device.len().map_err(MountError::Size)?;
        let mut found = Self { device, files: Vec::new() };
        found.add("disk".to_owned(), 0, size);
        for partition in partitions.iter().filter(|partition| !partition.kind.is_extended()) {
            let (number, start, len) = (partition.number, partition.start, partition.len);
            check_range(start, len, size)
                .map_err(|source| MountError::Partition { number, source })?;
            found.add(format!("p{number}"), start, len);
        }
        Ok(found)
    }

    fn add(&mut self, name: String, start: u64, len: u64) {
        let hole = if self.device.is_writable() { 0 } else { self.first_hole(start, len) };
        self.files.push(File { name, start, len, stored: len - hole });
    }

    /// The length of the first hole of a range. Copying programs look for holes only in files that
    /// take less room than they have bytes.
    fn first_hole(&self, start: u64, len: u64) -> u64 {
        let mut done = 0;
        for _ in 0..EXTENTS {
            let left = len.saturating_sub(done);
            // An error is met again, and told, when somebody reads there.
            match self.device.extent(start.saturating_add(done), left) {
                Ok(Extent::Zero { len }) => return len.min(left),
                Ok(extent) if left > 0 => done += extent.len().clamp(1, left),
                Ok(_) | Err(_) => return 0,
            }
        }
        0
    }

    fn file(&self, node: u64) -> Option<&File> {
        self.files.get(usize::try_from(node.checked_sub(ROOT + 1)?).ok()?)
    }

    /// Does something with a file, and says what failed.
    fn access<R>(
        &self,
        action: Action,
        node: u64,
        offset: u64,
        length: usize,
        work: impl FnOnce(&File) -> io::Result<R>,
    ) -> Result<R, Failure> {
        let file = self.file(node);
        let result = match file {
            Some(file) => work(file),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        result.map_err(|source| Failure::Access {
            action,
            file: file.map(|file| file.name.clone()).unwrap_or_default(),
            offset,
            length: length as u64,
            source,
        })
    }
}

impl<S: Served> FileSet for DiskFiles<S> {
    fn is_writable(&self) -> bool {
        self.device.is_writable()
    }

    fn node(&self, node: u64) -> Option<Node> {
        if node == ROOT {
            return Some(Node::Directory);
        }
        self.file(node).map(|file| Node::File { size: file.len, stored: file.stored })
    }

    fn child(&self, directory: u64, name: &OsStr) -> Option<u64> {
        let index = self.files.iter().position(|file| file.name.as_str() == name)?;
        (directory == ROOT).then_some(ROOT + 1 + index as u64)
    }

    fn entry(&self, directory: u64, index: usize) -> Option<(u64, &OsStr)> {
        let file = self.files.get(index)?;
        (directory == ROOT).then_some((ROOT + 1 + index as u64, file.name.as_ref()))
    }

    fn read(&self, file: u64, offset: u64, buf: &mut [u8]) -> Result<(), Failure> {
        self.access(Action::Read, file, offset, buf.len(), |file| {
            self.device.read_exact_at(buf, file.start.saturating_add(offset))
        })
    }

    fn write(&self, file: u64, offset: u64, buf: &[u8]) -> Result<(), Failure> {
        self.access(Action::Write, file, offset, buf.len(), |file| {
            // Never into the neighbour, whatever the kernel says.
            check_range(offset, buf.len() as u64, file.len)?;
            self.device.write(buf, file.start.saturating_add(offset))
        })
    }

    fn seek(&self, file: u64, offset: u64, sought: Sought) -> Result<Option<u64>, Failure> {
        self.access(Action::Seek, file, offset, 0, |file| {
            let mut at = offset;
            while at < file.len {
                let left = file.len - at;
                let extent = self.device.extent(file.start.saturating_add(at), left)?;
                if matches!(extent, Extent::Zero { .. }) == (sought == Sought::Hole) {
                    return Ok(Some(at));
                }
                at += extent.len().clamp(1, left);
            }
            Ok((sought == Sought::Hole).then_some(file.len))
        })
    }

    fn flush(&self) -> Result<(), Failure> {
        self.device.sync().map_err(|source| Failure::Flush { source })
    }
}
