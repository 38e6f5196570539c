//! Whole VHD files, as they are and with right checksums. Extents lie inside the file and cover the disk;
//! what opens can be checked; if nothing overlaps, sectors that are written are read again, now and
//! after opening the file again, nothing else changes, and the file is still sound.

use imprint_blockio::{Extent, MemoryFile};
use imprint_progress::Progress;
use imprint_vdisk::{
    Container, Kind, NewParent, Reshape, Severity, Vhd, VhdWriter, WritableContainer, WriteIds,
    check_vhd,
};
use imprint_winvalues::{FileTime, Guid};

/// Extents looked at, so that an input takes little time.
const MOST_EXTENTS: usize = 64;
/// Disks with larger blocks are only read: a single block would fill the memory.
const LARGEST_BLOCK: u32 = 64 << 10;
/// Sectors of the disk that are compared.
const COMPARED: u64 = 64;

pub(crate) fn check(bytes: &[u8]) {
    check_file(bytes);
    let mut mended = bytes.to_vec();
    mend(&mut mended, 0, 512, 64);
    let last = mended.len().saturating_sub(512);
    mend(&mut mended, last, 512, 64);
    let header = mended.get(last..).and_then(|footer| footer.get(16..24)?.try_into().ok());
    if let Some(header) = header.and_then(|at| usize::try_from(u64::from_be_bytes(at)).ok()) {
        mend(&mut mended, header, 1024, 36);
    }
    mend(&mut mended, 512, 1024, 36);
    check_file(&mended);
}

/// Sets the checksum of a structure.
fn mend(bytes: &mut [u8], at: usize, length: usize, field: usize) {
    let range = at.checked_add(length).map(|end| at..end);
    let Some(structure) = range.and_then(|range| bytes.get_mut(range)) else { return };
    structure[field..field + 4].fill(0);
    let sum = structure.iter().fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into()));
    structure[field..field + 4].copy_from_slice(&(!sum).to_be_bytes());
}

fn check_file(bytes: &[u8]) {
    let Ok(disk) = Vhd::open(bytes) else { return };
    walk(&disk, bytes.len() as u64);
    if let Some(link) = disk.parent() {
        assert!(link.file_names().iter().all(|name| !name.contains(['/', '\\'])));
    }
    if is_sound(bytes) && disk.block_size() <= LARGEST_BLOCK {
        write(bytes, &disk);
    }
}

/// Whether checking finds nothing that makes contents ambiguous.
fn is_sound(bytes: &[u8]) -> bool {
    let mut sound = true;
    let mut found = |finding: imprint_vdisk::Finding| {
        assert!(!finding.to_string().is_empty());
        sound &= finding.severity() == Severity::Note;
    };
    let checked = check_vhd(&bytes, &Progress::new(), &mut found);
    assert!(checked.is_ok(), "what opens can be checked");
    sound
}

fn walk(disk: &dyn Container, length: u64) {
    let mut at = 0;
    for _ in 0..MOST_EXTENTS {
        if at == disk.size() {
            break;
        }
        let Ok(extent) = disk.resolve(at, disk.size() - at) else { break };
        assert!(extent.len() > 0 && at + extent.len() <= disk.size());
        match extent {
            Extent::Data { file, offset, len } => assert!(file == 0 && offset + len <= length),
            Extent::Parent { .. } => assert_eq!(disk.kind(), Kind::Differencing),
            Extent::Zero { .. } => assert_eq!(disk.kind(), Kind::Dynamic),
        }
        at += extent.len();
    }
}

/// The first sectors of a disk; what the parent has is all `p`.
fn read(disk: &dyn Container) -> Option<Vec<u8>> {
    let length = disk.size().min(COMPARED * 512);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        let at = bytes.len() as u64;
        let extent = disk.resolve(at, length - at).ok()?;
        let start = bytes.len();
        let end = start + usize::try_from(extent.len()).ok()?;
        bytes.resize(end, if matches!(extent, Extent::Parent { .. }) { b'p' } else { 0 });
        if let Extent::Data { offset, .. } = extent {
            disk.storage().read_exact_at(&mut bytes[start..], offset).expect("inside the file");
        }
    }
    Some(bytes)
}

fn write(bytes: &[u8], before: &dyn Container) {
    let Some(mut expected) = read(before) else { return };
    let guid = Guid([5; 16]);
    let ids = WriteIds { file_write: guid, data_write: guid, log: guid };
    let file = MemoryFile::new(bytes.to_vec());
    let Ok(mut disk) = VhdWriter::open(&file, ids) else { return };
    for sector in [0_usize, 3, 40] {
        let range = sector * 512..(sector + 1) * 512;
        let Some(part) = expected.get_mut(range) else { continue };
        part.fill(b'w');
        disk.write(part, sector as u64 * 512).expect("memory can be written");
    }
    assert_eq!(read(&disk).as_deref(), Some(expected.as_slice()));
    disk.commit().expect("memory can be flushed");
    let parent = NewParent {
        identity: guid,
        modified: FileTime(0),
        relative: r".\other.vhd".to_owned(),
        absolute: None,
    };
    if disk.kind() == Kind::Differencing {
        disk.rebase(&parent).expect("a child has a parent");
    }
    if disk.kind() != Kind::Fixed && disk.size() < 1 << 20 {
        disk.resize(disk.size() + (1 << 20)).expect("there is room");
    }
    Box::new(disk).close().expect("memory can be flushed");
    let bytes = file.into_bytes();
    let disk = Vhd::open(bytes.as_slice()).expect("what we wrote opens");
    assert_eq!(disk.warnings(), []);
    let found = read(&disk).expect("what was read is read again");
    assert!(found.starts_with(&expected));
    assert!(is_sound(&bytes));
}
