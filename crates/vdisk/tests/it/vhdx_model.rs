//! A disk and the bytes it should have, for the tests of writing.

use imprint_blockio::{Extent, Resize, Sparse};
use imprint_progress::Progress;
use imprint_testkit::Random;
use imprint_vdisk::{
    Container, Kind, NewDisk, NewParent, Severity, Vhdx, VhdxWriter, WritableContainer, WriteIds,
    check_vhdx,
};
use imprint_winvalues::{FileTime, Guid};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const CREATED: Guid = Guid([0x11; 16]);
pub(crate) const PARENT: Guid = Guid([0x44; 16]);

/// Identifiers of one session, different for each number.
pub(crate) fn ids(number: u8) -> WriteIds {
    let guid = |kind| Guid([kind, number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    WriteIds { file_write: guid(0xf0), data_write: guid(0xd0), log: guid(0x10) }
}

pub(crate) fn disk(kind: Kind, size: u64, block_size: u64, sector_size: u32) -> NewDisk {
    NewDisk {
        kind,
        size,
        block_size: Some(u32::try_from(block_size).unwrap()),
        sector_size,
        physical_sector_size: 4096,
        identity: CREATED,
        file_write: Guid([0x22; 16]),
        disk_id: Guid([0x33; 16]),
        created: FileTime::default(),
        parent: (kind == Kind::Differencing).then(|| parent("base")),
    }
}

pub(crate) fn parent(name: &str) -> NewParent {
    NewParent {
        identity: PARENT,
        modified: FileTime::default(),
        relative: format!(r".\{name}.vhdx"),
        absolute: Some(format!(r"D:\imprint\{name}.vhdx")),
    }
}

/// What the parent holds: random bytes, so that no sector is like another.
pub(crate) fn parent_bytes(new: &NewDisk) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(new.size).unwrap()];
    if new.kind == Kind::Differencing {
        Random::new(77).fill(&mut bytes);
    }
    bytes
}

/// All bytes of a disk; what is not in it is `parent`'s, and zero behind its end.
#[track_caller]
pub(crate) fn contents(disk: &dyn Container, parent: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x5a; usize::try_from(disk.size()).unwrap()];
    let (mut at, size) = (0, disk.size());
    while at < size {
        let extent = disk.resolve(at, size - at).unwrap();
        let (start, len) = (usize::try_from(at).unwrap(), usize::try_from(extent.len()).unwrap());
        let target = &mut bytes[start..start + len];
        match extent {
            Extent::Data { offset, .. } => {
                disk.storage().read_exact_at(target, offset).unwrap();
            }
            Extent::Zero { .. } => target.fill(0),
            Extent::Parent { .. } => {
                assert_eq!(disk.kind(), Kind::Differencing);
                target.fill(0);
                if let Some(there) = parent.get(start..) {
                    let len = there.len().min(len);
                    target[..len].copy_from_slice(&there[..len]);
                }
            }
        }
        at += extent.len();
    }
    bytes
}

/// Writes as a caller does: asks for room, writes there.
pub(crate) fn write(
    disk: &dyn WritableContainer,
    offset: u64,
    bytes: &[u8],
) -> Result<(), imprint_vdisk::WriteError> {
    let mut done = 0;
    while done < bytes.len() {
        let placed = disk.allocate(offset + done as u64, (bytes.len() - done) as u64)?;
        let len = usize::try_from(placed.len).unwrap();
        let piece = &bytes[done..done + len];
        disk.target().write_all_at(piece, placed.offset).map_err(|source| {
            let (structure, offset) = (imprint_vdisk::Structure::Payload, placed.offset);
            imprint_vdisk::WriteError::Io { structure, offset, length: placed.len, source }
        })?;
        done += len;
    }
    Ok(())
}

/// A change of the contents.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write(u64, Vec<u8>),
    Zero(u64, u64),
}

impl Change {
    /// A change of any size anywhere: mostly small, sometimes whole blocks.
    pub(crate) fn random(random: &mut Random, new: &NewDisk) -> Self {
        let sector = u64::from(new.sector_size);
        let block = u64::from(new.block_size.unwrap());
        let (offset, len) = if random.chance(1, 4) {
            let first = random.below(new.size.div_ceil(block)) * block;
            (first, (1 + random.below(2)) * block)
        } else {
            let len = if random.chance(1, 3) { block } else { 16 * sector };
            (random.below(new.size / sector) * sector, (1 + random.below(len / sector)) * sector)
        };
        let len = len.min(new.size - offset);
        if random.chance(1, 4) {
            return Self::Zero(offset, len);
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        random.fill(&mut bytes);
        Self::Write(offset, bytes)
    }

    pub(crate) fn perform(
        &self,
        disk: &dyn WritableContainer,
    ) -> Result<(), imprint_vdisk::WriteError> {
        match self {
            Self::Write(offset, bytes) => write(disk, *offset, bytes),
            Self::Zero(offset, len) => disk.write_zeroes(*offset, *len),
        }
    }

    /// Its place and its bytes.
    pub(crate) fn bytes(&self) -> (usize, Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => (usize::try_from(*offset).unwrap(), bytes.clone()),
            Self::Zero(offset, len) => {
                (usize::try_from(*offset).unwrap(), vec![0; usize::try_from(*len).unwrap()])
            }
        }
    }

    pub(crate) fn apply(&self, model: &mut [u8]) {
        let (at, bytes) = self.bytes();
        model[at..at + bytes.len()].copy_from_slice(&bytes);
    }
}

/// Checks that the file shows these bytes to a reader and has no errors.
#[track_caller]
pub(crate) fn check_file(file: &impl Sparse, model: &[u8], parent: &[u8]) {
    let disk = Vhdx::open(file).unwrap();
    assert_same(&contents(&disk, parent), model);
    check_errors(file);
}

#[track_caller]
pub(crate) fn check_errors(file: &impl Sparse) {
    check_vhdx(file, &Progress::new(), &mut |finding| {
        assert!(finding.severity() < Severity::Warning, "{finding}");
    })
    .unwrap();
}

#[track_caller]
pub(crate) fn assert_same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len());
    if found == expected {
        return;
    }
    let different = found.iter().zip(expected).position(|(found, expected)| found != expected);
    assert_eq!(different.map(|at| format!("byte {at:#x}")), None);
}

/// Opens a writer over any file.
#[track_caller]
pub(crate) fn open<T: Sparse + Resize>(file: T, session: u8) -> VhdxWriter<T> {
    VhdxWriter::open(file, ids(session)).unwrap()
}
