//! Reading the bit stream of XPRESS and LZX: 16-bit little-endian units, high bit first.
//!
//! [`UnitReader`] is exact: it knows where the input ends and what was read. [`FastBits`] is what a
//! decoder's inner loop keeps in registers while the input's end is far away.

use crate::units::{Source, Stored, SwapWindow, Swapped};

/// Bits that a refill leaves at least.
pub(crate) const REFILLED: u32 = 48;

/// A bit reader over the units of a chunk.
///
/// The next bit of the stream is the top bit of `bits`. Reading past the end of the input gives zero
/// bits, so that a codeword may be looked up with more bits than are left; [`Self::overrun`] tells
/// whether such bits were really consumed.
#[derive(Clone, Debug)]
pub(crate) struct UnitReader<'a> {
    input: &'a [u8],
    /// Byte position in `input` of the next unit to fetch.
    position: usize,
    /// Fetched bits, left-justified. Below the top `count` bits: see [`FastBits`].
    bits: u64,
    /// Number of fetched bits not yet consumed.
    count: u32,
    /// How many bits were made up behind the end of the input.
    made_up: u32,
}

impl<'a> UnitReader<'a> {
    /// A reader of the units of `input` from byte `position` on.
    pub(crate) const fn new(input: &'a [u8], position: usize) -> Self {
        Self { input, position, bits: 0, count: 0, made_up: 0 }
    }

    /// The whole input.
    pub(crate) const fn input(&self) -> &'a [u8] {
        self.input
    }

    /// Byte position of the next unit to fetch.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// The fetched bits, left-justified.
    #[inline(always)]
    pub(crate) const fn bits(&self) -> u64 {
        self.bits
    }

    /// Fetches units until at least [`REFILLED`] bits are there.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        if let Some(units) = Stored(self.input).from(self.position).units() {
            self.bits |= units >> self.count;
            self.position += ((self.count ^ 63) >> 3 & 6) as usize;
            self.count |= REFILLED;
        } else {
            self.refill_at_end();
        }
    }

    #[cold]
    fn refill_at_end(&mut self) {
        while self.count < REFILLED {
            let unit = match self.input.get(self.position..).and_then(<[u8]>::first_chunk) {
                Some(bytes) => {
                    self.position += 2;
                    u16::from_le_bytes(*bytes)
                }
                None => {
                    self.made_up += 16;
                    0
                }
            };
            self.bits |= u64::from(unit) << (REFILLED - self.count);
            self.count += 16;
        }
    }

    /// Consumes `n` fetched bits, at most [`REFILLED`] since the last refill.
    #[inline]
    pub(crate) const fn consume(&mut self, n: u32) {
        self.bits <<= n;
        self.count -= n;
    }

    /// Reads the next `n` bits, 1 to 32.
    #[inline(always)]
    pub(crate) fn read(&mut self, n: u32) -> u32 {
        self.refill();
        let value = top(self.bits, n);
        self.consume(n);
        value
    }

    /// Whether bits were consumed that the input does not have.
    #[inline]
    pub(crate) const fn overrun(&self) -> bool {
        self.made_up > self.count
    }

    /// Passes over the rest of the unit that bits were last taken from, or over a whole unit if none
    /// is begun, and puts everything behind it back.
    pub(crate) fn skip_to_unit(&mut self) {
        self.refill();
        let begun = self.count % 16;
        self.consume(if begun == 0 { 16 } else { begun });
        self.give_back(0);
    }

    /// Puts fetched units back until fewer than `keep + 16` bits are left.
    pub(crate) fn give_back(&mut self, keep: u32) {
        while self.count >= keep + 16 {
            self.count -= 16;
            if self.made_up > 0 {
                self.made_up -= 16;
            } else {
                self.position -= 2;
            }
        }
        self.bits &= mask(self.count);
    }

    /// Takes `n` bytes from the place of the next unit to fetch. The bits already fetched stay.
    pub(crate) fn raw_bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let bytes = self.input.get(self.position..)?.get(..n)?;
        self.position += n;
        Some(bytes)
    }

    /// The state for a fast loop, with at least [`REFILLED`] bits in it.
    #[inline(always)]
    pub(crate) fn begin_fast(&mut self) -> FastBits<Stored<'a>> {
        self.refill();
        let rest = Stored(self.input).from(self.position);
        FastBits { bits: self.bits, count: self.count, rest }
    }

    /// Takes the state of a fast loop over.
    #[inline(always)]
    pub(crate) const fn end_fast(&mut self, fast: FastBits<Stored<'a>>) {
        self.position = self.input.len() - fast.rest.0.len();
        self.count = fast.count & 63;
        self.bits = fast.bits;
    }

    /// The state for a fast loop over the next few units, which are put into `window`.
    #[inline(always)]
    pub(crate) fn begin_window<'w>(&mut self, window: &'w mut SwapWindow) -> FastBits<Swapped<'w>> {
        self.refill();
        let units = self.input.get(self.position..).unwrap_or_default();
        FastBits { bits: self.bits, count: self.count, rest: window.fill(units) }
    }

    /// Takes the state of a fast loop over that worked on a window of `len` bytes. Answers whether it
    /// stopped because the window, not the input, had no more units.
    #[inline(always)]
    pub(crate) fn end_window(&mut self, fast: FastBits<Swapped<'_>>, len: usize) -> bool {
        self.position += len - fast.rest.len();
        self.count = fast.count & 63;
        self.bits = fast.bits;
        fast.rest.units().is_none() && Stored(self.input).from(self.position).units().is_some()
    }
}

/// The bit buffer of a fast loop.
///
/// Below the top `count` bits the buffer may hold bits of units that do not count as fetched: the next
/// refill brings the same bits to the same place. That keeps refilling free of branches. Only the low
/// six bits of `count` have a meaning; carries and borrows above them are never cleaned away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FastBits<S> {
    pub(crate) bits: u64,
    count: u32,
    /// What follows the fetched units.
    rest: S,
}

impl<S: Source> FastBits<S> {
    /// Fetches as many units as there is room for. `false`, with nothing done, near the input's end.
    #[inline(always)]
    pub(crate) fn refill(&mut self) -> bool {
        let Some(units) = self.rest.units() else { return false };
        self.bits |= units.wrapping_shr(self.count);
        // Whole units that fit into the 63 - count free bits, in bytes.
        self.rest = self.rest.from(((self.count ^ 63) >> 3 & 6) as usize);
        self.count |= REFILLED;
        true
    }

    /// Consumes as many bits as the low six bits of `n` say.
    #[inline(always)]
    pub(crate) const fn consume(&mut self, n: u32) {
        self.bits = self.bits.wrapping_shl(n);
        self.count = self.count.wrapping_sub(n);
    }

    /// Whether at least `n` bits are fetched.
    #[inline(always)]
    pub(crate) const fn has(&self, n: u32) -> bool {
        self.count & 63 >= n
    }

    /// What follows the fetched units.
    #[inline(always)]
    pub(crate) const fn rest(&self) -> S {
        self.rest
    }

    /// Skips `n` bytes of what follows the fetched units.
    #[inline(always)]
    pub(crate) fn skip_bytes(&mut self, n: usize) {
        self.rest = self.rest.from(n);
    }
}

impl<'a> FastBits<Stored<'a>> {
    /// Puts fetched units back, to the `input` they came from, until fewer than 32 bits are left; at
    /// least 16 must be there.
    #[inline(always)]
    pub(crate) fn give_back_to_16(&mut self, input: &'a [u8]) {
        let count = self.count & 63;
        // 16 to 31 bits stay: everything above them, in units.
        let units = count / 16 - 1;
        self.rest = Stored(input).from(input.len() - self.rest.0.len() - 2 * units as usize);
        self.count = count % 16 + 16;
        self.bits &= mask(self.count);
    }
}

/// The top `count` bits, at most 63.
#[inline(always)]
const fn mask(count: u32) -> u64 {
    !(u64::MAX >> count)
}

/// The top `n` bits (1 to 32) of `bits`.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most 32 bits are left")]
pub(crate) const fn top(bits: u64, n: u32) -> u32 {
    (bits >> (64 - n)) as u32
}
