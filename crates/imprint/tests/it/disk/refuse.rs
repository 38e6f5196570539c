//! What is refused, and in which words.

use super::sample::raw;
use crate::world::World;

#[track_caller]
fn check(world: &World, words: &[&str], status: i32, expected: &str) {
    let ran = world.imprint(words);
    assert_eq!(ran.status, Some(status), "{words:?} {ran:?}");
    assert!(ran.err.contains(expected), "{words:?} {ran:?}");
}

#[test]
fn what_would_harm_is_refused() {
    let world = World::new();
    raw(&world, "in.img");
    for ending in ["vhd", "vhdx"] {
        let name = |name: &str| format!("{name}.{ending}");
        let (base, one, two) = (name("base"), name("one"), name("two"));
        world.done(&["disk", "convert", "in.img", &base]);
        check(&world, &["disk", "convert", "in.img", &base], 1, "exists already");
        world.done(&["disk", "child", &base, &one]);
        world.done(&["disk", "child", &base, &two]);
        check(&world, &["disk", "resize", &base, "80M"], 1, "has children");
        check(&world, &["disk", "resize", &one, "80M"], 1, "has the size of its parent");
        check(&world, &["disk", "merge", &one], 1, "has children");
        check(&world, &["disk", "merge", &base], 1, "is not a differencing disk");
        check(&world, &["disk", "resize", &base, "1M", "--force"], 1, "cannot be made smaller");
        check(&world, &["disk", "rebase", &base, &one], 1, "is not a differencing disk");
    }
    check(&world, &["disk", "child", "in.img", "x.vhd"], 1, "cannot have children");
    check(&world, &["disk", "create", "x.disk", "--size=1G"], 2, "stands for no format");
    check(&world, &["disk", "create", "x.vhd", "--size=3T"], 1, "VHD dynamic disk");
    check(&world, &["disk", "create", "x.vhd", "--size=1G", "--sector-size=4096"], 1, "sector");
    check(&world, &["disk", "create", "x.vhdx", "--size=65T"], 1, "VHDX dynamic disk");
    check(&world, &["disk", "compact", "in.img"], 1, "nothing to compact");
    check(&world, &["disk", "info", "nothing.vhd"], 1, "nothing.vhd");
    check(&world, &["disk", "info", "."], 1, "neither a file nor a block device");
    assert!(!world.has("x.vhd") && !world.has("x.vhdx"));
}

#[test]
fn a_damaged_container_is_not_taken_for_raw() {
    let world = World::new();
    raw(&world, "in.img");
    for ending in ["vhd", "vhdx"] {
        let file = format!("a.{ending}");
        world.done(&["disk", "convert", "in.img", &file]);
        let mut bytes = world.read(&file);
        let len = bytes.len();
        // Both copies of what says what the file is made of.
        for range in [60..70, 0x10000..0x10020, 0x20000..0x20020, len - 450..len - 440] {
            bytes[range].fill(0xee);
        }
        world.write(&file, &bytes);
        let ran = world.imprint(&["disk", "convert", &file, "out.img"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(!world.has("out.img"));
        // Only if the user insists.
        world.done(&["disk", "convert", &file, "out.img", "--input-format=raw"]);
        assert_eq!(world.read("out.img"), bytes);
        fs_err::remove_file(world.path("out.img")).unwrap();
    }
}
