//! Images go onto volumes inside of disks and come back, whatever the disk is.

use imprint_testkit::volumes::{self, Strictness};

use crate::world::World;

/// What the strict checker and other programs find wrong with a volume: nothing.
#[track_caller]
fn assert_sound(world: &World, volume: &str) {
    let path = world.path(volume);
    assert_eq!(volumes::check(&path, 0, Strictness::Strict), "");
    assert_eq!(volumes::complaints(&path), "");
}

/// A world with a tree, an image of it, and the same tree below `truth` as it comes from the image.
fn world() -> World {
    let world = World::with_tree();
    world.done(&["capture", "src", "a.wim", "--compress=xpress"]);
    world
}

/// Captures a volume and holds the files against the tree that went onto it.
#[track_caller]
fn assert_captured(world: &World, volume: &str) {
    world.done(&["capture", volume, "back.wim", "--compress=none"]);
    world.wimlib(&["verify", "back.wim"]);
    world.shell(
        "rm -rf back && wimlib-imagex apply back.wim 1 back > apply.log && diff -r --no-dereference src back",
    );
    world.shell("rm back.wim");
}

#[test]
fn disks_of_every_format_hold_volumes() {
    let world = world();
    for disk in ["d.raw", "d.vhd", "d.vhdx"] {
        world.done(&["disk", "create", disk, "--size=64M"]);
        world.done(&["apply", "a.wim", "1", disk, "--format", "--label=Schule"]);
        world.done(&["disk", "convert", disk, "volume", "--format=raw"]);
        assert_sound(&world, "volume");
        world.shell("ntfslabel volume 2> label.log | grep -qx Schule && rm volume");
        assert_captured(&world, disk);
    }
}

#[test]
fn partitions_are_named_by_number() {
    let world = world();
    world.shell(
        "truncate -s 96M d.raw
        printf 'label: gpt\\nstart=2048,size=16M\\nsize=64M\\n' | sfdisk -q d.raw",
    );
    let ran = world.imprint(&["apply", "a.wim", "1", "d.raw", "--format"]);
    assert!(ran.err.contains("d.raw has partitions (1, 2), and none is named"), "{ran:?}");
    let ran = world.imprint(&["apply", "a.wim", "1", "d.raw:3", "--format"]);
    assert!(ran.err.contains("d.raw has no partition 3; it has 1, 2"), "{ran:?}");
    world.done(&["apply", "a.wim", "1", "d.raw:2", "--format"]);
    world.shell("dd if=d.raw of=volume bs=1M skip=17 count=64 status=none");
    assert_sound(&world, "volume");
    let boot = fs_err::read(world.path("volume")).unwrap();
    // Where the partition begins, in sectors.
    assert_eq!(boot[0x1c..0x20], (17_u32 * 2048).to_le_bytes());
    assert_captured(&world, "d.raw:2");
    // The rest of the disk is as it was.
    world.shell("sfdisk -q --verify d.raw && cmp -n 16777216 -i 1048576:0 d.raw /dev/zero");
}

#[test]
fn what_does_not_fit_leaves_the_disk_alone() {
    let world = world();
    world.write("src/large", vec![1; 3_000_000]);
    world.done(&["capture", "src", "b.wim", "--compress=none"]);
    world.shell("yes text | head -c 2M > d.raw && cp d.raw before");
    let ran = world.imprint(&["apply", "b.wim", "1", "d.raw", "--format"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("volume should have at least"), "{ran:?}");
    world.shell("cmp d.raw before");
}

/// Small partitions of a PC.
const LAYOUT: &str = r#"table = "gpt"
[[partition]]
type = "esp"
size = "40 MiB"
format = "fat32"
label = "SYSTEM"
[[partition]]
type = "basic-data"
size = "rest"
name = "Windows"
format = "ntfs"
"#;

#[test]
fn a_disk_is_partitioned_and_filled() {
    let world = world();
    world.write("layout.toml", LAYOUT);
    for disk in ["d.raw", "d.vhd", "d.vhdx"] {
        world.done(&["disk", "create", disk, "--size=160M"]);
        world.done(&["disk", "partition", disk, "--layout=layout.toml", "--dry-run"]);
        let ran = world.done(&["disk", "partitions", disk]);
        assert!(!ran.out.contains("Windows"), "{ran:?}");
        world.done(&["disk", "partition", disk, "--layout=layout.toml"]);
        let ran = world.done(&["disk", "partitions", disk]);
        assert!(ran.out.contains("Windows"), "{ran:?}");
        world.done(&["apply", "a.wim", "1", &format!("{disk}:2"), "--format"]);
        assert_captured(&world, &format!("{disk}:2"));
        let ran = world.imprint(&["disk", "partition", disk, "--layout=layout.toml"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        world.done(&["disk", "convert", disk, "whole", "--format=raw"]);
        world.shell(
            "sgdisk -v whole | grep -q 'No problems found'
            dd if=whole of=esp bs=1M skip=1 count=40 status=none && fsck.vfat -n esp > fsck.log
            dd if=whole of=volume bs=1M skip=41 count=118 status=none",
        );
        assert_sound(&world, "volume");
        world.shell("rm whole esp volume");
    }
}

#[test]
fn a_disk_with_children_is_not_formatted() {
    let world = world();
    world.done(&["disk", "create", "base.vhdx", "--size=64M"]);
    world.done(&["disk", "child", "base.vhdx", "child.vhdx"]);
    let before = world.read("base.vhdx");
    let ran = world.imprint(&["apply", "a.wim", "1", "base.vhdx", "--format"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("child.vhdx"), "{ran:?}");
    assert!(world.read("base.vhdx") == before);
    world.done(&["apply", "a.wim", "1", "child.vhdx", "--format"]);
    assert_captured(&world, "child.vhdx");
    assert!(world.read("base.vhdx") == before);
}
