//! The LZX compressor.
//!
//! ```text
//!  chunk ─ E8 filter ─ links ─┬─ lazy parse ──────────────────────────────────┬─ split ─ codes ─ bits
//!                             └─ all matches ─ quick parse ─ split ─ forecast ─ cheapest path ┘
//! ```
//!
//! The fast levels have their own parse and finder for chunks up to 64 KiB, see [`fast`].
//!
//! All matches of a segment are found once and kept; a quick parse over them gives the first statistics,
//! by which the segment is cut into blocks and the first costs are set. The result depends on nothing
//! but the chunk and the settings, so that parallel captures are reproducible.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "positions lie in the chunk and symbols in their alphabets by construction; a wrong one \
              panics; chunks are at most 2 MiB, so positions and counts fit 32 bits"
)]

mod bits;
mod block;
mod cache;
mod cost;
mod fast;
mod forecast;
mod kind;
mod lazy;
mod optimal;
mod parse;
mod pretree;
mod prices;
mod quick;
mod settings;
mod split;

use crate::Level;
use crate::lzx::{e8, layout};
use crate::matchfinder::links::LinkFinder;
use crate::matchfinder::{Data, Large, PADDING, Size, Small};
use bits::BitWriter;
use block::Codes;
use cache::MatchCache;
use cost::Costs;
use fast::FastEngine;
use forecast::forecast;
use kind::Kind;
use lazy::{Lazy, Patience};
use optimal::{Block, Optimizer};
use parse::{Lengths, Parse, Recent};
use prices::Prices;
use settings::{FIRST_PATIENT, Optimal, Settings, Strategy};
use split::Splitter;

/// Chunks up to this size, in bytes, have 16-bit positions.
const SMALL_CHUNK: u32 = 1 << 16;
/// Larger chunks are parsed in segments of this many bytes, which bounds the match cache.
const SEGMENT: usize = 1 << 16;
/// Chunks smaller than this never get smaller than themselves: the code lengths alone take more.
const SMALLEST: usize = 32;

/// Compresses chunks of up to a window's size.
#[derive(Debug)]
pub(crate) enum LzxCompressor {
    /// Windows up to 64 KiB, fast levels.
    Fast(Box<FastEngine>),
    /// Windows up to 64 KiB.
    Small(Box<Engine<Small>>),
    /// Larger ones.
    Large(Box<Engine<Large>>),
}

impl LzxCompressor {
    /// A compressor for chunks of at most `window` bytes.
    pub(crate) fn new(window: u32, level: Level) -> Self {
        if window <= SMALL_CHUNK && level.0 < FIRST_PATIENT {
            Self::Fast(Box::new(FastEngine::new(window, level.0)))
        } else if window <= SMALL_CHUNK {
            Self::Small(Box::new(Engine::new(window, level)))
        } else {
            Self::Large(Box::new(Engine::new(window, level)))
        }
    }

    /// Compresses `input` into `output`, if it gets smaller.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        match self {
            Self::Fast(engine) => engine.compress(input, output),
            Self::Small(engine) => engine.compress(input, output),
            Self::Large(engine) => engine.compress(input, output),
        }
    }
}

/// The compressor for one size of tables.
#[derive(Debug)]
pub(crate) struct Engine<S: Size> {
    window: u32,
    main_symbols: usize,
    settings: Settings,
    data: S::Data,
    finder: LinkFinder<S>,
    parse: Parse,
    splitter: Splitter,
    cache: MatchCache,
    costs: Box<Costs>,
    optimizer: Optimizer,
    prices: Box<Prices>,
}

/// What goes over from block to block.
struct State<'a> {
    out: BitWriter<'a>,
    /// Room in `out`, in bits, not yet used up.
    room: u64,
    lens: Lengths,
    recent: Recent,
}

impl<S: Size> Engine<S> {
    fn new(window: u32, level: Level) -> Self {
        let size = window as usize;
        let main_symbols = layout::main_symbols(window);
        let settings = Settings::new(level);
        Self {
            window,
            main_symbols,
            settings,
            data: S::Data::new(size),
            finder: LinkFinder::new(size),
            parse: Parse::new(),
            splitter: Splitter::new(),
            cache: match settings.strategy {
                Strategy::Lazy(_) => MatchCache::default(),
                Strategy::Optimal(_) => MatchCache::new(size.min(SEGMENT)),
            },
            costs: Box::new(Costs::new(main_symbols)),
            optimizer: Optimizer::new(),
            prices: Box::new(Prices::new(main_symbols)),
        }
    }

    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        let len = input.len();
        if len < SMALLEST || len > self.window as usize {
            return None;
        }
        let bytes = self.data.bytes_mut();
        bytes[..len].copy_from_slice(input);
        bytes[len..len + PADDING].fill(0);
        e8::encode(&mut bytes[..len]);
        let pairs = match self.settings.strategy {
            Strategy::Lazy(patience) => patience.thorough,
            Strategy::Optimal(_) => true,
        };
        if pairs {
            self.finder.link::<true>(&self.data, len);
        } else {
            self.finder.link::<false>(&self.data, len);
        }
        let mut state = State::new(output, len);
        for start in (0..len).step_by(SEGMENT) {
            let end = (start + SEGMENT).min(len);
            self.parse.begin_cells((start, end), self.settings.cell_size);
            match self.settings.strategy {
                Strategy::Lazy(how) => self.lazy_segment((start, end), how, &mut state)?,
                Strategy::Optimal(how) => self.optimal_segment((start, end), how, &mut state)?,
            }
        }
        state.out.finish()
    }

    fn lazy_segment(
        &mut self,
        (start, end): (usize, usize),
        patience: Patience,
        state: &mut State<'_>,
    ) -> Option<()> {
        let mut lazy = Lazy {
            finder: &self.finder,
            data: &self.data,
            patience,
            prices: &mut self.prices,
            parse: &mut self.parse,
        };
        state.recent = if patience.thorough {
            lazy.run::<true>((start, end), state.recent)
        } else {
            lazy.run::<false>((start, end), state.recent)
        };
        self.parse.finish_cells();
        self.splitter.split(&mut self.parse.cuts);
        let bytes = self.data.bytes();
        let mut begin = (start, 0);
        for cell in &self.parse.cuts {
            let codes = Codes::new(&cell.freqs, &state.lens, self.main_symbols);
            let block = &bytes[begin.0..cell.end];
            let sequences = &self.parse.sequences[begin.1..cell.sequences];
            state.write(codes, self.window, block, sequences)?;
            begin = (cell.end, cell.sequences);
        }
        Some(())
    }

    fn optimal_segment(
        &mut self,
        (start, end): (usize, usize),
        how: Optimal,
        state: &mut State<'_>,
    ) -> Option<()> {
        self.cache.fill(&self.finder, &self.data, (start, end), how);
        quick::parse(&self.data, (start, end), &self.cache, state.recent, &mut self.parse);
        self.parse.finish_cells();
        self.splitter.split(&mut self.parse.cuts);
        let bytes = self.data.bytes();
        let mut block = Block { start, end, base: start, first: 0 };
        for cell in &self.parse.cuts {
            block.end = cell.end;
            let block_bytes = &bytes[block.start..block.end];
            let kind = Kind::of(block_bytes);
            self.costs.set(&forecast(&cell.freqs, kind, self.main_symbols));
            let (data, costs) = (&self.data, &mut self.costs);
            state.recent = self.optimizer.run(data, block, &self.cache, costs, state.recent, how);
            let parse = &self.optimizer.parse;
            let codes = Codes::new(&parse.freqs, &state.lens, self.main_symbols);
            state.write(codes, self.window, block_bytes, &parse.sequences)?;
            block.first += self.cache.count(block.start - start, block.end - start);
            block.start = block.end;
        }
        Some(())
    }
}

impl<'a> State<'a> {
    /// What a chunk of `len` bytes starts with.
    fn new(output: &'a mut [u8], len: usize) -> Self {
        let room = output.len().min(len - 1);
        Self {
            out: BitWriter::new(&mut output[..room]),
            room: room as u64 * 8,
            lens: Lengths::new(),
            recent: Recent(layout::INITIAL_RECENT),
        }
    }

    /// Writes a block, if it fits.
    fn write(
        &mut self,
        codes: Codes,
        window: u32,
        bytes: &[u8],
        sequences: &[parse::Sequence],
    ) -> Option<()> {
        self.room = self.room.checked_sub(codes.bits())?;
        codes.write_header(bytes.len(), window, &mut self.out);
        codes.write_body(bytes, sequences, &mut self.out);
        self.lens = codes.lens;
        Some(())
    }
}
