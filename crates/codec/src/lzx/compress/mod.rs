//! The LZX compressor.

mod bits;
mod block;
mod cache;
mod cost;
mod lazy;
mod optimal;
mod pretree;
mod quick;
mod split;

use crate::Level;
use crate::lzx::{e8, layout};
use crate::matchfinder::links::{Effort, LinkFinder};
use crate::matchfinder::{Data, Large, PADDING, Size, Small};
use bits::BitWriter;
use block::{Codes, Lengths, Parse};
use lazy::Recent;

/// Compresses chunks of up to a window's size.
#[derive(Debug)]
pub(crate) enum LzxCompressor {
    Small(Box<Engine<Small>>),
    Large(Box<Engine<Large>>),
}

#[derive(Debug)]
pub(crate) struct Engine<S: Size> {
    window: u32,
    effort: Effort,
    data: S::Data,
    finder: LinkFinder<S>,
    parse: Parse,
    splitter: split::Splitter,
    passes: u32,
    piece: usize,
    jump: optimal::Jump,
    cache: cache::MatchCache,
    costs: Box<cost::Costs>,
    optimizer: optimal::Optimizer,
}

fn env(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

impl LzxCompressor {
    pub(crate) fn new(window: u32, level: Level) -> Self {
        if window <= 1 << 16 {
            Self::Small(Box::new(Engine::new(window, level)))
        } else {
            Self::Large(Box::new(Engine::new(window, level)))
        }
    }

    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        match self {
            Self::Small(engine) => engine.compress(input, output),
            Self::Large(engine) => engine.compress(input, output),
        }
    }
}

impl<S: Size> Engine<S> {
    fn new(window: u32, level: Level) -> Self {
        let size = window as usize;
        let Level(level) = level;
        let lazy = level < 35;
        let (depth, nice) = if lazy {
            (60 * level / 20, 80 * level / 20)
        } else {
            (24 * level / 50, 64 * level / 50)
        };
        let depth = env("DEPTH", depth);
        let nice = env("NICE", nice);
        Self {
            window,
            effort: Effort { depth, nice: nice as usize },
            data: S::Data::new(size),
            finder: LinkFinder::new(size),
            parse: Parse::new(),
            splitter: split::Splitter::new(layout::main_symbols(window), if lazy { 4096 } else { 2048 }),
            piece: env("PIECE", 0) as usize,
            passes: env("PASSES", if lazy { 0 } else { 2 }),
            jump: optimal::Jump {
                length: env("JUMP", nice) as usize,
                keep: env("KEEP", 8) as usize,
                margin: u64::from(env("MARGIN", 0) * cost::UNIT) << cost::COST_SHIFT,
            },
            cache: Default::default(),
            costs: Box::new(cost::Costs::new()),
            optimizer: optimal::Optimizer::new(),
        }
    }

    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        let len = input.len();
        if len < 100 {
            return None;
        }
        let bytes = self.data.bytes_mut();
        bytes[..len].copy_from_slice(input);
        bytes[len..len + PADDING].fill(0);
        e8::encode(&mut bytes[..len]);
        let room = output.len().min(len - 1);
        let mut out = BitWriter::new(&mut output[..room]);
        let mut old = Lengths::new();
        self.parse.clear();
        let mut recent = Recent(layout::INITIAL_RECENT);
        let main_symbols = layout::main_symbols(self.window);
        if self.passes > 0 {
            self.finder.link::<true>(&self.data, len);
        } else {
            self.finder.link::<false>(&self.data, len);
        }
        let data = &self.data;
        let bytes = data.bytes();
        if self.passes > 0 {
            self.cache.fill(&self.finder, data, 0, len, self.effort, self.jump.keep);
            quick::parse(data, (0, len), &self.cache, recent, &mut self.parse);
        } else {
            lazy::parse(&self.finder, data, (0, len), recent, self.effort, &mut self.parse);
        }
        let cells = self.splitter.split(&bytes[..len], 0, &self.parse);
        let mut start = 0;
        let mut first = 0;
        let mut first_seq = 0;
        let mut bits = 0;
        for cell in cells {
            if self.passes > 0 {
                self.costs.set(&cell.freqs, main_symbols);
                let piece = self.piece;
                if piece > 0 {
                    self.parse.clear();
                    let mut index = first;
                    let mut at = start;
                    let mut r = recent;
                    while at < cell.end {
                        let stop = (at + piece).min(cell.end);
                        r = self.optimizer.run(data, (at, stop), &self.cache, (0, index), &self.costs, r, optimal::Jump { margin: self.jump.margin + (2 * u64::from(cost::UNIT) << cost::COST_SHIFT), ..self.jump }, &mut self.parse);
                        let next = (at + 4096).min(cell.end);
                        index += self.cache.counts[at..next].iter().map(|&c| usize::from(c)).sum::<usize>();
                        at = next;
                    }
                    let mut mixed = cell.freqs.clone();
                    for (m, &s) in mixed.main.iter_mut().zip(&self.parse.freqs.main) { *m = *m + s * 4; }
                    for (m, &s) in mixed.length.iter_mut().zip(&self.parse.freqs.length) { *m = *m + s * 4; }
                    for (m, &s) in mixed.aligned.iter_mut().zip(&self.parse.freqs.aligned) { *m = *m + s * 4; }
                    self.costs.set(&mixed, main_symbols);
                }
                for pass in 0..self.passes {
                    if pass > 0 {
                        self.costs.set(&self.parse.freqs, main_symbols);
                    }
                    self.parse.clear();
                    let r = self.optimizer.run(
                        data,
                        (start, cell.end),
                        &self.cache,
                        (0, first),
                        &self.costs,
                        recent,
                        self.jump,
                        &mut self.parse,
                    );
                    if pass + 1 == self.passes {
                        recent = r;
                    }
                }
                let codes = Codes::new(&self.parse.freqs, &old, main_symbols);
                bits += codes.bits();
                if bits / 8 >= room as u64 {
                    return None;
                }
                codes.write_header(cell.end - start, self.window, &mut out);
                codes.write_body(&bytes[start..cell.end], &self.parse.sequences, &mut out);
                first += self.cache.counts[start..cell.end]
                    .iter()
                    .map(|&c| usize::from(c))
                    .sum::<usize>();
                old = codes.lens;
            } else {
                let codes = Codes::new(&cell.freqs, &old, main_symbols);
                bits += codes.bits();
                if bits / 8 >= room as u64 {
                    return None;
                }
                codes.write_header(cell.end - start, self.window, &mut out);
                codes.write_body(
                    &bytes[start..cell.end],
                    &self.parse.sequences[first_seq..cell.sequences],
                    &mut out,
                );
                first_seq = cell.sequences;
                old = codes.lens;
            }
            start = cell.end;
        }
        out.finish()
    }
}
