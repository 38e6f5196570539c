//! Differencing VHDX files: blocks of every state, put there by hand.

use imprint_blockio::{Extent, MemoryFile, ReadAt, Resize, WriteAt};
use imprint_testkit::Random;
use imprint_vdisk::{Container, Kind, NewDisk, Vhdx};

use crate::vhdx_files::{MIB, findings, in_memory, new_disk, read_all, set_entry};

/// The entry of the only bitmap: the chunk ratio for blocks of 1 MiB.
const fn bitmap_entry(sector_size: u32) -> u64 {
    (sector_size as u64) << 23 >> 20
}

fn child(size: u64, sector_size: u32) -> MemoryFile {
    let new =
        NewDisk { block_size: Some(1 << 20), sector_size, ..new_disk(Kind::Differencing, size) };
    in_memory(&new)
}

/// Every state a block can have, with a bitmap made of random runs, against a plain model.
#[track_caller]
fn check(sector_size: u32, seed: u64) {
    let mut random = Random::new(seed);
    let size = 9 * MIB + 3 * u64::from(sector_size);
    let file = child(size, sector_size);
    let parent: Vec<u8> = (0..size).map(|at| (at / 512 % 251) as u8 | 1).collect();
    let mut expected = parent.clone();
    let start = file.len().unwrap();
    file.set_len(start + 12 * MIB).unwrap();
    set_entry(&file, bitmap_entry(sector_size), start | 6);
    let states = [0_u64, 1, 2, 3, 5, 6, 7, 7, 7, 7];
    for (block, state) in (0..).zip(states) {
        let place = start + (1 + block) * MIB;
        let here = if state >= 6 { place } else { 0 };
        set_entry(&file, block, here | state);
        let bytes: Vec<u8> = (0..MIB).map(|at| (at / 512 % 250) as u8 & !1).collect();
        if state >= 6 {
            file.write_all_at(&bytes, place).unwrap();
        }
        let sectors = MIB / u64::from(sector_size);
        let mut set = random.below(2) == 0;
        let mut left = random.below(300);
        for sector in 0..sectors {
            let at = block * MIB + sector * u64::from(sector_size);
            if at >= size {
                break;
            }
            if left == 0 {
                set = !set;
                left = random.below(300);
            } else {
                left -= 1;
            }
            let range =
                usize::try_from(at).unwrap()..usize::try_from(at).unwrap() + sector_size as usize;
            let source = usize::try_from(sector).unwrap() * sector_size as usize;
            let own = &bytes[source..source + sector_size as usize];
            if state == 7 && set {
                let bit = block * sectors + sector;
                let mut byte = [0];
                file.read_exact_at(&mut byte, start + bit / 8).unwrap();
                byte[0] |= 1 << (bit % 8);
                file.write_all_at(&byte, start + bit / 8).unwrap();
            }
            match state {
                0 => {}
                1..=5 => expected[range].fill(0),
                6 => expected[range].copy_from_slice(own),
                _ if set => expected[range].copy_from_slice(own),
                _ => {}
            }
        }
    }
    let disk = Vhdx::open(&file).unwrap();
    assert!(read_all(&disk, &parent) == expected, "sectors of {sector_size}, seed {seed}");
    // Any range may be asked for, and pieces say the same as the whole.
    for _ in 0..2000 {
        let offset = random.below(size);
        let len = 1 + random.below((size - offset).min(5000));
        let extent = disk.resolve(offset, len).unwrap();
        assert!(extent.len() >= 1 && extent.len() <= len);
        let end = usize::try_from(offset + extent.len()).unwrap();
        let at = usize::try_from(offset).unwrap();
        match extent {
            Extent::Data { offset, len, .. } => {
                let mut bytes = vec![0; usize::try_from(len).unwrap()];
                file.read_exact_at(&mut bytes, offset).unwrap();
                assert!(bytes == expected[at..end]);
            }
            Extent::Zero { .. } => assert!(expected[at..end].iter().all(|&byte| byte == 0)),
            Extent::Parent { .. } => assert!(parent[at..end] == expected[at..end]),
        }
    }
    let found: Vec<String> = findings(&file).iter().map(ToString::to_string).collect();
    // The five blocks that are not here, and one more at the end.
    assert_eq!(found, ["6291456 bytes belong to nothing"]);
}

#[test]
fn blocks_of_every_state() {
    for seed in 0..4 {
        check(512, seed);
        check(4096, seed);
    }
}

#[test]
fn without_a_bitmap_nothing_is_guessed() {
    let file = child(4 * MIB, 512);
    let start = file.len().unwrap();
    file.set_len(start + 2 * MIB).unwrap();
    set_entry(&file, 1, start | 7);
    let words = |file: &MemoryFile| {
        let disk = Vhdx::open(file).unwrap();
        assert_eq!(disk.resolve(0, 4 * MIB).unwrap(), Extent::Parent { len: MIB });
        disk.resolve(MIB, 1).unwrap_err().to_string()
    };
    assert_eq!(
        words(&file),
        "block allocation table: sector bitmap state should be 0x6, but is 0x0 (at offset 0x308000)"
    );
    assert!(findings(&file).iter().any(|finding| finding.to_string() == words(&file)));
    set_entry(&file, 4096, 6);
    assert_eq!(
        words(&file),
        "block allocation table: sector bitmap offset should be at least 0x100000, but is 0x0 (at offset 0x308000)"
    );
    assert!(findings(&file).iter().any(|finding| finding.to_string() == words(&file)));
    set_entry(&file, 4096, (start + 2 * MIB) | 6);
    assert_eq!(
        words(&file),
        "block allocation table: sector bitmap should end at or before 0x600000, but ends at 0x700000 (at offset 0x308000)"
    );
    assert!(findings(&file).iter().any(|finding| finding.to_string() == words(&file)));
}
