//! Everything that adapts to the data while a chunk is decoded.

use super::build::Scratch;
use super::code::{AdaptiveCode, Entry, SYMBOL_LIMIT, bases, plain_entries, slot_entries};
use super::layout::{
    LENGTH_SLOTS, LENGTHS, LITERALS, LONG_INTERVAL, MAX_OFFSETS, OFFSET_SLOTS, POWERS, RECENT,
    SHORT_INTERVAL, offset_symbols,
};
use super::range::DecisionClass;
use super::recent::RecentQueue;

/// The smallest value of each offset slot.
pub(super) static OFFSET_BASES: [u32; SYMBOL_LIMIT] = bases(&OFFSET_SLOTS);
/// The smallest value of each length slot.
pub(super) static LENGTH_BASES: [u32; SYMBOL_LIMIT] = bases(&LENGTH_SLOTS);
static LITERAL_ENTRIES: [Entry; LITERALS] = plain_entries();
static POWER_ENTRIES: [Entry; POWERS] = plain_entries();
static LENGTH_ENTRIES: [Entry; LENGTHS] = slot_entries(&LENGTH_SLOTS);
static OFFSET_ENTRIES: [Entry; MAX_OFFSETS] = slot_entries(&OFFSET_SLOTS);

const INITIAL_LZ: RecentQueue<u32> = RecentQueue::new([1, 2, 3, 4]);
const INITIAL_DELTA: RecentQueue<DeltaSource> = RecentQueue::new([
    DeltaSource { power: 0, raw_offset: 1 },
    DeltaSource { power: 0, raw_offset: 2 },
    DeltaSource { power: 0, raw_offset: 3 },
    DeltaSource { power: 0, raw_offset: 4 },
]);

/// Everything that adapts to the data.
#[derive(Clone, Debug)]
pub(super) struct Models {
    pub(super) classes: Classes,
    pub(super) recent_lz: RecentQueue<u32>,
    pub(super) recent_delta: RecentQueue<DeltaSource>,
    /// Kind of the item before.
    pub(super) previous: Kind,
    pub(super) literals: AdaptiveCode<LITERALS, 1024>,
    pub(super) lengths: AdaptiveCode<LENGTHS, 512>,
    pub(super) offsets: AdaptiveCode<MAX_OFFSETS, 2048>,
    pub(super) delta_offsets: AdaptiveCode<MAX_OFFSETS, 2048>,
    pub(super) powers: AdaptiveCode<POWERS, 128>,
    pub(super) scratch: Scratch,
}

impl Models {
    /// Makes models that must be [reset](Self::reset) before use.
    pub(super) const fn new() -> Self {
        Self {
            classes: Classes::INITIAL,
            recent_lz: INITIAL_LZ,
            recent_delta: INITIAL_DELTA,
            previous: Kind::Literal,
            literals: AdaptiveCode::new(&LITERAL_ENTRIES, LONG_INTERVAL),
            lengths: AdaptiveCode::new(&LENGTH_ENTRIES, SHORT_INTERVAL),
            offsets: AdaptiveCode::new(&OFFSET_ENTRIES, LONG_INTERVAL),
            delta_offsets: AdaptiveCode::new(&OFFSET_ENTRIES, LONG_INTERVAL),
            powers: AdaptiveCode::new(&POWER_ENTRIES, SHORT_INTERVAL),
            scratch: Scratch::new(),
        }
    }

    /// Prepares for a chunk of `size` bytes.
    #[inline(never)]
    pub(super) fn reset(&mut self, size: usize) {
        let offsets = offset_symbols(size);
        self.classes = Classes::INITIAL;
        self.recent_lz = INITIAL_LZ;
        self.recent_delta = INITIAL_DELTA;
        self.previous = Kind::Literal;
        self.literals.reset(LITERALS, &mut self.scratch);
        self.lengths.reset(LENGTHS, &mut self.scratch);
        self.offsets.reset(offsets, &mut self.scratch);
        self.delta_offsets.reset(offsets, &mut self.scratch);
        self.powers.reset(POWERS, &mut self.scratch);
    }
}

/// The decisions between items.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    /// Literal, or match?
    pub(super) is_match: DecisionClass<16>,
    /// LZ match, or delta match?
    pub(super) is_delta: DecisionClass<32>,
    pub(super) lz: SourceClasses,
    pub(super) delta: SourceClasses,
}

impl Classes {
    const INITIAL: Self = Self {
        is_match: DecisionClass::INITIAL,
        is_delta: DecisionClass::INITIAL,
        lz: SourceClasses::INITIAL,
        delta: SourceClasses::INITIAL,
    };
}

/// The decisions between sources of one kind of match.
#[derive(Clone, Debug)]
pub(super) struct SourceClasses {
    /// New source, or recent one?
    pub(super) is_recent: DecisionClass<64>,
    /// For each recent source but the last: this one, or a later one?
    pub(super) is_later: [DecisionClass<64>; RECENT - 1],
}

impl SourceClasses {
    const INITIAL: Self = Self {
        is_recent: DecisionClass::INITIAL,
        is_later: [DecisionClass::INITIAL, DecisionClass::INITIAL],
    };
}

/// Kinds of items, as far as recent sources care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Literal,
    Lz,
    Delta,
}

/// Source of a delta match: the bytes compared are `2^power` apart, and so are `raw_offset` steps back.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeltaSource {
    pub(super) power: u32,
    pub(super) raw_offset: u32,
}
