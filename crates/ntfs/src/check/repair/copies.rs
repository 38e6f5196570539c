//! What is there twice: boot sector and first records.

use imprint_blockio::WriteAt;

use super::{RepairError, Step, flush, write};
use crate::check::CheckError;
use crate::check::ground::Ground;
use crate::check::report::Findings;
use crate::clusters::Piece;
use crate::record::Protected;
use crate::{Clusters, RecordNumber};

/// Bytes of `$MFTMirr` that are looked at: a cluster, or four records.
const MOST: u64 = 2 << 20;

/// Makes the two boot sectors equal; the second one counts if the first describes no volume.
pub(super) fn boot_sectors(
    device: &impl WriteAt,
    by_backup: bool,
    steps: &mut Vec<Step>,
) -> Result<(), RepairError> {
    let ground = Ground::open(device, &mut Findings::quiet()).map_err(CheckError::from)?;
    let size = u64::from(ground.geometry.sector_size);
    let last = ground.geometry.sectors.saturating_mul(size);
    let read = |at| {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        device.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    };
    let (Some(first), second) = (read(0), read(last)) else { return Ok(()) };
    match second {
        Some(second) if by_backup => {
            write(device, "the boot sector", &second, 0)?;
            steps.push(Step::BootSector);
        }
        Some(second) if second != first => {
            write(device, "the copy of the boot sector", &first, last)?;
            steps.push(Step::BackupBootSector);
        }
        _ => return Ok(()),
    }
    flush(device)
}

/// Takes those of the first records that are torn from their copies.
pub(super) fn records(
    device: &impl WriteAt,
    by_mirror: bool,
    steps: &mut Vec<Step>,
) -> Result<(), RepairError> {
    let ground = Ground::open(device, &mut Findings::quiet()).map_err(CheckError::from)?;
    let mut bytes = vec![0; ground.record_bytes()];
    let mirror = ground.geometry.mirror.0 * ground.cluster_size();
    for number in 0..4_u64 {
        let (within, record) = (number * bytes.len() as u64, RecordNumber(number));
        let at = match ground.volume.mft().piece(within, bytes.len() as u64) {
            Some(Piece::Data { offset, len }) if len == bytes.len() as u64 => offset,
            _ => continue,
        };
        if device.read_exact_at(&mut bytes, at).is_err() {
            continue;
        }
        let is_whole = Protected::record(record, at).join_sectors(&mut bytes).is_ok();
        if is_whole && !(by_mirror && number == 0) {
            continue;
        }
        if device.read_exact_at(&mut bytes, mirror + within).is_err() {
            continue;
        }
        let copy = bytes.clone();
        if Protected::record(record, at).join_sectors(&mut bytes).is_ok() {
            write(device, "$MFT", &copy, at)?;
            steps.push(Step::Record(record));
        }
    }
    flush(device)
}

/// Makes `$MFTMirr` a copy of the first records.
pub(super) fn mirror(device: &impl WriteAt, steps: &mut Vec<Step>) -> Result<(), RepairError> {
    let ground = Ground::open(device, &mut Findings::quiet()).map_err(CheckError::from)?;
    let Ok(Some(file)) = ground.volume.file(RecordNumber(1)) else { return Ok(()) };
    let copy = file.attributes.iter().find_map(|attribute| match &attribute.value {
        crate::FileValue::Clusters(clusters) if attribute.name.is_empty() => Some(clusters),
        _ => None,
    });
    let Some(copy) = copy else { return Ok(()) };
    let mft = ground.volume.mft();
    let length = copy.size().min(mft.size()).min(MOST);
    let [mut wanted, mut there] = [0, 0].map(|_| vec![0; usize::try_from(length).unwrap_or(0)]);
    let read = |value: &Clusters, bytes: &mut [u8]| value.read(device, bytes, 0).is_ok();
    if !read(mft, &mut wanted) || !read(copy, &mut there) || wanted == there {
        return Ok(());
    }
    let mut at = 0;
    while let Some(Piece::Data { offset, len }) = copy.piece(at, length.saturating_sub(at)) {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(len).unwrap_or(0));
        write(device, "$MFTMirr", wanted.get(start..end).unwrap_or_default(), offset)?;
        at += len;
    }
    steps.push(Step::Mirror);
    flush(device)
}
