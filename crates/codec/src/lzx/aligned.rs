//! The aligned code: the low three bits of the larger offsets of an aligned block.

use std::hint::select_unpredictable;

use super::layout::{ALIGNED_MAX_BITS, ALIGNED_SYMBOLS};
use crate::huffman::decode::{
    DecodeTable, IncompleteCode, PAYLOAD_SHIFT, Scratch, plain_payloads, total_bits,
};

static PAYLOADS: [u32; ALIGNED_SYMBOLS] = plain_payloads(0);

/// Entries for the next [`ALIGNED_MAX_BITS`] bits.
type Row = [u16; 1 << ALIGNED_MAX_BITS];

/// The aligned code of a block.
#[derive(Clone, Debug)]
pub(crate) struct AlignedCode {
    table: DecodeTable<ALIGNED_MAX_BITS, { 1 << ALIGNED_MAX_BITS }>,
    /// All zeros, and the code once more, for [`Self::change`].
    rows: [Row; 2],
}

impl AlignedCode {
    /// Makes a code without codewords.
    pub(crate) fn new() -> Self {
        Self { table: DecodeTable::new(), rows: [[0; 1 << ALIGNED_MAX_BITS]; 2] }
    }

    /// Takes over the code with these codeword lengths.
    pub(crate) fn build(
        &mut self,
        lens: &[u8; ALIGNED_SYMBOLS],
        scratch: &mut Scratch,
    ) -> Result<(), IncompleteCode> {
        self.table.build(lens, &PAYLOADS, ALIGNED_MAX_BITS, scratch)?;
        let [_, row] = &mut self.rows;
        for (bits, change) in (0..).zip(row) {
            *change = match self.table.symbol_entry(bits << (64 - ALIGNED_MAX_BITS)) {
                Some(entry) => {
                    let symbol = (entry >> PAYLOAD_SHIFT) & 7;
                    // What stands where the symbol goes are the first of the same bits.
                    #[expect(clippy::cast_possible_truncation, reason = "three bits")]
                    let first_bits = (bits >> (ALIGNED_MAX_BITS - 3)) as u32;
                    #[expect(clippy::cast_possible_truncation, reason = "3 and 7 bits")]
                    let change = ((symbol ^ first_bits) << 8 | total_bits(entry)) as u16;
                    change
                }
                None => 0,
            };
        }
        Ok(())
    }

    /// Whether there are no codewords. Then [`Self::change`] must not be asked.
    pub(crate) fn is_empty(&self) -> bool {
        let [_, [first, ..]] = &self.rows;
        *first == 0
    }

    /// The entry for the next bits of the stream, whose payload is the symbol; `None` if the code is
    /// empty.
    pub(crate) const fn symbol_entry(&self, bits: u64) -> Option<u32> {
        self.table.symbol_entry(bits)
    }

    /// If the next bits of the stream (left-justified) are an aligned symbol: in the low byte how many
    /// bits it takes, above it what must be flipped in the next three bits to get the symbol. Zero if
    /// they are not. Asks no question with a branch.
    #[inline(always)]
    pub(crate) fn change(&self, is_symbol: bool, bits: u64) -> u16 {
        let [no_change, changes] = &self.rows;
        let row = select_unpredictable(is_symbol, changes, no_change);
        #[expect(clippy::indexing_slicing, reason = "seven bits, 128 entries")]
        row[(bits >> (64 - ALIGNED_MAX_BITS)) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_makes_the_next_bits_the_symbol() {
        // Codewords in order: symbol 3: 0, 5: 10, 0: 110, 1: 1110, 7: 11110, 2: 111110, 4, 6: 7 bits.
        let lens = [3, 4, 6, 1, 7, 2, 7, 5];
        let mut code = AlignedCode::new();
        assert!(code.is_empty());
        code.build(&lens, &mut Scratch::new()).unwrap();
        assert!(!code.is_empty());
        let codewords: [(u64, u16, u16); 4] =
            [(0b0 << 63, 3, 1), (0b10 << 62, 5, 2), (0b1110 << 60, 1, 4), (0x7F << 57, 6, 7)];
        for (start, symbol, len) in codewords {
            for rest in [0, u64::MAX] {
                let bits = start | rest >> len;
                let change = code.change(true, bits);
                assert_eq!(change & 0xFF, len);
                assert_eq!(u16::try_from(bits >> 61).unwrap() ^ change >> 8, symbol);
                assert_eq!(code.change(false, bits), 0);
            }
        }
    }

    #[test]
    fn a_code_must_be_complete() {
        let mut code = AlignedCode::new();
        assert_eq!(code.build(&[1, 2, 0, 0, 0, 0, 0, 0], &mut Scratch::new()), Err(IncompleteCode));
        assert_eq!(code.build(&[0; 8], &mut Scratch::new()), Ok(()));
        assert!(code.is_empty());
    }
}
