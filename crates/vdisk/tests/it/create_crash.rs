//! Crashes while a child is made, in a file that has a name already: it is no disk yet, or the whole
//! child, and never anything else.

use imprint_testkit::{CrashFile, Random, soak};
use imprint_vdisk::{
    Container, Format, Kind, NewDisk, NewParent, Vhd, Vhdx, VhdxWriter, WritableContainer,
    create_vhd,
};
use imprint_winvalues::FileTime;

use crate::chain::{guid, ids};
use crate::crash_support::no_errors;

fn new_child(format: Format, random: &mut Random) -> NewDisk {
    // Paths of one sector and of many.
    let mut letters = |most| "p".repeat(1 + random.index(most));
    let (relative, absolute) = match format {
        Format::Vhdx => (letters(2000), letters(2000)),
        Format::Vhd | Format::Raw => (letters(200), letters(200)),
    };
    let sector_size = match format {
        Format::Vhdx => *random.pick(&[512, 4096]),
        Format::Vhd | Format::Raw => 512,
    };
    let pages = if random.chance(1, 2) { 1 << 10 } else { 100 << 20 };
    NewDisk {
        kind: Kind::Differencing,
        size: 4096 * (1 + random.below(pages)),
        block_size: Some(1 << (20 + random.index(6))),
        sector_size,
        physical_sector_size: 4096,
        identity: guid(random),
        file_write: guid(random),
        disk_id: guid(random),
        created: FileTime::from_unix(1_700_000_000, 0),
        parent: Some(NewParent {
            identity: guid(random),
            modified: FileTime::from_unix(1_600_000_000, 0),
            relative: format!(r".\{relative}"),
            absolute: Some(format!(r"D:\{absolute}")),
        }),
    }
}

/// What a disk says of itself, if it is one.
#[derive(Debug, PartialEq)]
struct Said {
    kind: Kind,
    size: u64,
    sector_size: u32,
    block_size: u32,
    parent: Option<imprint_vdisk::ParentLink>,
    is_empty: bool,
}

fn said(disk: &dyn Container) -> Said {
    let mut at = 0;
    let mut is_empty = true;
    while at < disk.size() {
        let extent = disk.resolve(at, disk.size() - at).unwrap();
        is_empty &= matches!(extent, imprint_blockio::Extent::Parent { .. });
        at += extent.len();
    }
    Said {
        kind: disk.kind(),
        size: disk.size(),
        sector_size: disk.sector_size(),
        block_size: disk.block_size(),
        parent: disk.parent().cloned(),
        is_empty,
    }
}

/// What a file says if it can be opened.
fn opened(format: Format, file: &imprint_testkit::SparseMemory) -> Option<Said> {
    match format {
        Format::Vhdx => Vhdx::open(file).ok().map(|disk| said(&disk)),
        Format::Vhd | Format::Raw => Vhd::open(file).ok().map(|disk| said(&disk)),
    }
}

fn check(format: Format, children: u32, cuts: u32) {
    let (mut points, mut whole) = (0, 0);
    for seed in 0..u64::from(children) {
        let random = &mut Random::new(seed);
        let new = new_child(format, random);
        let file = CrashFile::default();
        let made: Box<dyn WritableContainer + '_> = match format {
            Format::Vhdx => Box::new(VhdxWriter::create(&file, &new, ids(random)).unwrap()),
            Format::Vhd | Format::Raw => Box::new(create_vhd(&file, &new).unwrap()),
        };
        made.close().unwrap();
        let end = file.cut_at_moment(file.moments());
        let complete = opened(format, &file.durable(end)).expect("what is closed is durable");
        assert!(complete.is_empty && complete.kind == Kind::Differencing);
        let all = file.cuts();
        for round in 0..cuts {
            let cut = *random.pick(&all);
            let left = if random.chance(1, 4) {
                file.killed(cut)
            } else {
                file.power_lost(cut, 512, random)
            };
            let what = format!("seed {seed} round {round} {cut:?}");
            if let Some(found) = opened(format, &left) {
                assert_eq!(found, complete, "{what}");
                no_errors(format, &left, &what);
                whole += 1;
            }
            points += 1;
        }
    }
    assert!(whole > 0 && whole < points, "{whole} of {points}");
    println!("{points} crash points of making a {format} child, whole after {whole}");
}

#[test]
fn a_vhd_child_is_whole_or_none() {
    check(Format::Vhd, soak::rounds(30, 100), soak::rounds(20, 30));
}

#[test]
fn a_vhdx_child_is_whole_or_none() {
    check(Format::Vhdx, soak::rounds(30, 100), soak::rounds(20, 30));
}
