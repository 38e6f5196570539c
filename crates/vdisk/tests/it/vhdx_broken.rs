//! VHDX files with one field broken: the words, and that checking says them too.

use imprint_blockio::{MemoryFile, ReadAt, Resize, WriteAt};
use imprint_vdisk::{Container, Kind, NewDisk, Vhdx};

use crate::vhdx_files::{BAT, METADATA, MIB, findings, in_memory, new_disk, seal, set_entry};

fn disk(kind: Kind) -> NewDisk {
    NewDisk { block_size: Some(1 << 20), ..new_disk(kind, 10 * MIB) }
}

/// Opening a file in which `bytes` stand at `offset` fails with these words.
#[track_caller]
fn refuse(kind: Kind, offset: u64, bytes: &[u8], words: &str) {
    let file = in_memory(&disk(kind));
    file.write_all_at(bytes, offset).unwrap();
    if (192 << 10..256 << 10).contains(&offset) {
        seal(&file, 192 << 10, 64 << 10);
    }
    assert_eq!(Vhdx::open(file).unwrap_err().to_string(), words);
}

/// The place of entry `n` of the metadata table.
const fn item(n: u64) -> u64 {
    METADATA + 32 + n * 32
}

const ITEMS: u64 = METADATA + (64 << 10);

#[test]
fn the_file_identifier_and_the_headers() {
    refuse(
        Kind::Dynamic,
        0,
        b"vhdxfilf",
        "VHDX file identifier: signature should be 0x656c696678646876, but is 0x666c696678646876 (at offset 0x0)",
    );
    let file = in_memory(&disk(Kind::Dynamic));
    file.write_all_at(b"X", 64 << 10).unwrap();
    assert_eq!(Vhdx::open(&file).unwrap().size(), 10 * MIB);
    let found: Vec<String> = findings(&file).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["VHDX header: signature should be 0x64616568, but is 0x64616558 (at offset 0x10000)"]
    );
    file.write_all_at(b"X", 128 << 10).unwrap();
    assert_eq!(
        Vhdx::open(&file).unwrap_err().to_string(),
        "VHDX header: signature (of both headers) should be 0x64616568, but is 0x64616558 (at offset 0x10000)"
    );
    for length in [0, 7, 520, 64 << 10, 131 << 10, 200 << 10, (2 << 20) + 5, 3 << 20] {
        let file = in_memory(&disk(Kind::Dynamic));
        file.set_len(length).unwrap();
        assert!(Vhdx::open(file).is_err(), "{length} bytes");
    }
}

#[test]
fn the_region_tables() {
    let table = 192 << 10;
    refuse(
        Kind::Dynamic,
        table + 8,
        &[0xff, 0xff],
        "VHDX region table: entry count should be at most 2047, but is 65535 (at offset 0x30008)",
    );
    refuse(
        Kind::Dynamic,
        table + 16,
        &[9],
        "VHDX region table: an unknown region that must be known is not supported (at offset 0x30010)",
    );
    refuse(
        Kind::Dynamic,
        table + 32,
        &[1],
        "VHDX region table: region offset should be a multiple of 0x100000, but is 0x300001 (at offset 0x30020)",
    );
    refuse(
        Kind::Dynamic,
        table + 32,
        &(1_u64 << 63).to_le_bytes(),
        "VHDX region table: block allocation table should end at or before 0x400000, but ends at 0x8000000000000050 (at offset 0x30020)",
    );
    refuse(
        Kind::Dynamic,
        table + 64,
        &(1_u64 << 62).to_le_bytes(),
        "VHDX region table: metadata region should end at or before 0x400000, but ends at 0x4000000000100000 (at offset 0x30040)",
    );

    let file = in_memory(&disk(Kind::Dynamic));
    file.write_all_at(b"X", 192 << 10).unwrap();
    assert_eq!(Vhdx::open(&file).unwrap().size(), 10 * MIB);
    let found: Vec<String> = findings(&file).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "VHDX region table: signature should be 0x69676572, but is 0x69676558 (at offset 0x30000)"
        ]
    );
    file.write_all_at(b"X", 256 << 10).unwrap();
    Vhdx::open(&file).unwrap_err();

    let file = in_memory(&disk(Kind::Dynamic));
    file.write_all_at(&[9], (256 << 10) + 60).unwrap();
    seal(&file, 256 << 10, 64 << 10);
    let found: Vec<String> = findings(&file).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["VHDX region table: byte should be 0x5, but is 0x9 (at offset 0x4003c)"]);
}

#[test]
fn the_metadata_table() {
    refuse(
        Kind::Dynamic,
        METADATA,
        b"metadatb",
        "VHDX metadata: signature should be 0x617461646174656d, but is 0x627461646174656d (at offset 0x200000)",
    );
    refuse(
        Kind::Dynamic,
        METADATA + 10,
        &[0, 8],
        "VHDX metadata: entry count should be at most 2047, but is 2048 (at offset 0x20000a)",
    );
    refuse(
        Kind::Dynamic,
        item(0),
        &[1],
        "VHDX metadata: an unknown item that must be known is not supported (at offset 0x200020)",
    );
    refuse(
        Kind::Dynamic,
        item(1) + 16,
        &0xff00_u32.to_le_bytes(),
        "VHDX metadata: item offset should be at least 0x10000, but is 0xff00 (at offset 0x200050)",
    );
    refuse(
        Kind::Dynamic,
        item(1) + 16,
        &0xffff_fff0_u32.to_le_bytes(),
        "VHDX metadata: item should end at or before 0x300000, but ends at 0x1001ffff8 (at offset 0x200050)",
    );
    refuse(
        Kind::Dynamic,
        item(1) + 20,
        &0x10_0001_u32.to_le_bytes(),
        "VHDX metadata: item length should be at most 1048576, but is 1048577 (at offset 0x200054)",
    );
    refuse(
        Kind::Dynamic,
        item(1) + 16,
        &0x10004_u32.to_le_bytes(),
        "VHDX metadata: item should end at or before 0x210004, but ends at 0x210008 (at offset 0x200030)",
    );
    refuse(
        Kind::Dynamic,
        item(4) + 20,
        &2_u32.to_le_bytes(),
        "VHDX metadata: length of the physical sector size should be 4, but is 2 (at offset 0x2000b4)",
    );
    refuse(
        Kind::Dynamic,
        METADATA + 10,
        &[4],
        "VHDX metadata: entries of the physical sector size should be 1, but is 0 (at offset 0x20000a)",
    );
    let file = in_memory(&disk(Kind::Dynamic));
    let mut first = [0; 16];
    file.read_exact_at(&mut first, item(3)).unwrap();
    file.write_all_at(&first, item(4)).unwrap();
    assert_eq!(
        Vhdx::open(file).unwrap_err().to_string(),
        "VHDX metadata: entries of one item should be at most 1, but is 2 (at offset 0x2000a0)"
    );
}

#[test]
fn the_metadata_items() {
    for (block_size, text) in [(0, "0"), (3 << 20, "3145728"), (1 << 29, "536870912")] {
        refuse(
            Kind::Dynamic,
            ITEMS,
            &u32::to_le_bytes(block_size),
            &format!(
                "VHDX metadata: block size, a power of two, should be from 1048576 to 268435456, but is {text} (at offset 0x210000)"
            ),
        );
    }
    refuse(
        Kind::Dynamic,
        ITEMS + 8,
        &513_u64.to_le_bytes(),
        "VHDX metadata: disk size should be a multiple of 512, but is 513 (at offset 0x210008)",
    );
    refuse(
        Kind::Dynamic,
        ITEMS + 8,
        &(1_u64 << 63).to_le_bytes(),
        "VHDX metadata: disk size should be at most 70368744177664, but is 9223372036854775808 (at offset 0x210008)",
    );
    refuse(
        Kind::Dynamic,
        ITEMS + 8,
        &(1_u64 << 40).to_le_bytes(),
        "VHDX region table: length of the block allocation table should be at least 8390648, but is 1048576 (at offset 0x30028)",
    );
    refuse(
        Kind::Dynamic,
        ITEMS + 32,
        &513_u32.to_le_bytes(),
        "VHDX metadata: logical sector size should be 512 or 4096, but is 513 (at offset 0x210020)",
    );
    refuse(
        Kind::Dynamic,
        ITEMS + 36,
        &0_u32.to_le_bytes(),
        "VHDX metadata: physical sector size should be 512 or 4096, but is 0 (at offset 0x210024)",
    );
    refuse(
        Kind::Dynamic,
        ITEMS + 4,
        &2_u32.to_le_bytes(),
        "VHDX metadata: entries of the parent locator should be 1, but is 0 (at offset 0x20000a)",
    );
    refuse(
        Kind::Differencing,
        ITEMS + 4096,
        &[1],
        "parent locator: a kind of locator other than that of VHDX files is not supported (at offset 0x211000)",
    );
}

#[test]
fn entries_of_the_table() {
    #[track_caller]
    fn refuse(kind: Kind, value: u64, words: &str) {
        let file = in_memory(&disk(kind));
        set_entry(&file, 2, value);
        let disk = Vhdx::open(&file).unwrap();
        if kind != Kind::Fixed {
            assert_eq!(disk.resolve(0, 10 * MIB).unwrap().len(), 2 * MIB);
        }
        let error = disk.resolve(2 * MIB + 5, MIB).unwrap_err().to_string();
        assert_eq!(error, words);
        assert!(findings(&file).iter().any(|finding| finding.to_string() == words));
    }
    for kind in [Kind::Fixed, Kind::Dynamic, Kind::Differencing] {
        refuse(
            kind,
            4,
            "block allocation table: block state should be at most 0x3, but is 0x4 (at offset 0x300010)",
        );
        refuse(
            kind,
            6,
            "block allocation table: block offset should be at least 0x100000, but is 0x0 (at offset 0x300010)",
        );
    }
    refuse(
        Kind::Dynamic,
        7,
        "block allocation table: block state should be at most 0x6, but is 0x7 (at offset 0x300010)",
    );
    refuse(
        Kind::Dynamic,
        (4 << 20) | 6,
        "block allocation table: block should end at or before 0x400000, but ends at 0x500000 (at offset 0x300010)",
    );
    refuse(
        Kind::Dynamic,
        (1 << 63) | 6,
        "block allocation table: block should end at or before 0x400000, but ends at 0x8000000000100000 (at offset 0x300010)",
    );
    refuse(
        Kind::Dynamic,
        u64::MAX - 1,
        "block allocation table: block should end at or before 0x400000, but ends at 0xffffffffffffffff (at offset 0x300010)",
    );
}

#[track_caller]
fn check_finds(change: impl Fn(&MemoryFile), expected: &[&str]) {
    let file = in_memory(&disk(Kind::Dynamic));
    file.set_len(10 * MIB).unwrap();
    change(&file);
    let found: Vec<String> = findings(&file).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn checking_knows_what_belongs_to_whom() {
    check_finds(|_| {}, &["6291456 bytes belong to nothing"]);
    check_finds(
        |file| {
            set_entry(file, 0, (4 * MIB) | 6);
            set_entry(file, 1, (4 * MIB) | 6);
            set_entry(file, 2, (2 * MIB) | 6);
            set_entry(file, 3, (3 * MIB) | 6);
            set_entry(file, 4, MIB | 6);
        },
        &[
            "block and block both take 1048576 bytes at offset 0x400000",
            "VHDX metadata and block both take 1048576 bytes at offset 0x200000",
            "block allocation table and block both take 1048576 bytes at offset 0x300000",
            "VHDX log and block both take 1048576 bytes at offset 0x100000",
            "5242880 bytes belong to nothing",
        ],
    );
    check_finds(
        |file| set_entry(file, 0, (4 * MIB) | 6 | 8),
        &[
            "block allocation table: reserved bits should be 0x0, but is 0x8 (at offset 0x300000)",
            "5242880 bytes belong to nothing",
        ],
    );
}

#[test]
fn long_lists_are_counted() {
    let file =
        in_memory(&NewDisk { block_size: Some(1 << 20), ..new_disk(Kind::Dynamic, 3000 * MIB) });
    file.write_all_at(&[0xff; 3000 * 8], BAT).unwrap();
    let found = findings(&file);
    assert_eq!(found.len(), 101);
    assert_eq!(found[100].to_string(), "5900 more");
    assert_eq!(found[100].severity(), imprint_vdisk::Severity::Error);
}

/// qemu cuts the last block of a fixed file where the disk ends.
#[test]
fn the_last_block_may_end_with_the_disk() {
    let new = NewDisk { block_size: Some(1 << 20), ..new_disk(Kind::Fixed, 3 * MIB + 4096) };
    let file = in_memory(&new);
    let length = file.len().unwrap();
    file.set_len(length - MIB + 4096).unwrap();
    let disk = Vhdx::open(&file).unwrap();
    assert_eq!(disk.resolve(0, new.size).unwrap().len(), new.size);
    assert_eq!(findings(&file), []);
    file.set_len(length - MIB + 4095).unwrap();
    let disk = Vhdx::open(&file).unwrap();
    assert_eq!(disk.resolve(0, new.size).unwrap().len(), new.size - 1);
    disk.resolve(new.size - 1, 1).unwrap_err();
    // The block is not whole, and what there is of it belongs to nothing.
    assert_eq!(findings(&file).len(), 2);
}
