//! VHD files as they lie there, and what is done with them.

use imprint_blockio::{BlockDevice, Extent, MemoryFile};
use imprint_testkit::{FailingFile, Fault, Limit, Random};
use imprint_vdisk::{
    ChainBuilder, Container, CreateError, Format, Kind, NewDisk, NewParent, OpenError, PathKind,
    Reshape, Severity, Vhd, VhdWriter, WritableContainer, WriteError, check_overlaps, create_vhd,
};
use imprint_winvalues::{FileTime, Guid};
use proptest::prelude::*;

use crate::vhd_support::{assert_sound, change, contents, findings, ids, new_disk};

const KINDS: [Kind; 3] = [Kind::Fixed, Kind::Dynamic, Kind::Differencing];

fn made(new: &NewDisk) -> Vec<u8> {
    let file = MemoryFile::default();
    Box::new(create_vhd(&file, new).unwrap()).close().unwrap();
    file.into_bytes()
}

#[test]
fn a_child_has_everything_in_its_place() {
    let bytes = made(&new_disk(Kind::Differencing, 127 << 30, None));
    // 512 footer, 1024 header, two locators of a sector each, 65,024 entries of 4 bytes, footer.
    assert_eq!(bytes.len(), 512 + 1024 + 1024 + 65_024 * 4 + 512);
    assert_eq!(bytes[..512], bytes[bytes.len() - 512..]);
    assert_eq!(&bytes[..28], b"conectix\0\0\0\x02\0\x01\0\0\0\0\0\0\0\0\x02\0\x2c\xe6\xad\x80");
    assert_eq!(&bytes[28..40], b"win \0\x0a\0\0Wi2k");
    assert_eq!(bytes[40..48], (127_u64 << 30).to_be_bytes());
    assert_eq!(bytes[40..48], bytes[48..56]);
    // 65,278 cylinders, 16 heads, 255 sectors; differencing.
    assert_eq!(bytes[56..64], [0xfe, 0xfe, 16, 255, 0, 0, 0, 4]);
    assert_eq!(bytes[68..84], Guid::from_random([7; 16]).0);
    assert_eq!(&bytes[512..528], b"cxsparse\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(bytes[528..536], 2560_u64.to_be_bytes());
    assert_eq!(bytes[536..548], [0, 1, 0, 0, 0, 0, 0xfe, 0, 0, 0x20, 0, 0]);
    assert_eq!(bytes[552..568], Guid::from_random([9; 16]).0);
    assert_eq!(&bytes[576..596], b"\0b\0a\0s\0e\0.\0v\0h\0d\0\0\0\0");
    let relative = b"W2ru\0\0\x02\0\0\0\0\x14\0\0\0\0\0\0\0\0\0\0\x06\0";
    let absolute = b"W2ku\0\0\x02\0\0\0\0\x26\0\0\0\0\0\0\0\0\0\0\x08\0";
    assert_eq!(&bytes[1088..1112], relative);
    assert_eq!(&bytes[1112..1136], absolute);
    assert_eq!(&bytes[1536..1540], b".\0\\\0");
    assert_eq!(&bytes[2048..2054], b"D\0:\0\\\0");
    assert!(bytes[2560..bytes.len() - 512].iter().all(|&byte| byte == 0xff));

    let disk = Vhd::open(bytes.as_slice()).unwrap();
    let paths: Vec<_> =
        disk.parent().unwrap().paths.iter().map(|path| (path.kind, path.text.as_str())).collect();
    assert_eq!(
        paths,
        [
            (PathKind::Relative, r".\base.vhd"),
            (PathKind::Absolute, r"D:\imprint\base.vhd"),
            (PathKind::Name, "base.vhd"),
        ]
    );
    assert_eq!(disk.resolve(0, 1 << 30).unwrap(), Extent::Parent { len: 128 * (2 << 20) });
}

#[test]
fn data_are_aligned_and_footers_close_the_file() {
    let file = MemoryFile::new(made(&new_disk(Kind::Dynamic, 64 << 20, None)));
    let disk = VhdWriter::open(&file, ids(3)).unwrap();
    for block in [3, 1, 2] {
        let placed = disk.allocate(block * (2 << 20) + 512, 4 << 20).unwrap();
        assert_eq!(placed.offset % 4096, 512);
        assert_eq!(placed.len, (2 << 20) - 512);
    }
    Box::new(disk).close().unwrap();
    let bytes = file.into_bytes();
    assert_eq!(bytes[..512], bytes[bytes.len() - 512..]);
    assert_eq!(bytes[68..84], Guid::from_random([3; 16]).0);
    // Room is taken by 3 blocks with at most 4,608 bytes of padding each.
    assert!(bytes.len() < 8192 + 3 * ((2 << 20) + 512 + 4608), "{}", bytes.len());
    assert_eq!(findings(&bytes), []);
}

#[track_caller]
fn check_impossible(change: impl FnOnce(&mut NewDisk), expected: &str) {
    let mut new = new_disk(Kind::Dynamic, 1 << 20, None);
    change(&mut new);
    let error = create_vhd(MemoryFile::default(), &new).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_cannot_be_is_refused() {
    check_impossible(
        |new| new.size = 1000,
        "VHD dynamic disk: size should be a multiple of 512, but is 1000",
    );
    check_impossible(
        |new| new.size = (2040 << 30) + 512,
        "VHD dynamic disk: size should be from 512 to 2190433320960, but is 2190433321472",
    );
    check_impossible(
        |new| new.sector_size = 4096,
        "VHD dynamic disk: sector size should be 512, but is 4096",
    );
    check_impossible(
        |new| new.block_size = Some(512),
        "VHD dynamic disk: block size, a power of two, should be from 4096 to 268435456, but is 512",
    );
    check_impossible(
        |new| new.block_size = Some(3 << 20),
        "VHD dynamic disk: block size, a power of two, should be from 4096 to 268435456, but is 3145728",
    );
    check_impossible(
        |new| new.kind = Kind::Differencing,
        "a disk has a parent exactly if it is differencing",
    );
    check_impossible(
        |new| {
            *new = new_disk(Kind::Differencing, 512, None);
            new.parent.as_mut().unwrap().relative = format!(r".\{}.vhd", "x".repeat(253));
        },
        "VHD differencing disk: length of the parent's name should be from 1 to 256, but is 257",
    );
}

#[track_caller]
fn check_damage(kind: Kind, damage: &[(usize, &[u8])], expected: &str) {
    let mut bytes = made(&new_disk(kind, 1 << 20, None));
    let len = bytes.len();
    for &(offset, change) in damage {
        let offset = if offset >= 1 << 32 { len - (offset - (1 << 32)) } else { offset };
        bytes[offset..offset + change.len()].copy_from_slice(change);
    }
    let found = match Vhd::open(bytes.as_slice()) {
        Err(error) => error.to_string(),
        Ok(disk) => disk.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    };
    assert_eq!(found, expected);
}

/// So many bytes before the end.
const fn end(bytes: usize) -> usize {
    (1 << 32) + bytes
}

#[test]
fn one_footer_is_enough() {
    check_damage(Kind::Dynamic, &[], "");
    check_damage(
        Kind::Dynamic,
        &[(0, b"C")],
        "VHD footer: cookie should be 0x636f6e6563746978, but is 0x436f6e6563746978 (at offset 0x0)",
    );
    check_damage(
        Kind::Dynamic,
        &[(end(512), b"C")],
        "VHD footer: cookie should be 0x636f6e6563746978, but is 0x436f6e6563746978 (at offset 0x800)",
    );
    check_damage(
        Kind::Dynamic,
        &[(0, b"C"), (end(512), b"C")],
        "VHD footer: cookie should be 0x636f6e6563746978, but is 0x436f6e6563746978 (at offset 0x800)",
    );
    check_damage(
        Kind::Fixed,
        &[(end(500), &[0, 9])],
        "VHD footer: checksum should be 0xffffee06, but is 0xffffee0e (at offset 0x100040)",
    );
}

#[test]
fn damage_that_reading_can_do_without_forbids_writing() {
    let mut bytes = made(&new_disk(Kind::Dynamic, 1 << 20, None));
    bytes[1500] = 1;
    assert_eq!(Vhd::open(bytes.as_slice()).unwrap().warnings().len(), 1);
    let error = VhdWriter::open(MemoryFile::new(bytes), ids(1)).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly(_)), "{error:?}");
}

#[test]
fn footers_that_agree_are_believed_without_their_checksums() {
    let mut bytes = made(&new_disk(Kind::Dynamic, 1 << 20, None));
    let last = bytes.len() - 512;
    bytes[30] = b'x';
    bytes[last + 30] = b'x';
    assert_eq!(Vhd::open(bytes.as_slice()).unwrap().warnings().len(), 2);
    let error = VhdWriter::open(MemoryFile::new(bytes.clone()), ids(1)).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly(_)), "{error:?}");
    bytes[last + 31] = b'x';
    Vhd::open(bytes.as_slice()).map(|_| ()).unwrap_err();
}

#[test]
fn nothing_is_written_over_header_and_table() {
    let file = MemoryFile::default();
    let disk = create_vhd(&file, &new_disk(Kind::Dynamic, 4 << 20, None)).unwrap();
    disk.write(&vec![1; 4 << 20], 0).unwrap();
    Box::new(disk).close().unwrap();
    let sound = file.into_bytes();
    for (entry, least) in [(1_u32, 3), (2, 3), (3, 4)] {
        let mut bytes = sound.clone();
        bytes[1536..1540].copy_from_slice(&entry.to_be_bytes());
        let before = bytes[512..2048].to_vec();
        let disk = VhdWriter::open(MemoryFile::new(bytes), ids(1)).unwrap();
        let error = disk.write(&[2; 512], 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "block allocation table: block's sector should be at least {least}, but is {entry} \
                 (at offset 0x600)"
            )
        );
        disk.write(&[2; 512], 2 << 20).unwrap();
        let mut after = vec![0; 1536];
        disk.storage().read_exact_at(&mut after, 512).unwrap();
        assert_eq!(after, before);
    }
}

#[test]
fn blocks_outside_the_file_are_named() {
    let mut bytes = made(&new_disk(Kind::Dynamic, 4 << 20, None));
    bytes[1536..1540].copy_from_slice(&[0, 0, 0, 9]);
    bytes[1540..1544].copy_from_slice(&[0; 4]);
    let disk = Vhd::open(bytes.as_slice()).unwrap();
    assert_eq!(
        disk.resolve(0, 512).unwrap_err().to_string(),
        "block allocation table: block should end at or before 0x800, but ends at 0x201400 (at offset 0x600)"
    );
    let second =
        "block allocation table: block's sector should be at least 1, but is 0 (at offset 0x604)";
    assert_eq!(disk.resolve(2 << 20, 512).unwrap_err().to_string(), second);
    assert_eq!(findings(&bytes)[1].to_string(), second);
}

#[test]
fn overlaps_and_lost_room_are_found() {
    let file = MemoryFile::new(made(&new_disk(Kind::Dynamic, 64 << 20, Some(4096))));
    let disk = VhdWriter::open(&file, ids(1)).unwrap();
    for block in 0..3 {
        disk.allocate(block * 4096, 4096).unwrap();
    }
    Box::new(disk).close().unwrap();
    let mut bytes = file.into_bytes();
    assert_eq!(findings(&bytes), []);
    let (second, third) = (1536 + 4, 1536 + 8);
    bytes.copy_within(second..second + 4, third);
    let found = findings(&bytes);
    assert_eq!(found[0].severity(), Severity::Error);
    assert_eq!(
        found[0].to_string(),
        "block and block both take 4608 bytes at offset 0x12e00",
        "{found:?}"
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1].severity(), Severity::Note);
    let error = check_overlaps(&bytes.as_slice(), Format::Vhd).unwrap_err();
    assert_eq!(error.to_string(), found[0].to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is written is read, at once, by a reader and after opening again.
    #[test]
    fn disks_hold_what_is_written(
        seed: u64,
        kind in 0..3_usize,
        sectors in 1..3000_u64,
        shift in 12..19_u32,
    ) {
        let mut random = Random::new(seed);
        let kind = KINDS[kind];
        let size = sectors * 512;
        let mut parent = vec![0; usize::try_from(size).unwrap()];
        if kind == Kind::Differencing {
            random.fill(&mut parent);
        }
        let mut model = parent.clone();
        let file = MemoryFile::default();
        let new = new_disk(kind, size, Some(1 << shift));
        let mut disk = Box::new(create_vhd(&file, &new).unwrap());
        for round in 0..4 {
            for _ in 0..random.index(30) {
                change(&disk, &mut model, &mut random);
                if random.chance(1, 6) {
                    disk.commit().unwrap();
                }
            }
            prop_assert!(contents(&*disk, &parent) == model);
            disk.close().unwrap();
            let bytes = file.to_bytes();
            prop_assert!(contents(&Vhd::open(bytes.as_slice()).unwrap(), &parent) == model);
            prop_assert_eq!(findings(&bytes), []);
            disk = Box::new(VhdWriter::open(&file, ids(round)).unwrap());
        }
    }
}

#[track_caller]
fn check_resize(kind: Kind, from: u64, to: &[u64]) {
    let mut random = Random::new(5);
    let mut parent = vec![0; usize::try_from(from).unwrap()];
    if kind == Kind::Differencing {
        random.fill(&mut parent);
    }
    let mut model = parent.clone();
    let file = MemoryFile::new(made(&new_disk(kind, from, Some(4096))));
    let mut disk = VhdWriter::open(&file, ids(1)).unwrap();
    for &size in to {
        for _ in 0..10 {
            change(&disk, &mut model, &mut random);
        }
        disk.resize(size).unwrap();
        model.resize(usize::try_from(size).unwrap(), 0);
        parent.resize(model.len(), 0);
        assert_eq!(disk.size(), size);
        assert!(contents(&disk, &parent) == model);
        let bytes = file.to_bytes();
        assert!(contents(&Vhd::open(bytes.as_slice()).unwrap(), &parent) == model);
        // The header is where simple readers look for it.
        assert_eq!(&bytes[512..520], b"cxsparse");
        assert_eq!(bytes[16..24], 512_u64.to_be_bytes());
        assert_sound(&bytes);
    }
    for _ in 0..10 {
        change(&disk, &mut model, &mut random);
    }
    Box::new(disk).close().unwrap();
    let mut disk = VhdWriter::open(&file, ids(2)).unwrap();
    assert!(contents(&disk, &parent) == model);
    let error = disk.resize(512).unwrap_err().to_string();
    assert!(error.contains("size should be at least"), "{error}");
}

#[test]
fn disks_grow() {
    check_resize(Kind::Dynamic, 4096, &[8192, 8192, 512 << 10, (512 << 10) + 512, 2 << 20]);
    check_resize(Kind::Differencing, 40_960, &[45_056, 600 << 10]);
    let fixed = MemoryFile::new(made(&new_disk(Kind::Fixed, 4096, None)));
    let error = VhdWriter::open(&fixed, ids(1)).unwrap().resize(8192).unwrap_err();
    assert_eq!(error.to_string(), "a VHD disk has no size that could be changed");
}

#[test]
fn a_table_that_claims_four_billion_entries_moves_without_them() {
    let mut bytes = made(&new_disk(Kind::Dynamic, 1 << 20, None));
    let header = 512..1536;
    bytes[540..544].fill(0xff);
    bytes[548..552].fill(0);
    let sum = bytes[header].iter().fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into()));
    bytes[548..552].copy_from_slice(&(!sum).to_be_bytes());
    let file = MemoryFile::new(bytes);
    let mut disk = VhdWriter::open(&file, ids(1)).unwrap();
    disk.resize(1 << 30).unwrap();
    disk.write(&[1; 512], (1 << 30) - 512).unwrap();
    Box::new(disk).close().unwrap();
    let bytes = file.into_bytes();
    assert!(bytes.len() < 3 << 20);
    assert_eq!(bytes[540..544], 512_u32.to_be_bytes());
    assert_sound(&bytes);
}

#[test]
fn a_child_is_told_where_its_parent_is() {
    let file = MemoryFile::new(made(&new_disk(Kind::Differencing, 1 << 20, Some(4096))));
    let mut model = vec![0; 1 << 20];
    let mut disk = VhdWriter::open(&file, ids(1)).unwrap();
    change(&disk, &mut model, &mut Random::new(1));
    let names = ["other.vhd".to_owned(), "n".repeat(250) + ".vhd", "x.vhd".to_owned()];
    for (index, name) in names.iter().enumerate() {
        let parent = NewParent {
            identity: Guid::default(),
            modified: FileTime::from_unix(1_600_000_000, 0),
            relative: format!(r".\elsewhere\{name}"),
            absolute: (index == 1).then(|| format!(r"E:\{name}")),
        };
        let before = file.to_bytes().len();
        disk.rebase(&parent).unwrap();
        let bytes = file.to_bytes();
        // A path that fits where the old one was leaves nothing behind; others take a little room.
        assert_eq!(bytes.len() == before, index == 0);
        assert!(bytes.len() <= before + 3 * 4096);
        let reader = Vhd::open(bytes.as_slice()).unwrap();
        let link = reader.parent().unwrap();
        assert_eq!(disk.parent(), Some(link));
        assert_eq!(link.identity, Guid::from_random([9; 16]));
        assert_eq!(link.modified, Some(parent.modified));
        assert_eq!(link.paths[0].text, parent.relative);
        assert_eq!(link.paths.len(), if index == 1 { 3 } else { 2 });
        assert_eq!(link.file_names(), [name]);
        assert!(contents(&reader, &[]) == model);
        assert_sound(&bytes);
    }
}

#[test]
fn the_identity_changes_before_the_contents() {
    for kind in KINDS {
        let file = MemoryFile::new(made(&new_disk(kind, 1 << 20, None)));
        let identity = |bytes: &[u8]| Vhd::open(bytes).unwrap().identity().unwrap();
        let first = Guid::from_random([7; 16]);
        let disk = VhdWriter::open(&file, ids(4)).unwrap();
        disk.commit().unwrap();
        assert_eq!(identity(&file.to_bytes()), first);
        disk.allocate(0, 512).unwrap();
        assert_eq!(identity(&file.to_bytes()), ids(4).data_write);
        assert_eq!(disk.identity(), Some(ids(4).data_write));
        Box::new(disk).close().unwrap();

        let disk = VhdWriter::open(&file, ids(5)).unwrap();
        disk.keep_identity();
        disk.allocate(4096, 512).unwrap();
        assert_eq!(disk.identity(), Some(ids(4).data_write));
        disk.set_identity(first).unwrap();
        Box::new(disk).close().unwrap();
        assert_eq!(identity(&file.to_bytes()), first);
    }
}

/// Runs a session on a medium that fails after so many operations; returns whether it failed.
fn session(bytes: Vec<u8>, fault: Fault, operations: u64) -> bool {
    let before = contents(&Vhd::open(bytes.as_slice()).unwrap(), &[]);
    let file = FailingFile::new(MemoryFile::new(bytes), fault, Limit::Operations(operations));
    if let Ok(disk) = VhdWriter::open(&file, ids(1)) {
        let commit = || -> Result<(), WriteError> {
            for block in 0..6 {
                disk.write(&[0xaa; 1024], block * 4096)?;
            }
            disk.commit()
        };
        if commit().is_err() && disk.commit().is_err() && fault == Fault::Broken {
            assert!(disk.commit().is_err());
            assert!(matches!(disk.allocate(0, 512), Err(WriteError::Poisoned)));
        }
    }
    let failed = file.has_failed();
    let bytes = file.into_inner().into_bytes();
    assert_sound(&bytes);
    let after = contents(&Vhd::open(bytes.as_slice()).unwrap(), &[]);
    for (index, (old, new)) in before.iter().zip(&after).enumerate() {
        assert!(old == new || (index % 4096 < 1024 && *new == 0xaa), "{index}");
    }
    failed
}

#[test]
fn a_failing_medium_leaves_a_sound_file() {
    for kind in [Kind::Dynamic, Kind::Differencing] {
        for fault in [Fault::Broken, Fault::Full] {
            let bytes = made(&new_disk(kind, 32 << 10, Some(4096)));
            let mut operations = 0;
            while session(bytes.clone(), fault, operations) {
                operations += 1;
            }
            assert!(operations > 20, "{operations}");
        }
    }
}

#[test]
fn a_medium_that_fails_while_a_file_is_made() {
    let new = new_disk(Kind::Differencing, 1 << 20, None);
    for operations in 0.. {
        let file =
            FailingFile::new(MemoryFile::default(), Fault::Full, Limit::Operations(operations));
        match create_vhd(&file, &new) {
            Ok(disk) => {
                if Box::new(disk).close().is_ok() {
                    return;
                }
            }
            Err(error) => assert!(matches!(error, CreateError::Write(_)), "{error:?}"),
        }
        assert!(file.has_failed());
    }
}

#[test]
fn holes_of_the_file_are_zeros() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs_err::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(directory.path().join("disk.vhd"))
        .unwrap();
    let disk = create_vhd(&file, &new_disk(Kind::Fixed, 4 << 20, None)).unwrap();
    disk.write(&[1; 4096], 1 << 20).unwrap();
    disk.write_zeroes(2 << 20, 1 << 20).unwrap();
    Box::new(disk).close().unwrap();
    let disk = Vhd::open(&file).unwrap();
    assert!(disk.warnings().is_empty());
    let disk: Box<dyn Container + '_> = Box::new(disk);
    let chain = ChainBuilder::for_reading(disk).finish().unwrap();
    assert_eq!(chain.extent(0, 4 << 20).unwrap(), Extent::Zero { len: 1 << 20 });
    let data = Extent::Data { file: 0, offset: 1 << 20, len: 4096 };
    assert_eq!(chain.extent(1 << 20, 3 << 20).unwrap(), data);
}
