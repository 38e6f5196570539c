//! For tests: LZMS in its plainest form, item by item and byte by byte, with an encoder that can write
//! every stream the format allows, and some it does not.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "test code: a panic fails the test"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::layout::{
    INITIAL_HISTORY, LENGTH_SLOTS, LENGTHS, LITERALS, LONG_INTERVAL, OFFSET_SLOTS, POWERS,
    SHORT_INTERVAL, Slot, offset_symbols,
};

/// Where a match takes its bytes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<T> {
    New(T),
    Recent(usize),
}

/// One item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Literal(u8),
    /// Offset and length.
    Lz(Source<u32>, u32),
    /// (Power, raw offset) and length.
    Delta(Source<(u32, u32)>, u32),
}

/// Codeword lengths by the textbook algorithm.
pub(super) fn reference_lens(freqs: &[u16]) -> Vec<u8> {
    let mut sorted: Vec<_> = freqs.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    // Of equal weights leaves come before sums, and older sums before younger ones.
    let mut heap: BinaryHeap<_> =
        (sorted.iter().zip(0..)).map(|(&(freq, _), n)| Reverse((u32::from(freq), n))).collect();
    let mut parents = vec![0; sorted.len()];
    while heap.len() > 1 {
        let Reverse((a, first)) = heap.pop().unwrap();
        let Reverse((b, second)) = heap.pop().unwrap();
        let sum = parents.len();
        parents.push(0);
        parents[first] = sum;
        parents[second] = sum;
        heap.push(Reverse((a + b, sum)));
    }
    let root = parents.len() - 1;
    let mut depths: Vec<u8> = (0..sorted.len())
        .map(|leaf| {
            let path = std::iter::successors(Some(leaf), |&node| Some(parents[node]));
            path.take_while(|&node| node != root).map(|_| 1).sum()
        })
        .collect();
    depths.sort_unstable_by_key(|&depth| Reverse(depth));
    let mut lens = vec![0; freqs.len()];
    for ((_, symbol), depth) in sorted.into_iter().zip(depths) {
        lens[symbol] = depth;
    }
    lens
}

/// The queue of recent sources as the format has it: three that can be named, one that waits.
pub(super) struct DelayedQueue<T> {
    queue: Vec<T>,
    waiting: Option<T>,
}

impl<T: Copy> DelayedQueue<T> {
    pub(super) fn new(sources: [T; 4]) -> Self {
        Self { queue: sources.to_vec(), waiting: None }
    }

    /// The source that this index names now.
    pub(super) fn peek(&self, index: usize) -> T {
        self.queue[index]
    }

    /// One item; `None` if it is of another kind. Returns its source.
    pub(super) fn item(&mut self, source: Option<Source<T>>) -> Option<T> {
        let source = source.map(|source| match source {
            Source::New(source) => source,
            Source::Recent(index) => self.queue.remove(index),
        });
        if let Some(waiting) = std::mem::replace(&mut self.waiting, source) {
            self.queue.insert(0, waiting);
            self.queue.truncate(4);
        }
        source
    }
}

/// An adaptive code.
struct Code {
    freqs: Vec<u16>,
    codewords: Vec<(u32, u8)>,
    interval: u32,
    left: u32,
}

impl Code {
    fn new(symbols: usize, interval: u32) -> Self {
        let mut code =
            Self { freqs: vec![1; symbols], codewords: vec![], interval, left: interval };
        code.build();
        code
    }

    fn build(&mut self) {
        let lens = reference_lens(&self.freqs);
        let mut order: Vec<_> = (0..lens.len()).collect();
        order.sort_by_key(|&symbol| lens[symbol]);
        let (mut next, mut last_len) = (0, 0);
        self.codewords = vec![(0, 0); lens.len()];
        for symbol in order {
            next <<= lens[symbol] - last_len;
            last_len = lens[symbol];
            self.codewords[symbol] = (next, last_len);
            next += 1;
        }
    }

    fn put(&mut self, bits: &mut Vec<bool>, symbol: usize) {
        let (codeword, len) = self.codewords[symbol];
        put_bits(bits, codeword, len);
        self.freqs[symbol] += 1;
        self.left -= 1;
        if self.left == 0 {
            self.build();
            self.left = self.interval;
            for freq in &mut self.freqs {
                *freq = *freq / 2 + 1;
            }
        }
    }

    fn put_slot(&mut self, bits: &mut Vec<bool>, slots: &[Slot], value: u32) {
        let symbol = slots.partition_point(|slot| slot.base <= value) - 1;
        self.put(bits, symbol);
        put_bits(bits, value - slots[symbol].base, slots[symbol].extra_bits);
    }
}

fn put_bits(bits: &mut Vec<bool>, value: u32, len: u8) {
    bits.extend((0..len).rev().map(|n| value >> n & 1 == 1));
}

/// A decision class: its state, and each state's last 64 bits.
struct Class {
    state: usize,
    histories: Vec<u64>,
}

impl Class {
    fn new(states: usize) -> Self {
        Self { state: 0, histories: vec![INITIAL_HISTORY; states] }
    }
}

/// The forward stream.
struct RangeEncoder {
    units: Vec<u16>,
    low: u32,
    range: u32,
}

impl RangeEncoder {
    fn put(&mut self, class: &mut Class, bit: bool) {
        if self.range <= 0xFFFF {
            self.units.push((self.low >> 16) as u16);
            self.low <<= 16;
            self.range <<= 16;
        }
        let history = &mut class.histories[class.state];
        let bound = (self.range >> 6) * history.count_zeros().clamp(1, 63);
        if bit {
            let (low, carry) = self.low.overflowing_add(bound);
            self.low = low;
            self.range -= bound;
            for unit in self.units.iter_mut().rev().take_while(|_| carry) {
                *unit = unit.wrapping_add(1);
                if *unit != 0 {
                    break;
                }
            }
        } else {
            self.range = bound;
        }
        *history = *history << 1 | u64::from(bit);
        class.state = (class.state << 1 | usize::from(bit)) % class.histories.len();
    }

    fn finish(mut self) -> Vec<u16> {
        self.units.extend([(self.low >> 16) as u16, self.low as u16]);
        self.units
    }
}

/// Encodes items for a chunk of `size` bytes, whether they make sense or not.
pub(super) fn encode(steps: &[Step], size: usize) -> Vec<u8> {
    let mut range = RangeEncoder { units: vec![], low: 0, range: u32::MAX };
    let mut bits = vec![];
    let mut is_match = Class::new(16);
    let mut is_delta = Class::new(32);
    let mut sources: [[Class; 3]; 2] =
        std::array::from_fn(|_| std::array::from_fn(|_| Class::new(64)));
    let mut literals = Code::new(LITERALS, LONG_INTERVAL);
    let mut lengths = Code::new(LENGTHS, SHORT_INTERVAL);
    let mut offsets = Code::new(offset_symbols(size), LONG_INTERVAL);
    let mut delta_offsets = Code::new(offset_symbols(size), LONG_INTERVAL);
    let mut powers = Code::new(POWERS, SHORT_INTERVAL);
    for &step in steps {
        range.put(&mut is_match, !matches!(step, Step::Literal(_)));
        if !matches!(step, Step::Literal(_)) {
            range.put(&mut is_delta, matches!(step, Step::Delta(..)));
        }
        let (kind, recent) = match step {
            Step::Literal(byte) => {
                literals.put(&mut bits, usize::from(byte));
                continue;
            }
            Step::Lz(Source::Recent(index), _) => (0, Some(index)),
            Step::Delta(Source::Recent(index), _) => (1, Some(index)),
            Step::Lz(Source::New(_), _) => (0, None),
            Step::Delta(Source::New(_), _) => (1, None),
        };
        let [is_recent, not_first, not_second] = &mut sources[kind];
        range.put(is_recent, recent.is_some());
        if let Some(index) = recent {
            range.put(not_first, index > 0);
            if index > 0 {
                range.put(not_second, index > 1);
            }
        }
        match step {
            Step::Lz(source, length) => {
                if let Source::New(offset) = source {
                    offsets.put_slot(&mut bits, &OFFSET_SLOTS, offset);
                }
                lengths.put_slot(&mut bits, &LENGTH_SLOTS, length);
            }
            Step::Delta(source, length) => {
                if let Source::New((power, raw_offset)) = source {
                    powers.put(&mut bits, power as usize);
                    delta_offsets.put_slot(&mut bits, &OFFSET_SLOTS, raw_offset);
                }
                lengths.put_slot(&mut bits, &LENGTH_SLOTS, length);
            }
            Step::Literal(_) => {}
        }
    }
    bits.resize(bits.len().next_multiple_of(16), false);
    let mut units = range.finish();
    units.extend(
        bits.chunks(16)
            .rev()
            .map(|unit| unit.iter().fold(0, |value, &bit| value << 1 | u16::from(bit))),
    );
    units.into_iter().flat_map(u16::to_le_bytes).collect()
}

/// Makes sensible items out of anything: those that have no meaning become literals. Returns them and
/// the bytes they stand for, before the filter.
pub(super) fn make_sense(steps: &[Step], size_limit: usize) -> (Vec<Step>, Vec<u8>) {
    let mut lz = DelayedQueue::new([1u32, 2, 3, 4]);
    let mut delta = DelayedQueue::new([(0u32, 1u32), (0, 2), (0, 3), (0, 4)]);
    let (mut kept, mut out) = (vec![], Vec::<u8>::new());
    for &step in steps {
        let room = (size_limit - out.len()) as u32;
        if room == 0 {
            break;
        }
        let at = out.len() as u32;
        let step = match step {
            Step::Lz(Source::New(random), length) if at > 0 => {
                Step::Lz(Source::New(1 + random % at), length.min(room))
            }
            Step::Lz(Source::Recent(index), length) if lz.peek(index) <= at => {
                Step::Lz(Source::Recent(index), length.min(room))
            }
            Step::Delta(Source::New((power, random)), length) if at >> power >= 2 => {
                let raw_offset = 1 + random % ((at >> power) - 1);
                Step::Delta(Source::New((power, raw_offset)), length.min(room))
            }
            Step::Delta(Source::Recent(index), length)
                if (delta.peek(index).1 + 1) << delta.peek(index).0 <= at =>
            {
                Step::Delta(Source::Recent(index), length.min(room))
            }
            Step::Literal(byte) => Step::Literal(byte),
            Step::Lz(..) => Step::Literal(0x48),
            Step::Delta(..) => Step::Literal(0xE8),
        };
        kept.push(step);
        let (lz_source, delta_source, length) = match step {
            Step::Literal(byte) => {
                out.push(byte);
                (None, None, 0)
            }
            Step::Lz(source, length) => (Some(source), None, length),
            Step::Delta(source, length) => (None, Some(source), length),
        };
        let offset = lz.item(lz_source);
        let raw = delta.item(delta_source);
        for _ in 0..length {
            let at = out.len();
            out.push(match (offset, raw) {
                (Some(offset), _) => out[at - offset as usize],
                (None, Some((power, raw_offset))) => {
                    let (span, offset) = (1 << power, (raw_offset as usize) << power);
                    let difference = out[at - offset].wrapping_sub(out[at - offset - span]);
                    out[at - span].wrapping_add(difference)
                }
                (None, None) => unreachable!("literals have no length"),
            });
        }
    }
    (kept, out)
}

/// The filter, byte after byte.
pub(super) fn unfilter(chunk: &mut [u8]) {
    let size = chunk.len() as i64;
    if size <= 17 {
        return;
    }
    let mut last_use = vec![-65536i64; 65536];
    let mut last_x86 = -1024;
    let mut i = 1;
    while i < size - 16 {
        let at = i as usize;
        let (opcode, max) = match chunk[at..at + 3] {
            [0xE8, ..] => (1, 511),
            [0xE9, ..] => {
                i += 5;
                continue;
            }
            [0xFF, 0x15, _] => (2, 1023),
            [0xF0, 0x83, 0x05] => (3, 1023),
            [0x48 | 0x4C, 0x8D, modrm] if modrm & 7 == 5 => (3, 1023),
            [0x48, 0x8B, 0x05 | 0x0D] => (3, 1023),
            _ => {
                i += 1;
                continue;
            }
        };
        let operand = &mut chunk[at + opcode..at + opcode + 4];
        let mut value = u32::from_le_bytes([operand[0], operand[1], operand[2], operand[3]]);
        if i - last_x86 <= max {
            value = value.wrapping_sub(i as u32);
            operand.copy_from_slice(&value.to_le_bytes());
        }
        let target = usize::from((i as u16).wrapping_add(value as u16));
        let end = i + opcode as i64 + 3;
        if end - last_use[target] <= 65535 {
            last_x86 = end;
        }
        last_use[target] = end;
        i = end + 1;
    }
}

/// Bytes with many instructions that the filter knows, most of which name one of a few places.
pub(super) fn code_like(len: usize, seed: u64) -> Vec<u8> {
    const OPCODES: [&[u8]; 9] = [
        &[0xE8],
        &[0xE9],
        &[0xFF, 0x15],
        &[0xF0, 0x83, 0x05],
        &[0x48, 0x8D, 0x05],
        &[0x4C, 0x8D, 0x2D],
        &[0x48, 0x8B, 0x0D],
        &[0x48, 0x8B, 0x45],
        &[0xE8, 0xE8],
    ];
    let mut state = seed;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut bytes: Vec<u8> = vec![];
    while bytes.len() < len {
        let r = random();
        if r % 3 == 0 {
            let opcode = OPCODES[(r >> 8) as usize % OPCODES.len()];
            let place = 0x1000 * (random() % 40);
            bytes.extend(opcode);
            bytes.extend(place.wrapping_sub(bytes.len() as u32).to_le_bytes());
        } else if r % 1009 == 1 {
            bytes.resize(bytes.len() + (r >> 10) as usize % 3000, 0);
        } else {
            bytes.push((r >> 8) as u8);
        }
    }
    bytes.truncate(len);
    bytes
}
