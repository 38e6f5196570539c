//! VHDX files with lies in them.

use super::forge::Forged;
use super::forge::vhdx::{BAT, ITEMS, LOCATOR, LOG, METADATA, crc, locator};
use super::trial::{Refused, Sample, Trial};
use crate::disk::sample::write;
use crate::world::World;

/// A dynamic disk of 8 MiB with blocks of 1 MiB, four of them present, and a child of it.
fn samples() -> [Vec<u8>; 2] {
    let world = World::new();
    world.done(&["disk", "create", "base.vhdx", "--size=8M", "--block-size=1M"]);
    let data: &[u8] = &[7; 5000];
    write(&world, "base.vhdx", &[(0, data), (2 << 20, data), (4 << 20, data), (6 << 20, data)]);
    world.done(&["disk", "child", "base.vhdx", "child.vhdx", "--block-size=1M"]);
    write(&world, "child.vhdx", &[(1000, data), (4 << 20, data)]);
    ["base.vhdx", "child.vhdx"].map(|name| world.read(name))
}

/// The entry of a block: a state and MiB of the file.
const fn entry(state: u64, mib: u64) -> [u8; 8] {
    (state | mib << 20).to_le_bytes()
}

/// The place of entry `n` of the metadata table: file parameters, size, id, sector sizes, locator.
const fn item(n: usize) -> usize {
    METADATA + 32 + n * 32
}

type Change = fn(&mut Forged);

const BASE: [(&str, Refused, Change); 37] = [
    ("two blocks in one place", Refused::ByUsers, |f| {
        let first = f.get::<8>(BAT);
        f.put(BAT + 16, &first);
    }),
    ("a block over the headers", Refused::ByReaders, |f| {
        f.put(BAT, &entry(6, 0));
    }),
    ("a block over the log", Refused::ByUsers, |f| {
        f.put(BAT, &entry(6, 1));
    }),
    ("a block over the metadata", Refused::ByUsers, |f| {
        f.put(BAT, &entry(6, 2));
    }),
    ("a block over the table", Refused::ByUsers, |f| {
        f.put(BAT, &entry(6, 3));
    }),
    ("a block beyond the file", Refused::ByReaders, |f| {
        f.put(BAT, &entry(6, 1000));
    }),
    ("a block at 2^63", Refused::ByReaders, |f| {
        f.put(BAT, &entry(6, 1 << 43));
    }),
    ("a block as far as can be", Refused::ByReaders, |f| {
        f.put(BAT, &entry(6, (1 << 44) - 1));
    }),
    ("a block in a state that nobody knows", Refused::ByReaders, |f| {
        f.put(BAT, &entry(4, 4));
    }),
    ("a part of a block without a parent", Refused::ByReaders, |f| {
        f.put(BAT, &entry(7, 4));
    }),
    ("a header of another version", Refused::ByAll, |f| {
        f.header(66, &[9, 0]);
    }),
    ("two regions in one place", Refused::ByAll, |f| {
        let first = f.get::<8>((192 << 10) + 32);
        f.region(64, &first);
    }),
    ("regions without number", Refused::ByAll, |f| {
        f.region(8, &[0xFF; 4]);
    }),
    ("2047 regions of nothing", Refused::Perhaps, |f| {
        f.region(8, &2047_u32.to_le_bytes());
    }),
    ("a region at 2^63", Refused::ByAll, |f| {
        f.region(32, &(1_u64 << 63).to_le_bytes());
    }),
    ("a region at the end of everything", Refused::ByAll, |f| {
        f.region(32, &(0_u64.wrapping_sub(1 << 20)).to_le_bytes());
    }),
    ("a region over the headers", Refused::ByAll, |f| {
        f.region(32, &[0; 8]);
    }),
    ("a region of nothing", Refused::ByAll, |f| {
        f.region(40, &[0; 4]);
    }),
    ("a region of 4 GiB", Refused::Perhaps, |f| {
        f.region(40, &0xFFF0_0000_u32.to_le_bytes());
    }),
    ("metadata without number", Refused::ByAll, |f| {
        f.put(METADATA + 10, &[0xFF; 2]);
    }),
    ("no metadata", Refused::ByAll, |f| {
        f.put(METADATA + 10, &[0; 2]);
    }),
    ("metadata at 2^32 - 1", Refused::ByAll, |f| {
        f.put(item(0) + 16, &[0xFF; 4]);
    }),
    ("metadata of 4 GiB", Refused::ByAll, |f| {
        f.put(item(1) + 20, &[0xFF; 4]);
    }),
    ("metadata over the table of metadata", Refused::ByAll, |f| {
        f.put(item(0) + 16, &8_u32.to_le_bytes());
    }),
    ("metadata that overlap", Refused::ByAll, |f| {
        let first = f.get::<4>(item(0) + 16);
        f.put(item(1) + 16, &first);
    }),
    ("the same metadata twice", Refused::ByAll, |f| {
        let first = f.get::<32>(item(0));
        f.put(item(4), &first);
    }),
    ("a size of nothing", Refused::ByAll, |f| {
        f.put(ITEMS + 8, &[0; 8]);
    }),
    ("a size of 2^63", Refused::ByAll, |f| {
        f.put(ITEMS + 8, &(1_u64 << 63).to_le_bytes());
    }),
    ("the largest size", Refused::ByAll, |f| {
        f.put(ITEMS + 8, &[0xFF; 8]);
    }),
    ("a size the table has no entries for", Refused::ByAll, |f| {
        f.put(ITEMS + 8, &(64_u64 << 40).to_le_bytes());
    }),
    ("a size of half a sector", Refused::ByAll, |f| {
        f.put(ITEMS + 8, &((8_u64 << 20) + 256).to_le_bytes());
    }),
    ("blocks of nothing", Refused::ByAll, |f| {
        f.put(ITEMS, &[0; 4]);
    }),
    ("blocks of 2 GiB", Refused::ByAll, |f| {
        f.put(ITEMS, &(1_u32 << 31).to_le_bytes());
    }),
    ("sectors of nothing", Refused::ByAll, |f| {
        f.put(ITEMS + 32, &[0; 4]);
    }),
    ("sectors of 2 GiB", Refused::ByAll, |f| {
        f.put(ITEMS + 32, &(1_u32 << 31).to_le_bytes());
    }),
    ("a log at 2^63", Refused::ByAll, |f| {
        f.header(48, &[5; 16]).header(72, &(1_u64 << 63).to_le_bytes());
    }),
    ("a log of 4 GiB", Refused::ByAll, |f| {
        f.header(48, &[5; 16]).header(68, &0xFFF0_0000_u32.to_le_bytes());
    }),
];

/// Puts a log into a file: entries of `(place in the log, tail, sequence number, descriptors)`.
fn log(f: &mut Forged, entries: &[(usize, u32, u64, &[[u64; 3]])]) {
    f.header(48, &[5; 16]);
    let length = f.bytes.len() as u64;
    for (at, tail, sequence, descriptors) in entries {
        let pages = descriptors.iter().filter(|descriptor| descriptor[0] == 0).count();
        let size = 4096 * (1 + pages);
        let mut entry = b"loge\0\0\0\0".to_vec();
        entry.extend(u32::try_from(size).unwrap().to_le_bytes());
        entry.extend(tail.to_le_bytes());
        entry.extend(sequence.to_le_bytes());
        entry.extend(u32::try_from(descriptors.len()).unwrap().to_le_bytes());
        entry.extend([0; 4]);
        entry.extend([5; 16]);
        entry.extend(length.to_le_bytes());
        entry.extend(length.to_le_bytes());
        for [zeros, offset, descriptor_sequence] in *descriptors {
            entry.extend(if *zeros == 0 { *b"desc" } else { *b"zero" });
            entry.extend([0; 4]);
            entry.extend(zeros.to_le_bytes());
            entry.extend(offset.to_le_bytes());
            entry.extend(descriptor_sequence.to_le_bytes());
        }
        entry.resize(4096, 0);
        for _ in 0..pages {
            let mut page = vec![0xEE; 4096];
            page[..4].copy_from_slice(b"data");
            page[4..8].copy_from_slice(&[0; 4]);
            page[4092..].copy_from_slice(&u32::try_from(*sequence).unwrap().to_le_bytes());
            entry.extend(page);
        }
        let sum = crc(&entry);
        entry[4..8].copy_from_slice(&sum.to_le_bytes());
        f.put(LOG + at, &entry);
    }
}

const LOGS: [(&str, Refused, Change); 11] = [
    ("a log without entries", Refused::ByAll, |f| log(f, &[])),
    ("a page beyond the file", Refused::ByAll, |f| log(f, &[(0, 0, 1, &[[0, 1 << 30, 1]])])),
    ("a page at 2^63", Refused::ByAll, |f| log(f, &[(0, 0, 1, &[[0, 1 << 63, 1]])])),
    ("a page at the end of everything", Refused::ByAll, |f| {
        log(f, &[(0, 0, 1, &[[0, 0_u64.wrapping_sub(4096), 1]])]);
    }),
    ("zeros without end", Refused::Perhaps, |f| {
        log(f, &[(0, 0, 1, &[[0_u64.wrapping_sub(4096), 0, 1]])]);
    }),
    ("zeros over everything", Refused::Perhaps, |f| log(f, &[(0, 0, 1, &[[8 << 20, 0, 1]])])),
    ("a page over the headers", Refused::Perhaps, |f| {
        log(f, &[(0, 0, 1, &[[0, 64 << 10, 1], [0, 128 << 10, 1], [0, 192 << 10, 1]])]);
    }),
    ("a page over the log itself", Refused::Perhaps, |f| {
        log(f, &[(0, 0, 1, &[[0, 1 << 20, 1], [0, (1 << 20) + 4096, 1]])]);
    }),
    ("a tail that is its own head", Refused::Perhaps, |f| {
        log(f, &[(0, 8192, 2, &[[0, 5 << 20, 2]]), (8192, 0, 1, &[[0, 5 << 20, 1]])]);
    }),
    ("a tail outside the log", Refused::ByAll, |f| {
        log(f, &[(0, 0xFFFF_F000, 1, &[[0, 5 << 20, 1]])]);
    }),
    ("entries that overlap", Refused::Perhaps, |f| {
        log(f, &[(0, 0, 1, &[[0, 5 << 20, 1], [0, 6 << 20, 1]]), (4096, 0, 2, &[[0, 5 << 20, 2]])]);
    }),
];

/// Replaces the parent locator.
fn put_locator(f: &mut Forged, bytes: &[u8]) {
    f.put(LOCATOR, bytes);
    f.put(item(5) + 20, &u32::try_from(bytes.len()).unwrap().to_le_bytes());
}

const CHILD: [(&str, Refused, Change); 10] = [
    ("a bitmap beyond the file", Refused::ByReaders, |f| {
        f.put(BAT + 4096 * 8, &entry(6, 1 << 40));
    }),
    ("a bitmap over the headers", Refused::ByReaders, |f| {
        f.put(BAT + 4096 * 8, &entry(6, 0));
    }),
    ("a part of a block without a bitmap", Refused::ByReaders, |f| {
        f.put(BAT + 4096 * 8, &entry(0, 0));
    }),
    ("paths without number", Refused::ByAll, |f| {
        f.put(LOCATOR + 18, &[0xFF; 2]);
    }),
    ("a path at 2^32 - 1", Refused::ByAll, |f| {
        f.put(LOCATOR + 20, &[0xFF; 8]);
    }),
    ("paths of 64 KiB", Refused::ByAll, |f| {
        f.put(LOCATOR + 28, &[0xFF; 4]);
    }),
    ("no identity", Refused::ByAll, |f| {
        put_locator(f, &locator(&[("relative_path", r".\base.vhdx")]));
    }),
    ("an identity that is none", Refused::ByAll, |f| {
        put_locator(f, &locator(&[("parent_linkage", "{base}"), ("relative_path", "base.vhdx")]));
    }),
    ("another kind of locator", Refused::ByAll, |f| {
        f.put(LOCATOR, &[1; 16]);
    }),
    ("a child without a locator", Refused::ByAll, |f| {
        f.put(METADATA + 10, &[5, 0]);
    }),
];

fn run(trial: &mut Trial, cases: &[(&str, Refused, Change)], bytes: &[u8], file: &str) {
    for &(what, refused, change) in cases {
        let mut forged = Forged { bytes: bytes.to_vec() };
        change(&mut forged);
        let bytes = &forged.sealed_vhdx();
        trial.check(&Sample { what, file, bytes, refused });
    }
}

#[test]
fn vhdx_files_that_lie() {
    let [base, child] = samples();
    let mut trial = Trial::new();
    trial.beside("base.vhdx", &base);
    run(&mut trial, &BASE, &base, "x.vhdx");
    run(&mut trial, &CHILD, &child, "child.vhdx");
    trial.end("VHDX");
    insta::assert_snapshot!("vhdx", trial.said.join("\n"));
}

#[test]
fn vhdx_logs_that_lie() {
    let [base, _] = samples();
    let mut trial = Trial::new();
    run(&mut trial, &LOGS, &base, "x.vhdx");
    trial.end("VHDX log");
    insta::assert_snapshot!("vhdx_log", trial.said.join("\n"));
}
