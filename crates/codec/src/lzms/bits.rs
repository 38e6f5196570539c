//! The backward stream: Huffman codewords and verbatim bits.
#![expect(clippy::indexing_slicing, reason = "positions are compared with the input first")]

/// The input has no more bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended;

/// Bits that a refill leaves at least.
pub(super) const REFILLED: u32 = 56;

/// Reads 16-bit little-endian units from the end of the input to its start, high bit first.
///
/// In other words: the whole input is one little-endian number, read from its top. Before the input's
/// first byte lie made-up zero bits, so that a codeword can be looked up with more bits than there
/// are; using them is an error that the next refill, or [`Self::overrun`], reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackwardBits<'a> {
    /// The bytes not yet fetched.
    rest: &'a [u8],
    /// Fetched bits, left-justified. Below the top `count` bits it may hold bits that do not count as
    /// fetched: the next refill brings the same bits to the same place.
    bits: u64,
    /// Fetched bits not yet consumed, at most 63.
    count: u32,
    /// How many fetched bits were made up.
    made_up: u32,
}

impl<'a> BackwardBits<'a> {
    /// A reader of all of `input`.
    pub(super) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input, bits: 0, count: 0, made_up: 0 }
    }

    /// The fetched bits, left-justified; at least [`REFILLED`] after a refill.
    #[inline(always)]
    pub(super) const fn bits(&self) -> u64 {
        self.bits
    }

    /// Byte position in the input down to which it has been fetched.
    pub(super) const fn position(&self) -> usize {
        self.rest.len()
    }

    /// Fetches at least as many bits as [`REFILLED`] says.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> Result<(), Ended> {
        if let Some(word) = self.rest.last_chunk() {
            self.bits |= u64::from_le_bytes(*word).wrapping_shr(self.count);
            // Whole bytes that fit into the 63 - count free bits.
            let bytes = (self.count ^ 63) >> 3 & 7;
            self.rest = &self.rest[..self.rest.len() - bytes as usize];
            self.count |= REFILLED;
            Ok(())
        } else {
            *self = self.refill_last()?;
            Ok(())
        }
    }

    /// [`Self::refill`] where fewer than eight bytes are left.
    ///
    /// Takes and gives copies: a reference would keep the caller from holding the reader in registers.
    #[cold]
    fn refill_last(mut self) -> Result<Self, Ended> {
        if self.overrun() {
            return Err(Ended);
        }
        while self.count < REFILLED {
            let byte = if let Some((&last, rest)) = self.rest.split_last() {
                self.rest = rest;
                last
            } else {
                self.made_up += 8;
                0
            };
            self.bits |= u64::from(byte) << (REFILLED - self.count);
            self.count += 8;
        }
        Ok(self)
    }

    /// Consumes `n` fetched bits; only the low six bits of `n` count.
    #[inline(always)]
    pub(super) const fn consume(&mut self, n: u32) {
        self.bits = self.bits.wrapping_shl(n);
        self.count = self.count.wrapping_sub(n & 63);
    }

    /// Takes `n` fetched bits, 0 to 30.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "at most 30 bits are left")]
    pub(super) const fn take(&mut self, n: u32) -> u32 {
        let value = (self.bits >> 1).wrapping_shr(!n) as u32;
        self.consume(n);
        value
    }

    /// Whether made-up bits have been consumed.
    #[inline]
    pub(super) const fn overrun(&self) -> bool {
        self.made_up > self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_end_high_bit_first() {
        let input = [0x34, 0x12, 0xCD, 0xAB];
        let mut bits = BackwardBits::new(&input);
        bits.refill().unwrap();
        assert_eq!(bits.take(4), 0xA);
        assert_eq!(bits.take(12), 0xBCD);
        assert_eq!(bits.take(0), 0);
        assert_eq!(bits.take(16), 0x1234);
        assert!(!bits.overrun());
        assert_eq!(bits.refill(), Ok(()));
        assert_eq!(bits.take(1), 0);
        assert!(bits.overrun());
        assert_eq!(bits.refill(), Err(Ended));
    }

    #[test]
    fn any_split_reads_the_same_number() {
        let input: Vec<u8> = (0..100u32).map(|i| (i * 73 % 251) as u8).collect();
        for width in 1..=30u32 {
            let mut bits = BackwardBits::new(&input);
            for nth in 0..input.len() * 8 / width as usize {
                bits.refill().unwrap();
                let expected = (0..width).fold(0, |value, k| {
                    let bit = nth * width as usize + k as usize;
                    value << 1 | u32::from(input[99 - bit / 8] >> (7 - bit % 8) & 1)
                });
                assert_eq!(bits.take(width), expected, "width {width}, value {nth}");
            }
            assert!(!bits.overrun());
        }
    }
}
