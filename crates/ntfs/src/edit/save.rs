//! Files written back: attributes to records, records to `$MFT`.

use std::borrow::Cow;

use imprint_blockio::{ReadAt, WriteAt};

use super::inode::{IN_USE, Inode};
use super::space::stage_value;
use super::{EditError, Editor};
use crate::encode::{
    Body, Measured, NewAttribute, Placed, RecordHead, assemble, encode_free, encode_record,
    list_attribute, list_value, pairs_per_record, renumber, room, split_runs,
};
use crate::layout::RecordHeaderDisk;
use crate::{AttributeKind, FileReference, Lcn, RecordNumber, Run, Structure};

/// `$MFT`'s own record.
const MFT: RecordNumber = RecordNumber(0);
/// Bytes of mapping pairs of `$MFT` that stand together: what continues it is found through those before.
const MFT_PAIRS: usize = 220;
/// Values of at most this many bytes are left in the record, as where they are would take as much.
const SMALL: usize = 64;

impl<D: WriteAt> Editor<D> {
    /// Writes a file's records, as many as its attributes need.
    pub(super) fn save(&mut self, inode: &mut Inode) -> Result<(), EditError> {
        let record_size = self.record_size();
        self.make_fit(inode)?;
        let most = if inode.record() == MFT { MFT_PAIRS } else { pairs_per_record(record_size) };
        let attributes = split_runs(inode.attributes.clone(), most);
        let measured: Vec<Measured> = attributes.iter().map(Measured::of).collect();
        let assembly = assemble(&measured, record_size);
        while inode.further.len() + 1 < assembly.records.len() {
            let reference = self.take_record(inode.record() == MFT)?;
            inode.further.push(reference);
        }
        while inode.further.len() + 1 > assembly.records.len() {
            if let Some(reference) = inode.further.pop() {
                self.free_record(reference)?;
            }
        }
        let mut references = vec![inode.reference];
        references.extend(&inode.further);
        let list = assembly.list.map(|_| list_value(&attributes, &assembly, &references));
        let in_clusters = assembly.list_in_clusters();
        let list = self.place_list(inode, list, in_clusters)?;
        let names = attributes.iter().filter(|a| a.kind == AttributeKind::FILE_NAME).count();
        for (position, (indices, &own)) in assembly.records.iter().zip(&references).enumerate() {
            let first = position == 0;
            let head = RecordHead {
                reference: own,
                base: (!first).then_some(inode.reference),
                links: if first { u16::try_from(names).unwrap_or(u16::MAX) } else { 0 },
                flags: if first { inode.flags } else { IN_USE },
            };
            let own: Vec<&NewAttribute<'_>> =
                indices.iter().filter_map(|&index| attributes.get(index)).collect();
            let (information, rest) = own.split_at(own.len().min(1));
            let list = list.as_ref().filter(|_| first);
            let all = information.iter().copied().chain(list).chain(rest.iter().copied());
            let mut bytes = Vec::with_capacity(record_size);
            encode_record(&head, all, self.cluster_size(), record_size, &mut bytes);
            self.write_record(head.reference.record, bytes)?;
        }
        Ok(())
    }

    /// Gives everything back that a file takes.
    pub(super) fn free(&mut self, inode: &Inode) -> Result<(), EditError> {
        for attribute in &inode.attributes {
            if let Body::Clusters(placed) = &attribute.body {
                self.space.give_back(&placed.runs);
            }
        }
        self.space.give_back(&inode.list);
        for &reference in inode.further.iter().chain([&inode.reference]) {
            self.free_record(reference)?;
        }
        Ok(())
    }

    /// Moves values to clusters, the largest first, until the rest fits into one record, or no value may be moved.
    fn make_fit(&mut self, inode: &mut Inode) -> Result<(), EditError> {
        let room = room(self.record_size());
        loop {
            let whole: usize = inode.attributes.iter().map(NewAttribute::size).sum();
            let movable = |(index, found): (usize, &NewAttribute<'_>)| match &found.body {
                Body::Resident(value) if may_move(found.kind) && value.len() > SMALL => {
                    Some((value.len(), index))
                }
                _ => None,
            };
            let largest = inode.attributes.iter().enumerate().filter_map(movable).max();
            // What is larger than a record can be nowhere else.
            let Some((length, index)) =
                largest.filter(|(length, _)| whole > room || *length > room)
            else {
                return Ok(());
            };
            let Some(found) = inode.attributes.get_mut(index) else { return Ok(()) };
            let Body::Resident(value) = &found.body else { return Ok(()) };
            let value = value.to_vec();
            debug_assert_eq!(value.len(), length);
            found.body = Body::Clusters(self.put_value(&value, None)?);
            // Names say how much its data takes.
            self.note(inode.reference);
        }
    }

    /// Writes a value to clusters of its own.
    pub(super) fn put_value(
        &mut self,
        value: &[u8],
        near: Option<Lcn>,
    ) -> Result<Placed, EditError> {
        let cluster = u64::from(self.cluster_size());
        let size = value.len() as u64;
        let runs = self.space.take(&self.volume, size.div_ceil(cluster), near)?;
        let mut padded = Cow::Borrowed(value);
        if !size.is_multiple_of(cluster) {
            let whole = size.next_multiple_of(cluster);
            padded.to_mut().resize(usize::try_from(whole).unwrap_or(0), 0);
        }
        self.write_runs(&runs, &padded, 0)?;
        let allocated = size.next_multiple_of(cluster);
        Ok(Placed { runs, allocated, size, initialised: size, ..Placed::default() })
    }

    /// Writes bytes to clusters that nothing refers to yet, from byte `offset` of them on.
    pub(super) fn write_runs(
        &self,
        runs: &[Run],
        mut bytes: &[u8],
        mut offset: u64,
    ) -> Result<(), EditError> {
        let cluster = u64::from(self.cluster_size());
        for run in runs {
            let (start, end) = (run.vcn.0 * cluster, run.end().0 * cluster);
            let Some(Lcn(lcn)) = run.lcn.filter(|_| (start..end).contains(&offset)) else {
                continue;
            };
            let length = usize::try_from(end - offset).unwrap_or(bytes.len()).min(bytes.len());
            let (part, rest) = bytes.split_at(length);
            let at = lcn * cluster + offset - start;
            self.volume.device().write_fresh(part, at).map_err(|source| EditError::Write {
                what: "data",
                offset: at,
                length: part.len() as u64,
                source,
            })?;
            (bytes, offset) = (rest, offset + length as u64);
            if bytes.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Finds a place for the attribute list, if there is one; where it stood before is used again if that is enough.
    fn place_list(
        &mut self,
        inode: &mut Inode,
        value: Option<Vec<u8>>,
        in_clusters: bool,
    ) -> Result<Option<NewAttribute<'static>>, EditError> {
        let Some(value) = value else {
            self.space.give_back(&std::mem::take(&mut inode.list));
            return Ok(None);
        };
        if !in_clusters {
            self.space.give_back(&std::mem::take(&mut inode.list));
            return Ok(Some(list_attribute(Body::Resident(value.into()))));
        }
        let cluster = u64::from(self.cluster_size());
        let size = value.len() as u64;
        let have: u64 = inode.list.iter().map(|run| run.length).sum();
        if have == size.div_ceil(cluster) {
            let (runs, allocated) = (inode.list.clone(), have * cluster);
            let placed = Placed { runs, allocated, size, initialised: size, ..Placed::default() };
            let structure = Structure::Attribute(inode.record(), AttributeKind::ATTRIBUTE_LIST);
            let clusters = self.volume.clusters_of(structure, &placed);
            stage_value(&self.volume, &clusters, &value, 0)?;
            return Ok(Some(list_attribute(Body::Clusters(placed))));
        }
        self.space.give_back(&std::mem::take(&mut inode.list));
        let placed = self.put_value(&value, None)?;
        inode.list.clone_from(&placed.runs);
        Ok(Some(list_attribute(Body::Clusters(placed))))
    }

    /// Stages a record, protected against torn writes with a number that differs from the one before.
    pub(super) fn write_record(
        &mut self,
        number: RecordNumber,
        mut bytes: Vec<u8>,
    ) -> Result<(), EditError> {
        const SEQUENCE: usize = size_of::<RecordHeaderDisk>();
        let at = number.0 * bytes.len() as u64;
        let mut old = vec![0; bytes.len()];
        self.volume.mft().read(self.volume.device(), &mut old, at)?;
        if old.starts_with(b"FILE") {
            // The log's number stays, as ntfs-3g leaves it.
            if let (Some(place), Some(lsn)) = (bytes.get_mut(8..16), old.get(8..16)) {
                place.copy_from_slice(lsn);
            }
            let before = update_number(&old);
            renumber(&mut bytes, SEQUENCE, before);
            if bytes == old {
                return Ok(());
            }
            renumber(&mut bytes, SEQUENCE, next_number(before));
        }
        let mft = self.volume.mft().clone();
        stage_value(&self.volume, &mft, &bytes, at)?;
        if at < self.mirror_size {
            let geometry = self.volume.geometry();
            let start = geometry.mirror.0 * u64::from(geometry.cluster_size);
            self.stage(&bytes, start + at, "$MFTMirr")?;
        }
        Ok(())
    }

    /// Marks a record as not in use. References to it are void from then on.
    pub(super) fn free_record(&mut self, reference: FileReference) -> Result<(), EditError> {
        let use_count = reference.use_count.wrapping_add(1).max(1);
        let mut bytes = Vec::with_capacity(self.record_size());
        encode_free(FileReference { use_count, ..reference }, self.record_size(), &mut bytes);
        self.write_record(reference.record, bytes)?;
        self.mark_record(reference.record, false)
    }
}

/// Values that need not stand in a record.
const fn may_move(kind: AttributeKind) -> bool {
    matches!(
        kind,
        AttributeKind::DATA
            | AttributeKind::EA
            | AttributeKind::REPARSE_POINT
            | AttributeKind::SECURITY_DESCRIPTOR
            | AttributeKind::BITMAP
    )
}

/// The update number of a protected structure.
pub(super) fn update_number(bytes: &[u8]) -> u16 {
    let word = |at: usize| {
        let pair = bytes.get(at..).and_then(|rest| rest.first_chunk());
        pair.map_or(0, |&pair| u16::from_le_bytes(pair))
    };
    word(usize::from(word(4)))
}

/// The one after it; 0 and 0xffff are not used.
pub(super) const fn next_number(number: u16) -> u16 {
    if number >= 0xfffe { 1 } else { number + 1 }
}

impl<D: ReadAt> Editor<D> {
    pub(super) fn record_size(&self) -> usize {
        usize::try_from(self.volume.geometry().record_size).unwrap_or(0)
    }

    pub(super) const fn cluster_size(&self) -> u32 {
        self.volume.geometry().cluster_size
    }
}
