//! The filter for x86 code that LZMS applies to every chunk.
//!
//! Instructions that name a place by its distance (`call`, `lea`, `mov` and others relative to the
//! instruction pointer) get the distance replaced by the place, so that all that name one place look
//! alike. Whether a chunk holds code at all is guessed: two operands that name the same place (in the
//! low 16 bits of its position) within 65535 bytes switch the translation on, for the next 1023 bytes.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "opcodes end well before the chunk does; chunks are at most 1 GiB"
)]

/// Chunks up to this size are left alone.
const MAX_UNFILTERED: usize = 17;
/// No opcode starts in this many last bytes.
const TAIL: usize = 16;
/// How far behind the last sure instruction operands are still translated, in bytes.
const REACH: u32 = 1023;
/// The same for `call`, whose opcode is only one byte.
const CALL_REACH: u32 = REACH / 2;
/// Two operands that name the same place make a sure instruction if at most this far apart, in bytes.
const WINDOW: u32 = 65535;
/// Bytes of an operand.
const OPERAND: usize = 4;
/// Bytes of the instruction E9 (`jmp`), which is skipped.
const JUMP: usize = 5;
/// Bytes searched at once.
const BLOCK: usize = 64;

/// The memory of the filter.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// For each place (low 16 bits) the position where it was named last.
    last_named: Box<[u32; 1 << 16]>,
    /// What is added to positions in `last_named`: positions of earlier chunks are then too far away
    /// to count, and the table need not be cleared for each chunk.
    base: u32,
}

/// A pass over a chunk.
struct Scan<'a> {
    named: &'a mut [u32; 1 << 16],
    base: u32,
    /// The last byte of the last sure instruction.
    last_sure: u32,
}

impl Scan<'_> {
    /// Handles the instruction at a marked position; returns how many bytes it has.
    ///
    /// Apart from jumps no branch depends on the data: what comes next in code is hard to guess.
    #[inline(always)]
    fn instruction(&mut self, chunk: &mut [u8], at: usize) -> usize {
        let (opcode, reach) = match chunk[at] {
            0xE9 => return JUMP,
            0xE8 => (1, CALL_REACH),
            0xFF => (2, REACH),
            _ => (3, REACH),
        };
        let position = at as u32;
        let last_byte = position + (opcode + OPERAND) as u32 - 1;
        if let Some(operand) = chunk[at + opcode..].first_chunk_mut::<OPERAND>() {
            let translated = position.wrapping_sub(self.last_sure) <= reach;
            let distance =
                u32::from_le_bytes(*operand).wrapping_sub(if translated { position } else { 0 });
            *operand = distance.to_le_bytes();
            let named = &mut self.named[usize::from(distance.wrapping_add(position) as u16)];
            let sure = self.base + last_byte - *named <= WINDOW;
            *named = self.base + last_byte;
            self.last_sure = if sure { last_byte } else { self.last_sure };
        }
        opcode + OPERAND
    }
}

impl Filter {
    /// Makes the filter.
    pub(super) fn new() -> Self {
        Self { last_named: Box::new([0; 1 << 16]), base: WINDOW + 1 }
    }

    /// Turns places back into distances in a chunk just decompressed.
    pub(super) fn decode(&mut self, chunk: &mut [u8]) {
        if chunk.len() <= MAX_UNFILTERED {
            return;
        }
        let base = self.begin_chunk(chunk.len() as u32);
        // No position is within reach of this one.
        let last_sure = (REACH + 1).wrapping_neg();
        let mut scan = Scan { named: &mut self.last_named, base, last_sure };
        let end = chunk.len() - TAIL;
        // The first position where an instruction may start.
        let mut from = 1_usize;
        for start in (0..end).step_by(BLOCK) {
            let mut marks = mark_block(chunk, start);
            loop {
                let skipped = from.saturating_sub(start);
                if skipped >= BLOCK {
                    break;
                }
                marks &= u64::MAX << skipped;
                let at = start + marks.trailing_zeros() as usize;
                if marks == 0 || at >= end {
                    break;
                }
                from = at + scan.instruction(chunk, at);
            }
        }
    }

    /// Makes all positions in the table too old to count; returns the base for a chunk of `len` bytes.
    fn begin_chunk(&mut self, len: u32) -> u32 {
        let base = self.base;
        if let Some(next) = base.checked_add(len).and_then(|end| end.checked_add(WINDOW + 1)) {
            self.base = next;
            base
        } else {
            self.last_named.fill(0);
            self.base = 2 * (WINDOW + 1) + len;
            WINDOW + 1
        }
    }
}

/// Marks the positions in the block at `start` where an instruction may start: bit `n` stands for
/// position `start + n`.
#[inline(always)]
fn mark_block(chunk: &[u8], start: usize) -> u64 {
    let rest = &chunk[start..];
    let mut padded = [0; BLOCK + 2];
    let window = rest.first_chunk().unwrap_or_else(|| {
        padded[..rest.len()].copy_from_slice(rest);
        &padded
    });
    let mut marks = [0; BLOCK];
    mark(window, &mut marks);
    let mut bits = 0;
    for word in marks.as_chunks().0.iter().rev() {
        // Gathers the low bits of the eight bytes in the top byte.
        let gathered = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits = bits << 8 | gathered;
    }
    bits
}

/// Sets to 1 each mark where an instruction may start, to 0 all others. No early exits, and a function
/// of its own: the compiler turns this into vector compares.
///
/// Odd but so: of the `ModR/M` byte (the third) only the low three bits are tested where all but the
/// register field would have to be, and with 8B the upper half as well.
#[inline(never)]
fn mark(window: &[u8; BLOCK + 2], marks: &mut [u8; BLOCK]) {
    let [first @ .., _, _] = window;
    let [_, second @ .., _] = window;
    let [_, _, third @ ..] = window;
    for (((&first, &second), &third), mark) in first.iter().zip(second).zip(third).zip(marks) {
        let call_or_jump = first & 0xFE == 0xE8;
        let indirect_call = (first == 0xFF) & (second == 0x15);
        let lock_add = (first == 0xF0) & (second == 0x83) & (third == 0x05);
        let lea = (first & 0xFB == 0x48) & (second == 0x8D) & (third & 0x07 == 0x05);
        let mov = (first == 0x48) & (second == 0x8B) & (third & 0xF7 == 0x05);
        *mark = u8::from(call_or_jump | indirect_call | lock_add | lea | mov);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::lzms::testing::{code_like, unfilter};

    const GAP: usize = 40;

    /// A chunk with these instructions `GAP` bytes apart, beginning at `GAP`.
    fn with(instructions: &[(&[u8], u32)]) -> Vec<u8> {
        let mut chunk = vec![0; GAP];
        for (opcode, operand) in instructions {
            let start = chunk.len();
            chunk.extend_from_slice(opcode);
            chunk.extend(operand.to_le_bytes());
            chunk.resize(start + GAP, 0);
        }
        chunk
    }

    /// The operands after decoding.
    fn decoded(instructions: &[(&[u8], u32)]) -> Vec<u32> {
        let mut chunk = with(instructions);
        Filter::new().decode(&mut chunk);
        (instructions.iter().zip(1..))
            .map(|((opcode, _), n)| {
                let at = n * GAP + opcode.len();
                u32::from_le_bytes(chunk[at..at + 4].try_into().unwrap())
            })
            .collect()
    }

    /// Two calls of one place, which switch translation on, then the instruction.
    fn check(opcode: &[u8], translated: bool) {
        let call: &[u8] = &[0xE8];
        let place = 5000;
        let calls = [place - GAP as u32, place - 2 * GAP as u32];
        let got = decoded(&[(call, calls[0]), (call, calls[1]), (opcode, 7000)]);
        assert_eq!(got[..2], calls, "the calls themselves stay");
        assert_eq!(got[2], if translated { 7000 - 3 * GAP as u32 } else { 7000 }, "{opcode:x?}");
    }

    #[test]
    fn opcodes() {
        check(&[0xE8], true);
        check(&[0xE9], false);
        check(&[0xFF, 0x15], true);
        check(&[0xFF, 0x25], false);
        check(&[0xF0, 0x83, 0x05], true);
        check(&[0xF0, 0x83, 0x0D], false);
        check(&[0xF0, 0x81, 0x05], false);
        // A byte that is no part of an opcode may begin one itself.
        for modrm in (0..=255).filter(|&byte| ![0xE8, 0xE9].contains(&byte)) {
            check(&[0x48, 0x8D, modrm], modrm & 7 == 5);
            check(&[0x4C, 0x8D, modrm], modrm & 7 == 5);
            check(&[0x48, 0x8B, modrm], modrm == 0x05 || modrm == 0x0D);
            check(&[0x4C, 0x8B, modrm], false);
        }
    }

    #[test]
    fn a_jump_hides_what_its_operand_holds() {
        let call = u32::from_le_bytes([0xE8, 1, 2, 3]);
        let mut chunk = with(&[(&[0xE8], 5000 - 40), (&[0xE8], 5000 - 80), (&[0xE9], call)]);
        let before = chunk.clone();
        Filter::new().decode(&mut chunk);
        assert_eq!(chunk, before);
    }

    #[test]
    fn nothing_starts_in_the_first_byte_or_the_last_sixteen() {
        // Translation is on from position 45 on; a call at `at` may or may not be seen.
        #[track_caller]
        fn check_end(behind: usize, translated: bool) {
            let mut chunk = with(&[(&[0xE8], 5000 - 40), (&[0xE8], 5000 - 80)]);
            let at = chunk.len();
            chunk.extend([0xE8, 0, 0x10, 0, 0]);
            chunk.resize(at + behind, 0);
            let before = chunk.clone();
            Filter::new().decode(&mut chunk);
            assert_eq!(chunk != before, translated);
        }
        check_end(17, true);
        check_end(16, false);

        // The call at 0 would be the first to name 5000.
        let mut chunk = vec![0; 100];
        for (at, place) in [(0, 5000u32), (10, 5000), (20, 1000)] {
            chunk[at] = 0xE8;
            let distance = if at == 20 { place } else { place - at as u32 };
            chunk[at + 1..at + 5].copy_from_slice(&distance.to_le_bytes());
        }
        let before = chunk.clone();
        Filter::new().decode(&mut chunk);
        assert_eq!(chunk, before);
    }

    #[test]
    fn translation_ends_behind_its_reach() {
        #[track_caller]
        fn check(opcode: &[u8], distance: usize, translated: bool) {
            let mut chunk = with(&[(&[0xE8], 5000 - 40), (&[0xE8], 5000 - 80)]);
            chunk.resize(80 + 4 + distance, 0);
            chunk.extend(opcode);
            chunk.extend(1000u32.to_le_bytes());
            chunk.resize(chunk.len() + 20, 0);
            let before = chunk.clone();
            Filter::new().decode(&mut chunk);
            assert_eq!(chunk != before, translated);
        }
        check(&[0xE8], 511, true);
        check(&[0xE8], 512, false);
        check(&[0xFF, 0x15], 1023, true);
        check(&[0xFF, 0x15], 1024, false);
    }

    #[test]
    fn places_are_forgotten_behind_the_window() {
        #[track_caller]
        fn check(distance: usize, sure: bool) {
            let mut chunk = vec![0; 40 + distance + 60];
            for at in [40, 40 + distance] {
                chunk[at] = 0xE8;
                let operand = 0x1234_5678u32.wrapping_sub(at as u32);
                chunk[at + 1..at + 5].copy_from_slice(&operand.to_le_bytes());
            }
            chunk[40 + distance + 10] = 0xE8;
            let before = chunk.clone();
            Filter::new().decode(&mut chunk);
            assert_eq!(chunk != before, sure);
        }
        check(65535, true);
        check(65536, false);
    }

    #[test]
    fn earlier_chunks_do_not_matter() {
        let mut filter = Filter::new();
        let chunk = with(&[(&[0xE8], 5000 - 40), (&[0xE8], 5000 - 80), (&[0xE8], 99)]);
        let mut expected = chunk.clone();
        Filter::new().decode(&mut expected);
        assert_ne!(expected, chunk);
        // The numbering of positions starts over when 32 bits do not suffice.
        for base in [None, Some(u32::MAX - 1000), Some(u32::MAX - 65535 - 160), Some(1 << 31)] {
            if let Some(base) = base {
                filter.last_named.fill(base - 1 - WINDOW);
                filter.base = base;
            }
            for _ in 0..3 {
                let mut one_call = with(&[(&[0xE8], 5000 - 40), (&[0xE8], 99)]);
                let before = one_call.clone();
                filter.decode(&mut one_call);
                assert_eq!(one_call, before);
                let mut again = chunk.clone();
                filter.decode(&mut again);
                assert_eq!(again, expected);
            }
        }
    }

    #[test]
    fn is_the_plain_rule() {
        let mut filter = Filter::new();
        let mut translated = 0;
        for (len, seed) in (0..300).chain([4096, 70_000, 300_000, 1 << 20]).zip(1..) {
            let chunk = code_like(len, seed);
            let (mut fast, mut plain) = (chunk.clone(), chunk.clone());
            filter.decode(&mut fast);
            unfilter(&mut plain);
            assert_eq!(fast, plain, "length {len}");
            translated += usize::from(fast != chunk);
        }
        assert!(translated > 100, "only {translated} chunks were translated");
    }
}
