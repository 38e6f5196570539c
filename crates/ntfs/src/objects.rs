//! `$ObjId`: what belongs to object ids and stands in its index only.

use std::collections::HashMap;

use imprint_blockio::ReadAt;
use zerocopy::FromBytes;

use crate::layout::{
    ENTRY_IS_LAST, INDEX_SIGNATURE, IndexBlockDisk, IndexEntryDisk, IndexHeaderDisk, IndexRootDisk,
    ViewDataDisk,
};
use crate::record::Protected;
use crate::{AttributeKind, FileValue, ReadError, RecordNumber, Structure, Volume};

/// Bytes of an object id.
const ID: usize = 16;
/// Bytes of what belongs to one: the volume, the id and the domain it was born with.
const BIRTH: usize = 48;
/// `$O`, UTF-16LE.
const NAME: [u8; 4] = *b"$\0O\0";
/// `$ObjId`: Windows and mkntfs use this record.
const OBJECT_IDS: RecordNumber = RecordNumber(25);
/// The most bytes of an index that are read: a million ids.
const MAX_INDEX: u64 = 128 << 20;

/// What belongs to object ids.
pub type BirthIds = HashMap<[u8; ID], [u8; BIRTH]>;

impl<D: ReadAt> Volume<D> {
    /// Reads what belongs to object ids. All blocks of the index are gone over, as it may be damaged; blocks
    /// that are no blocks are passed over.
    ///
    /// # Errors
    /// [`ReadError`] if the bytes cannot be had.
    pub fn birth_ids(&self) -> Result<BirthIds, ReadError> {
        let mut found = BirthIds::new();
        let Ok(Some(file)) = self.file(OBJECT_IDS) else { return Ok(found) };
        for attribute in &file.attributes {
            if *attribute.name != NAME {
                continue;
            }
            match (&attribute.value, attribute.kind) {
                (FileValue::Resident(root), AttributeKind::INDEX_ROOT) => {
                    add_node(root, size_of::<IndexRootDisk>(), &mut found);
                }
                (FileValue::Clusters(blocks), AttributeKind::INDEX_ALLOCATION)
                    if blocks.size() <= MAX_INDEX =>
                {
                    let size = u64::from(self.geometry().index_size);
                    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
                    for block in 0..blocks.size() / size {
                        self.read_value(blocks, &mut bytes, block * size)?;
                        let structure =
                            Structure::Attribute(OBJECT_IDS, AttributeKind::INDEX_ALLOCATION);
                        let protected =
                            Protected { structure, signature: INDEX_SIGNATURE, offset: 0 };
                        if protected.join_sectors(&mut bytes).is_ok() {
                            add_node(&bytes, size_of::<IndexBlockDisk>(), &mut found);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Adds the entries of a node, whose header is at `start`.
fn add_node(bytes: &[u8], start: usize, found: &mut BirthIds) {
    let node = bytes.get(start..).unwrap_or_default();
    let Ok((header, _)) = IndexHeaderDisk::read_from_prefix(node) else { return };
    let mut at = usize::try_from(header.first.get()).unwrap_or(usize::MAX);
    while let Some(entry) = node.get(at..)
        && let Ok((head, _)) = IndexEntryDisk::read_from_prefix(entry)
        && head.flags.get() & ENTRY_IS_LAST == 0
    {
        let length = usize::from(head.length.get());
        if length < size_of::<IndexEntryDisk>() {
            return;
        }
        let entry = entry.get(..length).unwrap_or_default();
        if let Some((key, data)) = parts(entry) {
            found.insert(key, data);
        }
        at += length;
    }
}

/// The id of an entry, and what belongs to it.
fn parts(entry: &[u8]) -> Option<([u8; ID], [u8; BIRTH])> {
    let key = entry.get(size_of::<IndexEntryDisk>()..)?.first_chunk()?;
    let (place, _) = ViewDataDisk::read_from_prefix(entry).ok()?;
    // The reference to the file comes first.
    let data = entry.get(usize::from(place.offset.get()) + 8..)?.first_chunk()?;
    Some((*key, *data))
}
