//! The fast levels, for chunks of up to 64 KiB: one lazy pass over the chunk that probes hash tables
//! small enough for the second-level cache and packs what it chooses, ready to be written.
#![expect(clippy::cast_possible_wrap, reason = "lengths, bits and costs are far below the limits")]

mod costs;
mod items;
mod parse;
mod write;

use std::fmt;

use super::State;
use super::block::Codes;
use super::split::Splitter;
use crate::lzx::{e8, layout};
use crate::matchfinder::probe::{Finder, HashBits, Large, SMALL_CHUNK, Small};
use crate::matchfinder::zeroed;
use items::Items;
use parse::Parser;
use write::Entries;

/// Chain steps of the lazy parse.
#[derive(Clone, Copy, Debug)]
enum Steps {
    Least,
    Few,
    Some,
}

/// The compressor of the fast levels.
pub(crate) struct FastEngine {
    window: u32,
    main_symbols: usize,
    steps: Steps,
    finder: Box<Finder>,
    items: Items,
    splitter: Splitter,
    entries: Box<Entries>,
}

impl fmt::Debug for FastEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { window, steps, .. } = self;
        f.debug_struct("FastEngine")
            .field("window", window)
            .field("steps", steps)
            .finish_non_exhaustive()
    }
}

/// Matches of this many bytes are taken without looking further.
const NICE: usize = 96;

impl FastEngine {
    /// A compressor for chunks of at most `window` bytes, which must not exceed 64 KiB.
    pub(super) fn new(window: u32, level: u32) -> Self {
        let main_symbols = layout::main_symbols(window);
        Self {
            window,
            main_symbols,
            steps: match level {
                0..8 => Steps::Least,
                8..15 => Steps::Few,
                _ => Steps::Some,
            },
            finder: zeroed(),
            items: Items::new(),
            splitter: Splitter::new(),
            entries: Box::new(Entries::new()),
        }
    }

    pub(super) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        if input.len() < super::SMALLEST || input.len() > self.window as usize {
            return None;
        }
        if input.len() <= SMALL_CHUNK {
            self.parse::<Small>(input);
        } else {
            self.parse::<Large>(input);
        }
        self.splitter.split(&mut self.items.cuts);
        let mut state = State::new(output, input.len());
        let mut begin = (0, 0);
        for cell in &self.items.cuts {
            let codes = Codes::new(&cell.freqs, &state.lens, self.main_symbols);
            state.room = state.room.checked_sub(codes.bits())?;
            codes.write_header(cell.end - begin.0, self.window, &mut state.out);
            let items = self.items.items(begin.1, cell.sequences);
            self.entries.write(&codes, items, &mut state.out);
            state.lens = codes.lens;
            begin = (cell.end, cell.sequences);
        }
        state.out.finish()
    }

    fn parse<H: HashBits>(&mut self, input: &[u8]) {
        self.finder.load::<H>(input);
        e8::encode(self.finder.chunk_mut());
        self.items.begin();
        let parser = Parser { finder: &mut self.finder, items: &mut self.items, nice: NICE };
        match self.steps {
            Steps::Least => parser.run::<H, 1, 0>(),
            Steps::Few => parser.run::<H, 2, 1>(),
            Steps::Some => parser.run::<H, 3, 2>(),
        }
    }
}
