//! The filter for x86 `call` instructions that LZX applies to every chunk.
//!
//! A `call` is the byte E8 and a four-byte little-endian distance. The encoder turns the distance into
//! a target (position in the chunk plus distance), so that calls of one function look alike; the decoder
//! turns it back. WIM has no switch for it: each chunk is filtered, whatever it holds, with the
//! position counted from the chunk's start and a fixed file size.
//!
//! Observed in: wimlib 1.14.5. The last [`TAIL`] bytes never start a translated call; the four bytes
//! behind an E8 are skipped whether or not they were translated.

/// The file size, in bytes, that every WIM uses in the translation.
const FILE_SIZE: i32 = 12_000_000;
/// No call starts in this many last bytes of a chunk.
const TAIL: usize = 10;
/// First byte of a call.
const CALL: u8 = 0xE8;
/// Bytes of a call.
const CALL_LEN: usize = 5;

/// Applies the filter to a chunk about to be compressed.
pub(crate) fn encode(chunk: &mut [u8]) {
    translate_calls(chunk, |position, distance| {
        if distance < -position || distance >= FILE_SIZE {
            None
        } else if distance < FILE_SIZE - position {
            Some(distance + position)
        } else {
            Some(distance - FILE_SIZE)
        }
    });
}

/// Undoes [`encode`] on a chunk just decompressed.
pub(crate) fn decode(chunk: &mut [u8]) {
    translate_calls(chunk, |position, target| {
        if (0..FILE_SIZE).contains(&target) {
            Some(target - position)
        } else if target < 0 && target >= -position {
            Some(target + FILE_SIZE)
        } else {
            None
        }
    });
}

#[inline(always)]
fn translate_calls(chunk: &mut [u8], translate: impl Fn(i32, i32) -> Option<i32>) {
    let Some(end) = chunk.len().checked_sub(TAIL) else { return };
    let mut from = 0;
    while let Some(position) = find_call(chunk, from, end) {
        from = position + CALL_LEN;
        let operand = chunk.get_mut(position + 1..).and_then(<[u8]>::first_chunk_mut::<4>);
        // Chunks are at most 2 MiB, so the position always converts.
        if let (Some(operand), Ok(position)) = (operand, i32::try_from(position)) {
            if let Some(value) = translate(position, i32::from_le_bytes(*operand)) {
                *operand = value.to_le_bytes();
            }
        }
    }
}

/// The first E8 byte in `chunk[from..end]`.
#[inline(always)]
fn find_call(chunk: &[u8], from: usize, end: usize) -> Option<usize> {
    let rest = chunk.get(from..end)?;
    let (blocks, tail) = rest.as_chunks::<32>();
    let mut at = from;
    for block in blocks {
        // No early exit inside a block: the compiler turns this into vector compares.
        if block.iter().fold(false, |found, &byte| found | (byte == CALL)) {
            return first_in(block).map(|i| at + i);
        }
        at += block.len();
    }
    tail.iter().position(|&byte| byte == CALL).map(|i| at + i)
}

/// The index of the first E8 byte, eight bytes at a time.
#[inline(always)]
fn first_in(block: &[u8; 32]) -> Option<usize> {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let (words, _) = block.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let differences = u64::from_le_bytes(*word) ^ u64::from_le_bytes([CALL; 8]);
        // The top bit of a byte ends up set only where the byte is zero, that is, was E8.
        let equal = !(((differences & LOW) + LOW) | differences | LOW);
        if equal != 0 {
            return Some(i * 8 + equal.trailing_zeros() as usize / 8);
        }
    }
    None
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
