//! From what the quick parse used: what the cheapest path will use.
//!
//! The quick parse takes long matches and leaves out short ones far away, where the cheapest path takes
//! what its costs make cheap: far more recent offsets, fewer far ones. How much more or fewer is much the
//! same from file to file, so that the quick parse's counts can be corrected: that brings a third of what
//! a second pass with the first one's counts would bring, and costs nothing.
//!
//! The corrections are those of the large corpus (`crates/bench/corpus`), one chunk in fifty: the counts of
//! level 100's parse divided by those of the quick parse, each summed over all blocks of a kind. They are
//! to be fitted anew when the quick parse changes.

use super::kind::Kind;
use super::parse::Frequencies;
use super::quick::{FIRST_WITHOUT_2, FIRST_WITHOUT_3};
use crate::lzx::layout::*;

/// Slots from here on are corrected two by two, the rest like the last two.
const FIRST_PAIR: usize = 4;
const ROWS: usize = 17;
/// A correction that changes nothing.
const ONE: u32 = 64;
/// Fractions are kept: counts are small.
const SCALE: u32 = 4;

/// The corrections: by pair of slots and length header, in parts of [`ONE`], relative to literals.
type Corrections = [[u8; LENGTH_HEADERS]; ROWS];

/// For [`Kind::Binary`].
#[rustfmt::skip]
const BINARY: Corrections = [
    [108, 103, 90, 88, 79, 76, 82, 73],
    [85, 84, 75, 67, 66, 88, 70, 63],
    [78, 81, 70, 63, 59, 71, 82, 60],
    [72, 94, 93, 130, 115, 156, 255, 83],
    [86, 80, 57, 64, 54, 77, 99, 62],
    [85, 89, 65, 64, 60, 75, 83, 49],
    [70, 94, 64, 64, 61, 75, 101, 61],
    [55, 85, 58, 69, 60, 73, 72, 63],
    [46, 77, 52, 66, 54, 68, 85, 60],
    [14, 66, 53, 63, 53, 64, 75, 58],
    [0, 79, 73, 69, 58, 66, 77, 61],
    [0, 63, 66, 65, 55, 62, 71, 59],
    [0, 52, 59, 60, 53, 56, 67, 58],
    [0, 53, 51, 55, 49, 53, 63, 51],
    [0, 57, 66, 70, 58, 59, 67, 53],
    [0, 26, 52, 60, 50, 54, 62, 51],
    [0, 5, 34, 43, 44, 48, 60, 46],
];

/// For [`Kind::Text`].
#[rustfmt::skip]
const TEXT: Corrections = [
    [78, 88, 80, 79, 69, 76, 96, 75],
    [72, 66, 48, 71, 58, 98, 110, 65],
    [62, 63, 49, 64, 66, 73, 118, 59],
    [79, 75, 33, 172, 134, 255, 229, 74],
    [72, 79, 77, 54, 62, 72, 164, 66],
    [78, 79, 74, 76, 80, 71, 103, 60],
    [58, 77, 66, 69, 65, 80, 85, 73],
    [18, 76, 68, 76, 75, 74, 77, 71],
    [2, 69, 67, 77, 70, 69, 91, 68],
    [1, 56, 66, 71, 65, 71, 74, 63],
    [0, 60, 66, 77, 62, 83, 75, 62],
    [0, 38, 65, 70, 65, 70, 77, 60],
    [0, 16, 58, 62, 63, 59, 75, 57],
    [0, 3, 48, 55, 56, 63, 67, 54],
    [0, 2, 43, 57, 53, 70, 64, 54],
    [0, 2, 27, 43, 56, 49, 72, 50],
    [0, 1, 10, 29, 41, 47, 66, 46],
];

/// The main symbols of the cheapest path, times a common factor; the other symbols as they are.
pub(super) fn forecast(quick: &Frequencies, kind: Kind, main_symbols: usize) -> Frequencies {
    let corrections = match kind {
        Kind::Binary => &BINARY,
        Kind::Text => &TEXT,
    };
    let mut freqs = quick.clone();
    for count in &mut freqs.main[..LITERALS] {
        *count *= SCALE;
    }
    let rows = freqs.main[LITERALS..main_symbols].chunks_exact_mut(LENGTH_HEADERS);
    for (slot, row) in rows.enumerate() {
        // Where the quick parse takes none, the shortest that it takes stand in.
        if slot >= FIRST_WITHOUT_3 as usize {
            row[1] = row[2];
        }
        if slot >= FIRST_WITHOUT_2 as usize {
            row[0] = row[1];
        }
        let pair = if slot < FIRST_PAIR { slot } else { FIRST_PAIR + (slot - FIRST_PAIR) / 2 };
        for (count, &correction) in row.iter_mut().zip(&corrections[pair.min(ROWS - 1)]) {
            *count = *count * SCALE * u32::from(correction) / ONE;
        }
    }
    freqs
}
