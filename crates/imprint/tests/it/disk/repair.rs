//! What can be read of a damaged disk, in a new file.

use std::os::unix::fs::MetadataExt;

use super::sample::{qemu_contents, raw};
use crate::world::World;

/// Bytes of a block of a VHD.
const BLOCK: usize = 2 << 20;

#[test]
fn interop_all_but_the_lost_block_is_saved() {
    let world = World::new();
    let model = raw(&world, "in.img");
    world.done(&["disk", "convert", "in.img", "a.vhd"]);
    let mut bytes = world.read("a.vhd");
    // The header says where the table is; its first entry then leads behind the end of the file.
    let table = u64::from_be_bytes(bytes[512 + 16..512 + 24].try_into().unwrap());
    let entry = usize::try_from(table).unwrap();
    bytes[entry..entry + 4].copy_from_slice(&0x7fff_0000_u32.to_be_bytes());
    world.write("a.vhd", &bytes);
    let ran = world.imprint(&["disk", "check", "a.vhd", "--repair", "b.vhd", "--json"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let said = ran.json();
    let lost = &said["lost"];
    assert_eq!(lost.as_array().map(Vec::len), Some(1), "{ran:?}");
    assert_eq!((lost[0]["offset"].as_u64(), lost[0]["length"].as_u64()), (Some(0), Some(2 << 20)));
    let saved = qemu_contents(&world, "vpc", "b.vhd");
    assert!(saved[..BLOCK].iter().all(|&byte| byte == 0));
    assert!(saved[BLOCK..model.len()] == model[BLOCK..]);
}

#[test]
fn interop_what_is_a_hole_stays_one() {
    let world = World::new();
    let model = raw(&world, "in.img");
    for ending in ["vhd", "vhdx"] {
        let (disk, saved) = (format!("a.{ending}"), format!("b.{ending}"));
        world.done(&["disk", "convert", "in.img", &disk, "--kind=fixed"]);
        let ran = world.imprint(&["disk", "check", &disk, "--repair", &saved]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let room = |name: &str| world.path(name).metadata().unwrap().blocks() * 512;
        assert!(room(&saved) < room(&disk) + (1 << 20), "{} {}", room(&saved), room(&disk));
        let format = if ending == "vhd" { "vpc" } else { ending };
        assert!(qemu_contents(&world, format, &saved)[..model.len()] == model);
    }
}
