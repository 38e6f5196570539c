//! Whole VHDX files: what opens can be asked for every byte, every answer lies where it may, parts of a
//! range say what the whole says, and what reading finds broken, checking finds broken too.
//!
//! The smallest real file has 4 MiB, nearly all zeros, so an input says what is different from a file
//! made here:
//!
//! ```text
//! byte 0   bits 0-1 kind (fixed, dynamic, differencing, differencing); 2 sectors of 4096 bytes;
//!          3 checksums of what was changed are put right
//! then     place (an index into PLACES, modulo), u16 offset within it, length, that many bytes; the
//!          last place sets the length of the file: the offset, in units of 4 KiB
//! ```

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use imprint_blockio::{Extent, MemoryFile, ReadAt, Resize, Sparse, WriteAt};
use imprint_progress::Progress;
use imprint_vdisk::{
    Container, Kind, NewDisk, NewParent, ReadError, Severity, Vhdx, check_vhdx, create_vhdx,
};
use imprint_winvalues::{FileTime, Guid};

const MIB: u64 = 1 << 20;
/// What an input can change: file identifier, headers, region tables, log, metadata, table (its first
/// entries and those of the bitmaps of both sector sizes), bitmap.
const PLACES: [u64; 12] = [
    0,
    64 << 10,
    128 << 10,
    192 << 10,
    256 << 10,
    MIB,
    2 * MIB,
    2 * MIB + (64 << 10),
    3 * MIB,
    3 * MIB + (32 << 10),
    3 * MIB + (256 << 10),
    4 * MIB,
];
/// What has a checksum, and how many bytes it covers.
const SEALED: [(u64, usize); 4] =
    [(64 << 10, 4096), (128 << 10, 4096), (192 << 10, 64 << 10), (256 << 10, 64 << 10)];
/// Extents that are looked at, so that an input takes little time.
const STEPS: usize = 500;

pub(crate) fn check(bytes: &[u8]) {
    let Some((&choice, records)) = bytes.split_first() else { return };
    let file = Patched::new(choice, records);
    let Ok(disk) = Vhdx::open(&file) else { return };
    assert!(disk.size() <= 64 << 40);
    assert_eq!(disk.parent().is_some(), disk.kind() == Kind::Differencing);

    let mut broken = 0;
    let mut found = |finding: imprint_vdisk::Finding| {
        broken += u64::from(finding.severity() == Severity::Error);
        let _words = finding.to_string();
    };
    check_vhdx(&file, &Progress::new(), &mut found).expect("what opens can be checked");
    if broken == 0 {
        read(&disk, true);
    } else {
        read(&disk, false);
    }
}

fn read(disk: &impl Container, intact: bool) {
    let mut at = 0;
    for _ in 0..STEPS {
        if at >= disk.size() {
            break;
        }
        match disk.resolve(at, disk.size() - at) {
            Ok(extent) => {
                look(disk, at, extent);
                at += extent.len();
            }
            Err(ReadError::Corruption(fault)) => {
                assert!(!intact, "checking does not know: {fault}");
                at += u64::from(disk.sector_size());
                at = at.next_multiple_of(u64::from(disk.block_size()));
            }
            Err(error) => panic!("memory can be read: {error}"),
        }
    }
}

fn look(disk: &impl Container, at: u64, extent: Extent) {
    let len = extent.len();
    assert!(len > 0 && len <= disk.size() - at);
    let half = disk.resolve(at + len / 2, len - len / 2).expect("a part of what was there");
    match (extent, half) {
        (Extent::Data { file: 0, offset, .. }, Extent::Data { file: 0, offset: part, .. }) => {
            assert_eq!(part, offset + len / 2);
            let mut byte = [0];
            disk.storage().read_exact_at(&mut byte, offset + len - 1).expect("data is in the file");
        }
        (Extent::Zero { .. }, Extent::Zero { .. }) => {}
        (Extent::Parent { .. }, Extent::Parent { .. }) => {
            assert_eq!(disk.kind(), Kind::Differencing);
        }
        (whole, part) => panic!("{whole:?} at {at:#x}, but half of it is {part:?}"),
    }
}

/// A file made here with some pages changed.
struct Patched {
    base: &'static [u8],
    pages: BTreeMap<u64, [u8; 4096]>,
    len: u64,
}

impl Patched {
    fn new(choice: u8, mut records: &[u8]) -> Self {
        static BASES: OnceLock<[Vec<u8>; 8]> = OnceLock::new();
        let bases = BASES.get_or_init(|| [0, 1, 2, 3, 4, 5, 6, 7].map(base));
        let base = &bases[usize::from(choice & 7)];
        let mut file = Self { base, pages: BTreeMap::new(), len: base.len() as u64 };
        while let [place, low, high, length, rest @ ..] = records {
            let offset = u16::from_le_bytes([*low, *high]);
            let (value, rest) = rest.split_at(usize::from(*length).min(rest.len()));
            match PLACES.get(usize::from(*place) % (PLACES.len() + 1)) {
                Some(start) => file.patch(start + u64::from(offset), value),
                None => file.len = (u64::from(offset) << 12).min(16 * MIB),
            }
            records = rest;
        }
        for (start, length) in SEALED {
            let end = start + length as u64;
            if choice & 8 != 0 && file.pages.range(start / 4096..end / 4096).next().is_some() {
                file.seal(start, length);
            }
        }
        file
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) {
        for (at, &byte) in (offset..).zip(bytes) {
            let page = at / 4096;
            let base = self.base;
            let kept = self.pages.entry(page).or_insert_with(|| {
                let mut bytes = [0; 4096];
                fill(base, &mut bytes, page * 4096);
                bytes
            });
            kept[index(at % 4096)] = byte;
        }
    }

    fn seal(&mut self, start: u64, length: usize) {
        static TABLE: OnceLock<[u32; 256]> = OnceLock::new();
        let table = TABLE.get_or_init(|| {
            std::array::from_fn(|byte| {
                (0..8).fold(u32::try_from(byte).unwrap_or(0), |sum: u32, _| {
                    if sum & 1 == 1 { (sum >> 1) ^ 0x82F6_3B78 } else { sum >> 1 }
                })
            })
        });
        self.patch(start + 4, &[0; 4]);
        let mut bytes = vec![0; length];
        self.fill(&mut bytes, start);
        let sum = bytes.iter().fold(u32::MAX, |sum, &byte| {
            (sum >> 8) ^ table[usize::from(sum.to_le_bytes()[0] ^ byte)]
        });
        self.patch(start + 4, &(!sum).to_le_bytes());
    }

    fn fill(&self, buf: &mut [u8], offset: u64) {
        fill(self.base, buf, offset);
        let end = offset + buf.len() as u64;
        for (&page, bytes) in self.pages.range(offset / 4096..end.div_ceil(4096)) {
            let first = offset.max(page * 4096);
            let last = end.min(page * 4096 + 4096);
            buf[index(first - offset)..index(last - offset)]
                .copy_from_slice(&bytes[index(first % 4096)..][..index(last - first)]);
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What is behind the end of the base is zero.
fn fill(base: &[u8], buf: &mut [u8], offset: u64) {
    let start = index(offset).min(base.len());
    let there = buf.len().min(base.len() - start);
    buf[..there].copy_from_slice(&base[start..start + there]);
    buf[there..].fill(0);
}

impl ReadAt for Patched {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.fill(buf, offset);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}

impl Sparse for Patched {}

/// A disk of nine blocks and a bit; all but fixed ones have blocks of every state.
fn base(choice: u8) -> Vec<u8> {
    let kind = [Kind::Fixed, Kind::Dynamic, Kind::Differencing, Kind::Differencing]
        [usize::from(choice & 3)];
    let sector_size = if choice & 4 == 0 { 512 } else { 4096 };
    let size = 9 * MIB + 4096;
    let file = MemoryFile::default();
    let new = NewDisk {
        kind,
        size: if kind == Kind::Fixed { 2 * MIB + 4096 } else { size },
        block_size: Some(1 << 20),
        sector_size,
        physical_sector_size: 4096,
        identity: Guid([1; 16]),
        file_write: Guid([2; 16]),
        disk_id: Guid([3; 16]),
        created: FileTime::default(),
        parent: (kind == Kind::Differencing).then(|| NewParent {
            identity: Guid([4; 16]),
            modified: FileTime::default(),
            relative: r".\a.vhdx".to_owned(),
            absolute: Some(r"D:\a.vhdx".to_owned()),
        }),
    };
    create_vhdx(&file, &new).expect("memory takes everything");
    let differencing = kind == Kind::Differencing;
    if kind != Kind::Fixed {
        file.set_len(9 * MIB).expect("memory grows");
        let partial = if differencing { 7 } else { 6 };
        let states =
            [0, 1, 2, 3, 5, (5 * MIB) | 6, (6 * MIB) | 6, (7 * MIB) | partial, (8 * MIB) | partial];
        for (at, state) in (3 * MIB..).step_by(8).zip(states) {
            file.write_all_at(&state.to_le_bytes(), at).expect("memory can be written");
        }
    }
    if differencing {
        let entry = u64::from(sector_size) << 3;
        let value = (4 * MIB) | 6;
        file.write_all_at(&value.to_le_bytes(), 3 * MIB + entry * 8).expect("it can be written");
        file.write_all_at(&[0x5a; 4000], 4 * MIB).expect("it can be written");
    }
    file.into_bytes()
}
