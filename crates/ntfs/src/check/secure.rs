//! `$Secure`: the descriptors in `$SDS`, their copies, and the two indexes that find them.

use std::collections::BTreeMap;

use imprint_blockio::{Expected, ReadAt};
use imprint_progress::{Cancelled, Progress};
use zerocopy::FromBytes;

use super::gather::{Gathered, clusters_of};
use super::ground::Ground;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::{Map, flag};
use crate::clusters::{Clusters, Piece};
use crate::layout::SecurityEntryDisk;
use crate::{AttributeKind, RecordNumber, Structure};

/// `$Secure`.
pub(super) const SECURE: RecordNumber = RecordNumber(9);
/// `$SDS`, `$SII`, `$SDH`: UTF-16LE.
const SDS: &[u8] = b"$\0S\0D\0S\0";
const SII: &[u8] = b"$\0S\0I\0I\0";
const SDH: &[u8] = b"$\0S\0D\0H\0";
/// Bytes of a block of `$SDS`; as many behind it are its copy.
const BLOCK: u64 = 0x4_0000;
/// Bytes of an entry without the descriptor.
const HEADER: usize = size_of::<SecurityEntryDisk>();

/// The entries of the indexes, by their keys.
#[derive(Debug, Default)]
struct Indexed {
    by_id: BTreeMap<u32, SecurityEntryDisk>,
    /// Hash and id.
    by_hash: BTreeMap<(u32, u32), SecurityEntryDisk>,
}

impl<D: ReadAt> Ground<'_, D> {
    /// The descriptors and their indexes agree, and every id that a file has is there.
    pub(super) fn check_security(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        let indexed = self.with_file(SECURE, map, |file, map| {
            if !file.has(AttributeKind::INDEX_ROOT, SII) {
                return None;
            }
            let indexed = self.security_indexes(file, map, found);
            let result = self.check_descriptors(file, &indexed, found, progress);
            Some((indexed, result))
        });
        let Some((indexed, result)) = indexed.flatten() else {
            let what = "has no index of security descriptors";
            found.structure(Rule::Security, Structure::FileRecord(SECURE), 0, what);
            return Ok(());
        };
        result?;
        map.summary.descriptors = indexed.by_id.len() as u64;
        for number in 0..self.volume.records() {
            let number = RecordNumber(number);
            let state = map.state(number);
            if state.is(flag::IN_USE)
                && state.security != 0
                && !indexed.by_id.contains_key(&state.security)
            {
                let at = self.volume.place_of(number);
                let place = Structure::Attribute(number, AttributeKind::STANDARD_INFORMATION);
                let problem =
                    Problem::code("security id", Expected::AtLeast(0x100), state.security.into());
                let problem = if state.security >= 0x100 {
                    Problem::Is("has a security id of no descriptor")
                } else {
                    problem
                };
                found.add(Rule::SecurityId, Subject::Structure(place), Some(at), problem);
            }
        }
        Ok(())
    }

    fn security_indexes(
        &self,
        file: &Gathered<'_>,
        map: &mut Map,
        found: &mut Findings,
    ) -> Indexed {
        let mut indexed = Indexed::default();
        for (name, index, key_length) in [(SII, "$Secure:$SII", 4), (SDH, "$Secure:$SDH", 8)] {
            self.check_index(file, name, map, found, &mut |entry, _, found| {
                let words: Vec<u32> =
                    entry.key.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
                let disk =
                    SecurityEntryDisk::read_from_prefix(entry.data).ok().map(|(disk, _)| disk);
                let sound = disk.filter(|disk| match words.as_slice() {
                    [id] if key_length == 4 => disk.id.get() == *id,
                    [hash, id] if key_length == 8 => {
                        (disk.hash.get(), disk.id.get()) == (*hash, *id)
                    }
                    _ => false,
                });
                match (sound, words.as_slice()) {
                    (Some(disk), [id]) => {
                        indexed.by_id.insert(*id, disk);
                    }
                    (Some(disk), [hash, id]) => {
                        indexed.by_hash.insert((*hash, *id), disk);
                    }
                    _ => {
                        let subject = Subject::View(index, entry.key.into());
                        let problem = Problem::Is("does not say of which descriptor it is");
                        found.add(Rule::Security, subject, Some(entry.offset), problem);
                    }
                }
            });
        }
        indexed
    }

    fn check_descriptors(
        &self,
        file: &Gathered<'_>,
        indexed: &Indexed,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        for ((hash, id), disk) in &indexed.by_hash {
            if indexed.by_id.get(id) != Some(disk) {
                let problem = Problem::code(
                    "hash in $SII",
                    Expected::Exactly((*hash).into()),
                    indexed.by_id.get(id).map_or(0, |disk| disk.hash.get().into()),
                );
                found.add(Rule::Security, Subject::Descriptor(*id), None, problem);
            }
        }
        for (id, disk) in &indexed.by_id {
            if !indexed.by_hash.contains_key(&(disk.hash.get(), *id)) {
                let problem = Problem::Is("is in $SII and not in $SDH");
                found.add(Rule::Security, Subject::Descriptor(*id), None, problem);
            }
        }
        let structure = file.structure(AttributeKind::DATA);
        let parts = file.stream(AttributeKind::DATA, SDS);
        let Some(stream) = clusters_of(parts, self.geometry.cluster_size) else {
            if !indexed.by_id.is_empty() || parts.is_empty() {
                let what = "is not there";
                found.structure(Rule::Security, structure, file.offset, what);
            }
            return Ok(());
        };
        let limit = self.geometry.clusters().saturating_mul(self.cluster_size());
        if stream.size() > limit {
            let expected = Expected::AtMost(limit);
            let place = (structure, file.offset);
            found.number(
                Rule::Security,
                place,
                "bytes of security descriptors",
                expected,
                stream.size(),
            );
            return Ok(());
        }
        let mut missing: BTreeMap<u32, &SecurityEntryDisk> =
            indexed.by_id.iter().map(|(id, disk)| (*id, disk)).collect();
        let mut start = 0;
        while start < stream.size() {
            progress.check()?;
            self.check_block(&stream, start, indexed, &mut missing, found);
            start += 2 * BLOCK;
        }
        for (id, disk) in missing {
            let expected = Expected::AtMost(stream.size());
            let problem = Problem::code("place without a descriptor", expected, disk.offset.get());
            found.add(Rule::Security, Subject::Descriptor(id), None, problem);
        }
        Ok(())
    }

    /// What `$SDS` says of its descriptors: those whose hash is right, in their block or its copy.
    pub(super) fn descriptors(&self, file: &Gathered<'_>) -> Vec<SecurityEntryDisk> {
        let parts = file.stream(AttributeKind::DATA, SDS);
        let limit = self.geometry.clusters().saturating_mul(self.cluster_size());
        let stream = clusters_of(parts, self.geometry.cluster_size);
        let Some(stream) = stream.filter(|stream| stream.size() <= limit) else {
            return Vec::new();
        };
        let mut all = BTreeMap::new();
        for start in (0..stream.size()).step_by(2 * 0x4_0000) {
            for from in [start, start + BLOCK] {
                let length = BLOCK.min(stream.size().saturating_sub(from));
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                if stream.read(self.device(), &mut bytes, from).is_err() {
                    continue;
                }
                let mut at = 0;
                while let Some(rest) = bytes.get(at..)
                    && let Ok((disk, _)) = SecurityEntryDisk::read_from_prefix(rest)
                    && let length = usize::try_from(disk.length.get()).unwrap_or(usize::MAX)
                    && length > HEADER
                    && let Some(descriptor) = rest.get(HEADER..length)
                {
                    let is_own = disk.offset.get() == start + at as u64;
                    if is_own && hash(descriptor) == disk.hash.get() {
                        all.entry(disk.id.get()).or_insert(disk);
                    }
                    at += length.next_multiple_of(16);
                }
            }
        }
        all.into_values().collect()
    }

    /// Checks a block of descriptors and its copy.
    fn check_block(
        &self,
        stream: &Clusters,
        start: u64,
        indexed: &Indexed,
        missing: &mut BTreeMap<u32, &SecurityEntryDisk>,
        found: &mut Findings,
    ) {
        let [block, copy] = [start, start + BLOCK].map(|from| {
            let length = BLOCK.min(stream.size().saturating_sub(from));
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            stream.read(self.device(), &mut bytes, from).map(|()| bytes)
        });
        let block = match block {
            Ok(block) => block,
            Err(error) => return found.error(Rule::Security, error),
        };
        let copy = copy.unwrap_or_default();
        let mut at = 0;
        while let Some(rest) = block.get(at..)
            && let Ok((disk, _)) = SecurityEntryDisk::read_from_prefix(rest)
        {
            let length = usize::try_from(disk.length.get()).unwrap_or(usize::MAX);
            if length <= HEADER {
                break;
            }
            let (within, id) = (start + at as u64, disk.id.get());
            let offset = match stream.piece(within, 1) {
                Some(Piece::Data { offset, .. }) => Some(offset),
                _ => None,
            };
            let mut wrong =
                |rule, problem| found.add(rule, Subject::Descriptor(id), offset, problem);
            let Some(entry) = rest.get(..length) else {
                let expected = Expected::AtMost(rest.len() as u64);
                return wrong(Rule::Security, Problem::number("bytes", expected, length as u64));
            };
            if disk.offset.get() != within {
                let expected = Expected::Exactly(within);
                wrong(Rule::Security, Problem::code("place", expected, disk.offset.get()));
            }
            match indexed.by_id.get(&id) {
                None => wrong(Rule::Security, Problem::Is("is not in $SII")),
                Some(other) if *other != disk => {
                    wrong(Rule::Security, Problem::Is("is not as its entry in $SII"));
                }
                Some(_) => {}
            }
            missing.remove(&id);
            let hash = hash(entry.get(HEADER..).unwrap_or_default());
            if hash != disk.hash.get() {
                let expected = Expected::Exactly(hash.into());
                wrong(Rule::SecurityHash, Problem::code("hash", expected, disk.hash.get().into()));
            }
            if copy.get(at..at + length) != Some(entry) {
                wrong(Rule::SecurityMirror, Problem::Is("is not as its copy"));
            }
            at += length.next_multiple_of(16);
        }
    }
}

/// The hash of a descriptor: its words, each added to the sum before, which turns by three bits.
fn hash(descriptor: &[u8]) -> u32 {
    let (words, _) = descriptor.as_chunks::<4>();
    words
        .iter()
        .fold(0, |hash: u32, &word| u32::from_le_bytes(word).wrapping_add(hash.rotate_left(3)))
}
