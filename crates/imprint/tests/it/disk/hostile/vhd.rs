//! VHD files with lies in them.

use super::forge::Forged;
use super::forge::vhd::{BAT, HEADER, LOCATORS};
use super::trial::{Refused, Sample, Trial};
use crate::disk::sample::write;
use crate::world::World;

/// A dynamic disk of 8 MiB with four blocks, and a child of it.
fn samples() -> [Vec<u8>; 3] {
    let world = World::new();
    world.done(&["disk", "create", "base.vhd", "--size=8M"]);
    let data: &[u8] = &[7; 5000];
    write(&world, "base.vhd", &[(0, data), (2 << 20, data), (4 << 20, data), (6 << 20, data)]);
    world.done(&["disk", "child", "base.vhd", "child.vhd"]);
    write(&world, "child.vhd", &[(1000, data), (4 << 20, data)]);
    world.done(&["disk", "create", "fixed.vhd", "--size=64K", "--kind=fixed"]);
    ["base.vhd", "child.vhd", "fixed.vhd"].map(|name| world.read(name))
}

type Change = fn(&mut Forged);

const BASE: [(&str, Refused, Change); 31] = [
    ("two blocks in one place", Refused::ByUsers, |f| {
        let first = f.get::<4>(BAT);
        f.put(BAT + 4, &first);
    }),
    ("blocks that overlap", Refused::ByUsers, |f| {
        let first = u32::from_be_bytes(f.get(BAT)) + 8;
        f.put(BAT + 4, &first.to_be_bytes());
    }),
    ("a block over the header", Refused::ByUsers, |f| {
        f.put(BAT, &1_u32.to_be_bytes());
    }),
    ("a block over the footer", Refused::ByReaders, |f| {
        f.put(BAT, &[0; 4]);
    }),
    ("a block over the table", Refused::ByUsers, |f| {
        f.put(BAT, &3_u32.to_be_bytes());
    }),
    ("a block beyond the file", Refused::ByReaders, |f| {
        f.put(BAT + 8, &0x0010_0000_u32.to_be_bytes());
    }),
    ("a block as far as can be", Refused::ByReaders, |f| {
        f.put(BAT + 12, &0xFFFF_FFFE_u32.to_be_bytes());
    }),
    ("a block that ends in the footer", Refused::ByReaders, |f| {
        let sector = u32::try_from(f.bytes.len() / 512 - 5).unwrap();
        f.put(BAT, &sector.to_be_bytes());
    }),
    ("a table of four billion entries", Refused::ByUsers, |f| {
        f.put(HEADER + 28, &[0xFF; 4]);
    }),
    ("a table without entries", Refused::ByAll, |f| {
        f.put(HEADER + 28, &[0; 4]);
    }),
    ("a table that is too short", Refused::ByAll, |f| {
        f.put(HEADER + 28, &3_u32.to_be_bytes());
    }),
    ("a table at 2^63", Refused::ByAll, |f| {
        f.put(HEADER + 16, &(1_u64 << 63).to_be_bytes());
    }),
    ("a table at the last byte there can be", Refused::ByAll, |f| {
        f.put(HEADER + 16, &(u64::MAX - 511).to_be_bytes());
    }),
    ("a table over the header", Refused::ByUsers, |f| {
        f.put(HEADER + 16, &512_u64.to_be_bytes());
    }),
    ("a table at an odd place", Refused::ByAll, |f| {
        f.put(HEADER + 16, &1537_u64.to_be_bytes());
    }),
    ("blocks of nothing", Refused::ByAll, |f| {
        f.put(HEADER + 32, &[0; 4]);
    }),
    ("blocks of a byte", Refused::ByAll, |f| {
        f.put(HEADER + 32, &1_u32.to_be_bytes());
    }),
    ("blocks of 3 MiB", Refused::ByAll, |f| {
        f.put(HEADER + 32, &(3_u32 << 20).to_be_bytes());
    }),
    ("blocks of 2 GiB", Refused::ByReaders, |f| {
        f.put(HEADER + 32, &(1_u32 << 31).to_be_bytes());
    }),
    ("a size of nothing", Refused::ByAll, |f| {
        f.footer(48, &[0; 8]);
    }),
    ("a size of 2^63", Refused::ByAll, |f| {
        f.footer(48, &(1_u64 << 63).to_be_bytes());
    }),
    ("the largest size", Refused::ByAll, |f| {
        f.footer(48, &[0xFF; 8]);
    }),
    ("a size the table has no entries for", Refused::ByAll, |f| {
        f.footer(48, &(2040_u64 << 30).to_be_bytes());
    }),
    ("a header at 2^63", Refused::ByAll, |f| {
        f.footer(16, &(1_u64 << 63).to_be_bytes());
    }),
    ("a header at the last byte there can be", Refused::ByAll, |f| {
        f.footer(16, &(u64::MAX - 511).to_be_bytes());
    }),
    ("a header in the footer", Refused::ByAll, |f| {
        f.footer(16, &[0; 8]);
    }),
    ("a header behind the end", Refused::ByAll, |f| {
        let end = f.bytes.len() as u64;
        f.footer(16, &end.to_be_bytes());
    }),
    ("a kind that nobody knows", Refused::ByAll, |f| {
        f.footer(60, &7_u32.to_be_bytes());
    }),
    ("a child without a parent's identity", Refused::ByUsers, |f| {
        f.footer(60, &4_u32.to_be_bytes());
    }),
    ("a fixed disk longer than its file", Refused::ByAll, |f| {
        f.footer(60, &2_u32.to_be_bytes()).footer(48, &(1_u64 << 40).to_be_bytes());
    }),
    ("another version", Refused::ByAll, |f| {
        f.footer(12, &[9; 4]);
    }),
];

/// A path that cannot be read is none; the parent's name stands in the header as well.
const CHILD: [(&str, Refused, Change); 7] = [
    ("a path of 4 GiB", Refused::Perhaps, |f| {
        f.put(LOCATORS + 8, &[0xFF; 4]);
    }),
    ("a path at 2^63", Refused::Perhaps, |f| {
        f.put(LOCATORS + 16, &(1_u64 << 63).to_be_bytes());
    }),
    ("a path at the last byte there can be", Refused::Perhaps, |f| {
        f.put(LOCATORS + 16, &[0xFF; 8]);
    }),
    ("a path behind the end", Refused::Perhaps, |f| {
        let end = f.bytes.len() as u64;
        f.put(LOCATORS + 16, &end.to_be_bytes());
    }),
    ("eight long paths", Refused::Perhaps, |f| {
        let one = f.get::<24>(LOCATORS);
        for index in 0..8 {
            f.put(LOCATORS + index * 24, &one);
            f.put(LOCATORS + index * 24 + 8, &0x7FFF_FFFE_u32.to_be_bytes());
        }
    }),
    ("another parent", Refused::ByReaders, |f| {
        f.put(HEADER + 40, &[1; 16]);
    }),
    ("a block beyond the file", Refused::ByReaders, |f| {
        let table = usize::try_from(u64::from_be_bytes(f.get(HEADER + 16))).unwrap();
        f.put(table, &0x0010_0000_u32.to_be_bytes());
    }),
];

const FIXED: [(&str, Refused, Change); 3] = [
    ("a size of nothing", Refused::ByAll, |f| {
        f.footer(48, &[0; 8]);
    }),
    ("a size of 2^63", Refused::ByAll, |f| {
        f.footer(48, &(1_u64 << 63).to_be_bytes());
    }),
    ("one sector more than there is", Refused::ByAll, |f| {
        f.footer(48, &((64_u64 << 10) + 512).to_be_bytes());
    }),
];

#[test]
fn vhd_files_that_lie() {
    let [base, child, fixed] = samples();
    let mut trial = Trial::new();
    trial.beside("base.vhd", &base);
    let cases = BASE.iter().map(|case| (case, &base, "x.vhd"));
    let cases = cases.chain(CHILD.iter().map(|case| (case, &child, "child.vhd")));
    let cases = cases.chain(FIXED.iter().map(|case| (case, &fixed, "fixed.vhd")));
    for (&(what, refused, change), bytes, file) in cases {
        let mut forged = Forged { bytes: bytes.clone() };
        change(&mut forged);
        let bytes = &forged.sealed_vhd();
        trial.check(&Sample { what, file, bytes, refused });
    }
    trial.end("VHD");
    insta::assert_snapshot!("vhd", trial.said.join("\n"));
}

/// A hole of the file as table: every entry leads to the footer. Nothing that is said of them may be kept
/// for each.
#[test]
fn a_table_that_is_a_hole() {
    const SIZE: u64 = 255 << 30;
    const BLOCK: u64 = 512 << 10;
    let world = World::new();
    let size = format!("--size={SIZE}");
    world.done(&["disk", "create", "x.vhd", &size, "--block-size=512K"]);
    let mut forged = Forged { bytes: world.read("x.vhd") };
    let entries = usize::try_from(SIZE / BLOCK).unwrap();
    forged.put(BAT, &vec![0; entries * 4]);
    let bytes = &forged.sealed_vhd();
    let mut trial = Trial::new();
    let what = "a table that is a hole";
    trial.check_all(&Sample { what, file: "x.vhd", bytes, refused: Refused::ByReaders });
    trial.end(what);
}
