//! GPT: two headers with their entries, each protected by checksums.

use std::mem::offset_of;

use imprint_blockio::{BlockDevice, Expected};
use imprint_winvalues::Guid;
use zerocopy::FromBytes as _;

use crate::layout::{GptEntryDisk, GptHeaderDisk};
use crate::reader::{Disk, Entry, without_overlaps};
use crate::{
    Corruption, GptAttributes, Partition, PartitionTable, PartitionType, ReadError, Structure,
    TableId, Warning,
};

/// Entries take at most this many bytes; programs make 16 KiB, some let it be some times more.
const MAX_ENTRIES: u64 = 4 << 20;
/// Larger entries than any program makes.
const MAX_ENTRY_SIZE: u32 = 4096;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    Primary,
    Backup,
}

impl Copy {
    const fn header(self) -> Structure {
        match self {
            Self::Primary => Structure::GptHeader,
            Self::Backup => Structure::GptBackupHeader,
        }
    }

    const fn entries(self) -> Structure {
        match self {
            Self::Primary => Structure::GptEntries,
            Self::Backup => Structure::GptBackupEntries,
        }
    }
}

/// Whether the second sector begins as a GPT.
pub(crate) fn is_there<D: BlockDevice>(disk: &Disk<'_, D>) -> Result<bool, ReadError> {
    if disk.sectors() < 2 {
        return Ok(false);
    }
    let signature: [u8; 8] = disk.read(Structure::GptHeader, disk.byte(1))?;
    Ok(u64::from_le_bytes(signature) == GptHeaderDisk::SIGNATURE)
}

/// Reads the first copy only, and no warning but those of it.
pub(crate) fn read_first<D: BlockDevice>(disk: &Disk<'_, D>) -> Result<PartitionTable, ReadError> {
    let header = Header::read(disk, 1, Copy::Primary)?;
    let partitions = header.partitions(disk)?;
    let mut table = header.table(disk, partitions);
    table.warnings = look_at_backup(disk, &header)?;
    Ok(table)
}

/// Reads the first copy, or else the backup.
pub(crate) fn read<D: BlockDevice>(disk: &Disk<'_, D>) -> Result<PartitionTable, ReadError> {
    let fault = match read_first(disk) {
        Err(ReadError::Corruption(fault)) => fault,
        other => return other,
    };
    let other = if disk.sector_size == 512 { 4096 } else { 512 };
    if Header::read(&disk.with_sector_size(other), 1, Copy::Primary).is_ok() {
        return Err(ReadError::SectorSize { table: other, device: disk.sector_size });
    }
    // The header may be whole and know where its backup is; otherwise it is at the end.
    let known = Header::read(disk, 1, Copy::Primary).ok().map(|header| header.other);
    for sector in known.into_iter().chain(disk.sectors().checked_sub(1)) {
        let Ok(header) = Header::read(disk, sector, Copy::Backup) else { continue };
        if let Ok(partitions) = header.partitions(disk) {
            let mut table = header.table(disk, partitions);
            table.warnings.push(Warning::PrimaryDamaged(fault));
            return Ok(table);
        }
    }
    Err(fault.into())
}

/// Says what is wrong with the backup of a table whose first copy is whole.
fn look_at_backup<D: BlockDevice>(
    disk: &Disk<'_, D>,
    first: &Header,
) -> Result<Vec<Warning>, ReadError> {
    let mut warnings = Vec::new();
    let offset = disk.byte(first.other);
    let backup = Header::read(disk, first.other, Copy::Backup)
        .and_then(|header| header.entries(disk).map(|_whole| header));
    match backup {
        Ok(backup) => {
            if !first.agrees_with(&backup) {
                warnings.push(Warning::CopiesDiffer);
            }
            if first.other + 1 < disk.sectors() {
                warnings.push(Warning::BackupNotAtEnd { offset, end: disk.byte(disk.sectors()) });
            }
        }
        Err(ReadError::Corruption(fault)) => warnings.push(Warning::BackupDamaged(fault)),
        Err(ReadError::Io { .. }) => warnings.push(Warning::BackupUnreadable { offset }),
        Err(error) => return Err(error),
    }
    Ok(warnings)
}

/// A header that is whole and whose entries lie inside the device.
struct Header {
    copy: Copy,
    /// The sector of the other header.
    other: u64,
    first_usable: u64,
    last_usable: u64,
    disk: Guid,
    /// The first byte of the entries.
    entries: u64,
    count: u32,
    entry_size: u32,
    entries_crc: u32,
    /// The byte of the entries' checksum.
    crc_offset: u64,
}

impl Header {
    fn read<D: BlockDevice>(
        disk: &Disk<'_, D>,
        sector: u64,
        copy: Copy,
    ) -> Result<Self, ReadError> {
        let structure = copy.header();
        let start = disk.byte(sector);
        if sector >= disk.sectors() {
            let end = disk.byte(sector.saturating_add(1));
            return Err(Corruption::past_end(structure, start, "header", disk.len, end).into());
        }
        let raw: [u8; size_of::<GptHeaderDisk>()] = disk.read(structure, start)?;
        let header: GptHeaderDisk = zerocopy::transmute!(raw);
        let check = Check { structure, start };
        let signature = GptHeaderDisk::SIGNATURE;
        check.code("signature", 0, header.signature.get(), signature)?;
        let at = offset_of!(GptHeaderDisk, revision);
        check.code("revision", at, header.revision.get().into(), GptHeaderDisk::REVISION.into())?;
        let size = header.size.get();
        let legal = (size_of::<GptHeaderDisk>() as u64, disk.sector_size.into());
        check.within("header size", offset_of!(GptHeaderDisk, size), size.into(), legal)?;
        let mut whole = vec![0; usize::try_from(size).unwrap_or(0)];
        disk.fill(structure, start, &mut whole)?;
        let at = offset_of!(GptHeaderDisk, crc);
        if let Some(crc) = whole.get_mut(at..at + 4) {
            crc.fill(0);
        }
        let sum = crc32fast::hash(&whole);
        check.code("header checksum", at, header.crc.get().into(), sum.into())?;
        let at = offset_of!(GptHeaderDisk, own);
        check.number("own sector", at, header.own.get(), Expected::Exactly(sector))?;
        Ok(Self::checked(disk, &header, &check, copy)?)
    }

    /// Checks what the header says of the rest.
    fn checked<D: BlockDevice>(
        disk: &Disk<'_, D>,
        header: &GptHeaderDisk,
        check: &Check,
        copy: Copy,
    ) -> Result<Self, Corruption> {
        let (first, last) = (header.first_usable.get(), header.last_usable.get());
        let sectors = disk.sectors();
        let at = offset_of!(GptHeaderDisk, last_usable);
        check.within("last usable sector", at, last, (0, sectors - 1))?;
        // A disk with no room for partitions ends before it begins.
        let at = offset_of!(GptHeaderDisk, first_usable);
        check.within("first usable sector", at, first, (0, last + 1))?;
        let (count, entry_size) = (header.count.get(), header.entry_size.get());
        let at = offset_of!(GptHeaderDisk, entry_size);
        let legal = (size_of::<GptEntryDisk>() as u64, MAX_ENTRY_SIZE.into());
        check.within("entry size", at, entry_size.into(), legal)?;
        if !entry_size.is_multiple_of(128) {
            check.number("entry size", at, entry_size.into(), Expected::MultipleOf(128))?;
        }
        let at = offset_of!(GptHeaderDisk, count);
        let most = MAX_ENTRIES / u64::from(entry_size);
        check.within("entry count", at, count.into(), (0, most))?;
        let entries = disk.byte(header.entries.get());
        let end = entries.saturating_add(u64::from(count) * u64::from(entry_size));
        if end > disk.len {
            let offset = check.start + offset_of!(GptHeaderDisk, entries) as u64;
            let limit = disk.len;
            return Err(Corruption::past_end(check.structure, offset, "entries", limit, end));
        }
        Ok(Self {
            copy,
            other: header.other.get(),
            first_usable: first,
            last_usable: last,
            disk: Guid(header.disk),
            entries,
            count,
            entry_size,
            entries_crc: header.entries_crc.get(),
            crc_offset: check.start + offset_of!(GptHeaderDisk, entries_crc) as u64,
        })
    }

    fn agrees_with(&self, other: &Self) -> bool {
        (self.first_usable, self.last_usable, self.disk, self.count, self.entry_size)
            == (other.first_usable, other.last_usable, other.disk, other.count, other.entry_size)
            && self.entries_crc == other.entries_crc
    }

    /// Reads the entries, whose number and place are checked, and compares their checksum.
    fn entries<D: BlockDevice>(&self, disk: &Disk<'_, D>) -> Result<Vec<u8>, ReadError> {
        let len = u64::from(self.count) * u64::from(self.entry_size);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        disk.fill(self.copy.entries(), self.entries, &mut bytes)?;
        let sum = crc32fast::hash(&bytes);
        if sum != self.entries_crc {
            let (structure, offset) = (self.copy.header(), self.crc_offset);
            let (expected, actual) = (sum.into(), self.entries_crc.into());
            return Err(
                Corruption::code(structure, offset, "entries checksum", expected, actual).into()
            );
        }
        Ok(bytes)
    }

    fn partitions<D: BlockDevice>(&self, disk: &Disk<'_, D>) -> Result<Vec<Partition>, ReadError> {
        let bytes = self.entries(disk)?;
        let structure = self.copy.entries();
        let step = usize::try_from(self.entry_size).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        let mut start = self.entries;
        for (number, bytes) in (1..).zip(bytes.chunks_exact(step)) {
            if let Ok((entry, _rest)) = GptEntryDisk::read_from_prefix(bytes)
                && entry.kind != [0; 16]
            {
                let check = Check { structure, start };
                let partition = self.partition(disk, &entry, &check, number)?;
                let offset = start + offset_of!(GptEntryDisk, first) as u64;
                entries.push(Entry { partition, structure, offset });
            }
            start += u64::from(self.entry_size);
        }
        Ok(without_overlaps(entries, disk.sector_size)?)
    }

    fn partition<D: BlockDevice>(
        &self,
        disk: &Disk<'_, D>,
        entry: &GptEntryDisk,
        check: &Check,
        number: u32,
    ) -> Result<Partition, Corruption> {
        let (first, last) = (entry.first.get(), entry.last.get());
        let at = offset_of!(GptEntryDisk, first);
        let legal = (self.first_usable, self.last_usable);
        check.within("partition's first sector", at, first, legal)?;
        let at = offset_of!(GptEntryDisk, last);
        check.within("partition's last sector", at, last, (first, self.last_usable))?;
        let name = entry.name.iter().map(|unit| unit.get()).take_while(|&unit| unit != 0);
        Ok(Partition {
            number,
            start: disk.byte(first),
            len: disk.byte(last - first + 1),
            kind: PartitionType::Gpt(Guid(entry.kind)),
            id: Some(Guid(entry.id)),
            name: char::decode_utf16(name)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            attributes: GptAttributes::from_bits_retain(entry.attributes.get()),
            active: false,
        })
    }

    fn table<D: BlockDevice>(
        &self,
        disk: &Disk<'_, D>,
        partitions: Vec<Partition>,
    ) -> PartitionTable {
        PartitionTable {
            id: TableId::Gpt(self.disk),
            sector_size: disk.sector_size,
            usable: disk.byte(self.first_usable)..disk.byte(self.last_usable + 1),
            partitions,
            warnings: Vec::new(),
        }
    }
}

/// Compares fields of one structure.
struct Check {
    structure: Structure,
    /// Its first byte on the device.
    start: u64,
}

impl Check {
    fn code(
        &self,
        field: &'static str,
        at: usize,
        actual: u64,
        expected: u64,
    ) -> Result<(), Corruption> {
        if actual == expected {
            return Ok(());
        }
        let offset = self.start + at as u64;
        Err(Corruption::code(self.structure, offset, field, expected, actual))
    }

    fn within(
        &self,
        field: &'static str,
        at: usize,
        actual: u64,
        (low, high): (u64, u64),
    ) -> Result<(), Corruption> {
        if (low..=high).contains(&actual) {
            return Ok(());
        }
        self.number(field, at, actual, Expected::Within(low, high))
    }

    /// Fails, unless exactly this was expected.
    fn number(
        &self,
        field: &'static str,
        at: usize,
        actual: u64,
        expected: Expected,
    ) -> Result<(), Corruption> {
        if expected == Expected::Exactly(actual) {
            return Ok(());
        }
        let offset = self.start + at as u64;
        Err(Corruption::number(self.structure, offset, field, expected, actual))
    }
}
