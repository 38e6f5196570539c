//! MBR: four entries, and chains of extended boot records.

use std::mem::offset_of;

use imprint_blockio::{BlockDevice, Expected};

use crate::layout::{MbrDisk, MbrEntryDisk};
use crate::reader::{Disk, Entry, without_overlaps};
use crate::{
    Corruption, GptAttributes, Partition, PartitionTable, PartitionType, ReadError, Structure,
    TableId, Warning,
};

/// The type of the entry that protects a GPT.
pub(crate) const PROTECTIVE: u8 = 0xee;

/// More records than any program makes; Linux follows 100 at most, sfdisk 60.
const MAX_RECORDS: usize = 256;

/// Whether an entry describes anything.
pub(crate) fn is_used(entry: &MbrEntryDisk) -> bool {
    entry.kind != 0 && entry.count.get() != 0
}

/// Reads the partitions of an MBR.
pub(crate) fn read<D: BlockDevice>(
    disk: &Disk<'_, D>,
    mbr: &MbrDisk,
) -> Result<PartitionTable, ReadError> {
    let mut reader = Reader { disk, entries: Vec::new(), warnings: Vec::new(), next: 5 };
    let everything = Span { base: 0, end: disk.len };
    for (number, (index, entry)) in (1..).zip(mbr.entries.iter().enumerate()) {
        if is_used(entry) {
            let found = reader.entry(Structure::Mbr, 0, index, entry, number, everything)?;
            reader.entries.push(found);
        }
    }
    let extended: Vec<_> = reader
        .entries
        .iter()
        .filter(|entry| entry.partition.kind.is_extended())
        .map(|entry| Span { base: entry.partition.start, end: entry.partition.end() })
        .collect();
    for span in extended {
        reader.chain(span)?;
    }
    Ok(PartitionTable {
        id: TableId::Mbr(mbr.signature.get()),
        sector_size: disk.sector_size,
        usable: disk.byte(1)..disk.byte(disk.sectors().min(1 << 32)),
        partitions: without_overlaps(reader.entries, disk.sector_size)?,
        warnings: reader.warnings,
    })
}

/// Where an entry's sectors count from, and the end of what must hold it; bytes of the device.
#[derive(Clone, Copy)]
struct Span {
    base: u64,
    end: u64,
}

struct Reader<'a, 'd, D> {
    disk: &'a Disk<'d, D>,
    entries: Vec<Entry>,
    warnings: Vec<Warning>,
    /// The number of the next logical partition.
    next: u32,
}

impl<D: BlockDevice> Reader<'_, '_, D> {
    /// Turns the entry `index` of the record at byte `record` into a partition.
    fn entry(
        &self,
        structure: Structure,
        record: u64,
        index: usize,
        entry: &MbrEntryDisk,
        number: u32,
        span: Span,
    ) -> Result<Entry, Corruption> {
        let at = entry_offset(record, index);
        let start = span.base.saturating_add(self.disk.byte(entry.first.get().into()));
        let len = self.disk.byte(entry.count.get().into());
        let end = start.saturating_add(len);
        if end > span.end {
            let offset = at + offset_of!(MbrEntryDisk, count) as u64;
            return Err(Corruption::past_end(structure, offset, "partition", span.end, end));
        }
        let partition = Partition {
            number,
            start,
            len,
            kind: PartitionType::Mbr(entry.kind),
            id: None,
            name: String::new(),
            attributes: GptAttributes::empty(),
            active: entry.flag == 0x80,
        };
        Ok(Entry { partition, structure, offset: at + offset_of!(MbrEntryDisk, first) as u64 })
    }

    /// Follows the boot records of an extended partition.
    fn chain(&mut self, extended: Span) -> Result<(), ReadError> {
        let structure = Structure::ExtendedBootRecord;
        let mut seen = vec![extended.base];
        let mut record = extended.base;
        loop {
            let bytes: [u8; 512] = self.disk.read(structure, record)?;
            let sector: MbrDisk = zerocopy::transmute!(bytes);
            if sector.mark.get() != MbrDisk::MARK {
                let offset = record + offset_of!(MbrDisk, mark) as u64;
                let (expected, actual) = (MbrDisk::MARK.into(), sector.mark.get().into());
                let fault = Corruption::code(structure, offset, "mark", expected, actual);
                // Programs that make an empty extended partition need not write into it.
                if record == extended.base {
                    self.warnings.push(Warning::NoExtendedRecord(fault));
                    return Ok(());
                }
                return Err(fault.into());
            }
            let inside = Span { base: record, end: extended.end };
            let is_link = |entry: &MbrEntryDisk| PartitionType::Mbr(entry.kind).is_extended();
            for (index, entry) in sector.entries.iter().enumerate() {
                if is_used(entry) && !is_link(entry) {
                    let found = self.entry(structure, record, index, entry, self.next, inside)?;
                    self.entries.push(found);
                    self.next += 1;
                }
            }
            let link = sector.entries.iter().enumerate();
            let Some((index, link)) =
                link.into_iter().find(|(_, entry)| is_used(entry) && is_link(entry))
            else {
                return Ok(());
            };
            let offset = entry_offset(record, index) + offset_of!(MbrEntryDisk, first) as u64;
            record = self.follow(extended, link, offset, &seen)?;
            seen.push(record);
        }
    }

    /// Returns the byte of the next boot record, which lies in the extended partition and is none of
    /// those seen.
    fn follow(
        &self,
        extended: Span,
        link: &MbrEntryDisk,
        offset: u64,
        seen: &[u64],
    ) -> Result<u64, Corruption> {
        let structure = Structure::ExtendedBootRecord;
        let next = extended.base.saturating_add(self.disk.byte(link.first.get().into()));
        let end = next.saturating_add(512);
        if end > extended.end {
            return Err(Corruption::past_end(structure, offset, "next record", extended.end, end));
        }
        let sector = u64::from(self.disk.sector_size);
        if seen.contains(&next) {
            // Legal chains may go back, but the usual way on is forward.
            let last = seen.iter().max().copied().unwrap_or(next);
            let least = (last - extended.base) / sector + 1;
            let (expected, actual) = (Expected::AtLeast(least), link.first.get().into());
            return Err(Corruption::number(structure, offset, "next record", expected, actual));
        }
        if seen.len() >= MAX_RECORDS {
            let (expected, actual) = (Expected::AtMost(MAX_RECORDS as u64), seen.len() as u64 + 1);
            return Err(Corruption::number(structure, offset, "records", expected, actual));
        }
        Ok(next)
    }
}

/// The first byte of entry `index` of the record at byte `record`.
const fn entry_offset(record: u64, index: usize) -> u64 {
    record + (offset_of!(MbrDisk, entries) + index * size_of::<MbrEntryDisk>()) as u64
}
