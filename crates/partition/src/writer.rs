//! Writing a planned table.

use std::ops::Range;

use imprint_blockio::{BlockDevice, Extent, WriteAt};
use imprint_winvalues::Guid;
use zerocopy::{FromZeros as _, IntoBytes as _};

use crate::layout::{GptEntryDisk, GptHeaderDisk, MbrDisk, MbrEntryDisk};
use crate::plan::{ENTRIES, ENTRIES_LEN, Plan, Planned};
use crate::wanted::MIB;
use crate::{PartitionType, Structure, TableId, WriteError, mbr};

/// Bytes that are looked at in one piece when old data is cleared.
const PIECE: usize = 64 << 10;

/// What of an old volume at the end of a partition could still be found: the copy of NTFS' boot sector.
const TAIL: u64 = 4096;

impl Plan {
    /// Removes what is on the device: the old table with its backup, and whatever stands in the first
    /// MiB and at the end of each planned partition, by which an old volume could be found. Only bytes that
    /// are not zero are written. To be called before anything is put into the partitions.
    ///
    /// Cut anywhere, the device has its old table or none.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn erase(&self, device: &(impl BlockDevice + WriteAt)) -> Result<(), WriteError> {
        let sector = u64::from(self.sector_size);
        // Without its first sector the table does not count any more. As long as its primary copy stands
        // it would be found all the same, whole; the backup alone never is.
        self.clear(device, 0..sector)?;
        flush(device)?;
        self.clear(device, sector..MIB)?;
        flush(device)?;
        self.clear(device, self.len.saturating_sub(MIB)..self.len)?;
        for Planned { partition, .. } in &self.partitions {
            let head = partition.start.saturating_add(MIB).min(partition.end());
            self.clear(device, partition.start..head)?;
            self.clear(device, partition.end().saturating_sub(TAIL)..partition.end())?;
        }
        flush(device)
    }

    /// Writes the table on a device that [`Self::erase`] was called on.
    ///
    /// The order is such that, cut anywhere, the device has no table or this one: backup, flush, primary
    /// copy with its entries first, flush, first sector, flush.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, device: &(impl BlockDevice + WriteAt)) -> Result<(), WriteError> {
        self.check_size(device)?;
        match self.id {
            TableId::Gpt(disk) => self.write_gpt(device, disk),
            TableId::Mbr(signature) => {
                let mut sector = MbrDisk::new_zeroed();
                sector.signature = signature.into();
                sector.mark = MbrDisk::MARK.into();
                for (entry, planned) in sector.entries.iter_mut().zip(&self.partitions) {
                    *entry = self.mbr_entry(planned);
                }
                put(device, Structure::Mbr, 0, sector.as_bytes())?;
                flush(device)
            }
        }
    }

    fn check_size(&self, device: &impl BlockDevice) -> Result<(), WriteError> {
        let len = device.len().map_err(|source| WriteError::Io {
            structure: Structure::Mbr,
            offset: 0,
            length: 0,
            source,
        })?;
        if (len, device.sector_size()) == (self.len, self.sector_size) {
            return Ok(());
        }
        Err(WriteError::OtherDevice { planned: self.len, actual: len })
    }

    fn write_gpt(
        &self,
        device: &(impl BlockDevice + WriteAt),
        disk: Guid,
    ) -> Result<(), WriteError> {
        let entries = self.gpt_entries();
        let sum = crc32fast::hash(&entries);
        let sector = u64::from(self.sector_size);
        let last = self.len / sector - 1;
        let entry_sectors = ENTRIES_LEN / sector;
        let headers = GptHeaders { disk, last, entry_sectors, sum };
        let (backup, backup_entries) = (headers.header(last), last - entry_sectors);
        put(device, Structure::GptBackupEntries, backup_entries * sector, &entries)?;
        put(device, Structure::GptBackupHeader, last * sector, backup.as_bytes())?;
        flush(device)?;
        put(device, Structure::GptEntries, 2 * sector, &entries)?;
        flush(device)?;
        put(device, Structure::GptHeader, sector, headers.header(1).as_bytes())?;
        flush(device)?;
        put(device, Structure::Mbr, 0, protective(last).as_bytes())?;
        flush(device)
    }

    fn gpt_entries(&self) -> Vec<u8> {
        let mut entries = Vec::with_capacity(usize::try_from(ENTRIES_LEN).unwrap_or(0));
        let sector = u64::from(self.sector_size);
        for Planned { partition, .. } in &self.partitions {
            let mut entry = GptEntryDisk::new_zeroed();
            if let PartitionType::Gpt(kind) = partition.kind {
                entry.kind = kind.0;
            }
            entry.id = partition.id.unwrap_or_default().0;
            entry.first = (partition.start / sector).into();
            entry.last = (partition.end() / sector - 1).into();
            entry.attributes = partition.attributes.bits().into();
            for (slot, unit) in entry.name.iter_mut().zip(partition.name.encode_utf16()) {
                *slot = unit.into();
            }
            entries.extend_from_slice(entry.as_bytes());
        }
        entries.resize(usize::try_from(ENTRIES_LEN).unwrap_or(0), 0);
        entries
    }

    fn mbr_entry(&self, planned: &Planned) -> MbrEntryDisk {
        let partition = &planned.partition;
        let sector = u64::from(self.sector_size);
        // The plan takes no sector an MBR cannot count.
        let count = |bytes: u64| u32::try_from(bytes / sector).unwrap_or(u32::MAX);
        MbrEntryDisk {
            flag: if partition.active { 0x80 } else { 0 },
            first_chs: chs(partition.start / sector),
            kind: if let PartitionType::Mbr(kind) = partition.kind { kind } else { 0 },
            last_chs: chs(partition.end() / sector - 1),
            first: count(partition.start).into(),
            count: count(partition.len).into(),
        }
    }

    /// Makes a range read as zeros. What does already is not written: a dynamic disk stays small.
    fn clear(
        &self,
        device: &(impl BlockDevice + WriteAt),
        range: Range<u64>,
    ) -> Result<(), WriteError> {
        let structure = Structure::OldData;
        let mut buffer = vec![0; PIECE];
        let mut at = range.start;
        while at < range.end {
            let left = (range.end - at).min(PIECE as u64);
            let failed = |source| WriteError::Io { structure, offset: at, length: left, source };
            let extent = device.extent(at, left).map_err(failed)?;
            let len = extent.len().min(left).max(1);
            let piece = usize::try_from(len).ok().and_then(|len| buffer.get_mut(..len));
            let piece = piece.unwrap_or_default();
            if !matches!(extent, Extent::Zero { .. }) {
                device.read_exact_at(piece, at).map_err(failed)?;
                if piece.iter().any(|&byte| byte != 0) {
                    piece.fill(0);
                    put(device, structure, at, piece)?;
                }
            }
            at += len;
        }
        Ok(())
    }
}

/// What both headers of a GPT have in common.
struct GptHeaders {
    disk: Guid,
    /// The last sector of the device.
    last: u64,
    entry_sectors: u64,
    /// The checksum of the entries.
    sum: u32,
}

impl GptHeaders {
    /// The header for sector 1, or for the last one.
    fn header(&self, own: u64) -> GptHeaderDisk {
        let (other, entries) =
            if own == 1 { (self.last, 2) } else { (1, self.last - self.entry_sectors) };
        let mut header = GptHeaderDisk {
            signature: GptHeaderDisk::SIGNATURE.into(),
            revision: GptHeaderDisk::REVISION.into(),
            size: 92.into(),
            crc: 0.into(),
            reserved: 0.into(),
            own: own.into(),
            other: other.into(),
            first_usable: (2 + self.entry_sectors).into(),
            last_usable: (self.last - self.entry_sectors - 1).into(),
            disk: self.disk.0,
            entries: entries.into(),
            count: ENTRIES.into(),
            entry_size: 128.into(),
            entries_crc: self.sum.into(),
        };
        header.crc = crc32fast::hash(header.as_bytes()).into();
        header
    }
}

const _: () = assert!(size_of::<GptHeaderDisk>() == 92 && size_of::<GptEntryDisk>() == 128);

/// The MBR of a GPT disk: one partition over all that old programs can count.
///
/// Source: UEFI 2.10, 5.2.3.
fn protective(last: u64) -> MbrDisk {
    let mut sector = MbrDisk::new_zeroed();
    if let Some(entry) = sector.entries.first_mut() {
        entry.first_chs = chs(1);
        entry.kind = mbr::PROTECTIVE;
        entry.last_chs = chs(last);
        entry.first = 1.into();
        entry.count = u32::try_from(last).unwrap_or(u32::MAX).into();
    }
    sector.mark = MbrDisk::MARK.into();
    sector
}

/// Cylinder, head and sector as a BIOS with 255 heads and 63 sectors has them; `FE FF FF` where they
/// end.
fn chs(sector: u64) -> [u8; 3] {
    let (track, sector) = (sector / 63, sector % 63 + 1);
    let (cylinder, head) = (track / 255, track % 255);
    let [low, high, ..] = cylinder.to_le_bytes();
    match (u8::try_from(head), u8::try_from(sector)) {
        (Ok(head), Ok(sector)) if cylinder < 1024 => [head, sector | high << 6, low],
        _ => [0xfe, 0xff, 0xff],
    }
}

fn put(
    device: &impl WriteAt,
    structure: Structure,
    offset: u64,
    bytes: &[u8],
) -> Result<(), WriteError> {
    device.write_all_at(bytes, offset).map_err(|source| WriteError::Io {
        structure,
        offset,
        length: bytes.len() as u64,
        source,
    })
}

fn flush(device: &impl WriteAt) -> Result<(), WriteError> {
    device.flush().map_err(WriteError::Flush)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_addresses_are_those_of_a_bios() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(2048), [32, 33, 0]);
        assert_eq!(chs(63 * 255 * 1024 - 1), [254, 0xff, 0xff]);
        assert_eq!(chs(63 * 255 * 1024), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(u64::MAX), [0xfe, 0xff, 0xff]);
    }
}
