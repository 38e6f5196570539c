//! Unmounting what another process serves.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::mounted::unmount_at;
use crate::report::{Report, address, is_trusted, split_source};
use crate::{FindError, Unmount, UnmountError};

/// The kernel's list of mounts, as this process sees them.
const MOUNTS: &str = "/proc/self/mountinfo";
/// A report that is longer is not one.
const LONGEST: usize = 1 << 20;

/// A mount that another process serves, or served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMount {
    /// Where it is mounted, as an absolute path.
    pub at: PathBuf,
    /// What is mounted, in the words of the process that serves it.
    pub shown: String,
    /// Whether nothing can have been written.
    pub read_only: bool,
    /// Name of the reporter.
    token: u64,
    /// The user who mounted it.
    user: u32,
}

/// Finds what is mounted at a directory by a process with a [`crate::Reporter`], whether that process
/// still lives or not.
///
/// # Errors
/// [`FindError::NotMounted`] if it is something else, or nothing.
pub fn find_mount(at: &Path) -> Result<FoundMount, FindError> {
    let not_found = |source| FindError::Directory { at: at.to_owned(), source };
    let at = resolve(at).map_err(not_found)?;
    let mounts = read_mounts().map_err(FindError::List)?;
    // Of several at one place the last one is seen.
    let last = mounts.split(|&byte| byte == b'\n').filter_map(Entry::read).rfind(|e| e.at == at);
    let found = last.and_then(Entry::of_ours);
    found.ok_or(FindError::NotMounted { at })
}

#[expect(clippy::disallowed_methods, reason = "a file of the kernel; the error names it")]
fn read_mounts() -> io::Result<Vec<u8>> {
    std::fs::read(MOUNTS)
}

/// The path as the kernel lists it. The directory itself cannot be looked at if nobody serves it any
/// more, so only those above it are resolved then.
fn resolve(at: &Path) -> io::Result<PathBuf> {
    let at = std::path::absolute(at)?;
    if let Ok(resolved) = at.canonicalize() {
        return Ok(resolved);
    }
    match (at.parent(), at.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => Ok(at),
    }
}

/// A line of the list.
#[derive(Debug)]
struct Entry {
    at: PathBuf,
    options: String,
    source: String,
    super_options: String,
}

impl Entry {
    /// Reads a line; `None` if it is not one.
    ///
    /// Source: `proc_pid_mountinfo(5)`.
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let at = PathBuf::from(OsString::from_vec(unescape(fields.nth(4)?)));
        let text = |field: &[u8]| String::from_utf8_lossy(&unescape(field)).into_owned();
        let options = text(fields.next()?);
        // Optional fields come before the dash, the file system's type after it.
        let mut fields = fields.skip_while(|field| *field != b"-").skip(2);
        let source = text(fields.next()?);
        Some(Self { at, options, source, super_options: text(fields.next()?) })
    }

    fn of_ours(self) -> Option<FoundMount> {
        let (token, shown) = split_source(&self.source)?;
        let options = || self.options.split(',').chain(self.super_options.split(','));
        let user = options().find_map(|option| option.strip_prefix("user_id="))?;
        Some(FoundMount {
            shown: shown.to_owned(),
            read_only: options().any(|option| option == "ro"),
            token,
            user: user.parse().ok()?,
            at: self.at,
        })
    }
}

/// Undoes what the kernel does to blanks and backslashes: three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<3>().filter(|_| first == b'\\');
        let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = text.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = tail.get(3..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

impl FoundMount {
    /// Unmounts; [`Leaving::wait`] then says what became of the disk. A mount whose process was killed
    /// is removed too.
    ///
    /// # Errors
    /// [`UnmountError::Busy`] if a program uses it; it goes on serving then.
    pub fn unmount(&self) -> Result<Leaving, UnmountError> {
        // Connected before, so that no report can be missed.
        let caller = UnixStream::connect_addr(&address(self.token).map_err(|source| {
            let at = self.at.clone();
            UnmountError::Refused { at, source }
        })?);
        let caller = caller.ok().filter(|caller| is_trusted(caller, self.user));
        unmount_at(&self.at, Unmount::WhenUnused, &|| false)?;
        Ok(Leaving { caller, heard: Vec::new() })
    }
}

/// What became of a disk that another process served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// That process says so.
    Told(Report),
    /// That process is gone without a word. Writes since the last flush may be lost.
    Unknown,
}

/// A mount that is gone, and whose process flushes and closes the disk.
#[derive(Debug)]
pub struct Leaving {
    caller: Option<UnixStream>,
    heard: Vec<u8>,
}

impl Leaving {
    /// Waits until the disk is closed; `None` if that takes longer than `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<Ended> {
        let Some(caller) = &mut self.caller else { return Some(Ended::Unknown) };
        let began = Instant::now();
        let mut piece = [0; 4096];
        while self.heard.len() <= LONGEST {
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() || caller.set_read_timeout(Some(left)).is_err() {
                return None;
            }
            match caller.read(&mut piece) {
                Ok(0) => break,
                Ok(len) => self.heard.extend_from_slice(piece.get(..len).unwrap_or_default()),
                Err(error) if is_early(&error) => {}
                Err(_killed) => return Some(Ended::Unknown),
            }
        }
        let text = String::from_utf8_lossy(&self.heard);
        Some(Report::from_text(&text).map_or(Ended::Unknown, Ended::Told))
    }
}

fn is_early(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_list_are_read() {
        let line = b"412 31 0:55 / /mnt/a\\040b\\134c rw,nosuid,relatime shared:7 master:1 - fuse \
                     imprint:00000000000000ff:/x/y\\040z rw,user_id=1000,group_id=100";
        let entry = Entry::read(line).unwrap();
        assert_eq!(entry.at, Path::new("/mnt/a b\\c"));
        let found = entry.of_ours().unwrap();
        let at = PathBuf::from("/mnt/a b\\c");
        let shown = "/x/y z".to_owned();
        assert_eq!(found, FoundMount { at, shown, read_only: false, token: 255, user: 1000 });
        let line = b"1 2 0:5 / /m ro - fuse imprint:f: rw,user_id=0";
        assert!(Entry::read(line).unwrap().of_ours().unwrap().read_only);
        let line = b"1 2 0:5 / /m rw - fuse imprint:f: ro,user_id=0";
        assert!(Entry::read(line).unwrap().of_ours().unwrap().read_only);
        for line in ["", "1 2 0:5 / /m rw", "1 2 0:5 / /m rw - fuse", "a b c d e f g h"] {
            assert!(Entry::read(line.as_bytes()).is_none(), "{line:?}");
        }
        let others = ["1 2 0:5 / /m rw - fuse sshfs rw,user_id=0", "1 2 0:5 / /m rw - tmpfs a rw"];
        for line in others {
            assert!(Entry::read(line.as_bytes()).unwrap().of_ours().is_none(), "{line:?}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(b"a\\040b\\011\\134\\01\\"), b"a b\t\\\\01\\");
    }
}
