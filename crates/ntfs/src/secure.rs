//! `$Secure`: the security descriptors of all files, by id.

use std::collections::HashMap;

use imprint_blockio::{Expected, ReadAt};
use zerocopy::FromBytes;

use crate::clusters::Piece;
use crate::layout::SecurityEntryDisk;
use crate::{AttributeKind, Clusters, Corruption, FileValue, ReadError, RecordNumber, Volume};

/// `$Secure`.
const SECURE: RecordNumber = RecordNumber(9);
/// `$SDS`, UTF-16LE.
const SDS: [u8; 8] = *b"$\0S\0D\0S\0";
/// Bytes of a block of `$SDS`; as many behind it are its copy.
const BLOCK: u64 = 0x4_0000;
/// Entries begin at multiples of this many bytes.
const ALIGNMENT: usize = 16;
/// Bytes of an entry without the descriptor.
const HEADER: u64 = size_of::<SecurityEntryDisk>() as u64;

/// Where the descriptors are.
#[derive(Clone, Debug)]
pub struct SecurityIndex {
    stream: Option<Clusters>,
    /// By id.
    places: HashMap<u32, Place>,
}

/// Where a descriptor is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In `$SDS`, bytes.
    offset: u64,
    /// Its bytes.
    length: u32,
    /// Whether it has the hash that its entry says.
    is_whole: bool,
}

impl<D: ReadAt> Volume<D> {
    /// Finds the descriptors. They are found by going over all of them, since an index may be damaged; where a block
    /// is damaged or cannot be read, its copy is used.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn security_index(&self) -> Result<SecurityIndex, ReadError> {
        let file = self.file(SECURE)?;
        let attributes = file.map(|file| file.attributes).unwrap_or_default();
        let stream = attributes.into_iter().find_map(|attribute| match attribute.value {
            FileValue::Clusters(clusters)
                if attribute.kind == AttributeKind::DATA && *attribute.name == SDS =>
            {
                Some(clusters)
            }
            _ => None,
        });
        let mut index = SecurityIndex { stream, places: HashMap::new() };
        let Some(stream) = &index.stream else { return Ok(index) };
        let geometry = self.geometry();
        let limit = geometry.clusters().saturating_mul(geometry.cluster_size.into());
        // Else a hole without end would be gone over without end.
        if stream.size() > limit {
            let (field, expected) = ("bytes of security descriptors", Expected::AtMost(limit));
            let (structure, actual) = (stream.structure(), stream.size());
            return Err(Corruption::number(structure, 0, field, expected, actual).into());
        }
        let mut bytes = Vec::new();
        let mut start = 0;
        while start < stream.size() {
            // The copy second: what the block has wins.
            for from in [start, start + BLOCK] {
                let length = BLOCK.min(stream.size().saturating_sub(from));
                if stream.piece(from, length) == Some(Piece::Zero { len: length }) {
                    continue;
                }
                bytes.resize(usize::try_from(length).unwrap_or(0), 0);
                self.read_block(stream, &mut bytes, from);
                add(&bytes, start, from, &mut index.places);
            }
            start += 2 * BLOCK;
        }
        Ok(index)
    }

    /// Reads a descriptor; `None` if there is none with this id.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn security_descriptor(
        &self,
        index: &SecurityIndex,
        id: u32,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let (Some(stream), Some(&place)) = (&index.stream, index.places.get(&id)) else {
            return Ok(None);
        };
        let Place { offset, length, .. } = place;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.read_value(stream, &mut bytes, offset)?;
        Ok(Some(bytes))
    }

    /// Reads a block of `$SDS`. What of it cannot be read is zeros, which are no entry, and break the hash of one.
    fn read_block(&self, stream: &Clusters, bytes: &mut [u8], from: u64) {
        if self.read_value(stream, bytes, from).is_ok() {
            return;
        }
        let sector = usize::try_from(self.geometry().sector_size).unwrap_or(usize::MAX).max(1);
        let mut at = from;
        for part in bytes.chunks_mut(sector) {
            if self.read_value(stream, part, at).is_err() {
                part.fill(0);
            }
            at += part.len() as u64;
        }
    }
}

impl SecurityIndex {
    /// All descriptors: id, where in `$SDS` the descriptor begins, and its bytes.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u32, u64, u32)> {
        self.places.iter().map(|(&id, place)| (id, place.offset, place.length))
    }
}

/// Adds the entries of a block that was read from `from` and is, or is the copy of, the one at `start`. The first
/// that is whole is taken, or the first.
fn add(bytes: &[u8], start: u64, from: u64, places: &mut HashMap<u32, Place>) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..)
        && let Ok((entry, _)) = SecurityEntryDisk::read_from_prefix(rest)
    {
        let length = u64::from(entry.length.get());
        // An entry says where it stands: what does not is no entry, but there may be some behind it.
        if entry.offset.get() != start + at as u64 || length <= HEADER || length > rest.len() as u64
        {
            at += ALIGNMENT;
            continue;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let descriptor = rest.get(size_of::<SecurityEntryDisk>()..length).unwrap_or_default();
        let place = Place {
            offset: from + at as u64 + HEADER,
            length: u32::try_from(descriptor.len()).unwrap_or(0),
            is_whole: hash(descriptor) == entry.hash.get(),
        };
        let known = places.entry(entry.id.get()).or_insert(place);
        if place.is_whole && !known.is_whole {
            *known = place;
        }
        at += length.next_multiple_of(ALIGNMENT);
    }
}

/// What `$SDH` finds descriptors by: each word is added to the sum turned left by 3 bits.
fn hash(descriptor: &[u8]) -> u32 {
    let words = descriptor.as_chunks::<4>().0.iter();
    words.fold(0_u32, |hash, &word| u32::from_le_bytes(word).wrapping_add(hash.rotate_left(3)))
}
