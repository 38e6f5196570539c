//! Logs of VHDX files: a file shows the same to a reader, which replays the log in memory, as to a
//! writer, which replays it into the file; then it can be written.
//!
//! An input is the sector of the log it begins at and a byte of flags (bit 0: checksums of entries are
//! made right), followed by the bytes of the log.

use std::io;

use imprint_blockio::{Extent, MemoryFile, ReadAt, Resize, Sparse, WriteAt};
use imprint_vdisk::{
    Container, Kind, NewDisk, Vhdx, VhdxWriter, WritableContainer, WriteIds, create_vhdx,
};
use imprint_winvalues::{FileTime, Guid};

const LOG_GUID: [u8; 16] = [7; 16];
const LOG: usize = 1 << 20;
const SECTOR: usize = 4096;
/// Extents that are looked at: logs can make a disk of 64 TiB.
const MOST: usize = 200;

/// Memory that does not grow without end.
struct Bounded(MemoryFile);

impl Bounded {
    fn limit(end: u64) -> io::Result<()> {
        if end > 32 << 20 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl ReadAt for Bounded {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}

impl Sparse for Bounded {}

impl WriteAt for Bounded {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        Self::limit(offset.saturating_add(buf.len() as u64))?;
        self.0.write_all_at(buf, offset)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Resize for Bounded {
    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::limit(len)?;
        self.0.set_len(len)
    }
}

pub(crate) fn check(bytes: &[u8]) {
    let [at, flags, log @ ..] = bytes else { return };
    let file = file_with_log(usize::from(*at) * SECTOR, flags & 1 == 1, log);
    let reader = Vhdx::open(&file);
    let changed = Bounded(MemoryFile::new(file.clone()));
    let ids = WriteIds { file_write: Guid([1; 16]), data_write: Guid([2; 16]), log: Guid([3; 16]) };
    let writer = VhdxWriter::open(&changed, ids);
    let (reader, writer) = match (reader, writer) {
        (Ok(reader), Ok(writer)) => (reader, writer),
        // The file cannot get as long as the log wants it.
        (Ok(_), Err(imprint_vdisk::OpenError::Write(_))) | (Err(_), Err(_)) => return,
        (Ok(_), Err(error)) => panic!("a reader opens it, but a writer does not: {error}"),
        (Err(error), Ok(_)) => panic!("a writer opens it, but a reader does not: {error}"),
    };
    compare(&reader, &writer);
    drop(writer);
    let again = Vhdx::open(&changed.0).expect("a replayed file can be opened");
    compare(&reader, &again);
    let writer = VhdxWriter::open(&changed, ids).expect("a replayed file can be opened");
    let sector = u64::from(writer.sector_size());
    if writer.size() < sector || writer.kind() == Kind::Differencing {
        return;
    }
    let Ok(placed) = writer.allocate(0, sector) else { return };
    assert_eq!(placed.len, sector);
    if writer
        .target()
        .write_all_at(&vec![0xa5; usize::try_from(sector).unwrap()], placed.offset)
        .is_err()
    {
        return;
    }
    writer.commit().expect("memory takes a commit");
    let again = Vhdx::open(&changed.0).expect("a written file can be opened");
    assert_eq!(show(&again, 0).1, Some(vec![0xa5; usize::try_from(sector).unwrap()]));
}

/// Both show the same bytes, and the same errors.
fn compare(left: &dyn Container, right: &dyn Container) {
    assert_eq!((left.size(), left.kind()), (right.size(), right.kind()));
    assert_eq!(left.parent(), right.parent());
    let mut at = 0;
    for _ in 0..MOST {
        if at >= left.size() {
            break;
        }
        let (extent, bytes) = show(left, at);
        assert_eq!((extent, bytes), show(right, at), "at {at:#x}");
        at += extent.map_or(1 << 20, |extent| extent.len());
    }
}

/// The extent at an offset and its first bytes.
fn show(disk: &dyn Container, offset: u64) -> (Option<Extent>, Option<Vec<u8>>) {
    let Ok(extent) = disk.resolve(offset, (disk.size() - offset).min(1 << 20)) else {
        return (None, None);
    };
    let Extent::Data { offset, len, .. } = extent else { return (Some(extent), None) };
    let mut bytes = vec![0; usize::try_from(len.min(u64::from(disk.sector_size()))).unwrap()];
    disk.storage().read_exact_at(&mut bytes, offset).expect("data lie in the file");
    (Some(extent), Some(bytes))
}

/// A disk of 4 MiB whose log holds these bytes.
fn file_with_log(at: usize, fix: bool, log: &[u8]) -> Vec<u8> {
    let new = NewDisk {
        kind: Kind::Dynamic,
        size: 4 << 20,
        block_size: Some(1 << 20),
        sector_size: 512,
        physical_sector_size: 4096,
        identity: Guid([0x11; 16]),
        file_write: Guid([0x22; 16]),
        disk_id: Guid([0x33; 16]),
        created: FileTime::default(),
        parent: None,
    };
    let file = MemoryFile::default();
    create_vhdx(&file, &new).expect("memory takes a file");
    let mut file = file.into_bytes();
    for header in [64 << 10, 128 << 10] {
        let header = &mut file[header..header + SECTOR];
        header[48..64].copy_from_slice(&LOG_GUID);
        let sum = checksum(header);
        header[4..8].copy_from_slice(&sum.to_le_bytes());
    }
    for (index, byte) in log.iter().take(LOG).enumerate() {
        file[LOG + (at + index) % LOG] = *byte;
    }
    for start in (0..LOG).step_by(SECTOR).filter(|_| fix) {
        let ring = |at: usize| LOG + (start + at) % LOG;
        let length = u32::from_le_bytes([8, 9, 10, 11].map(|at| file[ring(at)])) as usize;
        if [0, 1, 2, 3].map(|at| file[ring(at)]) == *b"loge" && length <= LOG {
            let entry: Vec<u8> = (0..length).map(|at| file[ring(at)]).collect();
            for (at, byte) in (4..).zip(checksum(&entry).to_le_bytes()) {
                file[ring(at)] = byte;
            }
        }
    }
    file
}

/// CRC-32C, bit by bit, with bytes 4 to 7 zero.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for (at, byte) in bytes.iter().enumerate() {
        sum ^= u32::from(if (4..8).contains(&at) { 0 } else { *byte });
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82F6_3B78 } else { sum >> 1 };
        }
    }
    !sum
}
