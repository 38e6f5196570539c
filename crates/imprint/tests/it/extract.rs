//! Single files out of an image.

use std::process::Stdio;

use crate::world::World;

fn world() -> World {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "--compress=none", "--unix-data"]);
    world
}

#[test]
fn files_and_directories_come_without_their_parents() {
    let world = world();
    world.done(&["extract", "a.wim", "1", "/docs/hello again.txt", "BIN", "--dest-dir=out"]);
    assert_eq!(world.read("out/hello again.txt"), b"hello\n");
    assert_eq!(world.read("out/bin/tool"), world.read("src/bin/tool"));
    assert!(!world.has("out/docs"));
}

#[test]
fn paths_keep_their_parents_when_asked_to() {
    let world = world();
    let words =
        ["extract", "a.wim", "1", r"\docs\*.txt", "--preserve-dir-structure", "--dest-dir=x"];
    world.done(&words);
    assert_eq!(world.read("x/docs/hello again.txt"), b"hello\n");
    assert!(!world.has("x/docs/odd:name?") && !world.has("x/bin"));
}

#[test]
fn lists_name_paths_too() {
    let world = world();
    world.write("list", "; comment\n/log/*\n\n  docs/to file\n");
    world.done(&["extract", "a.wim", "1", "@list", "/hello.txt", "--dest-dir=out"]);
    assert_eq!(world.read("out/log/noise"), world.read("src/log/noise"));
    assert!(world.has("out/docs/to file") && world.has("out/hello.txt"));
    let list = fs_err::File::open(world.path("list")).unwrap().into_parts().0;
    let words = ["extract", "a.wim", "1", "@-", "--dest-dir=out2"];
    let ran = world.imprint_with_input(&words, Stdio::from(list));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(world.has("out2/log/text.log"));
}

#[test]
fn data_goes_to_standard_output() {
    let world = world();
    let words = ["extract", "a.wim", "1", "/bin/tool", "/hello.txt", "/empty", "--to-stdout"];
    let ran = world.done(&words);
    let expected = [world.read("src/bin/tool"), b"hello\n".to_vec()].concat();
    assert!(ran.bytes == expected, "{ran:?}");
    assert_eq!(ran.err, "");
    for path in ["/docs", "/dangling"] {
        let ran = world.imprint(&["extract", "a.wim", "1", path, "--to-stdout"]);
        assert_eq!((ran.status, ran.bytes.len()), (Some(1), 0), "{path} {ran:?}");
    }
}

#[test]
fn everything_is_extracted_when_nothing_is_named() {
    let world = world();
    world.done(&["extract", "a.wim", "1", "--dest-dir=a/b/out"]);
    assert_eq!(world.read("a/b/out/bin/zeros"), world.read("src/bin/zeros"));
    assert!(world.has("a/b/out/empty dir/inner"));
}

#[test]
fn what_matches_nothing_fails_before_anything_is_written() {
    let world = world();
    let words = ["extract", "a.wim", "1", "/hello.txt", "/no*", "--dest-dir=out"];
    let ran = world.imprint(&words);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("nothing in image 1 matches \"/no*\""), "{ran:?}");
    assert!(!world.has("out"));
    let ran = world.done(&[&words[..], &["--nullglob"]].concat());
    assert!(ran.err.contains("warning: nothing in image 1 matches"), "{ran:?}");
    assert!(world.has("out/hello.txt"));
    let literal = ["extract", "a.wim", "1", "/docs/odd:name?", "--no-globs", "--dest-dir=lit"];
    world.done(&literal);
    assert!(world.has("lit/odd:name?"));
    let ran = world.imprint(&["extract", "a.wim", "1", "/docs/od*", "--no-wildcards"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let world = World::new();
    world.write("src/a/x", b"1");
    world.write("src/b/x", b"2");
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    let ran = world.imprint(&["extract", "a.wim", "1", "/*/x", "--dest-dir=out"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains(r"\a\x and \b\x have the same name"), "{ran:?}");
    assert!(!world.has("out"));
}
