//! What a check remembers of the volume while it goes over it: about 50 bytes for each record, and a bit for each
//! cluster.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::bits::Bits;
use super::report::Summary;
use crate::{FileReference, RecordNumber, Structure};

/// Shared clusters whose owners are looked for.
const MOST_SHARED: usize = 100;

/// What is known of a record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// Of [`flag`].
    pub(super) flags: u16,
    pub(super) use_count: u16,
    /// The record it continues; with [`flag::EXTENSION`].
    pub(super) base: u32,
    /// The use count that has in its reference.
    pub(super) base_use_count: u16,
    /// Of a directory: the one it is in.
    pub(super) parent: u32,
    /// The security id.
    pub(super) security: u32,
    /// What the entries of the file should say, as [`Facts::digest`].
    pub(super) facts: u64,
}

/// What is known of a record, bit by bit.
pub(super) mod flag {
    /// It is in use, and its sectors were written together.
    pub(crate) const IN_USE: u16 = 1;
    /// Its header says it is a directory.
    pub(crate) const DIRECTORY: u16 = 2;
    /// Its header says it has another index.
    pub(crate) const VIEW_INDEX: u16 = 8;
    /// It continues another.
    pub(crate) const EXTENSION: u16 = 0x10;
    /// A list names it.
    pub(crate) const CLAIMED: u16 = 0x20;
    /// It has an index of names.
    pub(crate) const INDEX: u16 = 0x40;
    /// It is a directory with a name.
    pub(crate) const NAMED: u16 = 0x80;
    /// It cannot be read, or is torn: whether it is in use is not known.
    pub(crate) const BROKEN: u16 = 0x100;
    /// It is zeros: never used, or lost.
    pub(crate) const ZEROS: u16 = 0x200;
}

impl State {
    pub(super) const fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether it is the first record of a file.
    pub(super) const fn is_file(&self) -> bool {
        self.is(flag::IN_USE) && !self.is(flag::EXTENSION)
    }
}

/// What an entry of a directory repeats of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    /// Creation, write, change. The time of the last access is not kept.
    pub(super) times: [u64; 3],
    /// File attributes, without the flags that only names have.
    pub(super) attributes: u32,
    pub(super) allocated: u64,
    pub(super) size: u64,
    /// 0 without a reparse point.
    pub(super) tag: u32,
}

impl Facts {
    pub(super) fn digest(&self) -> u64 {
        digest(self)
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A name of a file, as its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameDigest {
    digest: u64,
    pub(super) record: u32,
}

/// The digest of a name: where it is, whose it is, and its length, namespace and units as they stand in `$FILE_NAME`.
pub(super) fn name_digest(directory: RecordNumber, file: FileReference, name: &[u8]) -> u64 {
    digest(&(directory, file, name))
}

/// All names of all files.
#[derive(Debug)]
pub(super) struct Names {
    all: Vec<NameDigest>,
    /// Which of them were found in their directory.
    found: Bits,
}

impl Default for Names {
    fn default() -> Self {
        Self { all: Vec::new(), found: Bits::new(0) }
    }
}

impl Names {
    pub(super) fn add(&mut self, digest: u64, record: u32) {
        self.all.push(NameDigest { digest, record });
    }

    /// When all are there.
    pub(super) fn sort(&mut self) {
        self.all.sort_unstable();
        self.found = Bits::new(self.all.len() as u64);
    }

    /// Marks a name as found; whether there was one that was not found yet.
    pub(super) fn find(&mut self, digest: u64) -> bool {
        let mut at = self.all.partition_point(|name| name.digest < digest);
        while self.all.get(at).is_some_and(|name| name.digest == digest) {
            if !self.found.set(at as u64) {
                return true;
            }
            at += 1;
        }
        false
    }

    /// The files of names that were not found, each once, and whether a name of this digest was found.
    pub(super) fn missing(&self) -> Vec<u32> {
        let lost = self.all.iter().enumerate().filter(|(at, _)| !self.found.get(*at as u64));
        let mut records: Vec<u32> = lost.map(|(_, name)| name.record).collect();
        records.sort_unstable();
        records.dedup();
        records
    }

    /// Whether a name was not found.
    pub(super) fn is_missing(&self, digest: u64) -> bool {
        let at = self.all.partition_point(|name| name.digest < digest);
        let same =
            self.all.get(at..).unwrap_or_default().iter().take_while(|name| name.digest == digest);
        same.enumerate().any(|(more, _)| !self.found.get((at + more) as u64))
    }
}

/// Clusters that belong to two values.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) clusters: Range<u64>,
    /// The value that was second, and where its attribute stands.
    pub(super) second: (Structure, u64),
    /// The one that was first, when it is known.
    pub(super) first: Option<Structure>,
}

/// Which clusters belong to something.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) clusters: Bits,
    pub(super) shared: Vec<Shared>,
    /// How often clusters were shared, those that are not in the list as well.
    pub(super) times_shared: u64,
}

impl Owned {
    pub(super) fn new(clusters: u64) -> Self {
        Self { clusters: Bits::new(clusters), shared: Vec::new(), times_shared: 0 }
    }

    /// Clusters belong to a value, whose attribute stands at `offset`.
    pub(super) fn take(&mut self, clusters: Range<u64>, structure: Structure, offset: u64) {
        let (shared, times) = (&mut self.shared, &mut self.times_shared);
        self.clusters.set_range(clusters, |range| {
            *times += 1;
            if shared.len() < MOST_SHARED {
                shared.push(Shared { clusters: range, second: (structure, offset), first: None });
            }
        });
    }
}

/// All that is remembered.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) states: Vec<State>,
    pub(super) names: Names,
    pub(super) owned: Owned,
    /// Tag of, and reference to, each reparse point.
    pub(super) reparse: Vec<(u32, FileReference)>,
    /// Each object id and the reference to its file.
    pub(super) objects: Vec<([u8; 16], FileReference)>,
    /// Files with an index that is none of names.
    pub(super) views: Vec<RecordNumber>,
    /// Files right in `$Extend`, by name.
    pub(super) extended: HashMap<Vec<u8>, RecordNumber>,
    /// Bytes of lists and indexes that are read at most: else a few clusters could be those of every file.
    pub(super) budget: u64,
    pub(super) summary: Summary,
}

impl Map {
    pub(super) fn new(records: u64, clusters: u64, cluster_size: u32) -> Self {
        let states = vec![State::default(); usize::try_from(records).unwrap_or(0)];
        Self {
            states,
            names: Names::default(),
            owned: Owned::new(clusters),
            reparse: Vec::new(),
            objects: Vec::new(),
            views: Vec::new(),
            extended: HashMap::new(),
            budget: clusters.saturating_mul(cluster_size.into()).saturating_mul(2),
            summary: Summary {
                all_records: records,
                all_clusters: clusters,
                cluster_size,
                ..Summary::default()
            },
        }
    }

    /// What is known of a record; nothing of one that is not there.
    pub(super) fn state(&self, number: RecordNumber) -> State {
        let place = usize::try_from(number.0).ok();
        place.and_then(|place| self.states.get(place)).copied().unwrap_or_default()
    }

    pub(super) fn state_mut(&mut self, number: RecordNumber) -> Option<&mut State> {
        let place = usize::try_from(number.0).ok()?;
        self.states.get_mut(place)
    }

    /// The reference to a record as it is now.
    pub(super) fn reference(&self, record: RecordNumber) -> FileReference {
        FileReference { record, use_count: self.state(record).use_count }
    }

    /// Takes bytes from the budget; whether there were as many.
    pub(super) const fn spend(&mut self, bytes: u64) -> bool {
        match self.budget.checked_sub(bytes) {
            Some(rest) => {
                self.budget = rest;
                true
            }
            None => false,
        }
    }

    /// Whether a directory is `$Extend`, or below it.
    pub(super) fn is_extended(&self, directory: RecordNumber) -> bool {
        let mut at = directory;
        for _ in 0..8 {
            if at == RecordNumber(11) {
                return true;
            }
            let state = self.state(at);
            if at == RecordNumber(5) || !state.is(flag::NAMED) {
                return false;
            }
            at = RecordNumber(state.parent.into());
        }
        false
    }
}
