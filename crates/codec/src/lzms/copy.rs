//! Producing the bytes of matches.
#![expect(
    clippy::indexing_slicing,
    reason = "the decoder checks every match against the chunk first"
)]

/// Bytes of the blocks that are copied at once.
const BLOCK: usize = 16;

/// Appends `length` bytes at `at`, equal to those `offset` before.
///
/// `1 <= offset <= at` and `at + length <= out.len()`. May write anything up to two [`BLOCK`]s behind the
/// match.
#[inline(always)]
pub(super) fn append_lz(out: &mut [u8], at: usize, offset: usize, length: usize) {
    let end = at + length;
    if offset < BLOCK || out.len() - end < 2 * BLOCK {
        append_lz_carefully(out, at, offset, length);
        return;
    }
    // Most matches are short: two blocks without asking are cheaper than a wrong guess about the first.
    copy_block(out, at, offset);
    copy_block(out, at + BLOCK, offset);
    let mut to = at + 2 * BLOCK;
    while to < end {
        copy_block(out, to, offset);
        to += BLOCK;
    }
}

#[inline(always)]
fn copy_block(out: &mut [u8], to: usize, offset: usize) {
    let block: [u8; BLOCK] = load(out, to - offset);
    out[to..to + BLOCK].copy_from_slice(&block);
}

/// [`append_lz`] for short offsets and near the end of the chunk: writes nothing behind the match.
#[inline(never)]
fn append_lz_carefully(out: &mut [u8], at: usize, offset: usize, length: usize) {
    let end = at + length;
    if offset == 1 {
        let byte = out[at - 1];
        out[at..end].fill(byte);
        return;
    }
    // What is there repeats with a period of `offset`, so each round may copy twice as much.
    let start = at - offset;
    let mut to = at;
    while to < end {
        let step = (to - start).min(end - to);
        out.copy_within(start..start + step, to);
        to += step;
    }
}

/// Appends `length` bytes at `at` whose differences to the bytes `2^power` before are those found
/// `offset` before.
///
/// `offset` is a multiple of the span `2^power`, `offset + span <= at` and `at + length <= out.len()`.
#[inline(never)]
pub(super) fn append_delta(out: &mut [u8], at: usize, offset: usize, power: u32, length: usize) {
    match power {
        0 => delta::<1>(out, at, offset, length),
        1 => delta::<2>(out, at, offset, length),
        2 => delta::<4>(out, at, offset, length),
        3 => delta::<8>(out, at, offset, length),
        4 => delta::<16>(out, at, offset, length),
        5 => delta::<32>(out, at, offset, length),
        6 => delta::<64>(out, at, offset, length),
        _ => delta::<128>(out, at, offset, length),
    }
}

#[inline(always)]
fn delta<const SPAN: usize>(out: &mut [u8], at: usize, offset: usize, length: usize) {
    let end = at + length;
    let mut to = at;
    let mut before: [u8; SPAN] = load(out, at - SPAN);
    let mut source_before: [u8; SPAN] = load(out, at - offset - SPAN);
    // A whole span at a time: no byte depends on another less than a span away.
    while to + SPAN <= end {
        let source = load(out, to - offset);
        for ((byte, new), old) in before.iter_mut().zip(source).zip(source_before) {
            *byte = byte.wrapping_add(new).wrapping_sub(old);
        }
        out[to..to + SPAN].copy_from_slice(&before);
        source_before = source;
        to += SPAN;
    }
    for to in to..end {
        let difference = out[to - offset].wrapping_sub(out[to - offset - SPAN]);
        out[to] = out[to - SPAN].wrapping_add(difference);
    }
}

#[inline(always)]
fn load<const N: usize>(out: &[u8], from: usize) -> [u8; N] {
    let mut block = [0; N];
    block.copy_from_slice(&out[from..from + N]);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lz_is_byte_after_byte(
            start in prop::collection::vec(any::<u8>(), 1..80),
            offset in 1..80usize, length in 1..200usize, room in 0..40usize,
        ) {
            let offset = offset.min(start.len());
            let at = start.len();
            let mut expected = start.clone();
            for _ in 0..length {
                expected.push(expected[expected.len() - offset]);
            }
            let mut out = start;
            out.resize(at + length + room, 0);
            append_lz(&mut out, at, offset, length);
            prop_assert_eq!(&out[..at + length], expected);
        }

        #[test]
        fn delta_is_byte_after_byte(
            start in prop::collection::vec(any::<u8>(), 256..600),
            power in 0..8u32, raw in 1..40usize, length in 1..600usize,
        ) {
            let span = 1 << power;
            let offset = (raw * span).min((start.len() - span) / span * span);
            let at = start.len();
            let mut expected = start.clone();
            for to in at..at + length {
                let difference = expected[to - offset].wrapping_sub(expected[to - offset - span]);
                expected.push(expected[to - span].wrapping_add(difference));
            }
            let mut out = start;
            out.resize(at + length, 0);
            append_delta(&mut out, at, offset, power, length);
            prop_assert_eq!(out, expected);
        }
    }
}
