//! `$MFT`: records found for new files, and more of them made.

use std::borrow::Cow;

use imprint_blockio::{Expected, WriteAt};

use super::inode::Inode;
use super::space::{set_bits, stage_value};
use super::{EditError, Editor};
use crate::encode::{Body, Placed, align8, encode_free};
use crate::{AttributeKind, Corruption, FileReference, Lcn, RecordNumber, Run, Structure, Vcn};

/// `$MFT`'s own record.
const MFT: RecordNumber = RecordNumber(0);
/// Records before this one are the volume's own; 16 to 23 are kept for `$MFT` itself.
pub(super) const FIRST_FILE: u64 = 24;
const FIRST_SPARE: u64 = 16;
/// Bytes by which `$MFT` grows at least.
const GROWTH: u64 = 64 << 10;
/// Bytes of the bitmap of records that are read at once.
const PIECE: u64 = 4096;

impl<D: WriteAt> Editor<D> {
    /// Finds a record that is not in use and takes it. `low` for one that continues `$MFT` itself.
    pub(super) fn take_record(&mut self, low: bool) -> Result<FileReference, EditError> {
        let found = if low {
            self.free_bit(FIRST_SPARE, FIRST_FILE)?
        } else {
            let from = self.next_record.max(FIRST_FILE);
            let found = self.free_bit(from, self.volume.records())?;
            match found {
                None => self.free_bit(FIRST_FILE, from)?,
                found => found,
            }
        };
        let number = match found {
            Some(number) => number,
            None => {
                let number = self.volume.records();
                self.grow_table()?;
                number
            }
        };
        if !low {
            self.next_record = number + 1;
        }
        let number = RecordNumber(number);
        self.mark_record(number, true)?;
        Ok(FileReference { record: number, use_count: self.use_count(number)? })
    }

    /// The use count that a free record is to have when it is used again.
    fn use_count(&self, number: RecordNumber) -> Result<u16, EditError> {
        let mut bytes = vec![0; self.record_size()];
        let at = number.0 * bytes.len() as u64;
        self.volume.mft().read(self.volume.device(), &mut bytes, at)?;
        let count = bytes.get(0x10..).and_then(|rest| rest.first_chunk());
        let count = count.filter(|_| bytes.starts_with(b"FILE"));
        Ok(count.map_or(1, |&pair| u16::from_le_bytes(pair)).max(1))
    }

    /// The first record from `from` up to `to` whose bit is not set.
    fn free_bit(&self, from: u64, to: u64) -> Result<Option<u64>, EditError> {
        let to = to.min(self.records.size().saturating_mul(8));
        let mut at = from / 8;
        let mut bytes = Vec::new();
        while at * 8 < to {
            let length = PIECE.min(to.div_ceil(8) - at);
            bytes.resize(usize::try_from(length).unwrap_or(0), 0);
            self.records.read(self.volume.device(), &mut bytes, at)?;
            for (index, &byte) in (at..).zip(&bytes).filter(|(_, byte)| **byte != 0xff) {
                let free = (0..8).map(|bit| index * 8 + bit).find(|&number| {
                    (from..to).contains(&number) && byte & (1 << (number % 8)) == 0
                });
                if free.is_some() {
                    return Ok(free);
                }
            }
            at += length;
        }
        Ok(None)
    }

    /// Sets or clears the bit of a record.
    pub(super) fn mark_record(&self, number: RecordNumber, used: bool) -> Result<(), EditError> {
        let mut byte = [0];
        self.records.read(self.volume.device(), &mut byte, number.0 / 8)?;
        set_bits(&mut byte, number.0 % 8, number.0 % 8 + 1, used);
        stage_value(&self.volume, &self.records, &byte, number.0 / 8)
    }

    /// Makes `$MFT` larger.
    fn grow_table(&mut self) -> Result<(), EditError> {
        let file = self.volume.file(MFT)?;
        let missing = || {
            let structure = Structure::Attribute(MFT, AttributeKind::DATA);
            Corruption::number(structure, 0, "values in clusters", Expected::Exactly(1), 0)
        };
        let mut inode = Inode::of(file.ok_or_else(missing)?, self.cluster_size());
        let old = self.volume.records();
        let records = self.grow_data(&mut inode, old)?;
        self.grow_bitmap(&mut inode, records)?;
        // What continues `$MFT` is among the records that were there before.
        self.save(&mut inode)?;
        self.volume.find_table()?;
        self.find_records()
    }

    /// Adds clusters to the records, and makes them records that are not in use. Returns how many there are then.
    fn grow_data(&mut self, inode: &mut Inode, old: u64) -> Result<u64, EditError> {
        let cluster = u64::from(self.cluster_size());
        let record = self.record_size() as u64;
        let data = inode.find_mut(AttributeKind::DATA, &[]);
        let Some(Body::Clusters(placed)) = data.map(|data| &mut data.body) else { return Ok(old) };
        // There may be room in its clusters already.
        let wanted = (GROWTH / cluster).max(record.div_ceil(cluster));
        let near = end_of(placed);
        let runs = match self.space.take(&self.volume, wanted, near) {
            Err(EditError::NoRoom { .. }) => {
                self.space.take(&self.volume, record.div_ceil(cluster), near)?
            }
            taken => taken?,
        };
        extend(placed, &runs, cluster);
        let records = placed.allocated / record;
        let mut bytes = Vec::new();
        for number in old..records {
            let reference = FileReference { record: RecordNumber(number), use_count: 1 };
            encode_free(reference, self.record_size(), &mut bytes);
        }
        (placed.size, placed.initialised) = (records * record, records * record);
        let all = placed.runs.clone();
        self.write_runs(&all, &bytes, old * record)?;
        Ok(records)
    }

    /// Makes the bitmap of records large enough.
    fn grow_bitmap(&mut self, inode: &mut Inode, records: u64) -> Result<(), EditError> {
        let cluster = u64::from(self.cluster_size());
        let size = align8(usize::try_from(records.div_ceil(8)).unwrap_or(0)) as u64;
        let found = inode.find_mut(AttributeKind::BITMAP, &[]);
        let Some(Body::Clusters(placed)) = found.map(|found| &mut found.body) else {
            let structure = Structure::Attribute(MFT, AttributeKind::BITMAP);
            let expected = Expected::Exactly(1);
            return Err(Corruption::number(structure, 0, "values in clusters", expected, 0).into());
        };
        if size <= placed.size {
            return Ok(());
        }
        let before = placed.size;
        if size > placed.allocated {
            let wanted = (size - placed.allocated).div_ceil(cluster);
            let runs = self.space.take(&self.volume, wanted, end_of(placed))?;
            extend(placed, &runs, cluster);
        }
        (placed.size, placed.initialised) = (size, size);
        let placed = placed.clone();
        // What stands there is of no meaning yet.
        let structure = Structure::Attribute(MFT, AttributeKind::BITMAP);
        let value = self.volume.clusters_of(structure, &placed);
        let zeros = vec![0; usize::try_from(size - before).unwrap_or(0)];
        stage_value(&self.volume, &value, &zeros, before)
    }

    /// Finds the bitmap of records.
    pub(super) fn find_records(&mut self) -> Result<(), EditError> {
        self.records = super::records_of(&self.volume)?;
        Ok(())
    }
}

/// The cluster behind a value's last.
pub(super) fn end_of(placed: &Placed) -> Option<Lcn> {
    let last = placed.runs.iter().rev().find_map(|run| Some((run.lcn?, run.length)));
    last.map(|(lcn, length)| Lcn(lcn.0 + length))
}

/// Adds clusters to the end of a value.
pub(super) fn extend(placed: &mut Placed, runs: &[Run], cluster: u64) {
    for run in runs {
        let vcn = placed.runs.last().map_or(Vcn(0), Run::end);
        placed.allocated += run.length * cluster;
        match placed.runs.last_mut() {
            Some(Run { lcn: Some(lcn), length, .. }) if Some(Lcn(lcn.0 + *length)) == run.lcn => {
                *length += run.length;
            }
            _ => placed.runs.push(Run { vcn, ..*run }),
        }
    }
}

/// An attribute's value in the record.
pub(super) fn resident(value: Vec<u8>) -> Body<'static> {
    Body::Resident(Cow::Owned(value))
}
