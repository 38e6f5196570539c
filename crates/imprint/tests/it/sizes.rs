//! Sizes at which programs break: files beyond 4 GiB, directories of 100,000 files, paths of 32,767
//! letters. Judged by wimlib, 7-Zip and the system.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use imprint_testkit::census::{Census, census};
use imprint_testkit::soak;
use rustix::fs::{CWD, Mode, OFlags};

use crate::interop_trees::seven_zip;
use crate::world::World;

/// More than 4 GiB in long runs: hashing so many zeros takes a minute.
fn size() -> u64 {
    if soak::is_on() { (4 << 30) + 70_001 } else { (300 << 20) + 70_001 }
}

/// Makes a large file in which little is written: at its ends, and around 4 GiB if it goes so far.
fn sparse(path: &Path) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs_err::File::create(path).unwrap();
    file.set_len(size()).unwrap();
    for at in [5, 100 << 20, 1 << 31, (4 << 30) - 3, (4 << 30) + 50_000, size() - 8] {
        if at < size() {
            file.file().write_all_at(&at.to_be_bytes(), at).unwrap();
        }
    }
}

#[track_caller]
fn is_sparse(path: &Path) {
    let metadata = fs_err::metadata(path).unwrap();
    assert_eq!(metadata.len(), size());
    assert!(metadata.blocks() * 512 < 16 << 20, "{} blocks", metadata.blocks());
}

#[test]
fn a_large_sparse_file_stays_sparse_and_is_what_wimlib_and_7zip_see() {
    let world = World::new();
    sparse(&world.path("src/sparse"));
    world.write("src/small", b"small");
    let src = census(&world.path("src"));
    let codings: &[&[&str]] = if soak::is_on() {
        &[
            &["--compress=xpress", "--chunk-size=64K"],
            &["--compress=xpress", "--chunk-size=32K"],
            &["--compress=lzx", "--chunk-size=32K"],
            &["--compress=lzx", "--chunk-size=2M"],
        ]
    } else {
        &[&["--compress=xpress", "--chunk-size=64K"]]
    };
    for options in codings {
        world.done(&[&["capture", "src", "a.wim", "--unix-data", "--check"], *options].concat());
        assert!(fs_err::metadata(world.path("a.wim")).unwrap().len() < 64 << 20);
        world.wimlib(&["verify", "a.wim"]);
        restored(&world, &src);
        if soak::is_on() {
            world.shell("wimlib-imagex extract a.wim 1 /sparse --to-stdout | cmp - src/sparse");
            seven_zip(&world, &["t", "a.wim"]);
            let words = [&["capture", "src", "a.wim", "--unix-data", "--check"], *options];
            world.wimlib(&words.concat());
            restored(&world, &src);
        }
        fs_err::remove_file(world.path("a.wim")).unwrap();
    }
}

fn restored(world: &World, src: &Census) {
    world.done(&["apply", "a.wim", "1", "out", "--unix-data", "--check"]);
    src.assert_same(&census(&world.path("out")), "the sparse file");
    is_sparse(&world.path("out/sparse"));
    world.shell("rm -rf out");
}

#[test]
fn a_directory_of_a_hundred_thousand_files_is_what_wimlib_and_7zip_see() {
    let world = World::new();
    fs_err::create_dir_all(world.path("src/many")).unwrap();
    for number in 0..100_000_u64 {
        // Neither sorted nor of one length; every tenth has data of its own, the rest is equal.
        let name = format!("src/many/File {} \u{e4}", number * 7919 % 1_000_003);
        let data = if number % 10 == 0 { number.to_string() } else { "equal".to_owned() };
        fs_err::write(world.path(&name), data).unwrap();
    }
    let src = census(&world.path("src"));
    assert_eq!(src.0.len(), 100_002);
    world.done(&["capture", "src", "a.wim", "--unix-data", "--compress=xpress"]);
    world.wimlib(&["verify", "a.wim"]);
    let restored = |by: &str| {
        src.assert_same(&census(&world.path("out")), by);
        world.shell("rm -rf out");
    };
    world.done(&["apply", "a.wim", "1", "out", "--unix-data"]);
    restored("by us");
    let listed = seven_zip(&world, &["l", "-ba", "a.wim"]);
    assert_eq!(listed.lines().count(), 100_001);
    world.wimlib(&["append", "src", "a.wim", "again", "--unix-data"]);
    assert_eq!(world.wimlib(&["dir", "a.wim", "2"]), world.wimlib(&["dir", "a.wim", "1"]));
    if soak::is_on() {
        world.wimlib(&["apply", "a.wim", "1", "out", "--unix-data"]);
        restored("by wimlib");
        world.done(&["apply", "a.wim", "2", "out", "--unix-data"]);
        restored("appended by wimlib");
        world.wimlib(&["capture", "src", "b.wim", "--unix-data", "--compress=lzx"]);
        world.done(&["append", "src", "b.wim", "again", "--unix-data"]);
        world.wimlib(&["verify", "b.wim"]);
        world.done(&["apply", "b.wim", "2", "out", "--unix-data"]);
        restored("from wimlib by us");
    }
}

/// Makes nested directories until a file named `f` in the innermost has a path of `letters` UTF-16
/// units, counting the separators in front of all names. Answers how many there are.
fn nest(root: &Path, letter: &str, letters: usize) -> usize {
    fs_err::create_dir_all(root).unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at: OwnedFd = rustix::fs::openat(CWD, root, flags, Mode::empty()).unwrap();
    let mut left = letters - "/f".len();
    let mut depth = 0;
    while left > 0 {
        let most = (255 / letter.len()).min(left - 1);
        let length = if left - 1 - most == 1 { most - 1 } else { most };
        let name = format!("{depth:0>3}{}", letter.repeat(length.saturating_sub(3)));
        let name: String = name.chars().take(length).collect();
        rustix::fs::mkdirat(&at, &name, Mode::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, &name, flags, Mode::empty()).unwrap();
        left -= length + 1;
        depth += 1;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&at, "f", flags, Mode::from_raw_mode(0o644)).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    depth
}

#[test]
fn paths_of_32767_letters_are_what_wimlib_sees() {
    let world = World::new();
    let depth = nest(&world.path("src"), "\u{e4}", 32_767);
    assert!(depth > 250, "{depth}");
    let src = census(&world.path("src"));
    let longest = src.0.keys().map(|path| String::from_utf8_lossy(path).chars().count()).max();
    // The census does not count the separator in front.
    assert_eq!(longest, Some(32_766));
    world.done(&["capture", "src", "a.wim", "--unix-data", "--compress=xpress"]);
    world.wimlib(&["verify", "a.wim"]);
    world.done(&["apply", "a.wim", "1", "out", "--unix-data"]);
    src.assert_same(&census(&world.path("out")), "by us");
    let list = |program: String| program.lines().map(str::len).max().unwrap();
    assert!(list(world.wimlib(&["dir", "a.wim", "1"])) > 60_000);
    assert_eq!(world.done(&["dir", "a.wim", "1"]).out, world.wimlib(&["dir", "a.wim", "1"]));
    // wimlib captures no path beyond 4096 bytes; but it reads them and writes them anew.
    world.wimlib(&["export", "a.wim", "1", "b.wim", "--compress=lzx"]);
    let delete = format!("--command=delete --recursive /000{}", "\u{e4}".repeat(124));
    world.wimlib(&["update", "b.wim", "1", &delete]);
    assert_eq!(world.wimlib(&["dir", "b.wim", "1"]), "/\n");
    world.wimlib(&["export", "a.wim", "1", "b.wim", "again"]);
    world.wimlib(&["update", "b.wim", "2", "--command=add a.wim /beside"]);
    world.done(&["apply", "b.wim", "2", "out2", "--unix-data"]);
    assert!(world.has("out2/beside"));
    let deep = |census: Census| census.without(|path, _| path.is_empty() || path == b"beside");
    deep(src).assert_same(&deep(census(&world.path("out2"))), "written by wimlib, applied by us");
}
