//! System calls in the shapes the host adapters need.
#![expect(unsafe_code, reason = "closing a descriptor and learning the outcome has no safe form")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use imprint_winvalues::FileTime;
use imprint_winvalues::tree::Times;

/// Opens the root a user named, following links on the way, for listing.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Opens a directory as a base for further calls; it need not be readable.
pub(super) fn open_base(
    parent: impl AsFd,
    name: &[u8],
    follow_links: bool,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | no_follow(follow_links);
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// Opens a file or directory for reading, without changing its access time where that is allowed.
/// Neither waits for the other end of a pipe nor takes a terminal.
pub(super) fn open_to_read(
    parent: impl AsFd,
    name: &[u8],
    kind: OFlags,
    follow_links: bool,
) -> Result<OwnedFd, Errno> {
    let waiting = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | waiting | kind | no_follow(follow_links);
    let parent = parent.as_fd();
    match rustix::fs::openat(parent, name, flags | OFlags::NOATIME, Mode::empty()) {
        // Only the owner may leave the access time alone.
        Err(Errno::PERM) => rustix::fs::openat(parent, name, flags, Mode::empty()),
        other => other,
    }
}

fn no_follow(follow_links: bool) -> OFlags {
    if follow_links { OFlags::empty() } else { OFlags::NOFOLLOW }
}

/// Removes a name that is not a directory.
pub(super) fn remove(parent: impl AsFd, name: &[u8]) -> Result<(), Errno> {
    rustix::fs::unlinkat(parent, name, AtFlags::empty())
}

/// How often something in the way is removed.
const REMOVALS: usize = 100;

/// Runs `make`, and again after removing `name` each time that is in the way.
///
/// Two threads that make the same name (an image may have one twice) get into each other's way: what
/// one found, the other may have removed meanwhile. `EEXIST` comes back if another process puts the name
/// there again and again.
pub(super) fn replacing<T>(
    parent: BorrowedFd<'_>,
    name: &[u8],
    make: impl Fn() -> Result<T, Errno>,
) -> Result<T, Errno> {
    for _ in 0..REMOVALS {
        match make() {
            Err(Errno::EXIST) => {}
            other => return other,
        }
        match remove(parent, name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    make()
}

/// Writes all of `data` at `offset`.
pub(super) fn write_all(file: impl AsFd, mut data: &[u8], mut offset: u64) -> Result<(), Errno> {
    let file = file.as_fd();
    while !data.is_empty() {
        let written = match rustix::io::pwrite(file, data, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => written,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        data = data.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}

/// Reads until `buf` is full or the file ends.
pub(super) fn read_full(file: impl AsFd, buf: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let file = file.as_fd();
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(file, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Closes a file that was written: some file systems report lost data only here.
pub(super) fn close(file: OwnedFd) -> Result<(), Errno> {
    // SAFETY: the descriptor comes out of its owner, so it is open and nobody else closes it.
    match unsafe { rustix::io::try_close(file.into_raw_fd()) } {
        // Linux has closed it all the same.
        Err(Errno::INTR) => Ok(()),
        other => other,
    }
}

/// The times that Linux can set.
pub(super) fn timestamps(times: &Times) -> Timestamps {
    Timestamps { last_access: timespec(times.access), last_modification: timespec(times.write) }
}

fn timespec(time: FileTime) -> Timespec {
    let (seconds, nanoseconds) = time.to_unix();
    Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
}

/// A path that leads to `name` in an open directory (to the directory itself if `name` is empty),
/// for calls that know only paths. Only the last component can be a symbolic link.
pub(super) fn path_through(directory: impl AsFd, name: &[u8]) -> Vec<u8> {
    let number = directory.as_fd().as_raw_fd();
    let mut path = format!("/proc/self/fd/{number}/").into_bytes();
    path.extend_from_slice(if name.is_empty() { b"." } else { name });
    path
}

/// A path that leads to what `handle` stands for, even if that is a symbolic link.
pub(super) fn path_of_handle(handle: impl AsFd) -> String {
    format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd())
}

/// Bytes of a name as the type paths are made of.
pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Whether all further writing would meet the same: full or broken storage, no more descriptors.
pub(super) fn ends_everything(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOSPC
            | Errno::DQUOT
            | Errno::ROFS
            | Errno::IO
            | Errno::NOMEM
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NODEV
            | Errno::NOTCONN
            | Errno::STALE
    )
}

/// What the system said, as text.
pub(super) fn text(error: Errno) -> String {
    std::io::Error::from(error).to_string()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_in_the_way_may_be_gone_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let parent = fs_err::File::open(directory.path()).unwrap();
        let failures = Cell::new(2);
        let make = || {
            failures.set(failures.get() - 1);
            if failures.get() >= 0 { Err(Errno::EXIST) } else { Ok("made") }
        };
        assert_eq!(replacing(parent.as_fd(), b"name", make), Ok("made"));
    }

    #[test]
    fn what_comes_back_again_and_again_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let parent = fs_err::File::open(directory.path()).unwrap();
        let make = || Err::<(), _>(Errno::EXIST);
        assert_eq!(replacing(parent.as_fd(), b"name", make), Err(Errno::EXIST));
    }
}
