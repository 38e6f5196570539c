//! The decoder proper: items to bytes.
#![expect(clippy::indexing_slicing, reason = "every match is checked against the chunk first")]

use super::bits::{BackwardBits, Ended};
use super::build::Scratch;
use super::code::{AdaptiveCode, Entry, extra_bits, plain_entries, slot_entries, symbol};
use super::copy::{append_delta, append_lz};
use super::layout::{
    LENGTH_SLOTS, LENGTHS, LITERALS, LONG_INTERVAL, MAX_OFFSETS, OFFSET_SLOTS, POWERS, RECENT,
    SHORT_INTERVAL, UNIT, offset_symbols,
};
use super::range::{DecisionClass, RangeDecoder, State};
use super::recent::RecentQueue;
use super::x86::Filter;
use crate::{DecompressError, Fault, Format};

static LITERAL_ENTRIES: [Entry; LITERALS] = plain_entries();
static POWER_ENTRIES: [Entry; POWERS] = plain_entries();
static LENGTH_ENTRIES: [Entry; LENGTHS] = slot_entries(&LENGTH_SLOTS);
static OFFSET_ENTRIES: [Entry; MAX_OFFSETS] = slot_entries(&OFFSET_SLOTS);

/// Decompresses LZMS chunks; all memory is allocated when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    /// Largest chunk in bytes.
    limit: usize,
    models: Box<Models>,
    filter: Filter,
}

impl Decoder {
    /// Makes a decoder for chunks of at most `chunk_size` bytes.
    pub(crate) fn new(chunk_size: u32) -> Self {
        Self { limit: chunk_size as usize, models: Box::new(Models::new()), filter: Filter::new() }
    }

    /// Decompresses `input` into exactly `output.len()` bytes.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), DecompressError> {
        let error = |(offset, fault)| DecompressError { format: Format::Lzms, offset, fault };
        let expected = output.len();
        if expected > self.limit {
            return Err(error((0, Fault::OutputTooLarge { expected, limit: self.limit })));
        }
        let items = Items::new(&mut self.models, input, expected).map_err(error)?;
        items.decode(output).map_err(error)?;
        self.filter.decode(output);
        Ok(())
    }
}

/// Everything that adapts to the data.
#[derive(Clone, Debug)]
struct Models {
    classes: Classes,
    literals: AdaptiveCode<LITERALS, 1024>,
    lengths: AdaptiveCode<LENGTHS, 512>,
    offsets: AdaptiveCode<MAX_OFFSETS, 2048>,
    delta_offsets: AdaptiveCode<MAX_OFFSETS, 2048>,
    powers: AdaptiveCode<POWERS, 128>,
    scratch: Scratch,
}

impl Models {
    const fn new() -> Self {
        Self {
            classes: Classes::INITIAL,
            literals: AdaptiveCode::new(&LITERAL_ENTRIES, LONG_INTERVAL),
            lengths: AdaptiveCode::new(&LENGTH_ENTRIES, SHORT_INTERVAL),
            offsets: AdaptiveCode::new(&OFFSET_ENTRIES, LONG_INTERVAL),
            delta_offsets: AdaptiveCode::new(&OFFSET_ENTRIES, LONG_INTERVAL),
            powers: AdaptiveCode::new(&POWER_ENTRIES, SHORT_INTERVAL),
            scratch: Scratch::new(),
        }
    }

    /// Prepares for a chunk of `size` bytes.
    fn reset(&mut self, size: usize) {
        let offsets = offset_symbols(size);
        self.classes = Classes::INITIAL;
        self.literals.reset(LITERALS, &mut self.scratch);
        self.lengths.reset(LENGTHS, &mut self.scratch);
        self.offsets.reset(offsets, &mut self.scratch);
        self.delta_offsets.reset(offsets, &mut self.scratch);
        self.powers.reset(POWERS, &mut self.scratch);
    }
}

/// The decisions between items.
#[derive(Clone, Debug)]
struct Classes {
    /// Literal, or match?
    is_match: DecisionClass<16>,
    /// LZ match, or delta match?
    is_delta: DecisionClass<32>,
    lz: SourceClasses,
    delta: SourceClasses,
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
struct SourceClasses {
    /// New source, or recent one?
    is_recent: DecisionClass<64>,
    /// For each recent source but the last: this one, or a later one?
    is_later: [DecisionClass<64>; RECENT - 1],
}

impl SourceClasses {
    const INITIAL: Self = Self {
        is_recent: DecisionClass::INITIAL,
        is_later: [DecisionClass::INITIAL, DecisionClass::INITIAL],
    };
}

/// The states of [`SourceClasses`].
#[derive(Clone, Copy, Debug, Default)]
struct SourceStates {
    is_recent: State,
    is_later: [State; RECENT - 1],
}

/// Kinds of items, as far as recent sources care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Literal,
    Lz,
    Delta,
}

/// Source of a delta match: the bytes compared are `2^power` apart, and so are `raw_offset` steps back.
#[derive(Clone, Copy, Debug)]
struct DeltaSource {
    power: u32,
    raw_offset: u32,
}

impl DeltaSource {
    const fn nearest(raw_offset: u32) -> Self {
        Self { power: 0, raw_offset }
    }
}

/// One step of the output.
#[derive(Clone, Copy, Debug)]
enum Item {
    Literal(u8),
    Lz { offset: u32, length: u32 },
    Delta { source: DeltaSource, length: u32 },
}

/// Byte position in the input, and what is wrong.
type Failure = (usize, Fault);

/// The items of one chunk. Kept by value while decoding, so that most of it lives in registers.
struct Items<'a> {
    models: &'a mut Models,
    range: RangeDecoder<'a>,
    bits: BackwardBits<'a>,
    is_match: State,
    is_delta: State,
    lz: SourceStates,
    delta: SourceStates,
    recent_lz: RecentQueue<u32>,
    recent_delta: RecentQueue<DeltaSource>,
    /// Kind of the item before.
    previous: Kind,
}

impl<'a> Items<'a> {
    /// The items of a chunk of `size` bytes.
    fn new(models: &'a mut Models, input: &'a [u8], size: usize) -> Result<Self, Failure> {
        let bad_size = |rule| (input.len(), Fault::BadInputSize { size: input.len(), rule });
        if input.len() % UNIT != 0 {
            return Err(bad_size("it should be even"));
        }
        let Some(range) = RangeDecoder::new(input) else {
            return Err(bad_size("it should be at least 4"));
        };
        models.reset(size);
        Ok(Self {
            models,
            range,
            bits: BackwardBits::new(input),
            is_match: 0,
            is_delta: 0,
            lz: SourceStates::default(),
            delta: SourceStates::default(),
            recent_lz: RecentQueue::new([1, 2, 3, 4]),
            recent_delta: RecentQueue::new([1, 2, 3, 4].map(DeltaSource::nearest)),
            previous: Kind::Literal,
        })
    }

    /// Decodes all items into `out`.
    fn decode(mut self, out: &mut [u8]) -> Result<(), Failure> {
        let (mut at, mut item_start) = (0, 0);
        while at < out.len() {
            item_start = at;
            match self.next() {
                Ok(Item::Literal(byte)) => {
                    out[at] = byte;
                    at += 1;
                }
                Ok(Item::Lz { offset, length }) => {
                    let offset = self.check(u64::from(offset), length, at, out.len())?;
                    append_lz(out, at, offset, length as usize);
                    at += length as usize;
                }
                Ok(Item::Delta { source, length }) => {
                    let (power, raw) = (source.power, u64::from(source.raw_offset));
                    let reach = self.check((raw + 1) << power, length, at, out.len())?;
                    append_delta(out, at, reach - (1 << power), power, length as usize);
                    at += length as usize;
                }
                Err(Ended) => return Err(self.ended(at, out.len())),
            }
        }
        if self.bits.overrun() { Err(self.ended(item_start, out.len())) } else { Ok(()) }
    }

    /// Checks that a match reaches neither before nor behind the chunk; returns its reach back.
    #[inline(always)]
    fn check(&self, reach: u64, length: u32, at: usize, size: usize) -> Result<usize, Failure> {
        match usize::try_from(reach) {
            Ok(reach) if reach <= at && length as usize <= size - at => Ok(reach),
            _ => Err(self.bad_match(reach, length, at, size)),
        }
    }

    #[cold]
    fn bad_match(&self, reach: u64, length: u32, at: usize, size: usize) -> Failure {
        let match_offset = usize::try_from(reach).unwrap_or(usize::MAX);
        if self.bits.overrun() {
            self.ended(at, size)
        } else if match_offset > at {
            let fault = Fault::OffsetTooLarge { match_offset, produced: at };
            (self.bits.position(), fault)
        } else {
            let fault = Fault::MatchTooLong { length: length as usize, remaining: size - at };
            (self.bits.position(), fault)
        }
    }

    #[cold]
    fn ended(&self, produced: usize, expected: usize) -> Failure {
        (self.bits.position(), Fault::InputTooShort { produced, expected })
    }

    /// Decodes one item.
    #[inline(always)]
    fn next(&mut self) -> Result<Item, Ended> {
        let classes = &mut self.models.classes;
        if !self.range.bit(&mut classes.is_match, &mut self.is_match)? {
            self.bits.refill()?;
            let models = &mut *self.models;
            let entry = models.literals.decode(&mut self.bits, &mut models.scratch);
            self.previous = Kind::Literal;
            Ok(Item::Literal(symbol(entry) as u8))
        } else if !self.range.bit(&mut classes.is_delta, &mut self.is_delta)? {
            let offset = self.lz_offset()?;
            let length = self.length()?;
            self.previous = Kind::Lz;
            Ok(Item::Lz { offset, length })
        } else {
            let source = self.delta_source()?;
            let length = self.length()?;
            self.previous = Kind::Delta;
            Ok(Item::Delta { source, length })
        }
    }

    #[inline(always)]
    fn lz_offset(&mut self) -> Result<u32, Ended> {
        let recent = recent_index(&mut self.range, &mut self.models.classes.lz, &mut self.lz)?;
        if let Some(index) = recent {
            return Ok(self.recent_lz.reuse(index, self.previous == Kind::Lz));
        }
        self.bits.refill()?;
        let models = &mut *self.models;
        let entry = models.offsets.decode(&mut self.bits, &mut models.scratch);
        let offset = OFFSET_SLOTS[symbol(entry)].base + self.bits.take(extra_bits(entry));
        self.recent_lz.push(offset);
        Ok(offset)
    }

    #[inline(always)]
    fn delta_source(&mut self) -> Result<DeltaSource, Ended> {
        let classes = &mut self.models.classes.delta;
        if let Some(index) = recent_index(&mut self.range, classes, &mut self.delta)? {
            return Ok(self.recent_delta.reuse(index, self.previous == Kind::Delta));
        }
        self.bits.refill()?;
        let models = &mut *self.models;
        let power = models.powers.decode(&mut self.bits, &mut models.scratch);
        self.bits.refill()?;
        let entry = models.delta_offsets.decode(&mut self.bits, &mut models.scratch);
        let raw_offset = OFFSET_SLOTS[symbol(entry)].base + self.bits.take(extra_bits(entry));
        let source = DeltaSource { power: symbol(power) as u32, raw_offset };
        self.recent_delta.push(source);
        Ok(source)
    }

    #[inline(always)]
    fn length(&mut self) -> Result<u32, Ended> {
        self.bits.refill()?;
        let models = &mut *self.models;
        let entry = models.lengths.decode(&mut self.bits, &mut models.scratch);
        Ok(LENGTH_SLOTS[symbol(entry)].base + self.bits.take(extra_bits(entry)))
    }
}

/// Which recent source a match uses; `None` for a new one.
#[inline(always)]
fn recent_index(
    range: &mut RangeDecoder<'_>,
    classes: &mut SourceClasses,
    states: &mut SourceStates,
) -> Result<Option<usize>, Ended> {
    if !range.bit(&mut classes.is_recent, &mut states.is_recent)? {
        return Ok(None);
    }
    for (index, class) in classes.is_later.iter_mut().enumerate() {
        if !range.bit(class, &mut states.is_later[index])? {
            return Ok(Some(index));
        }
    }
    Ok(Some(RECENT - 1))
}
