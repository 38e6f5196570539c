//! `$MFT` from its beginning to its end, twice: first the headers of all records, then all files.

use imprint_blockio::{Expected, ReadAt};
use imprint_progress::{Cancelled, Progress};
use zerocopy::FromBytes;

use super::bits::Differences;
use super::gather::Gathered;
use super::ground::Ground;
use super::record::{Body, Loaded, is_in_use};
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::{Map, State, flag};
use crate::clusters::Clusters;
use crate::layout::{RECORD_SIGNATURE, RecordHeaderDisk};
use crate::volume::join;
use crate::{AttributeKind, Corruption, FileReference, ReadError, RecordNumber, Structure};

/// Bytes of `$MFT` that are read at once.
const PIECE: u64 = 1 << 20;
/// `$MFT`.
const MFT: RecordNumber = RecordNumber(0);

impl<D: ReadAt> Ground<'_, D> {
    /// Hands over the bytes of every record, as they lie on the volume.
    fn each_record(
        &self,
        progress: &Progress,
        mut each: impl FnMut(RecordNumber, Result<&mut [u8], ReadError>),
    ) -> Result<(), Cancelled> {
        let size = u64::from(self.geometry.record_size);
        let (step, all) = ((PIECE / size).max(1), self.volume.records());
        let mut bytes = Vec::new();
        let mut first = 0;
        while first < all {
            progress.check()?;
            let count = step.min(all - first);
            bytes.resize(usize::try_from(count * size).unwrap_or(0), 0);
            let mft = self.volume.mft();
            let whole = mft.read(self.device(), &mut bytes, first * size);
            for (number, record) in (first..).zip(bytes.chunks_exact_mut(self.record_bytes())) {
                let again = match &whole {
                    Ok(()) => Ok(()),
                    // Perhaps only some of them cannot be read.
                    Err(_) => mft.read(self.device(), record, number * size),
                };
                each(RecordNumber(number), again.map(|()| record));
            }
            first += count;
            progress.add_bytes(count * size);
        }
        Ok(())
    }

    /// The headers of all records: which are in use, which continue which.
    pub(super) fn sweep_headers(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        self.each_record(progress, |number, record| {
            let state = match record {
                Err(error) => {
                    found.error(Rule::Mft, error);
                    State { flags: flag::BROKEN, ..State::default() }
                }
                Ok(bytes) => self.header(number, bytes, found),
            };
            map.summary.records += u64::from(state.is(flag::IN_USE));
            if let Some(place) = map.state_mut(number) {
                *place = state;
            }
        })
    }

    fn header(&self, number: RecordNumber, bytes: &mut [u8], found: &mut Findings) -> State {
        let broken = State { flags: flag::BROKEN, ..State::default() };
        if bytes.iter().all(|&byte| byte == 0) {
            return State { flags: flag::ZEROS, ..State::default() };
        }
        let at = self.volume.place_of(number);
        let signature = bytes.first_chunk().map_or(0, |&first| u32::from_le_bytes(first));
        let torn = if signature == RECORD_SIGNATURE {
            let in_use = is_in_use(bytes);
            let torn = join(number, at, bytes).err();
            if let Some(corruption) = torn.clone().filter(|_| !in_use) {
                found.corruption(Rule::FreeRecord, corruption);
                return State::default();
            }
            torn.map(|corruption| (Rule::UpdateSequence, corruption))
        } else {
            let structure = Structure::FileRecord(number);
            let (field, expected) = ("signature", Expected::Exactly(RECORD_SIGNATURE.into()));
            let corruption = Corruption::code(structure, at, field, expected, signature.into());
            Some((Rule::Signature, corruption))
        };
        if let Some((rule, corruption)) = torn {
            found.corruption(rule, corruption);
            if self.take_copy(number, bytes).is_none() {
                return broken;
            }
        }
        let used = is_in_use(bytes);
        let Ok((disk, _)) = RecordHeaderDisk::read_from_prefix(bytes) else { return broken };
        let use_count = disk.use_count.get();
        if !used {
            return State { use_count, ..State::default() };
        }
        let base = FileReference::from_disk(disk.base.get());
        let kind = disk.flags.get() & (flag::DIRECTORY | flag::VIEW_INDEX);
        let extension = if disk.base.get() == 0 { 0 } else { flag::EXTENSION };
        State {
            flags: flag::IN_USE | kind | extension,
            use_count,
            base: u32::try_from(base.record.0).unwrap_or(u32::MAX),
            base_use_count: base.use_count,
            ..State::default()
        }
    }

    /// Joins the sectors of a record, or takes its copy; returns where what was taken stands.
    fn whole(&self, number: RecordNumber, bytes: &mut [u8]) -> Option<u64> {
        let at = self.volume.place_of(number);
        match join(number, at, bytes) {
            Ok(()) => Some(at),
            Err(_) => self.take_copy(number, bytes),
        }
    }

    /// Takes the copy of a record in `$MFTMirr`, if it has one that is whole.
    fn take_copy(&self, number: RecordNumber, bytes: &mut [u8]) -> Option<u64> {
        let mut copy = Vec::new();
        let at = self.volume.load(number, &mut copy).ok()?;
        bytes.copy_from_slice(copy.get(..bytes.len())?);
        Some(at)
    }

    /// All files.
    pub(super) fn sweep_files(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        self.each_record(progress, |number, record| {
            let state = map.state(number);
            let Ok(bytes) = record else { return };
            if state.is_file()
                && let Some(offset) = self.whole(number, bytes)
            {
                self.sweep_file(&Loaded { number, offset, bytes }, map, found);
                progress.add_files(1);
            }
        })?;
        self.unclaimed(map, found, progress)
    }

    fn sweep_file(&self, base: &Loaded<'_>, map: &mut Map, found: &mut Findings) {
        let Some(head) = base.head(found) else { return };
        let mut parts = Vec::new();
        base.parts(&head, self.measures(), found, &mut parts);
        self.check_order(&parts, found);
        let entries = self.list(&parts, map, found);
        let further = self.further(base, entries.as_deref().unwrap_or_default(), map, found);
        let file = self.join(base, head, parts, &further, map, found);
        for (number, ..) in &further {
            if let Some(state) = map.state_mut(*number) {
                state.flags |= flag::CLAIMED;
            }
        }
        self.check_extensions(&file, found);
        if let Some(entries) = &entries {
            self.check_list(&file, entries, map, found);
        }
        self.check_file(&file, map, found);
    }

    /// Records that continue a file have none of what only a first record may have.
    fn check_extensions(&self, file: &Gathered<'_>, found: &mut Findings) {
        for part in &file.parts {
            let only = [AttributeKind::STANDARD_INFORMATION, AttributeKind::ATTRIBUTE_LIST];
            if part.holder != file.reference.record && only.contains(&part.kind) {
                let what = "stands in a record that continues a file";
                found.structure(Rule::Extension, part.structure(), part.offset, what);
            }
        }
    }

    /// Records that continue a file which does not know of them: their clusters are in use all the same.
    fn unclaimed(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        for number in 0..self.volume.records() {
            let number = RecordNumber(number);
            let state = map.state(number);
            if !state.is(flag::EXTENSION) || state.is(flag::CLAIMED) {
                continue;
            }
            progress.check()?;
            let base = FileReference {
                record: RecordNumber(state.base.into()),
                use_count: state.base_use_count,
            };
            let at = self.volume.place_of(number);
            let known = map.state(base.record).is_file() && map.reference(base.record) == base;
            let what = if known {
                "continues a file whose attribute list does not name it"
            } else {
                "continues a file that is not there"
            };
            found.structure(Rule::Extension, Structure::FileRecord(number), at + 0x20, what);
            found.worn.broken.insert(base.record);
            let mut bytes = Vec::new();
            let Ok(offset) = self.volume.load(number, &mut bytes) else { continue };
            let record = Loaded { number, offset, bytes: &bytes };
            let Some(head) = record.head(found) else { continue };
            let mut parts = Vec::new();
            record.parts(&head, self.measures(), found, &mut parts);
            for part in &parts {
                let Body::Clusters(mapped) = &part.body else { continue };
                for run in &mapped.runs {
                    if let Some(lcn) = run.lcn {
                        let clusters = lcn.0..lcn.0 + run.length;
                        map.owned.take(clusters, part.structure(), part.offset);
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds the first owners of clusters that have two, and tells of them.
    pub(super) fn tell_shared(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        if map.owned.shared.is_empty() {
            return Ok(());
        }
        let mut shared = std::mem::take(&mut map.owned.shared);
        self.each_record(progress, |number, record| {
            let (state, Ok(bytes)) = (map.state(number), record) else { return };
            if !state.is(flag::IN_USE) {
                return;
            }
            let Some(offset) = self.whole(number, bytes) else { return };
            let record = Loaded { number, offset, bytes };
            let quiet = &mut Findings::quiet();
            let Some(head) = record.head(quiet) else { return };
            let mut parts = Vec::new();
            record.parts(&head, self.measures(), quiet, &mut parts);
            for part in &parts {
                let Body::Clusters(mapped) = &part.body else { continue };
                for one in &mut shared {
                    let overlaps = mapped.runs.iter().any(|run| {
                        let lcn = run.lcn.map(|lcn| lcn.0);
                        lcn.is_some_and(|lcn| {
                            lcn < one.clusters.end && one.clusters.start < lcn + run.length
                        })
                    });
                    if overlaps && one.first.is_none() && part.offset != one.second.1 {
                        one.first = Some(part.structure());
                    }
                }
            }
        })?;
        let told = shared.len() as u64;
        for one in shared {
            let second = one.second.0;
            let problem = Problem::Shared(one.first.unwrap_or(second), second);
            let subject = Subject::Clusters(one.clusters);
            found.add(Rule::SharedCluster, subject, Some(one.second.1), problem);
        }
        for _ in told..map.owned.times_shared {
            let problem = Problem::Is("are shared");
            found.add(Rule::SharedCluster, Subject::Volume, None, problem);
        }
        Ok(())
    }

    /// `$MFT:$BITMAP` is what the records say.
    pub(super) fn check_record_bitmap(&self, map: &mut Map, found: &mut Findings) {
        let structure = Structure::Attribute(MFT, AttributeKind::BITMAP);
        let all = self.volume.records();
        let bytes = self.with_file(MFT, map, |file, _| {
            let parts = file.stream(AttributeKind::BITMAP, &[]);
            let offset = parts.first().map_or(0, |part| part.offset);
            let size = parts.first().map_or(0, |part| part.size());
            if size.saturating_mul(8) < all || !size.is_multiple_of(8) {
                let expected = Expected::AtLeast(all.div_ceil(64) * 8);
                found.number(Rule::Mft, (structure, offset), "bytes", expected, size);
            }
            // What Windows adds beforehand is never more than this.
            self.value(parts, all / 8 + (1 << 20), found)
        });
        let Some(bytes) = bytes.flatten() else { return };
        let mut differences = Differences::default();
        let mut zeroed = false;
        let mut tell = |records, marked| {
            let (rule, what) = match marked {
                true => (Rule::LostRecord, "is marked as in use and is not"),
                false => (Rule::UnmarkedRecord, "is in use and not marked"),
            };
            found.add(rule, Subject::Records(records), None, Problem::Is(what));
        };
        for (word, eight) in (0_u64..).zip(bytes.chunks(8)) {
            let actual = word_of(eight);
            let mut expected = 0;
            for bit in 0..64 {
                let state = map.state(RecordNumber(word * 64 + bit));
                zeroed |= state.is(flag::ZEROS) && actual >> bit & 1 == 1;
                // Of a broken record the bitmap knows best.
                let used = if state.is(flag::BROKEN) {
                    actual >> bit & 1 == 1
                } else {
                    state.is(flag::IN_USE)
                };
                expected |= u64::from(used) << bit;
            }
            differences.compare(word * 64, expected, actual, &mut tell);
        }
        differences.end(&mut tell);
        found.worn.zeroed = zeroed;
    }

    /// `$MFT` is where the boot sector says, without holes.
    pub(super) fn check_mft(&self, found: &mut Findings) {
        let structure = Structure::Attribute(MFT, AttributeKind::DATA);
        let at = self.volume.place_of(MFT);
        let mft: &Clusters = self.volume.mft();
        let first = mft.runs().first().and_then(|run| run.lcn).map_or(0, |lcn| lcn.0);
        let clusters = (self.geometry.mft.0, first);
        found.equal(Rule::Mft, (structure, at), "first cluster", clusters);
        if mft.runs().iter().any(|run| run.lcn.is_none()) {
            found.structure(Rule::Mft, structure, at, "has a hole");
        }
        let size = u64::from(self.geometry.record_size);
        if !mft.size().is_multiple_of(size) {
            let expected = Expected::MultipleOf(size);
            found.number(Rule::Mft, (structure, at), "bytes of value", expected, mft.size());
        }
    }
}

/// Up to eight bytes of a bitmap.
pub(super) fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    u64::from_le_bytes(word)
}
