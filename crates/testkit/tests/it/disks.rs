//! Readers of disk files.

use std::ops::Range;

use imprint_testkit::disks::{
    BLOCK, Contents, Disk, Format, Kind, Reader, check_contents, first_difference, qemu_convert,
    qemu_create, qemu_io, raw_file, readers,
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Converts a raw file with data and holes and lets everybody read it.
#[track_caller]
fn check(format: Format, kind: Kind, options: &str, size: u64) {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("raw");
    raw_file(&raw, size, 12, 512, size);
    let expected = Contents::of_file(&raw);
    let disk = dir.path().join(format!("disk, one.{}", format.name()));
    qemu_convert((&raw, Format::Raw), (&disk, format), options);
    let kind = Disk::new(format, kind, 512, size);
    assert_eq!(readers(&kind).count(), 4);
    check_contents(&disk, &kind, &[], &expected);
    check_part(&disk, &kind, &raw);
}

/// The same for a part of it, by those who can.
#[track_caller]
fn check_part(path: &std::path::Path, disk: &Disk, raw: &std::path::Path) {
    let ranges = [0..BLOCK, disk.size / BLOCK / 2 * BLOCK..disk.size];
    let expected = Contents::of_ranges(&fs_err::File::open(raw).unwrap(), &ranges);
    for reader in readers(disk).filter(|reader| *reader != Reader::SevenZip) {
        let found = reader.contents(path, disk.format, &ranges);
        assert_eq!(first_difference(&expected, &found), None, "{reader}");
    }
}

#[test]
fn interop_all_read_vhd_by_qemu() {
    check(Format::Vhd, Kind::Dynamic, "subformat=dynamic,force_size=on", 3 * MIB);
    check(Format::Vhd, Kind::Fixed, "subformat=fixed,force_size=on", 5 * MIB + 512);
    check(Format::Vhd, Kind::Dynamic, "subformat=dynamic,force_size=on", 37 * MIB + 1536);
    // A size that cylinders, heads and sectors give.
    check(Format::Vhd, Kind::Dynamic, "subformat=dynamic", 68 * 4 * 17 * 512);
}

#[test]
fn interop_all_read_vhdx_by_qemu() {
    check(Format::Vhdx, Kind::Dynamic, "block_size=1048576", 3 * MIB);
    check(Format::Vhdx, Kind::Dynamic, "block_size=1048576,block_state_zero=off", 40 * MIB);
    check(Format::Vhdx, Kind::Dynamic, "block_size=268435456", 300 * MIB);
    check(Format::Vhdx, Kind::Fixed, "subformat=fixed,block_size=2097152", 13 * MIB);
}

/// Writes a few places of a huge disk and lets those read there that need not read all.
#[track_caller]
fn check_huge(format: Format, options: &str, size: u64, expected: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("huge.{}", format.name()));
    qemu_create(&path, format, options, size);
    let (middle, end) = (size / 2 / BLOCK * BLOCK, size - BLOCK);
    let writes = [0, middle, end].map(|at| format!("write -P 7 {at} 64k"));
    qemu_io(&path, format, &writes.each_ref().map(String::as_str));
    let ranges: [Range<u64>; 3] = [0, middle, end].map(|at| at..at + BLOCK);
    let disk = Disk::new(format, Kind::Dynamic, 512, size);
    let mut found = readers(&disk).map(|reader| (reader, reader.contents(&path, format, &ranges)));
    let (_, first) = found.next().unwrap();
    assert_eq!((first.size, first.nonzero_blocks()), (size, 3));
    let others: Vec<_> = found.collect();
    assert_eq!(others.len() + 1, expected);
    for (reader, contents) in others {
        assert_eq!(first_difference(&first, &contents), None, "{reader}");
    }
}

#[test]
fn interop_huge_disks_are_read_in_part() {
    check_huge(Format::Vhd, "subformat=dynamic,force_size=on", 2040 * GIB, 3);
    check_huge(Format::Vhdx, "block_size=268435456", 64 << 40, 3);
}

#[test]
fn a_difference_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.vhdx");
    qemu_create(&path, Format::Vhdx, "", 8 * MIB);
    let disk = Disk::new(Format::Vhdx, Kind::Dynamic, 512, 8 * MIB);
    for reader in readers(&disk) {
        let before = reader.contents(&path, Format::Vhdx, &[]);
        assert_eq!(before.nonzero_blocks(), 0, "{reader}");
        qemu_io(&path, Format::Vhdx, &["write -P 1 3M 512"]);
        let after = reader.contents(&path, Format::Vhdx, &[]);
        let difference = first_difference(&before, &after).unwrap();
        assert!(difference.contains("at 0x300000, where only the second"), "{difference}");
        qemu_io(&path, Format::Vhdx, &["write -P 0 3M 512"]);
    }
}

#[test]
#[should_panic(expected = "no.vhd otherwise than expected: they differ first in the 64 KiB at 0x0")]
fn other_contents_fail() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no.vhd");
    qemu_create(&path, Format::Vhd, "force_size=on", 8 * MIB);
    let disk = Disk::new(Format::Vhd, Kind::Dynamic, 512, 8 * MIB);
    check_contents(&path, &disk, &[], &Contents::of(&vec![1; 8 << 20]));
}

#[test]
#[should_panic(expected = "qemu-img")]
fn no_disk_at_all_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.vhd");
    fs_err::write(&path, vec![0; 4096]).unwrap();
    let _contents = Reader::QemuImg.contents(&path, Format::Vhd, &[]);
}
