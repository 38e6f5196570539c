//! The FUSE protocol: what the kernel asks, answered from a [`FileSet`].

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};

use crate::Failure;
use crate::buffers::Buffers;
use crate::files::{FileSet, Node, ROOT, Sought};

/// How long the kernel may remember names and attributes: they never change.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);
/// The largest piece of a write, and of a read past the kernel's cache: what Linux takes without being
/// configured.
const LARGEST: u32 = 1 << 20;
/// Reads ahead that may wait at a time.
const BACKGROUND: u16 = 64;
/// The unit in which programs are advised to read and write, bytes.
const BLOCK: u32 = 4096;
/// `lseek`'s words for the next data and the next hole, on Linux.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

/// Whoever wants to know what failed.
pub(crate) type Listener = Arc<dyn Fn(&Failure) + Send + Sync>;

/// A [`FileSet`] as the kernel sees it.
pub(crate) struct Adapter<F> {
    pub(crate) files: Arc<F>,
    pub(crate) listener: Listener,
    pub(crate) modified: SystemTime,
    /// The user and the group everything belongs to.
    pub(crate) owner: (u32, u32),
    pub(crate) buffers: Buffers,
}

/// What a program is told of a failure.
fn errno(failure: &Failure) -> Errno {
    let (Failure::Access { source, .. } | Failure::Flush { source }) = failure;
    match source.kind() {
        io::ErrorKind::StorageFull => Errno::ENOSPC,
        io::ErrorKind::QuotaExceeded => Errno::EDQUOT,
        io::ErrorKind::ReadOnlyFilesystem => Errno::EROFS,
        _ => Errno::EIO,
    }
}

impl<F: FileSet> Adapter<F> {
    fn tell(&self, failure: &Failure) -> Errno {
        (self.listener)(failure);
        errno(failure)
    }

    /// What is said of changes to names.
    fn refusal(&self) -> Errno {
        if self.files.is_writable() { Errno::EPERM } else { Errno::EROFS }
    }

    fn attributes(&self, ino: INodeNo) -> Result<FileAttr, Errno> {
        let node = self.files.node(ino.0).ok_or(Errno::ENOENT)?;
        let (kind, mode, size, stored, links) = match node {
            Node::Directory => (FileType::Directory, 0o500, 0, 0, 2),
            Node::File { size, stored } => (FileType::RegularFile, 0o400, size, stored, 1),
        };
        let write = if self.files.is_writable() && links == 1 { 0o200 } else { 0 };
        Ok(FileAttr {
            ino,
            size,
            blocks: stored.div_ceil(512),
            atime: self.modified,
            mtime: self.modified,
            ctime: self.modified,
            crtime: self.modified,
            kind,
            perm: mode | write,
            nlink: links,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: BLOCK,
            flags: 0,
        })
    }

    fn answer_attributes(&self, ino: INodeNo, reply: ReplyAttr) {
        match self.attributes(ino) {
            Ok(attributes) => reply.attr(&FOREVER, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    /// The size of a file.
    fn size(&self, ino: INodeNo) -> Result<u64, Errno> {
        match self.files.node(ino.0) {
            Some(Node::File { size, .. }) => Ok(size),
            Some(Node::Directory) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    fn flush_all(&self, reply: ReplyEmpty) {
        match self.files.flush() {
            Ok(()) => reply.ok(),
            Err(failure) => reply.error(self.tell(&failure)),
        }
    }

    /// Writes what of `data` lies inside the file, as a block device does.
    fn write_inside(&self, ino: INodeNo, offset: u64, data: &[u8]) -> Result<u32, Errno> {
        if !self.files.is_writable() {
            return Err(Errno::EROFS);
        }
        let room = usize::try_from(self.size(ino)?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let inside = data.get(..room).unwrap_or(data);
        if inside.is_empty() {
            return if data.is_empty() { Ok(0) } else { Err(Errno::ENOSPC) };
        }
        self.files.write(ino.0, offset, inside).map_err(|failure| self.tell(&failure))?;
        Ok(u32::try_from(inside.len()).unwrap_or(u32::MAX))
    }

    fn find(&self, ino: INodeNo, offset: i64, whence: i32) -> Result<i64, Errno> {
        let size = self.size(ino)?;
        let sought = match whence {
            SEEK_DATA => Sought::Data,
            SEEK_HOLE => Sought::Hole,
            _ => return Err(Errno::EINVAL),
        };
        let offset = u64::try_from(offset).ok().filter(|&offset| offset < size);
        let offset = offset.ok_or(Errno::ENXIO)?;
        let found =
            self.files.seek(ino.0, offset, sought).map_err(|failure| self.tell(&failure))?;
        found.and_then(|found| i64::try_from(found).ok()).ok_or(Errno::ENXIO)
    }
}

impl<F: FileSet> Filesystem for Adapter<F> {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // A refused wish leaves what the kernel has.
        let _smaller = config.set_max_write(LARGEST);
        let _fewer = config.set_max_background(BACKGROUND);
        let wishes = InitFlags::FUSE_ATOMIC_O_TRUNC
            | InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP
            | InitFlags::FUSE_PARALLEL_DIROPS;
        for wish in wishes.iter() {
            let _unknown = config.add_capabilities(wish);
        }
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.files.child(parent.0, name).ok_or(Errno::ENOENT);
        match found.and_then(|node| self.attributes(INodeNo(node))) {
            Ok(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        self.answer_attributes(ino, reply);
    }

    fn setattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _accessed: Option<TimeOrNow>,
        _modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if !self.files.is_writable() {
            reply.error(Errno::EROFS);
        } else if size.is_some_and(|size| self.size(ino).ok() != Some(size)) {
            reply.error(Errno::EINVAL);
        } else if mode.is_some() || uid.is_some() || gid.is_some() {
            reply.error(Errno::EPERM);
        } else {
            // Times are those of the disk; nobody is helped by an error here.
            self.answer_attributes(ino, reply);
        }
    }

    fn open(&self, _request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if let Err(errno) = self.size(ino) {
            reply.error(errno);
        } else if !self.files.is_writable() && flags.acc_mode() != OpenAccMode::O_RDONLY {
            reply.error(Errno::EROFS);
        } else {
            // The kernel caches file by file, but the same bytes stand in several: what is written
            // through one must be seen through the others.
            let how = if self.files.is_writable() {
                FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES
            } else {
                FopenFlags::FOPEN_KEEP_CACHE
            };
            reply.opened(FileHandle(0), how);
        }
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let left = match self.size(ino) {
            Ok(end) => end.saturating_sub(offset),
            Err(errno) => return reply.error(errno),
        };
        let len = usize::try_from(left.min(size.into())).unwrap_or(0);
        if len == 0 {
            return reply.data(&[]);
        }
        self.buffers.with(len, |buf| match self.files.read(ino.0, offset, buf) {
            Ok(()) => reply.data(buf),
            Err(failure) => reply.error(self.tell(&failure)),
        });
    }

    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _how: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_inside(ino, offset, data) {
            Ok(written) => reply.written(written),
            Err(errno) => reply.error(errno),
        }
    }

    fn lseek(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        match self.find(ino, offset, whence) {
            Ok(offset) => reply.offset(offset),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        // Closing a file waits for no disk; every write has been answered already.
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.flush_all(reply);
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.flush_all(reply);
    }

    fn readdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        // The offset is how many entries the kernel has: "." and ".." first.
        let dots = [".", ".."].into_iter().map(|dot| (ROOT, OsStr::new(dot)));
        let files = (0..).map_while(|index| self.files.entry(ino.0, index));
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        for (index, (node, name)) in (1..).zip(dots.chain(files)).skip(skipped) {
            let directory = self.files.node(node) == Some(Node::Directory);
            let kind = if directory { FileType::Directory } else { FileType::RegularFile };
            if reply.add(INodeNo(node), index, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn create(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        reply.error(self.refusal());
    }

    fn mkdir(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        reply.error(self.refusal());
    }

    fn unlink(&self, _request: &Request, _parent: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(self.refusal());
    }

    fn rename(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _new_parent: INodeNo,
        _new_name: &OsStr,
        _flags: fuser::RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(self.refusal());
    }
}
