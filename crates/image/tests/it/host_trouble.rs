//! Trouble on the host: what cannot be read or written, and what changes meanwhile.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use imprint_image::host::{HostSource, HostTarget, TargetOptions};
use imprint_image::{BlobUse, Scanned, Skipped, Source, Target, TargetError};
use imprint_progress::Progress;
use imprint_winvalues::tree::{Content, NameId, Tree};
use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Gid, Uid};

use crate::conformance::{Delivery, add, apply, directory, everything, file, read};
use crate::host_apply::{is_root, noise, scratch, symbolic_link, target};

/// Runs work without the rights of root, if the tests run as root.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if is_root() {
                // On Linux these are of the thread, and with the user the capabilities go.
                let (group, user) = (Gid::from_raw(65_534), Uid::from_raw(65_534));
                rustix::thread::set_thread_groups(&[]).unwrap();
                rustix::thread::set_thread_res_gid(group, group, group).unwrap();
                rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            }
            work()
        });
        thread.join().unwrap()
    })
}

/// A scratch directory that everyone reaches: the build's own may lie below a private one.
fn open_scratch() -> tempfile::TempDir {
    let temporary = tempfile::tempdir().unwrap();
    set_mode(temporary.path(), 0o777);
    temporary
}

fn set_mode(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn lines(skipped: &[Skipped]) -> Vec<String> {
    skipped.iter().map(ToString::to_string).collect()
}

const DENIED: &str = "Permission denied (os error 13)";

#[test]
fn what_may_not_be_read_is_listed_and_the_rest_goes_on() {
    let temporary = open_scratch();
    let path = temporary.path();
    for name in ["closed", "listed only", "open"] {
        fs_err::create_dir(path.join(name)).unwrap();
        fs_err::write(path.join(name).join("file"), "data").unwrap();
    }
    fs_err::write(path.join("secret"), "data").unwrap();
    for (name, mode) in
        [("closed", 0o300), ("listed only", 0o444), ("secret", 0o000), ("open", 0o755)]
    {
        set_mode(&path.join(name), mode);
    }
    set_mode(&path.join("open/file"), 0o644);
    as_nobody(|| {
        let source = HostSource::new(path).unwrap();
        let Scanned { tree, skipped, .. } = source.scan(&everything(), &Progress::new()).unwrap();
        assert_eq!(
            lines(&skipped),
            [
                format!(r"\closed: failed to list: {DENIED}"),
                format!(r"\listed only: failed to list: {DENIED}"),
            ]
        );
        assert!(tree.find("closed").is_some() && tree.find("open/file").is_some());
        let open = |path: &str| {
            let name = tree.find(path).unwrap();
            let content = &tree.file_of(name).unwrap().main_data().unwrap().content;
            let Content::Unread { location, .. } = *content else { panic!("{content:?}") };
            source.open(&tree, location).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(open("secret"), Err(DENIED.into()));
        assert_eq!(open("open/file"), Ok(()));
    });
    set_mode(&path.join("closed"), 0o755);
    set_mode(&path.join("listed only"), 0o755);
}

#[test]
fn a_root_that_may_not_be_listed_is_an_error() {
    let temporary = open_scratch();
    let path = temporary.path().join("root");
    fs_err::create_dir(&path).unwrap();
    set_mode(&path, 0o400);
    as_nobody(|| HostSource::new(&path).unwrap_err());
    if is_root() {
        set_mode(&path, 0o744);
        let error = as_nobody(|| {
            let source = HostSource::new(&path).unwrap();
            source.scan(&everything(), &Progress::new()).unwrap_err()
        });
        assert_eq!(error.to_string(), format!("failed to list {}", path.display()));
    }
}

/// Scans a file, lets `change` happen to it, and opens it.
fn after(change: impl FnOnce(&Path)) -> Result<Vec<u8>, String> {
    let temporary = scratch();
    let path = temporary.path().join("directory/file");
    fs_err::create_dir(path.parent().unwrap()).unwrap();
    fs_err::write(&path, "original").unwrap();
    fs_err::write(temporary.path().join("outside"), "outside").unwrap();
    let source = HostSource::new(temporary.path()).unwrap();
    let Scanned { tree, .. } = source.scan(&everything(), &Progress::new()).unwrap();
    let name = tree.find("directory/file").unwrap();
    let content = &tree.file_of(name).unwrap().main_data().unwrap().content;
    let Content::Unread { location, size: 8 } = *content else { panic!("{content:?}") };
    change(&path);
    let reader = source.open(&tree, location).map_err(|error| error.to_string())?;
    let mut buf = [0; 100];
    let read = reader.read_at(&mut buf, 0).map_err(|error| error.to_string())?;
    Ok(buf[..read].to_vec())
}

#[test]
fn files_that_change_between_scan_and_open_are_noticed() {
    assert_eq!(after(|_| ()).unwrap(), b"original");
    assert_eq!(after(|path| fs_err::write(path, "less").unwrap()).unwrap(), b"less");
    assert_eq!(
        after(|path| fs_err::write(path, "more than before").unwrap()).unwrap(),
        b"more than before"
    );
    let gone = |path: &Path| fs_err::remove_file(path).unwrap();
    assert_eq!(after(gone).unwrap_err(), "No such file or directory (os error 2)");
    let link = |path: &Path| {
        gone(path);
        symlink("../outside", path).unwrap();
    };
    assert_eq!(after(link).unwrap_err(), "Too many levels of symbolic links (os error 40)");
    let pipe = |path: &Path| {
        gone(path);
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    assert_eq!(after(pipe).unwrap_err(), "should be a regular file, but is a pipe now");
    let folder = |path: &Path| {
        gone(path);
        fs_err::create_dir(path).unwrap();
    };
    assert_eq!(after(folder).unwrap_err(), "should be a regular file, but is a directory now");
}

/// A directory of the source that becomes a link is not followed, once its handle is let go.
#[test]
fn directories_that_become_links_are_not_followed() {
    let temporary = scratch();
    let path = temporary.path().join("source");
    // More directories than handles are kept.
    for number in 0..1500 {
        fs_err::create_dir_all(path.join(format!("{number:04}"))).unwrap();
    }
    fs_err::write(path.join("0000/file"), "original").unwrap();
    fs_err::create_dir(temporary.path().join("elsewhere")).unwrap();
    fs_err::write(temporary.path().join("elsewhere/file"), "attacker").unwrap();
    let source = HostSource::new(&path).unwrap();
    let Scanned { tree, .. } = source.scan(&everything(), &Progress::new()).unwrap();
    fs_err::rename(path.join("0000"), path.join("moved")).unwrap();
    symlink("../elsewhere", path.join("0000")).unwrap();
    let name = tree.find("0000/file").unwrap();
    let content = &tree.file_of(name).unwrap().main_data().unwrap().content;
    let Content::Unread { location, .. } = *content else { panic!("{content:?}") };
    match source.open(&tree, location) {
        Ok(reader) => {
            let mut buf = [0; 8];
            reader.read_at(&mut buf, 0).unwrap();
            assert_eq!(&buf, b"original");
        }
        Err(error) => assert_eq!(error.to_string(), "Not a directory (os error 20)"),
    }
}

#[test]
fn what_may_not_be_written_is_listed_and_the_rest_goes_on() {
    let temporary = open_scratch();
    let path = temporary.path();
    for name in ["closed", "open"] {
        fs_err::create_dir(path.join(name)).unwrap();
    }
    fs_err::create_dir(path.join("is a directory")).unwrap();
    fs_err::write(path.join("is a file"), "").unwrap();
    set_mode(&path.join("closed"), 0o555);
    set_mode(&path.join("open"), 0o777);
    let mut tree = Tree::new(directory());
    add(&mut tree, "closed/file", file(b"data"));
    add(&mut tree, "closed/empty", file(b""));
    add(&mut tree, "closed/sub/below", file(b"data"));
    add(&mut tree, "closed/link", symbolic_link("x", true));
    add(&mut tree, "is a directory", file(b"data"));
    add(&mut tree, "is a file/below", file(b"data"));
    add(&mut tree, "open/file", file(b"data"));
    for delivery in [Delivery::Whole, Delivery::Pieces(2)] {
        let mut skipped = as_nobody(|| apply(&mut target(path), &tree, delivery));
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        let mut lines = lines(&skipped);
        // Whose directories these are decides whether their times can be set.
        lines.retain(|line| !line.contains("set times"));
        assert_eq!(
            lines,
            [
                format!(r"\closed\empty: failed to make file: {DENIED}"),
                format!(r"\closed\file: failed to make file: {DENIED}"),
                format!(r"\closed\link: failed to make link: {DENIED}"),
                format!(r"\closed\sub: failed to make directory: {DENIED}"),
                r"\is a directory: failed to make file: Is a directory (os error 21)".to_owned(),
                r"\is a file: failed to make directory: Not a directory (os error 20)".to_owned(),
            ]
        );
        assert_eq!(fs_err::read(path.join("open/file")).unwrap(), b"data");
    }
    set_mode(&path.join("closed"), 0o755);
}

/// A small file system of its own. Mounting needs root; without it these tests fail.
struct Small(tempfile::TempDir);

impl Small {
    fn new(options: &str) -> Self {
        let at = scratch();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at.path())
            .status()
            .unwrap();
        assert!(status.success(), "mounting a file system in memory ended with {status}");
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let ended = Command::new("umount").arg(self.0.path()).status();
        assert!(ended.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_ends_the_work_at_once() {
    let mut tree = Tree::new(directory());
    let name = add(&mut tree, "directory/large", file(&noise(1 << 20, 1)));
    let used = BlobUse { file: tree.name(name).unwrap().file(), name, stream: 0 };
    let progress = Progress::new();
    let check = |error: TargetError, path: &Path| {
        assert_eq!(
            error.to_string(),
            format!("failed to write {}/directory/large", path.display())
        );
        let TargetError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        assert!(!path.join("directory/large").exists());
    };

    let small = Small::new("size=256k");
    let mut host = target(small.0.path());
    host.begin(&tree, &[], &progress).unwrap();
    check(host.put(&tree, &[used], &noise(1 << 20, 1)).unwrap_err(), small.0.path());

    let open = host.open(&tree, &[used], 1 << 20).unwrap();
    let error = host.write(&open, 0, &noise(1 << 20, 1)).unwrap_err();
    host.close(&tree, open, false).unwrap();
    check(error, small.0.path());
    drop(host);
    drop(small);

    // No room for another name.
    let small = Small::new("nr_inodes=3");
    let mut host = target(small.0.path());
    host.begin(&tree, &[], &progress).unwrap();
    host.put(&tree, &[used], b"fits").unwrap();
    let mut more = Tree::new(directory());
    add(&mut more, "one", directory());
    add(&mut more, "too many", directory());
    let error = target(small.0.path()).begin(&more, &[], &progress).unwrap_err();
    assert!(error.to_string().starts_with("failed to make directory "), "{error}");
}

#[test]
fn file_systems_below_are_entered() {
    let temporary = scratch();
    let small = Small::new("size=256k");
    fs_err::write(small.0.path().join("file"), "below").unwrap();
    let linked = temporary.path().join("mounted");
    fs_err::create_dir(&linked).unwrap();
    let bind = |arguments: &[&std::ffi::OsStr]| {
        let status = Command::new("mount").args(arguments).status().unwrap();
        assert!(status.success());
    };
    bind(&["--bind".as_ref(), small.0.path().as_os_str(), linked.as_os_str()]);
    let seen = read(&HostSource::new(temporary.path()).unwrap(), &everything());
    let ended = Command::new("umount").arg(&linked).status().unwrap();
    assert!(ended.success());
    assert!(seen.0.0.contains_key(r"\mounted\file"));
}

#[test]
fn targets_that_cannot_be_are_refused() {
    let temporary = scratch();
    let make = |name: &str| HostTarget::new(temporary.path().join(name), TargetOptions::default());
    fs_err::write(temporary.path().join("file"), "").unwrap();
    let error = make("file").unwrap_err().to_string();
    assert_eq!(error, format!("failed to open directory {}/file", temporary.path().display()));
    let error = make("missing/too far").unwrap_err().to_string();
    assert!(error.starts_with("failed to make directory "), "{error}");
    // It is made, but only itself.
    make("new").unwrap();
    assert!(temporary.path().join("new").is_dir());
}

#[test]
fn everything_can_be_on_stable_storage() {
    let temporary = scratch();
    let options = TargetOptions { sync: true, ..TargetOptions::default() };
    let mut tree = Tree::new(directory());
    add(&mut tree, "file", file(b"data"));
    let mut host = HostTarget::new(temporary.path().join("target"), options).unwrap();
    assert_eq!(apply(&mut host, &tree, Delivery::Whole), []);
    assert_eq!(host.path(), temporary.path().join("target"));
    assert_eq!(fs_err::metadata(host.path().join("file")).unwrap().size(), 4);
    assert_eq!(tree.name(NameId::ROOT).unwrap().children().len(), 1);
}
