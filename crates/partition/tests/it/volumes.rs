//! Devices without a partition table.

use imprint_blockio::FlatDevice;
use imprint_partition::PartitionTable;
use imprint_testkit::tools;

use crate::sample::{GPT, LOGICAL, MIB, disk, read};

/// A volume made by a program has no table.
#[track_caller]
fn check(program: &str, words: &[&str], mebibytes: u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    fs_err::File::create_new(&path).unwrap().set_len(mebibytes << 20).unwrap();
    let words = words.iter().copied().chain([path.to_str().unwrap()]);
    tools::run(&tools::require(program), words);
    let bytes = fs_err::read(&path).unwrap();
    assert_eq!(read(&bytes).unwrap(), None);
    assert_eq!(PartitionTable::read(&FlatDevice::new(bytes, 4096)).unwrap(), None);
}

#[test]
fn bare_volumes_have_no_table() {
    check("mkntfs", &["-F", "-Q", "-q", "-s", "512"], 8);
    check("mkntfs", &["-F", "-Q", "-q", "-s", "4096", "-c", "4096"], 8);
    check("mkfs.ext4", &["-q", "-F"], 8);
}

/// The fields of a FAT boot sector, with `code` where an MBR has its entries.
fn fat(code: u8) -> Vec<u8> {
    let mut bytes = vec![0; MIB];
    bytes[..11].copy_from_slice(b"\xeb\x58\x90MSDOS5.0");
    bytes[11..24].copy_from_slice(&[0, 2, 8, 32, 0, 2, 0, 0, 0, 8, 0xf8, 0, 0]);
    bytes[62..510].fill(code);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes
}

#[test]
fn fat_is_told_by_its_parameters() {
    assert_eq!(read(&fat(0)).unwrap(), None);
    assert_eq!(read(&fat(0x80)).unwrap(), None, "code that looks like entries");
    // Without legal parameters it is an MBR, or code.
    let mut bytes = fat(0);
    bytes[13] = 3;
    assert_eq!(read(&bytes).unwrap().unwrap().partitions(), []);
    let mut bytes = fat(0x41);
    bytes[13] = 3;
    assert_eq!(read(&bytes).unwrap(), None);
}

#[test]
fn bit_locker_exfat_and_refs_are_volumes() {
    for mark in [b"-FVE-FS-", b"EXFAT   ", b"NTFS    "] {
        let mut bytes = fat(0x80);
        bytes[..40].fill(0);
        bytes[..3].copy_from_slice(b"\xeb\x76\x90");
        bytes[3..11].copy_from_slice(mark);
        assert_eq!(read(&bytes).unwrap(), None);
    }
    let mut bytes = fat(0x80);
    bytes[..40].fill(0);
    bytes[3..11].copy_from_slice(b"ReFS\0\0\0\0");
    assert_eq!(read(&bytes).unwrap(), None);
}

#[test]
fn empty_and_tiny_devices_have_no_table() {
    for len in [0, 1, 511, 512, 513, 1024, 4096, MIB] {
        assert_eq!(read(&vec![0; len]).unwrap(), None);
    }
}

/// A disk that became one volume keeps the backup of its GPT: that is no table.
#[test]
fn a_backup_alone_is_not_believed() {
    let mut bytes = disk(64, GPT);
    bytes[..MIB].fill(0);
    assert_eq!(read(&bytes).unwrap(), None);
}

#[test]
fn tables_are_tables() {
    assert!(read(&disk(64, GPT)).unwrap().is_some());
    assert!(read(&disk(64, LOGICAL)).unwrap().is_some());
}
