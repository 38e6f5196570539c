//! Disks that are full or broken, files that cannot be read or change meanwhile: what is lost is
//! named, the status says so, and what was there before stays.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use imprint_testkit::census::{Census, census};
use imprint_testkit::{Kind, Mount, ntfs_volume, soak, tools};

use crate::world::{Ran, World};

/// A tree of some 700 KB that hardly compresses.
fn tree(world: &World) {
    for number in 0..12_u64 {
        let path = format!("src/{}/{number}", number % 3);
        world.write(
            &path,
            Kind::Random.bytes(20_000 + 3_000 * usize::try_from(number).unwrap(), number),
        );
    }
    world.write("src/large", Kind::Random.bytes(300_000, 99));
    world.write("src/text", Kind::Text.bytes(100_000, 98));
    world.write("src/empty", b"");
    world.shell("ln src/text src/0/link; ln -s ../text src/1/symbolic");
}

fn assert_full(ran: &Ran, what: &str) {
    assert_eq!(ran.status, Some(1), "{what} {ran:?}");
    assert!(ran.err.contains("No space left on device (os error 28)"), "{what} {ran:?}");
    assert!(ran.err.contains("advice: free some space and try again"), "{what} {ran:?}");
}

/// Room on the disk, in KiB, from hardly any to nearly enough.
fn rooms(enough: u32) -> Vec<u32> {
    let count = soak::rounds(5, 60);
    (0..count).map(|n| 8 + (enough - 8) * n / count).collect()
}

#[test]
fn a_full_disk_ends_a_capture_without_a_file() {
    let world = World::new();
    tree(&world);
    let mut full = 0;
    for room in rooms(760) {
        let disk = Mount::tmpfs(&world.path("disk"), &format!("size={room}k"));
        for compress in ["none", "lzx:20"] {
            let option = format!("--compress={compress}");
            let ran = world.imprint(&["capture", "src", "disk/a.wim", "--check", &option]);
            if ran.status != Some(0) {
                assert_full(&ran, &format!("{room} KiB {compress}"));
                assert_eq!(fs_err::read_dir(disk.path()).unwrap().count(), 0, "{room}");
                full += 1;
            }
        }
    }
    assert!(full >= 6, "{full}");
    // No room for a name.
    let disk = Mount::tmpfs(&world.path("disk"), "nr_inodes=1");
    assert_full(&world.imprint(&["capture", "src", "disk/a.wim"]), "no name");
    drop(disk);
}

/// The verbs that write on in a file, each with what it needs.
const WRITERS: [&[&str]; 5] = [
    &["append", "src", "disk/a.wim", "more"],
    &["append", "src", "disk/a.wim", "more", "--check", "--threads=1"],
    &["export", "other.wim", "1", "disk/a.wim", "other"],
    &["optimize", "disk/a.wim"],
    &["delete", "disk/a.wim", "2"],
];

#[test]
fn a_full_disk_leaves_the_old_images() {
    let world = World::new();
    world.write("old/file", Kind::Random.bytes(150_000, 5));
    world.write("second/file", Kind::Random.bytes(60_000, 6));
    tree(&world);
    world.done(&["capture", "old", "old.wim", "One", "--check", "--compress=xpress"]);
    world.done(&["append", "second", "old.wim", "Two"]);
    world.done(&["capture", "src", "other.wim", "--compress=xpress"]);
    let before = world.wimlib(&["dir", "old.wim", "1", "--detailed"]);
    let old = census(&world.path("old"));
    let mut full = 0;
    for room in rooms(980).into_iter().map(|room| room + 220) {
        for words in WRITERS {
            let disk = Mount::tmpfs(&world.path("disk"), &format!("size={room}k"));
            world.shell("cp old.wim disk/a.wim");
            let ran = world.imprint(words);
            let what = format!("{room} KiB {words:?}");
            world.wimlib(&["verify", "disk/a.wim"]);
            if ran.status != Some(0) {
                assert_full(&ran, &what);
                full += 1;
                assert_eq!(
                    world.wimlib(&["dir", "disk/a.wim", "1", "--detailed"]),
                    before,
                    "{what}"
                );
                let names = fs_err::read_dir(disk.path()).unwrap().count();
                assert_eq!(names, 1, "{what}: something is left beside the file");
            }
            world.wimlib(&["apply", "disk/a.wim", "1", "out"]);
            old.assert_same(&census(&world.path("out")), &what);
            world.shell("rm -rf out");
            // With room made, the same works.
            world.shell("mount -o remount,size=8m disk");
            if ran.status != Some(0) {
                world.done(words);
                world.wimlib(&["verify", "disk/a.wim"]);
            }
        }
    }
    assert!(full >= 8, "{full}");
}

#[test]
fn a_full_disk_ends_an_apply_with_an_error_and_no_file_half_written() {
    let world = World::new();
    tree(&world);
    world.done(&["capture", "src", "a.wim", "--compress=xpress"]);
    let src = census(&world.path("src"));
    let mut full = 0;
    for room in rooms(840) {
        let disk = Mount::tmpfs(&world.path("disk"), &format!("size={room}k"));
        let ran = world.imprint(&["apply", "a.wim", "1", "disk/out"]);
        if ran.status == Some(0) {
            continue;
        }
        assert_full(&ran, &format!("{room} KiB"));
        full += 1;
        // Times are set at the end, and not all is there; but what is there is whole.
        for (path, entry) in census(disk.path()).0 {
            let Some(path) = path.strip_prefix(b"out/") else { continue };
            let path = String::from_utf8_lossy(path);
            if entry.mode & 0o17_0000 == 0o10_0000 && entry.size > 0 {
                assert_eq!(entry.data, src.0[path.as_bytes()].data, "{room} KiB: {path}");
            }
        }
    }
    assert!(full >= 3, "{full}");
}

#[test]
fn a_file_too_large_for_the_disk_is_not_left_half_written() {
    let world = World::new();
    world.write("src/too large", Kind::Random.bytes(9_000_000, 7));
    world.wimlib(&["capture", "src", "a.wim", "--compress=none"]);
    world.wimlib(&["capture", "src", "a.esd", "--solid", "--solid-chunk-size=1M"]);
    for file in ["a.wim", "a.esd"] {
        for threads in ["--threads=1", "--threads=4"] {
            let disk = Mount::tmpfs(&world.path("disk"), "size=4m");
            let ran = world.imprint(&["apply", file, "1", "disk", threads]);
            assert_full(&ran, &format!("{file} {threads}"));
            assert_eq!(fs_err::read_dir(disk.path()).unwrap().count(), 0, "{file} {threads}");
        }
    }
}

#[test]
fn a_full_ntfs_volume_ends_an_apply_with_an_error() {
    let world = World::new();
    tree(&world);
    world.write("src/too large", Kind::Random.bytes(9_000_000, 7));
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    ntfs_volume(&world.path("volume"), 8);
    let disk = Mount::ntfs(&world.path("volume"), &world.path("disk"), "rw");
    assert_full(&world.imprint(&["apply", "a.wim", "1", "disk"]), "NTFS");
    assert!(!world.has("disk/too large"));
    drop(disk);
    // The volume is as sound as before.
    world.wimlib(&["capture", "volume", "b.wim", "--compress=none"]);
    world.wimlib(&["verify", "b.wim"]);
}

/// `imprint` as root without the right to pass over permissions.
fn restricted(world: &World, words: &[&str]) -> Ran {
    let drop = "-dac_override,-dac_read_search,-fowner,-chown";
    let mut command = Command::new(tools::require("setpriv"));
    command.args(["--bounding-set", drop, "--inh-caps=-all", "--"]);
    command.arg(env!("CARGO_BIN_EXE_imprint")).args(words).current_dir(world.path(""));
    Ran::new(&tools::output(&mut command))
}

#[test]
fn files_that_may_not_be_read_are_each_named_and_the_rest_is_captured() {
    let world = World::new();
    tree(&world);
    world.shell("chmod 000 src/0/3 src/2 && chmod 0311 src/1");
    for verb in ["capture", "append"] {
        let ran = restricted(&world, &[verb, "src", "a.wim", verb, "--compress=xpress"]);
        assert_eq!(ran.status, Some(3), "{ran:?}");
        let lost: Vec<_> = ran.err.lines().filter(|line| line.starts_with("left out: ")).collect();
        assert_eq!(lost.len(), 3, "{lost:?}");
        for path in [r"\0\3: ", r"\1: ", r"\2: "] {
            let named = lost.iter().any(|line| line.contains(path) && line.contains("denied"));
            assert!(named, "{path} {lost:?}");
        }
        world.wimlib(&["verify", "a.wim"]);
        let listing = world.wimlib(&["dir", "a.wim", verb]);
        assert!(listing.contains("/large\n") && listing.contains("/0/0\n"), "{listing}");
        assert!(!listing.contains("/0/3\n"), "{listing}");
    }
    // Nor may all be written.
    world.shell("chmod 755 src/1 src/2 && chmod 644 src/0/3");
    world.done(&["capture", "src", "b.wim", "--compress=xpress"]);
    world.shell("mkdir -p out/1 && chmod 555 out/1");
    let ran = restricted(&world, &["apply", "b.wim", "out"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.err.contains(r"left out: \1\4: failed to make file"), "{ran:?}");
    assert_eq!(world.read("out/large"), world.read("src/large"));
    let ran = restricted(&world, &["capture", "src", "out/1/a.wim"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
}

/// Captures a file of 6 MB and lets `change` happen to it once it is being read.
fn changed(change: impl FnOnce(&World)) -> (World, Ran) {
    let world = World::new();
    world.write("src/a file", Kind::Random.bytes(6_000_000, 1));
    world.write("src/b", b"another");
    world.shell("mkfifo trace");
    let imprint = world.imprint_command(&[]);
    let child = Command::new(tools::require("strace"))
        .current_dir(world.path(""))
        .args(["-f", "-qq", "-o", "trace", "-e", "trace=pread64,openat,fcntl"])
        .args(["-e", "inject=pread64:delay_enter=3000"])
        .arg(imprint.get_program())
        .args(["capture", "src", "a.wim", "--compress=none", "--threads=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let trace = fs_err::File::open(world.path("trace")).unwrap();
    let mut lines = BufReader::new(trace).lines().map(Result::unwrap);
    let mut change = Some(change);
    let mut opened = None;
    for line in lines.by_ref() {
        if line.contains("\"a file\"") && line.contains(" = ") {
            opened = line.rsplit(" = ").next().map(|fd| format!("pread64({}, ", fd.trim()));
        }
        // The first piece of it is read.
        let reads = opened.as_ref().is_some_and(|call| line.contains(call));
        if reads && let Some(change) = change.take() {
            change(&world);
        }
    }
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert!(change.is_none(), "the file was not read: {ran:?}");
    (world, ran)
}

#[test]
fn files_that_change_while_they_are_read_are_named() {
    let check = |what: &str, change: &dyn Fn(&World)| {
        let (world, ran) = changed(change);
        assert_eq!(ran.status, Some(3), "{what}: {ran:?}");
        assert!(ran.err.contains(r"left out: \a file: "), "{what}: {ran:?}");
        world.wimlib(&["verify", "a.wim"]);
        world.wimlib(&["apply", "a.wim", "1", "out"]);
        assert_eq!(world.read("out/b"), b"another", "{what}");
    };
    let open = |world: &World| {
        fs_err::OpenOptions::new().write(true).open(world.path("src/a file")).unwrap()
    };
    check("shorter", &|world| open(world).set_len(5_000_000).unwrap());
    check("empty", &|world| open(world).set_len(0).unwrap());
    check("longer", &|world| open(world).set_len(7_000_000).unwrap());
    check("overwritten", &|world| open(world).write_all(&[7; 6_000_000]).unwrap());
}

#[test]
fn a_file_that_is_removed_while_it_is_read_is_whole() {
    let data = Kind::Random.bytes(6_000_000, 1);
    let (world, ran) = changed(|world| fs_err::remove_file(world.path("src/a file")).unwrap());
    assert!(matches!(ran.status, Some(0 | 3)), "{ran:?}");
    world.wimlib(&["verify", "a.wim"]);
    world.wimlib(&["apply", "a.wim", "1", "out"]);
    if ran.status == Some(0) || world.has("out/a file") {
        assert_eq!(world.read("out/a file"), data);
    }
}

/// System calls that ask a disk for something.
const CALLS: [&str; 28] = [
    "openat",
    "openat2",
    "read",
    "pread64",
    "write",
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
    "unlink",
    "unlinkat",
    "getdents64",
    "statx",
    "newfstatat",
    "fstat",
    "readlinkat",
    "symlinkat",
    "mkdirat",
    "utimensat",
    "lseek",
    "fchmod",
    "fchmodat",
];

/// Runs `imprint` under strace.
fn traced(world: &World, options: &[&str], words: &[&str]) -> Ran {
    let mut command = Command::new(tools::require("strace"));
    command.current_dir(world.path("")).args(["-f", "-qq"]).args(options);
    command.arg(env!("CARGO_BIN_EXE_imprint")).args(words).stdin(Stdio::null());
    Ran::new(&tools::output(&mut command))
}

/// The calls of the first thread that reach for the disk, from the first that names one of our files
/// on: what comes before is the loader's. Each with how manieth of its name it is.
fn disk_calls(world: &World, words: &[&str]) -> Vec<(String, usize)> {
    let ran = traced(world, &["-o", "trace.txt"], words);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let trace = String::from_utf8_lossy(&world.read("trace.txt")).into_owned();
    fs_err::remove_file(world.path("trace.txt")).unwrap();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let (mut first, mut begun) = (None, false);
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        if *first.get_or_insert(thread) != thread {
            continue;
        }
        let call = call.trim_start();
        let name = call.split('(').next().unwrap_or_default();
        let count = counts.entry(name).or_default();
        *count += 1;
        // The program's own words name the files too.
        begun |= !name.starts_with("exec") && (call.contains("\"src") || call.contains(".wim\""));
        // Whether standard output can be written to is another test's.
        let printing = name == "write" && (call.contains("(1,") || call.contains("(2,"));
        if begun && CALLS.contains(&name) && !printing {
            found.push((name.to_owned(), *count));
        }
    }
    found
}

/// What the program says it lost, as paths with slashes.
fn lost(ran: &Ran) -> Vec<String> {
    let paths = ran.err.lines().filter_map(|line| line.strip_prefix("left out: \\"));
    paths.map(|line| line.split(": ").next().unwrap_or_default().replace('\\', "/")).collect()
}

/// Takes out what was lost, all below it, and the times of directories, which a loss may change.
fn except(census: &Census, lost: &[String]) -> Census {
    let gone = |path: &[u8]| {
        let path = String::from_utf8_lossy(path).into_owned();
        lost.iter()
            .any(|lost| lost.is_empty() || path == *lost || path.starts_with(&format!("{lost}/")))
    };
    let mut census = census.clone().without(|path, _| gone(path)).ignore_links();
    for entry in census.0.values_mut().filter(|entry| entry.mode & 0o17_0000 == 0o4_0000) {
        entry.modified = 0;
    }
    census
}

/// Lets one call after the other fail with an input/output error. `prepare` makes a fresh start,
/// `judge` looks at what a run left behind.
fn fail_each(
    world: &World,
    words: &[&str],
    prepare: impl Fn(),
    judge: impl Fn(&Ran, &str),
) -> (usize, usize) {
    prepare();
    let calls = disk_calls(world, words);
    let count = usize::try_from(soak::rounds(24, 10_000)).unwrap().min(calls.len());
    let mut failed = 0;
    for n in 0..count {
        let (name, number) = &calls[n * calls.len() / count];
        prepare();
        let inject = format!("inject={name}:error=EIO:when={number}");
        let ran = traced(world, &["-o", "/dev/null", "-e", "trace=all", "-e", &inject], words);
        let what = format!("{name} {number} of {words:?}: {ran:?}");
        assert!(matches!(ran.status, Some(0 | 1 | 3)), "{what}");
        assert!(!ran.err.contains("panicked"), "{what}");
        let silent = ran.status != Some(0) && ran.err.is_empty();
        assert!(!silent && (ran.status != Some(3) || !lost(&ran).is_empty()), "{what}");
        failed += usize::from(ran.status != Some(0));
        judge(&ran, &what);
    }
    println!("{count} of {} calls failed, {failed} runs noticed", calls.len());
    (count, failed)
}

#[test]
fn input_and_output_errors_during_a_capture_are_never_silent() {
    let world = World::new();
    tree(&world);
    let src = census(&world.path("src"));
    let words = ["capture", "src", "a.wim", "--compress=xpress:20", "--threads=1", "--check"];
    let (count, failed) = fail_each(
        &world,
        &words,
        || world.shell("rm -rf a.wim out").clear(),
        |ran, what| {
            if ran.status == Some(1) {
                // It has its name already when the directory is made sure of; then it is whole.
                if !world.has("a.wim") {
                    assert_eq!(world.names(), ["src"], "{what}");
                    return;
                }
                assert_eq!(world.names(), ["a.wim", "src"], "{what}");
            }
            world.wimlib(&["verify", "a.wim"]);
            world.wimlib(&["apply", "a.wim", "1", "out"]);
            let out = census(&world.path("out"));
            let lost = lost(ran);
            except(&src, &lost).assert_same(&except(&out, &lost), what);
        },
    );
    assert!(failed * 2 > count, "{failed} of {count}");
}

#[test]
fn input_and_output_errors_during_an_append_leave_the_old_images() {
    let world = World::new();
    tree(&world);
    world.write("old/file", Kind::Random.bytes(150_000, 5));
    world.done(&["capture", "old", "old.wim", "One", "--check", "--compress=xpress:20"]);
    let (src, old) = (census(&world.path("src")), census(&world.path("old")));
    let words = ["append", "src", "a.wim", "Two", "--threads=1"];
    let (count, failed) = fail_each(
        &world,
        &words,
        || world.shell("rm -rf out && cp old.wim a.wim").clear(),
        |ran, what| {
            world.wimlib(&["verify", "a.wim"]);
            world.wimlib(&["apply", "a.wim", "One", "out"]);
            old.assert_same(&census(&world.path("out")), what);
            assert_eq!(world.names(), ["a.wim", "old", "old.wim", "out", "src"], "{what}");
            if ran.status == Some(1) {
                // Once the new header is written the image is there, and whole.
                if !world.wimlib(&["info", "a.wim"]).contains("Two") {
                    world.done(&words);
                }
            }
            world.wimlib(&["apply", "a.wim", "Two", "out/two"]);
            let (out, lost) = (census(&world.path("out/two")), lost(ran));
            except(&src, &lost).assert_same(&except(&out, &lost), what);
        },
    );
    assert!(failed * 2 > count, "{failed} of {count}");
}

#[test]
fn input_and_output_errors_during_an_apply_are_never_silent() {
    let world = World::new();
    tree(&world);
    world.done(&["capture", "src", "a.wim", "--compress=xpress:20"]);
    let src = census(&world.path("src"));
    let words = ["apply", "a.wim", "out", "--threads=1"];
    let (count, failed) = fail_each(
        &world,
        &words,
        || world.shell("rm -rf out").clear(),
        |ran, what| {
            if ran.status == Some(1) {
                return;
            }
            let (out, lost) = (census(&world.path("out")), lost(ran));
            except(&src, &lost).assert_same(&except(&out, &lost), what);
        },
    );
    assert!(failed * 2 > count, "{failed} of {count}");
}
