//! Exit statuses, and which of the two outputs says what.

use std::io::Read;
use std::process::Stdio;

use crate::world::{Ran, World};

#[test]
fn zero_when_all_is_done() {
    let world = World::with_tree();
    for words in [
        &["--help"][..],
        &["--version"],
        &["imagex", "/?"],
        &["capture", "src", "a.wim", "--compress=none"],
        &["info", "a.wim"],
        &["dir", "a.wim"],
        &["verify", "a.wim"],
        &["apply", "a.wim", "out"],
    ] {
        let ran = world.imprint(words);
        assert_eq!(ran.status, Some(0), "{words:?} {ran:?}");
        assert!(!ran.out.is_empty(), "{words:?}");
    }
}

#[test]
fn one_when_it_failed() {
    let world = World::with_tree();
    world.write("bad.wim", b"bad");
    for words in [
        &["info", "missing.wim"][..],
        &["info", "bad.wim"],
        &["capture", "missing", "a.wim"],
        &["capture", "src", "missing/a.wim"],
        &["append", "src", "missing.wim"],
        &["apply", "bad.wim", "out"],
    ] {
        let ran = world.imprint(words);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{words:?} {ran:?}");
        assert!(ran.err.starts_with("error: failed to "), "{words:?} {ran:?}");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
    }
    assert!(!world.has("a.wim") && !world.has("missing"));
}

#[test]
fn a_file_that_is_no_volume_is_explained() {
    let world = World::with_tree();
    world.write("disk.img", [0; 4096]);
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    for (words, said) in [
        (&["capture", "disk.img", "b.wim"], "failed to open the NTFS volume on disk.img"),
        (&["apply", "a.wim", "disk.img"], "give --format to make a fresh volume"),
        (&["capture", "disk.img:2", "b.wim"], "disk.img has no partition 2; it has none"),
    ] {
        let ran = world.imprint(words);
        assert_eq!(ran.status, Some(1), "{words:?} {ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
    }
    assert!(!world.has("b.wim"));
}

#[test]
fn two_when_the_words_are_wrong() {
    let world = World::with_tree();
    for words in [
        &["frob"][..],
        &["capture"],
        &["capture", "src", "a.wim", "--solid"],
        &["split", "a.wim", "b.swm", "100"],
        &["imagex"],
        &["imagex", "/split", "a.wim", "b.swm", "100"],
    ] {
        let ran = world.imprint(words);
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{words:?} {ran:?}");
        assert!(!ran.err.is_empty(), "{words:?}");
    }
    assert!(!world.has("a.wim"));
}

#[test]
fn three_when_something_was_left_out() {
    let world = World::with_tree();
    world.shell("mkfifo src/pipe");
    let ran = world.imprint(&["capture", "src", "a.wim", "--compress=none"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.err.contains("left out: \\pipe: "), "{ran:?}");
    assert!(ran.err.ends_with("warning: 1 item was left out\n"), "{ran:?}");
    world.wimlib(&["verify", "a.wim"]);
    let ran = world.imprint(&["capture", "src", "a.wim", "--compress=none", "--json"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert_eq!(ran.json()["skipped"][0]["path"], "\\pipe");
    assert_eq!(world.imprint(&["capture", "src", "b.wim", "--quiet"]).status, Some(3));
}

#[test]
fn quiet_leaves_warnings_and_errors() {
    let world = World::with_tree();
    let ran = world.done(&["capture", "src", "a.wim", "--compress=none", "--quiet"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    let ran = world.done(&["--quiet", "apply", "a.wim", "out"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    let ran = world.done(&["verify", "a.wim", "--quiet"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    let ran = world.imprint(&["apply", "a.wim", "7", "out", "--quiet"]);
    assert!(ran.err.starts_with("error: "), "{ran:?}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let world = World::new();
    // More than a pipe holds, so that the program is still printing when the reader goes away.
    for number in 0..600 {
        world.write(&format!("src/{}{number}", "a rather long name ".repeat(10)), b"");
    }
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    let mut child = world
        .imprint_command(&["dir", "a.wim"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"/\n");
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_an_error() {
    let world = World::with_tree();
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = world
        .imprint_command(&["dir", "a.wim"])
        .stdout(Stdio::from(full.into_parts().0))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("No space left"), "{ran:?}");
}
