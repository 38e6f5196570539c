//! All that Linux knows of a tree of files, asked of the system alone.
//!
//! Two trees are the same when their censuses are. None of the project's own code has a part in it:
//! it judges what that code made. Directories are entered through handles, so paths may be longer
//! than `PATH_MAX`.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Stat};
use rustix::io::Errno;
use sha1::{Digest, Sha1};

/// The files of a tree by path below its root, in bytes and with `/` between names; the root's path
/// is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census(pub BTreeMap<Vec<u8>, Entry>);

/// What there is to say of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Kind and permissions, as in `st_mode`.
    pub mode: u32,
    /// User and group; 0 after [`Census::ignore_owners`].
    pub owner: (u32, u32),
    /// Time of change in units of 100 ns since 1970: what WIM files keep.
    pub modified: i128,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Where a symbolic link points; empty otherwise.
    pub target: Vec<u8>,
    /// Number of names, and the least of the paths that are names of the same file.
    pub links: (u64, Vec<u8>),
    /// Device number of a special file.
    pub device: u64,
    /// Size in bytes; 0 for all but regular files.
    pub size: u64,
    /// Hash over all blocks that are not only zeros, and where they are.
    pub data: String,
}

/// Longest piece of a file that is looked at in one go.
const BLOCK: usize = 1 << 16;

/// Takes the census of a directory.
///
/// # Panics
/// If anything cannot be read.
#[must_use]
#[track_caller]
pub fn census(root: &Path) -> Census {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = rustix::fs::open(root, flags, Mode::empty())
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut walk = Walk { entries: BTreeMap::new(), first: HashMap::new() };
    walk.note(&handle, c".", Vec::new());
    walk.enter(handle, &[]);
    let Walk { mut entries, first } = walk;
    // Names of one file were met in the order of the directory; the least path stands for all.
    for (_, mut paths) in first {
        paths.sort();
        let least = paths.first().cloned().unwrap_or_default();
        for path in paths {
            if let Some(entry) = entries.get_mut(&path) {
                entry.links.1.clone_from(&least);
            }
        }
    }
    Census(entries)
}

struct Walk {
    entries: BTreeMap<Vec<u8>, Entry>,
    /// The paths of each file with several names, by device and number of the file.
    first: HashMap<(u64, u64), Vec<Vec<u8>>>,
}

impl Walk {
    /// Goes through a directory and all below it, with a list instead of recursion: trees may be
    /// deep.
    fn enter(&mut self, root: OwnedFd, path: &[u8]) {
        let mut open = vec![(path.to_vec(), Self::names(&root), root)];
        while let Some((path, names, handle)) = open.last_mut() {
            let Some(name) = names.pop() else {
                open.pop();
                continue;
            };
            let mut below = path.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(name.to_bytes());
            if self.note(handle, &name, below.clone()) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let child = rustix::fs::openat(&*handle, &*name, flags, Mode::empty())
                    .unwrap_or_else(|error| panic!("{name:?}: {error}"));
                open.push((below, Self::names(&child), child));
            }
        }
    }

    fn names(handle: &OwnedFd) -> Vec<CString> {
        let list = Dir::read_from(handle).unwrap_or_else(|error| panic!("list: {error}"));
        list.map(|entry| {
            entry.unwrap_or_else(|error| panic!("list: {error}")).file_name().to_owned()
        })
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .collect()
    }

    /// Takes down a file and says what kind it is of.
    fn note(&mut self, handle: &OwnedFd, name: &CStr, path: Vec<u8>) -> FileType {
        let fail = |error: Errno| -> ! { panic!("{}: {error}", path.escape_ascii()) };
        let facts = rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .unwrap_or_else(|error| fail(error));
        let kind = FileType::from_raw_mode(facts.st_mode);
        let (mut size, mut data, mut target) = (0, String::new(), Vec::new());
        if kind == FileType::RegularFile {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(handle, name, flags, Mode::empty())
                .unwrap_or_else(|error| fail(error));
            size = facts.st_size.unsigned_abs();
            data = hash(&file, size).unwrap_or_else(|error| fail(error));
        } else if kind == FileType::Symlink {
            target = rustix::fs::readlinkat(handle, name, Vec::new())
                .unwrap_or_else(|error| fail(error))
                .into_bytes();
        }
        let xattrs = xattrs(handle.as_fd(), name).unwrap_or_else(|error| fail(error));
        let several = kind != FileType::Directory && facts.st_nlink > 1;
        if several {
            self.first.entry((facts.st_dev, facts.st_ino)).or_default().push(path.clone());
        }
        let entry = Entry {
            mode: facts.st_mode,
            owner: (facts.st_uid, facts.st_gid),
            modified: modified(&facts),
            xattrs,
            target,
            links: (if several { facts.st_nlink } else { 1 }, path.clone()),
            device: if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
                facts.st_rdev
            } else {
                0
            },
            size,
            data,
        };
        self.entries.insert(path, entry);
        kind
    }
}

fn modified(facts: &Stat) -> i128 {
    i128::from(facts.st_mtime) * 10_000_000 + i128::from(facts.st_mtime_nsec) / 100
}

fn xattrs(handle: BorrowedFd<'_>, name: &CStr) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    // There is no call that takes a handle and a name.
    let mut path = format!("/proc/self/fd/{}/", handle.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    let mut list = vec![0; 1 << 16];
    let length = match rustix::fs::llistxattr(&path, list.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error),
    };
    list.truncate(length);
    let mut found = BTreeMap::new();
    for name in list.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 1 << 16];
        let length = rustix::fs::lgetxattr(&path, name, value.as_mut_slice())?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}

/// Hashes what is not zero, wherever the file has holes.
fn hash(file: &OwnedFd, size: u64) -> Result<String, Errno> {
    let mut hasher = Sha1::new();
    let mut at = 0;
    let mut buf = vec![0; BLOCK];
    while at < size {
        at = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            // Blocks are counted from the start of the file, not from where its data is.
            Ok(data) => data - data % BLOCK as u64,
            Err(Errno::NXIO) => break,
            Err(_) => at,
        };
        let end = match rustix::fs::seek(file, SeekFrom::Hole(at)) {
            Ok(hole) if hole > at => hole,
            _ => size.min(at + BLOCK as u64),
        };
        while at < end {
            let length = BLOCK.min(usize::try_from(size - at).unwrap_or(BLOCK));
            let piece = buf.get_mut(..length).unwrap_or_default();
            rustix::io::retry_on_intr(|| read_exact_at(file, piece, at))?;
            if piece.iter().any(|&byte| byte != 0) {
                hasher.update(at.to_le_bytes());
                hasher.update(&*piece);
            }
            at += length as u64;
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read_exact_at(file: &OwnedFd, buf: &mut [u8], offset: u64) -> Result<(), Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        let rest = buf.get_mut(filled..).unwrap_or_default();
        match rustix::io::pread(file, rest, offset + filled as u64)? {
            0 => return Err(Errno::IO),
            read => filled += read,
        }
    }
    Ok(())
}

impl Census {
    /// Leaves out user and group, for programs that do not set them.
    #[must_use]
    pub fn ignore_owners(mut self) -> Self {
        self.0.values_mut().for_each(|entry| entry.owner = (0, 0));
        self
    }

    /// Leaves out permissions and keeps the kind of file, for programs that do not set them.
    #[must_use]
    pub fn ignore_permissions(mut self) -> Self {
        self.0.values_mut().for_each(|entry| entry.mode &= 0o17_0000);
        self
    }

    /// Leaves out extended attributes, for programs that do not set them.
    #[must_use]
    pub fn ignore_xattrs(mut self) -> Self {
        self.0.values_mut().for_each(|entry| entry.xattrs.clear());
        self
    }

    /// Leaves out which files are one under several names.
    #[must_use]
    pub fn ignore_links(mut self) -> Self {
        for (path, entry) in &mut self.0 {
            entry.links = (1, path.clone());
        }
        self
    }

    /// Leaves out paths for which `drop` answers true.
    #[must_use]
    pub fn without(mut self, drop: impl Fn(&[u8], &Entry) -> bool) -> Self {
        self.0.retain(|path, entry| !drop(path, entry));
        self
    }

    /// Says in lines how another census differs, at most 20 of them.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(other.0.keys().filter(|path| !self.0.contains_key(*path)));
        let differing = paths.filter_map(|path| {
            let (one, two) = (self.0.get(path), other.0.get(path));
            // Paths may be very long; their ends tell most.
            let end = path.get(path.len().saturating_sub(200)..).unwrap_or_default();
            (one != two).then(|| format!("{}: {one:?} became {two:?}", end.escape_ascii()))
        });
        differing.take(20).collect()
    }

    /// Checks that another census is the same.
    ///
    /// # Panics
    /// If it is not; the message holds the first differences.
    #[track_caller]
    pub fn assert_same(&self, other: &Self, what: &str) {
        let lines = self.difference(other);
        assert!(lines.is_empty(), "{what}:\n{}", lines.join("\n"));
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, owner, modified, xattrs, target, links, device, size, data } = self;
        write!(f, "{mode:o} {owner:?} {modified} {size} bytes {data}")?;
        if *device != 0 {
            write!(f, " device {device:#x}")?;
        }
        if !target.is_empty() {
            write!(f, " -> {}", target.escape_ascii())?;
        }
        if links.0 > 1 {
            write!(f, " {} names, first {}", links.0, links.1.escape_ascii())?;
        }
        for (name, value) in xattrs {
            let start = value.get(..40).unwrap_or(value);
            write!(f, " {}={}({})", name.escape_ascii(), start.escape_ascii(), value.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let path = |name: &str| tree.path().join(name);
        fs_err::create_dir(path("d")).unwrap();
        fs_err::write(path("d/file"), "data").unwrap();
        fs_err::hard_link(path("d/file"), path("a")).unwrap();
        symlink("d/file", path("link")).unwrap();
        tree
    }

    /// Whether a change to a tree shows.
    fn check(change: impl Fn(&Path)) {
        let tree = tree();
        let before = census(tree.path());
        assert_eq!(before, census(tree.path()));
        change(tree.path());
        let after = census(tree.path());
        assert_ne!(before, after);
        assert!(!before.difference(&after).is_empty());
    }

    #[test]
    fn every_change_shows() {
        check(|tree| fs_err::write(tree.join("d/file"), "dato").unwrap());
        check(|tree| fs_err::write(tree.join("new"), "").unwrap());
        check(|tree| fs_err::remove_file(tree.join("a")).unwrap());
        check(|tree| {
            let permissions = std::fs::Permissions::from_mode(0o600);
            fs_err::set_permissions(tree.join("a"), permissions).unwrap();
        });
        check(|tree| {
            fs_err::remove_file(tree.join("link")).unwrap();
            symlink("d/other", tree.join("link")).unwrap();
        });
        check(|tree| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(tree.join("a"), "user.x", b"y", flags).unwrap();
        });
    }

    #[test]
    fn names_of_one_file_are_told_from_equal_files() {
        let tree = tree();
        let before = census(tree.path());
        fs_err::copy(tree.path().join("a"), tree.path().join("b")).unwrap();
        fs_err::rename(tree.path().join("b"), tree.path().join("a")).unwrap();
        let after = census(tree.path());
        assert_eq!(before.0[&b"d/file"[..]].links, (2, b"a".to_vec()));
        assert_eq!(after.0[&b"d/file"[..]].links, (1, b"d/file".to_vec()));
    }

    #[test]
    fn holes_are_zeros() {
        let tree = tempfile::tempdir().unwrap();
        let mut data = vec![0; 500_000];
        data[300_000] = 1;
        fs_err::write(tree.path().join("full"), &data).unwrap();
        let holes = fs_err::File::create(tree.path().join("holes")).unwrap();
        holes.set_len(500_000).unwrap();
        std::os::unix::fs::FileExt::write_all_at(holes.file(), &[1], 300_000).unwrap();
        let Census(entries) = census(tree.path());
        let data = |name: &str| (entries[name.as_bytes()].size, &entries[name.as_bytes()].data);
        assert_eq!(data("full"), data("holes"));
    }
}
