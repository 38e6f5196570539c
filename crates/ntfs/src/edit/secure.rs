//! `$Secure`: descriptors found, and added.

use std::cmp::Ordering;
use std::collections::HashMap;

use imprint_blockio::{Expected, WriteAt};
use imprint_winvalues::security;
use zerocopy::{FromBytes, IntoBytes};

use super::index::{IndexName, by_words, key};
use super::inode::Inode;
use super::space::stage_value;
use super::table::{end_of, extend};
use super::{EditError, Editor};
use crate::encode::Body;
use crate::fill::{default_descriptor, descriptor_hash, entry_by_hash, entry_by_id};
use crate::layout::{SecurityEntryDisk, collation};
use crate::{AttributeKind, Corruption, FileReference, RecordNumber, Structure};

/// `$Secure`.
const SECURE: RecordNumber = RecordNumber(9);
/// `$SDS` in UTF-16.
const SDS: [u16; 4] = [0x24, 0x53, 0x44, 0x53];
/// Bytes of a block of `$SDS`; as many behind it are its copy.
const BLOCK: u64 = 0x4_0000;
/// Bytes of an entry without the descriptor.
const HEADER: usize = size_of::<SecurityEntryDisk>();
/// The first id.
const FIRST_ID: u32 = 0x100;
/// Windows' largest descriptors.
const MAX_DESCRIPTOR: usize = 64 << 10;
const BY_HASH: IndexName = IndexName::view("$SDH", collation::SECURITY_HASH);
const BY_ID: IndexName = IndexName::view("$SII", collation::U32);

/// The descriptors of a volume.
#[derive(Debug)]
pub(super) struct Descriptors {
    /// By hash: ids.
    by_hash: HashMap<u32, Vec<u32>>,
    index: crate::SecurityIndex,
    /// Those added since.
    added: HashMap<Box<[u8]>, u32>,
    next_id: u32,
    /// Where the last entry ends in `$SDS`.
    end: u64,
}

impl<D: WriteAt> Editor<D> {
    /// The id of a descriptor, which is added if no file has it yet; `None` stands for what Windows gives to new files.
    pub(super) fn security_id(
        &mut self,
        descriptor: Option<&[u8]>,
        is_directory: bool,
    ) -> Result<u32, EditError> {
        let default = default_descriptor(is_directory);
        let descriptor = descriptor.unwrap_or(&default);
        security::check(descriptor).map_err(EditError::Security)?;
        if descriptor.len() > MAX_DESCRIPTOR {
            let (most, actual) = (MAX_DESCRIPTOR as u64, descriptor.len() as u64);
            return Err(EditError::TooLarge { what: "security descriptor", most, actual });
        }
        let mut known = match self.descriptors.take() {
            Some(known) => known,
            None => self.descriptors()?,
        };
        let id = match self.known(&known, descriptor)? {
            Some(id) => id,
            None => self.add_descriptor(&mut known, descriptor)?,
        };
        self.descriptors = Some(known);
        Ok(id)
    }

    /// Reads which descriptors there are.
    fn descriptors(&self) -> Result<Descriptors, EditError> {
        let index = self.volume.security_index()?;
        let mut known = Descriptors {
            by_hash: HashMap::new(),
            index,
            added: HashMap::new(),
            next_id: FIRST_ID,
            end: 0,
        };
        let places: Vec<(u32, u64, u32)> = known.index.places().collect();
        for (id, offset, length) in places {
            if let Some(descriptor) = self.volume.security_descriptor(&known.index, id)? {
                known.by_hash.entry(descriptor_hash(&descriptor)).or_default().push(id);
            }
            known.next_id = known.next_id.max(id.saturating_add(1));
            // An entry read from its copy stands one block before it.
            let offset = if offset / BLOCK % 2 == 1 { offset - BLOCK } else { offset };
            known.end = known.end.max(offset + u64::from(length));
        }
        Ok(known)
    }

    fn known(&self, known: &Descriptors, wanted: &[u8]) -> Result<Option<u32>, EditError> {
        if let Some(&id) = known.added.get(wanted) {
            return Ok(Some(id));
        }
        for &id in known.by_hash.get(&descriptor_hash(wanted)).into_iter().flatten() {
            let found = self.volume.security_descriptor(&known.index, id)?;
            if found.is_some_and(|found| found == wanted) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn add_descriptor(
        &mut self,
        known: &mut Descriptors,
        descriptor: &[u8],
    ) -> Result<u32, EditError> {
        let length = (HEADER + descriptor.len()) as u64;
        let end = known.end.next_multiple_of(16);
        // No entry crosses the end of its block.
        let within = end % (2 * BLOCK);
        let offset = if within + length > BLOCK { end - within + 2 * BLOCK } else { end };
        let entry = SecurityEntryDisk {
            hash: descriptor_hash(descriptor).into(),
            id: known.next_id.into(),
            offset: offset.into(),
            length: u32::try_from(length).unwrap_or(u32::MAX).into(),
        };
        let mut inode = self.secure()?;
        let bytes = [entry.as_bytes(), descriptor].concat();
        self.put_descriptor(&mut inode, offset, &bytes)?;
        let by_hash = entry_by_hash(&entry);
        let hash_key = key(&by_hash).to_vec();
        self.with_index(&mut inode, BY_HASH, |tree| {
            tree.insert(by_hash, by_words(&hash_key)).map(|_| ())
        })?;
        self.save(&mut inode)?;
        let by_id = entry_by_id(&entry);
        let id = known.next_id;
        self.with_index(&mut inode, BY_ID, |tree| tree.insert(by_id, by_number(id)).map(|_| ()))?;
        self.save(&mut inode)?;
        known.added.insert(descriptor.into(), id);
        known.next_id += 1;
        known.end = offset + length;
        Ok(id)
    }

    fn secure(&self) -> Result<Inode, EditError> {
        let file = self.volume.file(SECURE)?;
        let reference = file.map(|file| file.reference);
        let gone = FileReference { record: SECURE, use_count: 9 };
        self.volume.inode(reference.ok_or(EditError::Gone(gone))?)
    }

    /// Writes an entry to `$SDS`, and its copy.
    fn put_descriptor(
        &mut self,
        inode: &mut Inode,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), EditError> {
        let structure = Structure::Attribute(SECURE, AttributeKind::DATA);
        let cluster = u64::from(self.cluster_size());
        let found = inode.find_mut(AttributeKind::DATA, &SDS);
        let Some(Body::Clusters(placed)) = found.map(|found| &mut found.body) else {
            let (field, expected) = ("values in clusters", Expected::Exactly(1));
            return Err(Corruption::number(structure, 0, field, expected, 0).into());
        };
        let before = placed.size;
        let end = offset + BLOCK + bytes.len() as u64;
        if end > placed.allocated {
            let old = placed.allocated;
            let wanted = (end - old).div_ceil(cluster);
            let runs = self.space.take(&self.volume, wanted, end_of(placed))?;
            extend(placed, &runs, cluster);
        }
        placed.size = placed.size.max(end);
        placed.initialised = placed.size;
        let placed = placed.clone();
        let value = self.volume.clusters_of(structure, &placed);
        // Behind what was there, whatever stood in the clusters.
        let mut at = before;
        while at < placed.size {
            let length = (placed.size - at).min(BLOCK);
            let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
            stage_value(&self.volume, &value, &zeros, at)?;
            at += length;
        }
        stage_value(&self.volume, &value, bytes, offset)?;
        stage_value(&self.volume, &value, bytes, offset + BLOCK)
    }
}

/// Compares entries with a 32-bit number.
fn by_number(wanted: u32) -> impl Fn(&[u8]) -> Ordering {
    move |entry| {
        let found = u32::read_from_prefix(key(entry)).map_or(0, |(number, _)| u32::from_le(number));
        found.cmp(&wanted)
    }
}
