//! VHDX files for the tests beside: made, changed by hand, read.

use std::path::PathBuf;

use imprint_blockio::{Extent, MemoryFile, Sparse, WriteAt};
use imprint_progress::Progress;
use imprint_vdisk::{Container, Finding, Kind, NewDisk, NewParent, Vhdx, check_vhdx, create_vhdx};
use imprint_winvalues::{FileTime, Guid};
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const IDENTITY: Guid = Guid([0x11; 16]);
pub(crate) const DISK_ID: Guid = Guid([0x33; 16]);

/// Where `create_vhdx` puts things.
pub(crate) const METADATA: u64 = 2 * MIB;
pub(crate) const BAT: u64 = 3 * MIB;

pub(crate) fn new_disk(kind: Kind, size: u64) -> NewDisk {
    NewDisk {
        kind,
        size,
        block_size: None,
        sector_size: 512,
        physical_sector_size: 4096,
        identity: IDENTITY,
        file_write: Guid([0x22; 16]),
        disk_id: DISK_ID,
        created: FileTime::default(),
        parent: (kind == Kind::Differencing).then(|| NewParent {
            identity: Guid([0x44; 16]),
            modified: FileTime::default(),
            relative: r".\base.vhdx".to_owned(),
            absolute: Some(r"D:\imprint\base.vhdx".to_owned()),
        }),
    }
}

/// A new file in memory.
pub(crate) fn in_memory(new: &NewDisk) -> MemoryFile {
    let file = MemoryFile::default();
    create_vhdx(&file, new).unwrap();
    file
}

/// A directory for files that others are to read.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn create(&self, name: &str, new: &NewDisk) -> PathBuf {
        let path = self.path(name);
        let file = options().create_new(true).open(&path).unwrap();
        create_vhdx(&file, new).unwrap();
        path
    }
}

pub(crate) fn options() -> fs_err::OpenOptions {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true);
    options
}

pub(crate) fn open(path: &std::path::Path) -> Vhdx<fs_err::File> {
    Vhdx::open(fs_err::File::open(path).unwrap()).unwrap()
}

/// All bytes of a disk; what is in the parent comes from `parent`.
pub(crate) fn read_all(disk: &impl Container, parent: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < disk.size() {
        let at = bytes.len();
        let extent = disk.resolve(at as u64, disk.size() - at as u64).unwrap();
        let end = at + usize::try_from(extent.len()).unwrap();
        bytes.resize(end, 0);
        match extent {
            Extent::Data { file, offset, .. } => {
                assert_eq!(file, 0);
                disk.storage().read_exact_at(&mut bytes[at..], offset).unwrap();
            }
            Extent::Zero { .. } => {}
            Extent::Parent { .. } => bytes[at..].copy_from_slice(&parent[at..end]),
        }
    }
    bytes
}

/// What checking finds.
pub(crate) fn findings(file: &impl Sparse) -> Vec<Finding> {
    let mut found = Vec::new();
    check_vhdx(file, &Progress::new(), &mut |finding| found.push(finding)).unwrap();
    found
}

/// Sets an entry of the table of a file made by `create_vhdx`.
pub(crate) fn set_entry(file: &impl WriteAt, index: u64, value: u64) {
    file.write_all_at(&value.to_le_bytes(), BAT + index * 8).unwrap();
}

/// The checksum of headers and tables, bit by bit: not how the code under test does it.
pub(crate) fn seal(file: &impl WriteAt, offset: u64, length: usize) {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).unwrap();
    bytes[4..8].fill(0);
    let sum = bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 }
        })
    });
    file.write_all_at(&(!sum).to_le_bytes(), offset + 4).unwrap();
}
