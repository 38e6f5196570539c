//! Conversion between all formats and kinds, judged by qemu-img.

use std::os::unix::fs::MetadataExt;

use super::sample::{assert_same, qemu_contents, raw};
use crate::world::World;

/// qemu-img's name of a format.
fn qemu_name(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap() {
        "vhd" => "vpc",
        "vhdx" => "vhdx",
        _ => "raw",
    }
}

#[test]
fn every_format_holds_the_same_bytes() {
    let world = World::new();
    let bytes = raw(&world, "in.img");
    let targets = [
        ("a.vhd", "dynamic"),
        ("b.vhd", "fixed"),
        ("c.vhdx", "dynamic"),
        ("d.vhdx", "fixed"),
        ("e.img", "fixed"),
    ];
    for (first, kind) in targets {
        world.done(&["disk", "convert", "in.img", first, "--kind", kind]);
        assert_same(&qemu_contents(&world, qemu_name(first), first), &bytes);
        world.done(&["disk", "check", first]);
        // And from there into every other.
        for (index, (second, kind)) in targets.into_iter().enumerate() {
            let ending = second.rsplit('.').next().unwrap();
            let second = format!("{index}-{first}.{ending}");
            world.done(&["disk", "convert", first, &second, "--kind", kind]);
            assert_same(&qemu_contents(&world, qemu_name(&second), &second), &bytes);
            fs_err::remove_file(world.path(&second)).unwrap();
        }
    }
}

#[test]
fn files_by_qemu_are_read() {
    let world = World::new();
    let bytes = raw(&world, "in.img");
    for (name, options) in [
        ("a.vhd", "-O vpc -o subformat=dynamic,force_size=on"),
        ("b.vhd", "-O vpc -o subformat=fixed,force_size=on"),
        ("c.vhdx", "-O vhdx -o subformat=dynamic"),
        ("d.vhdx", "-O vhdx -o subformat=dynamic,block_size=1M,block_state_zero=off"),
        ("e.vhdx", "-O vhdx -o subformat=fixed"),
    ] {
        world.shell(&format!("qemu-img convert -f raw {options} in.img {name}"));
        world.done(&["disk", "check", name]);
        world.done(&["disk", "convert", name, "out.img", "--force"]);
        assert_same(&world.read("out.img"), &bytes);
    }
}

#[test]
fn holes_and_zeros_take_no_room() {
    let world = World::new();
    raw(&world, "in.img");
    for name in ["a.vhd", "c.vhdx", "e.img"] {
        world.done(&["disk", "convert", "in.img", name]);
        let room = fs_err::metadata(world.path(name)).unwrap().blocks() * 512;
        // Of 40 MiB, 4 MiB and some KiB are data.
        assert!(room < 6 << 20, "{name} takes {room}");
    }
    for option in ["--preallocate", "--no-sparse"] {
        for name in ["a.vhd", "c.vhdx", "e.img"] {
            world.done(&["disk", "convert", "in.img", name, option, "--force"]);
            let metadata = fs_err::metadata(world.path(name)).unwrap();
            assert!(metadata.blocks() * 512 >= metadata.len(), "{name} {option}");
        }
    }
}

#[test]
fn sizes_that_are_not_whole_sectors_are_rounded_up() {
    let world = World::new();
    world.write("in.img", vec![7; 3 * 512 + 100]);
    let mut expected = vec![7; 3 * 512 + 100];
    expected.resize(4 * 512, 0);
    for name in ["a.vhd", "b.vhdx"] {
        let made = world.done(&["disk", "convert", "in.img", name, "--json"]).json();
        assert_eq!(made["size"], 2048);
        world.done(&["disk", "convert", name, "out.img", "--force"]);
        assert_same(&world.read("out.img"), &expected);
    }
    // Raw to raw keeps every byte.
    world.done(&["disk", "convert", "in.img", "same.raw"]);
    assert_eq!(world.read("same.raw"), world.read("in.img"));
}
