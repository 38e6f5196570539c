//! The filter for x86 `call` instructions that LZX applies to every chunk.
//!
//! A `call` is the byte E8 and a four-byte little-endian distance. The encoder turns the distance into
//! a target (position in the chunk plus distance), so that calls of one function look alike; the decoder
//! turns it back. WIM has no switch for it: each chunk is filtered, whatever it holds, with the
//! position counted from the chunk's start and a fixed file size.
//!
//! Observed in: wimlib 1.14.5. The last [`TAIL`] bytes never start a translated call; the four bytes
//! behind an E8 are skipped whether or not they were translated.

use std::hint::select_unpredictable;

/// The file size, in bytes, that every WIM uses in the translation.
const FILE_SIZE: i32 = 12_000_000;
/// No call starts in this many last bytes of a chunk.
const TAIL: usize = 10;
/// First byte of a call.
pub(crate) const CALL: u8 = 0xE8;
/// Bytes of a call.
const CALL_LEN: usize = 5;

/// Applies the filter to a chunk about to be compressed.
pub(crate) fn encode(chunk: &mut [u8]) {
    translate_calls(chunk, |position, distance| {
        // From the chunk's start up to the end of the file.
        let in_file = distance.wrapping_add(position).cast_unsigned() < FILE_SIZE.cast_unsigned();
        let below_size = distance >= position.wrapping_neg() && distance < FILE_SIZE;
        let translated = select_unpredictable(
            in_file,
            distance.wrapping_add(position),
            distance.wrapping_sub(FILE_SIZE),
        );
        select_unpredictable(below_size, translated, distance)
    });
}

/// Undoes [`encode`] on a chunk just decompressed.
pub(crate) fn decode(chunk: &mut [u8]) {
    translate_calls(chunk, |position, target| {
        let in_file = target.cast_unsigned() < FILE_SIZE.cast_unsigned();
        let behind_start = target.wrapping_add(position).cast_unsigned() < position.cast_unsigned();
        let distance = select_unpredictable(behind_start, target.wrapping_add(FILE_SIZE), target);
        select_unpredictable(in_file, target.wrapping_sub(position), distance)
    });
}

/// Replaces the operand of each call by what `translate` makes of its position and the operand.
///
/// Whether an operand is translated is hard to foretell, so `translate` should not branch.
#[inline(always)]
fn translate_calls(chunk: &mut [u8], translate: impl Fn(i32, i32) -> i32) {
    let Some(end) = chunk.len().checked_sub(TAIL) else { return };
    let mut next_call = 0;
    let mut translate_at = |chunk: &mut [u8], position: usize| {
        if position < next_call {
            return;
        }
        next_call = position + CALL_LEN;
        if let Some(operand) = chunk.get_mut(position + 1..).and_then(<[u8]>::first_chunk_mut::<4>)
        {
            // Chunks are at most 2 MiB, so the position always fits.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_possible_wrap,
                reason = "see above"
            )]
            let value = translate(position as i32, i32::from_le_bytes(*operand));
            *operand = value.to_le_bytes();
        }
    };
    let mut at = 0;
    loop {
        // First all blocks with an E8 byte, then those bytes: no branch depends on where they are.
        // Translating changes what the first pass saw, but only in bytes that start no call.
        let (blocks, tail) = chunk.get(at..end).unwrap_or_default().as_chunks::<BLOCK>();
        if blocks.is_empty() {
            let tail = at..at + tail.len();
            for position in tail {
                if chunk.get(position) == Some(&CALL) {
                    translate_at(chunk, position);
                }
            }
            return;
        }
        let section = blocks.get(..SECTION_BLOCKS).unwrap_or(blocks);
        let section_len = section.len() * BLOCK;
        let (hits, count) = blocks_with_calls(section);
        for &hit in hits.iter().take(count) {
            let start = at + usize::from(hit) * BLOCK;
            let Some(block) = chunk.get(start..).and_then(<[u8]>::first_chunk) else { break };
            let mut calls = calls_in(block);
            while calls != 0 {
                translate_at(chunk, start + calls.trailing_zeros() as usize);
                calls &= calls - 1;
            }
        }
        at += section_len;
    }
}

/// Bytes searched for E8 at once.
const BLOCK: usize = 32;
/// Blocks listed at once, a power of two.
const SECTION_BLOCKS: usize = 32;

/// The numbers of the blocks that hold an E8 byte, and how many they are.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a section has few blocks")]
#[expect(clippy::indexing_slicing, reason = "the index is masked")]
fn blocks_with_calls(section: &[[u8; BLOCK]]) -> ([u8; SECTION_BLOCKS], usize) {
    let mut hits = [0; SECTION_BLOCKS];
    let mut count = 0;
    for (number, block) in section.iter().enumerate() {
        // No early exit inside a block: the compiler turns this into vector compares.
        let has_call = block.iter().fold(false, |found, &byte| found | (byte == CALL));
        // There are at most as many hits as numbers before this one: the mask changes nothing.
        hits[count & (SECTION_BLOCKS - 1)] = number as u8;
        count += usize::from(has_call);
    }
    (hits, count)
}

/// Has the bits set whose numbers are the positions of E8 bytes.
#[inline(always)]
fn calls_in(block: &[u8; BLOCK]) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let mut calls = 0;
    for word in block.as_chunks::<8>().0.iter().rev() {
        let differences = u64::from_le_bytes(*word) ^ u64::from_le_bytes([CALL; 8]);
        // The top bit of a byte ends up set only where the byte is zero, that is, was E8.
        let equal = !(((differences & LOW) + LOW) | differences | LOW);
        // The multiplication gathers the eight top bits in the top byte, lowest first.
        calls = calls << 8 | (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule in its plainest form: one byte after the other.
    fn decode_plainly(chunk: &mut [u8]) {
        let mut p = 0;
        while p + TAIL < chunk.len() {
            if chunk[p] != CALL {
                p += 1;
                continue;
            }
            let v = i32::from_le_bytes(chunk[p + 1..p + 5].try_into().unwrap());
            let pos = i32::try_from(p).unwrap();
            let new = match v {
                0..FILE_SIZE => v - pos,
                _ if v < 0 && v >= -pos => v + FILE_SIZE,
                _ => v,
            };
            chunk[p + 1..p + 5].copy_from_slice(&new.to_le_bytes());
            p += 5;
        }
    }

    /// Bytes with many calls, most of them translatable.
    fn code_like(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut bytes = Vec::with_capacity(len + 5);
        while bytes.len() < len {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let r = (state >> 33) as u32;
            match r % 13 {
                0 => {
                    bytes.push(CALL);
                    bytes.extend((r >> 8).to_le_bytes());
                }
                1 => {
                    bytes.push(CALL);
                    bytes.extend((0u32.wrapping_sub(r >> 12)).to_le_bytes());
                }
                2 => bytes.extend([CALL; 3]),
                _ => bytes.push((r >> 5) as u8),
            }
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn decode_equals_the_plain_rule() {
        for len in (0..200).chain([4096, 32768, 40001]) {
            let chunk = code_like(len, len as u64 + 1);
            let (mut fast, mut plain) = (chunk.clone(), chunk);
            decode(&mut fast);
            decode_plainly(&mut plain);
            assert_eq!(fast, plain, "length {len}");
        }
    }

    #[test]
    fn decode_undoes_encode() {
        for len in (0..100).chain([32768, 1 << 20]) {
            let chunk = code_like(len, 7 * len as u64 + 3);
            let mut filtered = chunk.clone();
            encode(&mut filtered);
            assert!(len < 256 || filtered != chunk, "nothing was translated at length {len}");
            decode(&mut filtered);
            assert_eq!(filtered, chunk, "length {len}");
        }
    }

    #[test]
    fn the_limits_of_the_translation() {
        #[track_caller]
        fn check(position: usize, target: i32, distance: Option<i32>) {
            let mut chunk = vec![0; 64];
            chunk[position] = CALL;
            chunk[position + 1..position + 5].copy_from_slice(&target.to_le_bytes());
            let before = chunk.clone();
            decode(&mut chunk);
            let after = i32::from_le_bytes(chunk[position + 1..position + 5].try_into().unwrap());
            assert_eq!(after, distance.unwrap_or(target));
            encode(&mut chunk);
            assert_eq!(chunk, before);
        }
        check(20, 0, Some(-20));
        check(20, FILE_SIZE - 1, Some(FILE_SIZE - 21));
        check(20, -1, Some(FILE_SIZE - 1));
        check(20, -20, Some(FILE_SIZE - 20));
        check(20, -21, None);
        check(20, FILE_SIZE, None);
        check(20, i32::MIN, None);
        check(53, 100, Some(47));
        check(54, 100, None);
        check(0, 100, Some(100));
    }
}
