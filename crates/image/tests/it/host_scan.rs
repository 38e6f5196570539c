//! Reading a host directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use imprint_image::host::HostSource;
use imprint_image::{ScanOptions, SkipReason, Skipped, Source, SourceError};
use imprint_progress::Progress;
use imprint_winvalues::reparse::{Link, LinkKind};
use imprint_winvalues::tree::{NameId, StreamKind};
use imprint_winvalues::{Attributes, FileTime};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};

use crate::conformance::{Summary, check_source, everything, read};
use crate::host_apply::{is_root, noise, scratch};

fn source(path: &Path) -> HostSource {
    HostSource::new(path).unwrap()
}

fn scan(path: &Path) -> Summary {
    let (summary, skipped) = read(&source(path), &everything());
    assert_eq!(skipped, []);
    summary
}

fn set_times(path: &Path, access: i64, write: i64) {
    let time = |seconds| Timespec { tv_sec: seconds, tv_nsec: 123_456_789 };
    let times = Timestamps { last_access: time(access), last_modification: time(write) };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A directory with a bit of all that Linux has.
fn sample(path: &Path) {
    let at = |name: &str| path.join(name);
    fs_err::create_dir_all(at("b/c")).unwrap();
    fs_err::create_dir(at("nothing in it")).unwrap();
    fs_err::write(at("b/file"), noise(100_000, 1)).unwrap();
    fs_err::write(at("empty"), "").unwrap();
    fs_err::write(at("B"), "upper").unwrap();
    fs_err::write(at("gr\u{fc}n \u{1f600} a\\b"), "odd").unwrap();
    fs_err::write(path.join(OsStr::from_bytes(b"half \xed\xa0\x80 pair")), "surrogate").unwrap();
    fs_err::hard_link(at("b/file"), at("b/c/same")).unwrap();
    fs_err::hard_link(at("empty"), at("b/empty too")).unwrap();
    let sparse = fs_err::File::create(at("sparse")).unwrap();
    sparse.set_len(5 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(sparse.file(), b"middle", 3 << 20).unwrap();
    symlink("b/file", at("link")).unwrap();
    symlink("b", at("link to directory")).unwrap();
    symlink("missing", at("link to nothing")).unwrap();
    symlink("/usr", at("link outside")).unwrap();
    symlink(at("b/c"), at("link inside")).unwrap();
    symlink(path, at("link to root")).unwrap();
}

#[test]
fn the_tree_says_what_the_system_says() {
    let temporary = scratch();
    let path = temporary.path();
    sample(path);
    set_times(&path.join("empty"), 1_600_000_000, 1_500_000_000);
    set_times(&path.join("b/c"), -86_400, 4_000_000_000);
    let seen = check_source(&source(path), &everything());

    let check = |name: &str, attributes| {
        let entry = &seen.0[name];
        assert_eq!(entry.attributes, attributes, "{name}");
        let host =
            path.join(name.trim_start_matches('\\').replace("b\\", "b/").replace("c\\", "c/"));
        let facts = fs_err::symlink_metadata(host).unwrap();
        let nanoseconds = u32::try_from(facts.mtime_nsec()).unwrap();
        assert_eq!(entry.write, FileTime::from_unix(facts.mtime(), nanoseconds), "{name}");
        assert!(entry.creation <= entry.write, "{name}");
        assert!(entry.extras.unix.is_none());
        assert!(entry.security.is_none() && entry.short_name.is_empty());
    };
    check("\\", Attributes::DIRECTORY);
    check(r"\b\c", Attributes::DIRECTORY);
    check(r"\b\file", Attributes::NORMAL);
    check(r"\empty", Attributes::NORMAL);
    check(r"\sparse", Attributes::SPARSE_FILE);
    check(r"\link", Attributes::REPARSE_POINT);
    check(r"\link to directory", Attributes::REPARSE_POINT | Attributes::DIRECTORY);
    check(r"\link to nothing", Attributes::REPARSE_POINT);
    check(r"\link to root", Attributes::REPARSE_POINT | Attributes::DIRECTORY);
    let empty = &seen.0[r"\empty"];
    assert_eq!(empty.access, FileTime::from_unix(1_600_000_000, 123_456_700));
    assert_eq!(empty.creation, empty.write);
    assert_eq!(empty.links, [r"\b\empty too", r"\empty"]);
    assert_eq!(seen.0[r"\b\file"].links, [r"\b\c\same", r"\b\file"]);
    let data = |name: &str| &seen.0[name].streams[&(StreamKind::Data, String::new())];
    assert_eq!(*data(r"\b\file"), noise(100_000, 1));
    assert_eq!(*data("\\gr\u{fc}n \u{1f600} a\\b"), b"odd");
    assert_eq!(*data("\\half \u{fffd} pair"), b"surrogate");
    assert_eq!(data(r"\sparse").len(), 5 << 20);
    assert_eq!(data(r"\sparse")[3 << 20..][..6], *b"middle");
    assert_eq!(seen.0.len(), 18);
}

#[test]
fn links_are_those_of_windows() {
    let temporary = scratch();
    let path = temporary.path();
    sample(path);
    let check = |fix_reparse, name: &str, relative, not_fixed, substitute: &str| {
        let options = ScanOptions { fix_reparse, ..everything() };
        let (seen, _) = read(&source(path), &options);
        let entry = &seen.0[name];
        let info = entry.reparse.unwrap();
        let data = &entry.streams[&(StreamKind::Reparse, String::new())];
        let link = Link::parse(info.tag, data).unwrap();
        assert_eq!(link.kind, LinkKind::SymbolicLink { relative });
        assert_eq!(link.substitute.to_string(), substitute);
        assert_eq!(info.not_fixed, not_fixed, "{name}");
    };
    check(true, r"\link", true, true, r"b\file");
    check(true, r"\link outside", false, true, r"\??\C:\usr");
    check(true, r"\link inside", false, false, r"\??\C:\b\c");
    check(true, r"\link to root", false, false, r"\??\C:");
    let whole = format!(r"\??\C:{}", path.join("b/c").to_str().unwrap().replace('/', "\\"));
    check(false, r"\link inside", false, true, &whole);
}

/// The order of names must not depend on where files lie.
#[test]
fn names_are_in_the_order_of_their_bytes() {
    let temporary = scratch();
    sample(temporary.path());
    let scanned = source(temporary.path()).scan(&everything(), &Progress::new()).unwrap();
    for (id, name) in scanned.tree.names() {
        let names: Vec<_> = name
            .children()
            .iter()
            .map(|&child| scanned.tree.name(child).unwrap().name.to_wtf8())
            .collect();
        assert!(names.is_sorted(), "{}", scanned.tree.path_of(id));
    }
    // A directory's entries stand together, and the data of a directory lies in one range.
    let children = scanned.tree.name(NameId::ROOT).unwrap().children();
    assert!(children.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
}

#[test]
fn what_is_excluded_is_not_entered() {
    let temporary = scratch();
    let path = temporary.path();
    sample(path);
    let asked = Mutex::new(Vec::new());
    let exclude = |path: &str, is_directory: bool| {
        asked.lock().unwrap().push((path.to_owned(), is_directory));
        matches!(path, r"\b" | r"\empty")
    };
    let options = ScanOptions { exclude: &exclude, ..everything() };
    let scanned = source(path).scan(&options, &Progress::new()).unwrap();
    assert_eq!(scanned.excluded, 2);
    assert_eq!(scanned.tree.find("b"), scanned.tree.find("B"));
    assert_eq!(scanned.tree.find("empty"), None);
    let asked = asked.into_inner().unwrap();
    assert!(asked.contains(&(r"\b".into(), true)));
    assert!(asked.contains(&(r"\link to directory".into(), false)));
    assert!(asked.iter().all(|(path, _)| path != "\\" && !path.starts_with(r"\b\")));
}

#[test]
fn dereferenced_links_are_what_they_lead_to() {
    let temporary = scratch();
    let path = temporary.path();
    sample(path);
    // What that leads to is not this test's business.
    let exclude = |path: &str, is_directory: bool| is_directory && path == r"\link outside";
    let options = ScanOptions { dereference: true, exclude: &exclude, ..everything() };
    let (seen, skipped) = read(&source(path), &options);
    assert!(!seen.0.contains_key(r"\link outside"));
    let entry = &seen.0[r"\link"];
    assert_eq!(entry.attributes, Attributes::NORMAL);
    assert_eq!(entry.streams[&(StreamKind::Data, String::new())], noise(100_000, 1));
    assert!(entry.links.contains(&r"\b\file".to_owned()));
    assert_eq!(seen.0[r"\link to directory"].attributes, Attributes::DIRECTORY);
    assert!(seen.0.contains_key(r"\link to directory\c\same"));
    assert!(seen.0.contains_key(r"\link inside\same"));
    let reasons: BTreeMap<&str, String> =
        skipped.iter().map(|s| (s.path.as_str(), s.reason.to_string())).collect();
    let expected = BTreeMap::from([
        (
            r"\link to nothing",
            "failed to read metadata: No such file or directory (os error 2)".into(),
        ),
        (r"\link to root", "leads back to a directory it is in".into()),
    ]);
    assert_eq!(reasons, expected);
}

#[test]
fn names_that_are_not_text_are_refused_by_name() {
    let temporary = scratch();
    let path = temporary.path();
    for name in [&b"latin \xfc"[..], b"pair \xed\xa0\x80\xed\xb0\x80"] {
        fs_err::write(path.join(OsStr::from_bytes(name)), "").unwrap();
    }
    fs_err::create_dir(path.join(OsStr::from_bytes(b"\xff"))).unwrap();
    fs_err::write(path.join(OsStr::from_bytes(b"\xff/below")), "").unwrap();
    symlink(OsStr::from_bytes(b"\xfe"), path.join("link")).unwrap();
    fs_err::write(path.join("fine"), "").unwrap();
    let (seen, skipped) = read(&source(path), &everything());
    assert_eq!(seen.0.keys().collect::<Vec<_>>(), ["\\", r"\fine"]);
    let lines: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    let fault = "name is not UTF-8: byte";
    assert_eq!(
        lines,
        [
            format!("\\latin \u{fffd}: {fault} 0xfc at position 6 cannot be converted"),
            format!("\\link: link target: {fault} 0xfe at position 0 cannot be converted"),
            format!(
                "\\pair {}: {fault} 0xed at position 8 cannot be converted",
                "\u{fffd}".repeat(6)
            ),
            format!("\\\u{fffd}: {fault} 0xff at position 0 cannot be converted"),
        ]
    );
}

#[test]
fn special_files_are_kept_with_unix_data_only() {
    let temporary = scratch();
    let path = temporary.path();
    rustix::fs::mknodat(CWD, path.join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    let (seen, skipped) = read(&source(path), &everything());
    assert_eq!(seen.0.len(), 1);
    let kind = |path: &str, kind| Skipped {
        path: path.into(),
        reason: SkipReason::UnsupportedKind { kind },
    };
    assert_eq!(skipped, [kind(r"\pipe", "pipe"), kind(r"\socket", "socket")]);
    drop(socket);

    let options = ScanOptions { unix_data: true, ..everything() };
    let (seen, skipped) = read(&source(path), &options);
    assert_eq!(skipped, []);
    let entry = &seen.0[r"\pipe"];
    assert_eq!(entry.attributes, Attributes::empty());
    assert_eq!(entry.extras.unix.unwrap().mode, 0o010_400);
    assert!(seen.0["\\"].extras.unix.is_some());
}

#[test]
fn paths_longer_than_a_call_takes_are_read() {
    let temporary = scratch();
    let mut at = rustix::fs::open(temporary.path(), OFlags::PATH, Mode::empty()).unwrap();
    let name = "d".repeat(254);
    // 32,767 characters, the longest path of Windows: 128 names of 255 with their separators.
    for _ in 0..128 {
        rustix::fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, &name, OFlags::PATH, Mode::empty()).unwrap();
    }
    let flags = OFlags::CREATE | OFlags::WRONLY;
    let file = rustix::fs::openat(&at, "end", flags, Mode::RUSR).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    let seen = scan(temporary.path());
    let (longest, entry) = seen.0.iter().next_back().unwrap();
    assert_eq!(longest.len(), 128 * 255 + 4);
    assert_eq!(entry.streams[&(StreamKind::Data, String::new())], b"deep");
}

#[test]
fn a_directory_of_100_000_entries_is_read() {
    let temporary = scratch();
    let at = rustix::fs::open(temporary.path(), OFlags::PATH, Mode::empty()).unwrap();
    let first = rustix::fs::openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
    drop(first);
    // Several files, because a file can have only so many names.
    for number in 0..100_000 {
        let name = format!("{number:06}");
        if number % 10_000 == 0 {
            let flags = OFlags::CREATE | OFlags::WRONLY;
            drop(rustix::fs::openat(&at, &name, flags, Mode::RUSR).unwrap());
        } else {
            let of = format!("{:06}", number / 10_000 * 10_000);
            rustix::fs::linkat(&at, of, &at, name, AtFlags::empty()).unwrap();
        }
    }
    let scanned = source(temporary.path()).scan(&everything(), &Progress::new()).unwrap();
    assert_eq!(scanned.tree.names().len(), 100_002);
    assert_eq!(scanned.tree.files().len(), 12);
    assert_eq!(scanned.skipped, []);
}

#[test]
fn access_times_stay() {
    let temporary = scratch();
    let path = temporary.path();
    fs_err::create_dir(path.join("directory")).unwrap();
    fs_err::write(path.join("directory/file"), "data").unwrap();
    for name in ["directory/file", "directory"] {
        set_times(&path.join(name), 1_000_000, 2_000_000);
    }
    scan(path);
    for name in ["directory/file", "directory"] {
        assert_eq!(fs_err::metadata(path.join(name)).unwrap().atime(), 1_000_000, "{name}");
    }
}

#[test]
fn the_root_must_be_a_directory() {
    let temporary = scratch();
    let file = temporary.path().join("file");
    fs_err::write(&file, "").unwrap();
    let error = HostSource::new(&file).unwrap_err();
    assert!(
        matches!(&error, SourceError::Root { operation: "open", path, .. } if *path == file.display().to_string())
    );
    HostSource::new(temporary.path().join("missing")).unwrap_err();
    // But it may be a link to one.
    symlink(".", temporary.path().join("here")).unwrap();
    assert!(scan(&temporary.path().join("here")).0.contains_key(r"\file"));
}

/// Compares with what wimlib makes of the same directory.
#[test]
fn wimlib_sees_the_same() {
    let temporary = scratch();
    let path = temporary.path().join("tree");
    fs_err::create_dir(&path).unwrap();
    sample(&path);
    // wimlib does not take halves of pairs for names.
    fs_err::remove_file(path.join(OsStr::from_bytes(b"half \xed\xa0\x80 pair"))).unwrap();
    let wim = temporary.path().join("wim");
    let run = |arguments: &[&OsStr]| {
        let output = Command::new("wimlib-imagex").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let [capture, none, unix] = ["capture", "--compress=none", "--unix-data"].map(OsStr::new);
    run(&[capture, none, unix, OsStr::new("--rpfix"), path.as_os_str(), wim.as_os_str()]);
    let [dir, detailed, one] = ["dir", "--detailed", "1"].map(OsStr::new);
    let listing = run(&[dir, detailed, wim.as_os_str(), one]);

    let options = ScanOptions { unix_data: true, ..everything() };
    let (seen, skipped) = read(&source(&path), &options);
    assert_eq!(skipped, []);
    let rule = "-".repeat(76);
    let mut compared = 0;
    for block in listing.split(&rule).skip(1) {
        let field = |key: &str| {
            let line = block.lines().find(|line| line.trim_start().starts_with(key))?;
            Some(line.split_once('=')?.1.trim().trim_matches('"').to_owned())
        };
        // A backslash in a name stands beside those between names.
        let Some(path) = field("Full Path") else { continue };
        let entry = &seen.0[&path.replace('/', "\\")];
        let number = |text: String| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
        let mut attributes = entry.attributes;
        if entry.reparse.is_some() {
            // wimlib 1.13 does not look where links lead; 1.14 does, as we do.
            attributes -= Attributes::DIRECTORY;
            let theirs = number(field("Attributes").unwrap());
            let theirs = Attributes::from_bits_retain(theirs) - Attributes::DIRECTORY;
            assert_eq!(theirs, attributes, "{path}");
            assert_eq!(field("Reparse Tag").map(number), entry.reparse.map(|r| r.tag), "{path}");
        } else {
            assert_eq!(number(field("Attributes").unwrap()), attributes.bits(), "{path}");
        }
        assert_eq!(field("Link Count").unwrap(), entry.links.len().to_string(), "{path}");
        let hash = |data: &[u8]| {
            use sha1::Digest;
            let digest = sha1::Sha1::digest(data);
            let hex = |text: String, byte: &u8| format!("{text}{byte:02x}");
            format!("0x{}", digest.iter().fold(String::new(), hex))
        };
        for data in entry.streams.values().filter(|data| !data.is_empty()) {
            assert!(block.contains(&hash(data)), "{path}: {}", hash(data));
        }
        compared += 1;
    }
    assert_eq!(compared, seen.0.len());
    assert!(is_root() || !listing.is_empty());
}
