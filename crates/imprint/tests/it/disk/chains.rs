//! Children, merging, rebasing, resizing, compacting.

use super::sample::{assert_same, change, qemu_contents, raw, write};
use crate::world::World;

const ENDINGS: [&str; 2] = ["vhd", "vhdx"];

/// A base, two children and what the second shows.
pub(super) fn chain(world: &World, ending: &str) -> Vec<u8> {
    let mut model = raw(world, "in.img");
    let names = ["base", "one", "two"].map(|name| format!("{name}.{ending}"));
    world.done(&["disk", "convert", "in.img", &names[0]]);
    let changes: [&[(u64, &[u8])]; 2] = [
        &[(1000, &[1; 5000]), (20 << 20, &[2; 3 << 20])],
        &[(4096, &[3; 100]), (21 << 20, &[0; 1 << 20]), (39 << 20, &[4; 4096])],
    ];
    for (pair, changes) in names.windows(2).zip(changes) {
        world.done(&["disk", "child", &pair[0], &pair[1]]);
        write(world, &pair[1], changes);
        change(&mut model, changes);
    }
    model
}

/// What a disk shows with its chain.
pub(super) fn contents(world: &World, name: &str) -> Vec<u8> {
    world.done(&["disk", "convert", name, "shown.img", "--force"]);
    world.read("shown.img")
}

#[test]
fn a_chain_is_flattened_and_merged() {
    for ending in ENDINGS {
        let world = World::new();
        let model = chain(&world, ending);
        let name = |name: &str| format!("{name}.{ending}");
        assert_same(&contents(&world, &name("two")), &model);
        world.done(&["disk", "check", &name("two")]);
        world.done(&["disk", "flatten", &name("two"), &name("flat")]);
        let qemu = if ending == "vhd" { "vpc" } else { "vhdx" };
        assert_same(&qemu_contents(&world, qemu, &name("flat")), &model);
        world.done(&["disk", "merge", &name("two")]);
        assert!(!world.has(&name("two")));
        assert_same(&contents(&world, &name("one")), &model);
        world.done(&["disk", "merge", &name("one")]);
        assert_same(&qemu_contents(&world, qemu, &name("base")), &model);
        world.done(&["disk", "check", &name("base")]);
    }
}

#[test]
fn children_of_a_merged_child_become_children_of_its_parent() {
    for ending in ENDINGS {
        let world = World::new();
        let model = chain(&world, ending);
        let name = |name: &str| format!("{name}.{ending}");
        let merged = world.done(&["disk", "merge", &name("one")]);
        assert!(merged.err.contains("disk rebase"), "{merged:?}");
        assert_eq!(world.imprint(&["disk", "check", &name("two")]).status, Some(1));
        world.done(&["disk", "rebase", &name("two"), &name("base")]);
        world.done(&["disk", "check", &name("two")]);
        assert_same(&contents(&world, &name("two")), &model);
    }
}

#[test]
fn a_moved_parent_is_found_where_the_user_says() {
    for ending in ENDINGS {
        let world = World::new();
        let model = chain(&world, ending);
        let name = |name: &str| format!("{name}.{ending}");
        fs_err::create_dir(world.path("images")).unwrap();
        fs_err::rename(world.path(&name("base")), world.path(&format!("images/{}", name("BASE"))))
            .unwrap();
        let lost = world.imprint(&["disk", "convert", &name("two"), "x.img"]);
        assert_eq!(lost.status, Some(1));
        assert!(lost.err.contains("neither beside it nor in an allowed folder"), "{lost:?}");
        world.done(&["disk", "convert", &name("two"), "x.img", "--parent-dir", "images"]);
        assert_same(&world.read("x.img"), &model);
        let moved = format!("images/{}", name("BASE"));
        world.done(&["disk", "rebase", &name("one"), &moved]);
        let info = world.imprint(&["disk", "info", &name("one"), "--json"]).json();
        let paths = info["chain"][0]["parent"]["paths"].to_string();
        assert!(paths.contains(r".\\images\\BASE"), "{paths}");
        // A path in a file is never followed, not even one we wrote.
        assert_eq!(world.imprint(&["disk", "check", &name("one")]).status, Some(1));
        world.done(&["disk", "check", &name("one"), "--parent-dir", "images"]);
    }
}

#[test]
fn disks_grow_and_shrink_to_what_they_need() {
    for ending in ENDINGS {
        let world = World::new();
        let mut model = raw(&world, "in.img");
        let name = |name: &str| format!("{name}.{ending}");
        world.done(&["disk", "convert", "in.img", &name("base")]);
        world.done(&["disk", "resize", &name("base"), "600M"]);
        world.done(&["disk", "check", &name("base")]);
        let info = world.done(&["disk", "info", &name("base"), "--json"]).json();
        assert_eq!(info["chain"][0]["size"], 600 << 20);
        let changes: &[(u64, &[u8])] =
            &[(500 << 20, &[9; 4096]), (300 << 20, &[8; 4096]), (500 << 20, &[0; 4096])];
        write(&world, &name("base"), changes);
        let before = fs_err::metadata(world.path(&name("base"))).unwrap().len();
        world.done(&["disk", "compact", &name("base")]);
        let after = fs_err::metadata(world.path(&name("base"))).unwrap().len();
        assert!(after < before, "{before} {after}");
        world.done(&["disk", "check", &name("base")]);
        let shown = contents(&world, &name("base"));
        model.resize(600 << 20, 0);
        change(&mut model, changes);
        assert_same(&shown, &model);
    }
}

#[test]
fn compacting_keeps_children() {
    for ending in ENDINGS {
        let world = World::new();
        let model = chain(&world, ending);
        for file in ["one", "base", "two"] {
            world.done(&["disk", "compact", &format!("{file}.{ending}")]);
        }
        let leaf = format!("two.{ending}");
        world.done(&["disk", "check", &leaf]);
        assert_same(&contents(&world, &leaf), &model);
    }
}
