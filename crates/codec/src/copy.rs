//! Copying matches: bytes already produced are appended again.
#![expect(clippy::indexing_slicing, reason = "one range check per copy is the point")]

/// How many bytes [`copy_wide`] may write behind the end of a match.
pub(crate) const COPY_SLACK: usize = 32;

/// Appends `length` bytes at `at`, taken from `offset` bytes before.
///
/// Writes up to [`COPY_SLACK`] bytes more than asked for: `at + length + COPY_SLACK` must not exceed
/// `out.len()`, and `1 <= offset <= at`.
#[inline(always)]
pub(crate) fn copy_wide(out: &mut [u8], at: usize, offset: usize, length: usize) {
    let end = at + length;
    let mut to = at;
    if offset >= 16 {
        while to < end {
            store(out, to, load::<16>(out, to - offset));
            store(out, to + 16, load::<16>(out, to + 16 - offset));
            to += 32;
        }
    } else if offset >= 8 {
        while to < end {
            store(out, to, load::<8>(out, to - offset));
            to += 8;
        }
    } else {
        let (pattern, step) = pattern(load::<8>(out, at - offset), offset);
        while to < end {
            store(out, to, pattern);
            to += step;
        }
    }
}

/// Eight bytes that repeat the first `offset` (1 to 7) of `bytes`, and how many of the eight are whole
/// repetitions.
#[inline(always)]
fn pattern(bytes: [u8; 8], offset: usize) -> ([u8; 8], usize) {
    let mut word = u64::from_le_bytes(bytes);
    let mut width = 8 * offset;
    word &= !(u64::MAX << width);
    // At most three doublings fill the word.
    while width < 64 {
        word |= word << width;
        width *= 2;
    }
    (word.to_le_bytes(), 8 - 8 % offset)
}

#[inline(always)]
fn load<const N: usize>(out: &[u8], from: usize) -> [u8; N] {
    let mut block = [0; N];
    block.copy_from_slice(&out[from..from + N]);
    block
}

#[inline(always)]
fn store<const N: usize>(out: &mut [u8], to: usize, block: [u8; N]) {
    out[to..to + N].copy_from_slice(&block);
}

/// Appends `length` bytes at `at`, taken from `offset` bytes before, and nothing else.
///
/// `at + length` must not exceed `out.len()`, and `1 <= offset <= at`.
pub(crate) fn copy_exact(out: &mut [u8], at: usize, offset: usize, length: usize) {
    if offset >= length {
        out.copy_within(at - offset..at - offset + length, at);
    } else {
        for to in at..at + length {
            out[to] = out[to - offset];
        }
    }
}
