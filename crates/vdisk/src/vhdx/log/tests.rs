//! Tests of the log against entries made here by hand.

use imprint_blockio::{MemoryFile, ReadAt, Resize, Sparse, Stored, WriteAt};
use imprint_testkit::Random;
use imprint_winvalues::Guid;

use super::super::crc::checksum;
use super::super::header::Header;
use super::super::layout::MIB;
use super::{EntryHead, MAX_PAGES, Overlay, encode, replay};

const LOG: Guid = Guid([7; 16]);
/// Pages of the test files lie behind the log.
const PAGES: u64 = 2 * MIB;

fn header(log_length: u32) -> Header {
    Header {
        sequence: 5,
        file_write: Guid([1; 16]),
        data_write: Guid([2; 16]),
        log: LOG,
        log_offset: MIB,
        log_length,
    }
}

/// What a hand-made entry is to hold.
#[derive(Clone)]
enum Change {
    Page(u64, u8),
    Zero(u64, u64),
}

/// An entry, put together byte by byte and not as the code under test does it.
struct Made {
    sequence: u64,
    tail: u32,
    flushed: u64,
    last: u64,
    changes: Vec<Change>,
}

impl Made {
    fn new(sequence: u64, tail: u32, changes: &[Change]) -> Self {
        let (flushed, last) = (3 * MIB, 3 * MIB);
        Self { sequence, tail, flushed, last, changes: changes.to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"loge\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend(self.tail.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(u32::try_from(self.changes.len()).unwrap().to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(LOG.0);
        bytes.extend(self.flushed.to_le_bytes());
        bytes.extend(self.last.to_le_bytes());
        for change in &self.changes {
            match *change {
                Change::Page(offset, fill) => {
                    bytes.extend(b"desc");
                    bytes.extend([fill; 12]);
                    bytes.extend(offset.to_le_bytes());
                }
                Change::Zero(offset, length) => {
                    bytes.extend(b"zero\0\0\0\0");
                    bytes.extend(length.to_le_bytes());
                    bytes.extend(offset.to_le_bytes());
                }
            }
            bytes.extend(self.sequence.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        for change in &self.changes {
            if let Change::Page(_, fill) = change {
                bytes.extend(b"data");
                bytes.extend(&self.sequence.to_le_bytes()[4..]);
                bytes.extend([*fill; 4084]);
                bytes.extend(&self.sequence.to_le_bytes()[..4]);
            }
        }
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        let sum = checksum(&bytes);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }
}

/// A file of 3 MiB, all ones behind its log of 1 MiB, with entries at positions of the ring.
fn file(entries: &[(u32, Made)]) -> Vec<u8> {
    let mut file = vec![0; 3 << 20];
    file[2 << 20..].fill(1);
    for (at, entry) in entries {
        put(&mut file, *at, &entry.bytes());
    }
    file
}

/// Writes into the ring, around its end.
fn put(file: &mut [u8], at: u32, bytes: &[u8]) {
    for (index, sector) in bytes.chunks(4096).enumerate() {
        let start = (1 << 20) + (usize::try_from(at).unwrap() + index * 4096) % (1 << 20);
        file[start..start + sector.len()].copy_from_slice(sector);
    }
}

/// The first bytes of the first pages behind the log, as the overlay and as the replayed file show
/// them.
#[track_caller]
fn check(file: &[u8], expected: Result<[u8; 4], &str>) {
    let found = show(file).map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned));
}

#[track_caller]
fn show(file: &[u8]) -> Result<[u8; 4], crate::OpenError> {
    let header = header(1 << 20);
    let overlay = Overlay::open(file, &header)?;
    let replayed = MemoryFile::new(file.to_vec());
    replay(&replayed, &header).unwrap();
    let mut contents = vec![0; usize::try_from(ReadAt::len(&overlay).unwrap()).unwrap()];
    overlay.read_exact_at(&mut contents, 0).unwrap();
    assert!(contents == replayed.to_bytes(), "overlay and replay differ");
    Ok([0, 1, 2, 3].map(|page| contents[(2 << 20) + page * 4096]))
}

fn page(number: u64, fill: u8) -> Change {
    Change::Page(PAGES + number * 4096, fill)
}

#[test]
fn a_page_is_put_together_from_entry_and_sector() {
    let mut wanted = [0; 4096];
    Random::new(1).fill(&mut wanted);
    let head = EntryHead { at: 8192, sequence: 0x1_0000_0002, log: LOG, file_length: 3 * MIB };
    let entry = encode(&head, &[(PAGES, wanted), (PAGES + 8192, [9; 4096])]);
    // The fields one by one, as the specification has them.
    assert_eq!(entry.len(), 3 * 4096);
    assert_eq!(entry[..4], *b"loge");
    assert_eq!(entry[4..8], checksum(&entry).to_le_bytes());
    assert_eq!(entry[8..16], [0, 0x30, 0, 0, 0, 0x20, 0, 0]);
    assert_eq!(entry[16..32], [2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(entry[32..48], LOG.0);
    assert_eq!(entry[48..64], [0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0x30, 0, 0, 0, 0, 0]);
    assert_eq!(entry[64..68], *b"desc");
    assert_eq!(entry[68..72], wanted[4092..]);
    assert_eq!(entry[72..80], wanted[..8]);
    assert_eq!(entry[80..96], [0, 0, 0x20, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
    assert!(entry[128..4096].iter().all(|&byte| byte == 0));
    assert_eq!(entry[4096..4104], *b"data\x01\0\0\0");
    assert_eq!(entry[4104..8188], wanted[8..4092]);
    assert_eq!(entry[8188..8192], [2, 0, 0, 0]);
    let mut bytes = file(&[]);
    put(&mut bytes, 8192, &entry);
    check(&bytes, Ok([wanted[0], 1, 9, 1]));
    let overlay = Overlay::open(&bytes[..], &header(1 << 20)).unwrap();
    let mut found = [0; 4200];
    overlay.read_exact_at(&mut found, PAGES - 4).unwrap();
    assert_eq!((&found[..4], &found[4..4100]), (&[0; 4][..], &wanted[..]));
    assert_eq!(found[4100..], [1; 100]);
    let mut found = [0; 5];
    overlay.read_exact_at(&mut found, PAGES + 4090).unwrap();
    assert_eq!(found, wanted[4090..4095]);
    assert_eq!(overlay.pending(), 1);
}

#[test]
fn the_largest_entry_is_read_back() {
    let pages: Vec<_> =
        (0..126_u8).map(|n| (PAGES + u64::from(n) * 4096, [n.wrapping_add(100); 4096])).collect();
    assert_eq!(pages.len(), MAX_PAGES);
    let head = EntryHead { at: 512 << 10, sequence: 1, log: LOG, file_length: 3 * MIB };
    let entry = encode(&head, &pages);
    assert_eq!(entry.len(), 127 * 4096);
    let mut bytes = file(&[]);
    put(&mut bytes, 512 << 10, &entry);
    check(&bytes, Ok([100, 101, 102, 103]));
}

#[test]
fn a_torn_entry_never_was() {
    let old = || (0, Made::new(4, 0, &[page(0, 50)]));
    let new = Made::new(5, 0, &[page(0, 60), page(1, 61)]);
    let bytes = new.bytes();
    check(
        &file(&[old(), (8192, Made::new(5, 0, &[page(0, 60), page(1, 61)]))]),
        Ok([60, 61, 1, 1]),
    );
    for sector in 0..bytes.len() / 512 {
        let mut torn = bytes.clone();
        // One hardware sector is what it was before: zeros. The head has none of those behind it.
        let part = &mut torn[sector * 512..][..512];
        if part.iter().all(|&byte| byte == 0) {
            continue;
        }
        part.fill(0);
        let mut file = file(&[old()]);
        put(&mut file, 8192, &torn);
        check(&file, Ok([50, 1, 1, 1]));
    }
    let mut nothing = file(&[]);
    put(&mut nothing, 8192, &bytes[..8192]);
    let words =
        "VHDX log: count of valid entries should be at least 1, but is 0 (at offset 0x100000)";
    check(&nothing, Err(words));
}

#[test]
fn every_field_of_an_entry_counts() {
    let bytes = Made::new(5, 0, &[page(0, 60), Change::Zero(PAGES + 4096, 4096)]).bytes();
    for (at, byte) in bytes.iter().enumerate().take(160) {
        let mut damaged = bytes.clone();
        damaged[at] = byte ^ 0x10;
        let mut file = file(&[]);
        put(&mut file, 0, &damaged);
        assert!(show(&file).is_err(), "byte {at}");
    }
    // With a checksum that fits, the field itself is looked at.
    for at in [0, 8, 9, 12, 13, 24, 25, 32, 64, 88, 96, 120, 4096, 4100, 8188] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let sum = checksum(&damaged);
        damaged[4..8].copy_from_slice(&sum.to_le_bytes());
        let mut file = file(&[]);
        put(&mut file, 0, &damaged);
        assert!(show(&file).is_err(), "byte {at}");
    }
}

#[test]
fn sequences_go_around_the_end() {
    let last = (1 << 20) - 8192;
    let ring = |tail| {
        vec![
            (last, Made::new(7, last, &[page(0, 70), page(1, 71)])),
            (4096, Made::new(8, last, &[page(0, 80)])),
            (4096 * 3, Made::new(9, tail, &[page(2, 90)])),
        ]
    };
    // The first entry takes three sectors: two at the end of the ring and one at its start.
    check(&file(&ring(last)), Ok([80, 71, 90, 1]));
    check(&file(&ring(4096)), Ok([80, 1, 90, 1]));
    check(&file(&ring(4096 * 3)), Ok([1, 1, 90, 1]));
    let none =
        "VHDX log: count of valid entries should be at least 1, but is 0 (at offset 0x100000)";
    // A tail that no entry of the run has: what would have to be replayed is lost.
    check(&file(&ring(4096 * 2)), Err(none));
    check(&file(&ring(4096 * 9)), Err(none));
}

#[test]
fn the_sequence_with_the_newest_entry_counts() {
    let entry = |sequence, at, fill| (at, Made::new(sequence, at, &[page(0, fill)]));
    check(&file(&[entry(9, 0, 10), entry(3, 8192, 20), entry(4, 16384, 30)]), Ok([10, 1, 1, 1]));
    check(&file(&[entry(2, 0, 10), entry(3, 8192, 20), entry(5, 16384, 30)]), Ok([30, 1, 1, 1]));
    check(&file(&[entry(2, 0, 10), entry(3, 65536, 20)]), Ok([20, 1, 1, 1]));
    // Numbers that stand in the ring's order but do not follow each other.
    check(&file(&[entry(7, 0, 10), entry(6, 8192, 20)]), Ok([10, 1, 1, 1]));
}

#[test]
fn zeros_and_pages_cover_each_other() {
    let zero = |first: u64, count: u64| Change::Zero(PAGES + first * 4096, count * 4096);
    let check = |changes: &[Change], expected| {
        check(&file(&[(0, Made::new(1, 0, changes))]), Ok(expected));
    };
    check(&[zero(0, 4), page(1, 9)], [0, 9, 0, 0]);
    check(&[page(1, 9), zero(0, 3)], [0, 0, 0, 1]);
    check(&[page(0, 7), page(1, 8), page(2, 9), zero(1, 1)], [7, 0, 9, 1]);
    check(&[zero(0, 3), zero(2, 2), page(3, 5), page(3, 6)], [0, 0, 0, 6]);
    check(&[zero(1, 0), zero(0, 1)], [0, 1, 1, 1]);
    let bytes = file(&[(0, Made::new(1, 0, &[zero(0, 4), page(1, 9)]))]);
    let overlay = Overlay::open(&bytes[..], &header(1 << 20)).unwrap();
    let stored = |page: u64, len| overlay.stored(PAGES + page * 4096, len).unwrap();
    assert_eq!(stored(0, 1 << 20), Stored::Hole(4096));
    assert_eq!(stored(1, 1 << 20), Stored::Data(4096));
    assert_eq!(stored(2, 1 << 20), Stored::Hole(8192));
    assert_eq!(stored(4, 1 << 20), Stored::Data((1 << 20) - 16384));
    assert_eq!(overlay.stored(0, 5 << 20).unwrap(), Stored::Data(PAGES));
}

#[test]
fn a_log_makes_its_file_longer() {
    let mut entry = Made::new(1, 0, &[page(300, 9), Change::Zero(PAGES + 400 * 4096, 4096)]);
    entry.last = 5 * MIB;
    let bytes = file(&[(0, entry)]);
    check(&bytes, Ok([1, 1, 1, 1]));
    let overlay = Overlay::open(&bytes[..], &header(1 << 20)).unwrap();
    assert_eq!(ReadAt::len(&overlay).unwrap(), 5 * MIB);
    let mut found = [7; 4100];
    overlay.read_exact_at(&mut found, PAGES + 300 * 4096).unwrap();
    assert_eq!((found[0], found[4095], &found[4096..]), (9, 9, &[0; 4][..]));
    assert!(overlay.read_exact_at(&mut found, 5 * MIB - 4099).is_err());
    assert_eq!(overlay.stored(3 * MIB, 4096).unwrap(), Stored::Hole(4096));
    let mut across = [9; 8];
    overlay.read_exact_at(&mut across, 3 * MIB - 4).unwrap();
    assert_eq!(across, [1, 1, 1, 1, 0, 0, 0, 0]);
}

#[test]
fn targets_are_checked() {
    let check = |change: &Change, words: &str| {
        let entry = Made::new(1, 0, std::slice::from_ref(change));
        check(&file(&[(0, entry)]), Err(words));
    };
    check(
        &Change::Page(PAGES + 512, 0),
        "VHDX log: file offset should be a multiple of 0x1000, but is 0x200200 (at offset 0x100050)",
    );
    check(
        &Change::Page(0x2_0000, 0),
        "VHDX log: file offset should be at least 0x30000, but is 0x20000 (at offset 0x100050)",
    );
    check(
        &Change::Zero(0x3_0000, MIB),
        "VHDX log: file offset should be at least 0x200000, but is 0x30000 (at offset 0x100050)",
    );
    check(
        &Change::Page(3 * MIB, 0),
        "VHDX log: change should end at or before 0x300000, but ends at 0x301000 (at offset 0x100050)",
    );
    check(
        &Change::Zero(2 * MIB, u64::MAX - 4095),
        "VHDX log: change should end at or before 0x300000, but ends at 0xffffffffffffffff (at offset 0x100050)",
    );
    check(
        &Change::Zero(2 * MIB, 100),
        "VHDX log: zero length should be a multiple of 4096, but is 100 (at offset 0x100048)",
    );
}

#[test]
fn lengths_are_checked() {
    let mut entry = Made::new(1, 0, &[page(0, 9)]);
    entry.flushed = 3 * MIB + 1;
    let words = "VHDX log: flushed file offset, a length the file had, should be at most 0x300000, but is 0x300001 (at offset 0x100030)";
    check(&file(&[(0, entry)]), Err(words));
    let mut entry = Made::new(1, 0, &[page(0, 9)]);
    entry.last = u64::MAX;
    let words = "VHDX log: last file offset should be at most 0x800000000000, but is 0xffffffffffffffff (at offset 0x100038)";
    check(&file(&[(0, entry)]), Err(words));
    let bytes = file(&[]);
    let refused = |length| Overlay::open(&bytes[..], &header(length)).unwrap_err().to_string();
    assert_eq!(
        refused(65 << 20),
        "VHDX log: a log longer than 64 MiB that must be replayed is not supported (at offset 0x100000)"
    );
    assert_eq!(
        refused(64 << 20),
        "VHDX log: log should end at or before 0x300000, but ends at 0x4100000 (at offset 0x100000)"
    );
    let unnamed = Header { log: Guid::default(), ..header(65 << 20) };
    assert_eq!(Overlay::open(&bytes[..], &unnamed).unwrap().pending(), 0);
}

#[test]
fn replay_leaves_holes_alone() {
    /// A file that is all holes and counts what is written.
    struct Holes(MemoryFile, std::sync::atomic::AtomicU64);
    impl ReadAt for Holes {
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
            self.0.read_exact_at(buf, offset)
        }
        fn len(&self) -> std::io::Result<u64> {
            Ok(64 << 40)
        }
    }
    impl Sparse for Holes {
        fn stored(&self, offset: u64, len: u64) -> std::io::Result<Stored> {
            let there = (3 * MIB).saturating_sub(offset).min(len);
            Ok(if there > 0 { Stored::Data(there) } else { Stored::Hole(len) })
        }
    }
    impl WriteAt for Holes {
        fn write_all_at(&self, buf: &[u8], _offset: u64) -> std::io::Result<()> {
            self.1.fetch_add(buf.len() as u64, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl Resize for Holes {
        fn set_len(&self, _len: u64) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut entry = Made::new(1, 0, &[Change::Zero(PAGES, 60 << 40)]);
    entry.last = 64 << 40;
    let file = Holes(MemoryFile::new(file(&[(0, entry)])), 0.into());
    replay(&file, &header(1 << 20)).unwrap();
    assert_eq!(file.1.into_inner(), MIB);
}
