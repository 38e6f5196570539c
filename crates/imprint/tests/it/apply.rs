//! What others write, applied by us.

use crate::world::{Modes, World};

#[test]
fn we_apply_what_wimlib_captures() {
    let world = World::with_tree();
    for (name, options) in [
        ("none", &["--compress=none"][..]),
        ("xpress", &["--compress=xpress"]),
        ("xpress4k", &["--compress=xpress", "--chunk-size=4K"]),
        ("lzx", &["--compress=lzx"]),
        ("lzx2m", &["--compress=lzx", "--chunk-size=2M"]),
        ("lzms", &["--compress=lzms"]),
        ("solid", &["--solid"]),
        ("solidlzx", &["--solid", "--solid-compress=lzx"]),
    ] {
        let (file, out) = (format!("{name}.wim"), format!("{name}.out"));
        world.wimlib(&[&["capture", "src", &file, "--unix-data", "--check"][..], options].concat());
        world.done(&["apply", &file, "1", &out, "--unix-data", "--check"]);
        let expected = world.snapshot("src", Modes::Compare);
        assert_eq!(world.snapshot(&out, Modes::Compare), expected, "{name}");
        let verified = world.done(&["verify", &file, "--json"]).json();
        assert_eq!(
            (&verified["sound"], &verified["integrity_table"]),
            (&true.into(), &"good".into())
        );
    }
}

#[test]
fn what_we_capture_we_apply() {
    let world = World::with_tree();
    for compress in ["none", "xpress", "lzx"] {
        let option = format!("--compress={compress}");
        world.done(&["capture", "src", "a.wim", &option, "--unix-data"]);
        let out = format!("out-{compress}");
        world.done(&["apply", "a.wim", &out, "--unix-data"]);
        let expected = world.snapshot("src", Modes::Compare);
        assert_eq!(world.snapshot(&out, Modes::Compare), expected, "{compress}");
    }
}

#[test]
fn all_images_go_into_directories_named_after_them() {
    let world = World::with_tree();
    for (number, name) in ["Pro", "pro", "a/b", "", "5", "Last one"].into_iter().enumerate() {
        let verb = if number == 0 { "capture" } else { "append" };
        let options = if number == 0 { &["--compress=none"][..] } else { &[] };
        world.wimlib(&[&[verb, "src/docs", "a.wim", name][..], options].concat());
    }
    world.done(&["apply", "a.wim", "all", "out"]);
    let entries = fs_err::read_dir(world.path("out")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["2", "3", "4", "5", "Last one", "Pro"]);
    for name in names {
        let found = world.snapshot(&format!("out/{name}"), Modes::Ignore);
        assert_eq!(found, world.snapshot("src/docs", Modes::Ignore));
    }
}

#[test]
fn files_that_are_not_in_the_image_stay() {
    let world = World::with_tree();
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    world.write("out/docs/mine", b"mine");
    world.write("out/hello.txt", b"old");
    world.done(&["apply", "a.wim", "out"]);
    assert_eq!(world.read("out/docs/mine"), b"mine");
    assert_eq!(world.read("out/hello.txt"), b"hello\n");
}

#[test]
fn parts_of_a_split_set_are_put_together() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "--compress=none", "--unix-data"]);
    world.wimlib(&["split", "a.wim", "p.swm", "0.1"]);
    let ran = world.imprint(&["apply", "p.swm", "1", "out"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("are missing") && ran.err.contains("advice: "), "{ran:?}");
    assert!(!world.has("out"));
    for first in ["p.swm", "p2.swm"] {
        world.done(&["apply", first, "1", "out", "--ref=p*.swm", "--unix-data"]);
        let expected = world.snapshot("src", Modes::Compare);
        assert_eq!(world.snapshot("out", Modes::Compare), expected);
        fs_err::remove_dir_all(world.path("out")).unwrap();
    }
    world.done(&["verify", "p.swm", "--ref=p*.swm"]);
    world.done(&["export", "p.swm", "1", "joined.wim", "--ref=p*.swm"]);
    world.wimlib(&["verify", "joined.wim"]);
}

#[test]
fn every_part_is_checked() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "--compress=none"]);
    world.wimlib(&["split", "a.wim", "p.swm", "0.1", "--check"]);
    let mut bytes = world.read("p2.swm");
    bytes[300] ^= 1;
    world.write("p2.swm", bytes);
    for words in [
        &["apply", "p.swm", "1", "out", "--ref=p*.swm", "--check"][..],
        &["export", "p.swm", "1", "out", "--ref=p*.swm", "--check"],
        &["extract", "p.swm", "1", "/hello.txt", "--dest-dir=out", "--ref=p*.swm", "--check"],
    ] {
        let ran = world.imprint(words);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.contains("error: p2.swm is damaged between bytes"), "{ran:?}");
        assert!(!world.has("out"));
    }
    let ran = world.imprint(&["verify", "p.swm", "--ref=p*.swm", "--json"]);
    assert_eq!(ran.json()["integrity_table"], "bad", "{ran:?}");
}

#[test]
fn a_delta_needs_its_base() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "base.wim", "--compress=none"]);
    world.write("src/new", b"new");
    world.wimlib(&["capture", "src", "delta.wim", "--delta-from=base.wim", "--compress=none"]);
    let ran = world.imprint(&["verify", "delta.wim"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.out.contains("is in none of the files given"), "{ran:?}");
    let ran = world.imprint(&["apply", "delta.wim", "part"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert_eq!(world.read("part/new"), b"new");
    world.done(&["verify", "delta.wim", "--ref=base.wim"]);
    world.done(&["apply", "delta.wim", "out", "--ref=base.wim"]);
    assert_eq!(world.snapshot("out", Modes::Ignore), world.snapshot("src", Modes::Ignore));
}

#[test]
fn damaged_data_is_named_and_not_left_half_written() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "--compress=none"]);
    let mut bytes = world.read("a.wim");
    let at = bytes.windows(6).position(|window| window == b"green\n").unwrap();
    bytes[at] = b'G';
    world.write("a.wim", bytes);
    let ran = world.imprint(&["apply", "a.wim", "out", "--json"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let json = ran.json();
    let skipped = json["images"][0]["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1, "{json}");
    assert_eq!(skipped[0]["path"], "\\docs\\gr\u{fc}n \u{1f600}.txt");
    assert!(!world.has("out/docs/gr\u{fc}n \u{1f600}.txt"));
    assert_eq!(world.read("out/hello.txt"), b"hello\n");
}

#[test]
fn a_file_that_fails_its_integrity_check_is_not_used() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "--compress=none", "--check"]);
    let mut bytes = world.read("a.wim");
    bytes[300] ^= 1;
    world.write("a.wim", bytes);
    for words in [
        &["apply", "a.wim", "out", "--check"][..],
        &["extract", "a.wim", "1", "/hello.txt", "--dest-dir=out", "--check"],
        &["append", "src", "a.wim", "--check"],
        &["export", "a.wim", "1", "b.wim", "--check"],
        &["delete", "a.wim", "1", "--check"],
        &["optimize", "a.wim", "--check"],
        &["info", "a.wim", "--check"],
        &["info", "a.wim", "1", "New", "--check"],
    ] {
        let before = world.read("a.wim");
        let ran = world.imprint(words);
        assert_eq!(ran.status, Some(1), "{words:?} {ran:?}");
        assert!(ran.err.contains("as its integrity table shows"), "{ran:?}");
        assert_eq!(world.read("a.wim"), before, "{words:?}");
    }
    assert_eq!(world.names(), ["a.wim", "src"]);
}
