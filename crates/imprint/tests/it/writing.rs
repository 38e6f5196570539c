//! Commands that change WIM files, judged by wimlib.

use crate::world::{Modes, World};

/// A file with three images, the second of which boots.
fn world() -> World {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "One", "first", "--compress=none", "--check"]);
    world.write("src/second", vec![2; 50_000]);
    world.wimlib(&["append", "src", "a.wim", "Two", "--boot"]);
    world.write("src/third", vec![3; 50_000]);
    world.wimlib(&["append", "src", "a.wim", "Three"]);
    world
}

fn names(world: &World, file: &str) -> Vec<String> {
    let info = world.wimlib(&["info", file]);
    let names = info.lines().filter_map(|line| line.strip_prefix("Name:"));
    names.map(|name| name.trim().to_owned()).collect()
}

fn boot_index(world: &World, file: &str) -> String {
    let info = world.wimlib(&["info", file]);
    info.lines().find_map(|line| line.strip_prefix("Boot Index:")).unwrap().trim().to_owned()
}

fn has_integrity(world: &World, file: &str) -> bool {
    world.wimlib(&["info", file]).contains("Integrity info")
}

#[track_caller]
fn applies_as(world: &World, file: &str, image: &str, source: &str) {
    world.wimlib(&["verify", file]);
    let out = format!("{file}-{image}.out");
    world.wimlib(&["apply", file, image, &out]);
    assert_eq!(world.snapshot(&out, Modes::Ignore), world.snapshot(source, Modes::Ignore));
}

#[test]
fn export_copies_images_with_all_that_is_said_of_them() {
    let world = world();
    world.done(&["export", "a.wim", "3", "b.wim", "Drei", "dritte", "--boot"]);
    applies_as(&world, "b.wim", "1", "src");
    assert_eq!(
        (names(&world, "b.wim"), boot_index(&world, "b.wim")),
        (vec!["Drei".into()], "1".into())
    );
    world.done(&["export", "a.wim", "One", "b.wim", "--check"]);
    assert_eq!(names(&world, "b.wim"), ["Drei", "One"]);
    assert!(has_integrity(&world, "b.wim"));
    let ran = world.imprint(&["export", "a.wim", "1", "b.wim"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("\"One\" is used by image 2"), "{ran:?}");
    world.wimlib(&["verify", "b.wim"]);
}

#[test]
fn all_images_are_exported_at_once() {
    let world = world();
    world.done(&["export", "a.wim", "all", "b.wim", "--boot", "--compress=xpress"]);
    assert_eq!(
        (names(&world, "b.wim"), boot_index(&world, "b.wim")),
        (names(&world, "a.wim"), "2".into())
    );
    applies_as(&world, "b.wim", "Three", "src");
    let info = world.done(&["info", "b.wim", "--json"]).json();
    assert_eq!(info["compression"], "xpress");
}

#[test]
fn solid_files_become_ordinary_ones() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.esd", "--solid"]);
    world.done(&["export", "a.esd", "all", "a.wim", "--check"]);
    applies_as(&world, "a.wim", "1", "src");
    let info = world.done(&["info", "a.wim", "--json"]).json();
    assert_eq!((&info["compression"], &info["version"]), (&"lzx".into(), &68_864.into()));
}

#[test]
fn delete_removes_the_image_and_its_data() {
    let world = world();
    let before = world.read("a.wim").len();
    world.done(&["delete", "a.wim", "Three"]);
    assert_eq!(
        (names(&world, "a.wim"), boot_index(&world, "a.wim")),
        (vec!["One".into(), "Two".into()], "2".into())
    );
    assert!(world.read("a.wim").len() < before - 50_000);
    assert!(has_integrity(&world, "a.wim"));
    world.done(&["delete", "a.wim", "2"]);
    assert_eq!(
        (names(&world, "a.wim"), boot_index(&world, "a.wim")),
        (vec!["One".into()], "0".into())
    );
    world.wimlib(&["verify", "a.wim"]);
    world.done(&["delete", "a.wim", "all"]);
    let info = world.done(&["info", "a.wim", "--json"]).json();
    assert_eq!(info["image_count"], 0);
}

#[test]
fn a_soft_delete_leaves_the_data_for_optimize() {
    let world = world();
    let before = world.read("a.wim").len();
    world.done(&["delete", "a.wim", "3", "--soft"]);
    assert!(world.read("a.wim").len() > before - 10_000);
    assert_eq!(names(&world, "a.wim"), ["One", "Two"]);
    world.wimlib(&["verify", "a.wim"]);
    world.done(&["optimize", "a.wim", "--nocheck"]);
    assert!(world.read("a.wim").len() < before - 50_000);
    assert!(!has_integrity(&world, "a.wim"));
    fs_err::remove_file(world.path("src/third")).unwrap();
    world.shell("touch -r src/docs src");
    let applied = |image: &str| {
        world.wimlib(&["apply", "a.wim", image, image]);
        world.snapshot(image, Modes::Ignore)
    };
    let (mut applied, mut expected) = (applied("Two"), world.snapshot("src", Modes::Ignore));
    // The root's own time changed when the files were added.
    let root = std::path::Path::new("");
    assert!(applied.remove(root).is_some() && expected.remove(root).is_some());
    assert_eq!(applied, expected);
}

#[test]
fn optimize_can_change_the_compression() {
    let world = world();
    let before = world.read("a.wim").len();
    world.done(&["optimize", "a.wim", "--compress=xpress", "--chunk-size=8K"]);
    let info = world.done(&["info", "a.wim", "--json"]).json();
    assert_eq!((&info["compression"], &info["chunk_size"]), (&"xpress".into(), &8192.into()));
    assert!(world.read("a.wim").len() < before);
    assert_eq!((names(&world, "a.wim").len(), boot_index(&world, "a.wim")), (3, "2".into()));
    applies_as(&world, "a.wim", "3", "src");
}

#[test]
fn info_changes_what_is_said_of_an_image() {
    let world = world();
    world.done(&["info", "a.wim", "One", "Eins", "", "--flags=Pro"]);
    world.done(&["info", "a.wim", "3", "--boot", "--image-property", "WINDOWS/ARCH=9"]);
    assert_eq!(
        (names(&world, "a.wim"), boot_index(&world, "a.wim")),
        (vec!["Eins".into(), "Two".into(), "Three".into()], "3".into())
    );
    let info = world.wimlib(&["info", "a.wim"]);
    assert!(info.contains("Flags:                  Pro\n") && info.contains("x86_64"), "{info}");
    assert!(!info.contains("first"), "{info}");
    world.done(&["info", "a.wim", "0", "--boot", "--nocheck"]);
    assert_eq!(boot_index(&world, "a.wim"), "0");
    assert!(!has_integrity(&world, "a.wim"));
    world.done(&["info", "a.wim", "2", "--name=Zwei", "--check"]);
    assert!(has_integrity(&world, "a.wim"));
    applies_as(&world, "a.wim", "3", "src");
}

#[test]
fn info_without_a_change_changes_nothing() {
    let world = world();
    let before = world.read("a.wim");
    for words in [
        &["info", "a.wim"][..],
        &["info", "a.wim", "--check"],
        &["info", "a.wim", "1", "--header", "--blobs"],
        &["info", "a.wim", "1", "Two"],
        &["info", "a.wim", "9", "--boot"],
        &["info", "a.wim", "all", "Same"],
        &["info", "a.wim", "0", "Name"],
        &["info", "a.wim", "1", "--image-property=A//B=1"],
    ] {
        world.imprint(words);
        assert_eq!(world.read("a.wim"), before, "{words:?}");
    }
}

#[test]
fn files_that_must_not_be_changed_are_left_alone() {
    let world = world();
    world.wimlib(&["split", "a.wim", "p.swm", "0.1"]);
    let before = world.read("p.swm");
    for words in [
        &["append", "src", "p.swm"][..],
        &["delete", "p.swm", "1"],
        &["delete", "p.swm", "1", "--soft"],
        &["optimize", "p.swm"],
        &["info", "p.swm", "1", "New"],
        &["export", "a.wim", "1", "p.swm", "New"],
    ] {
        let ran = world.imprint(words);
        assert_eq!(ran.status, Some(1), "{words:?} {ran:?}");
        assert!(ran.err.contains("split set") && ran.err.contains("advice: "), "{words:?} {ran:?}");
        assert_eq!(world.read("p.swm"), before, "{words:?}");
    }
}

#[test]
fn a_file_that_is_being_written_is_locked() {
    let world = world();
    world.shell("truncate -s 64G src/long");
    let mut child = world
        .imprint_command(&["append", "src", "a.wim", "Long", "--quiet"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let len = || fs_err::metadata(world.path("a.wim")).unwrap().len();
    let before = len();
    while len() == before {
        assert!(child.try_wait().unwrap().is_none(), "ended too early");
    }
    let ran = world.imprint(&["delete", "a.wim", "1"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("is being written by another process"), "{ran:?}");
    world.done(&["verify", "a.wim"]);
}
