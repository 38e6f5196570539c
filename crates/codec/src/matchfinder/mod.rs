//! Finds earlier occurrences of the bytes at a position.
//!
//! The window is the whole chunk, and positions count from its start. Everything here comes in two
//! sizes: chunks up to 64 KiB have 16-bit positions and arrays of fixed size, which halves the tables
//! and lets the compiler see that masked indices are in bounds; larger chunks have 32-bit positions
//! and slices.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "hot loops: small tables are indexed with masks, large ones with positions in the chunk"
)]

pub(crate) mod links;
pub(crate) mod probe;
mod size;

use zerocopy::FromZeros;

pub(crate) use size::{Data, Large, Links, Size, Small};

/// Bytes that are readable (zero) behind the end of the data.
pub(crate) const PADDING: usize = 320;

/// How many bytes from `a` and `b` on are equal, given that the first `known` are, and not counting
/// beyond `limit`.
#[inline(always)]
pub(crate) fn common_length(
    data: &impl Data,
    a: usize,
    b: usize,
    known: usize,
    limit: usize,
) -> usize {
    let mut length = known;
    while length < limit {
        let difference = data.load64(a + length) ^ data.load64(b + length);
        if difference != 0 {
            length += difference.trailing_zeros() as usize / 8;
            return length.min(limit);
        }
        length += 8;
    }
    limit
}

/// A zeroed value on the heap that never was on the stack.
pub(crate) fn zeroed<T: FromZeros>() -> Box<T> {
    match T::new_box_zeroed() {
        Ok(zeroed) => zeroed,
        Err(_) => std::alloc::handle_alloc_error(std::alloc::Layout::new::<T>()),
    }
}
