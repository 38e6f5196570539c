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

/// The memory of the filter.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// For each place (low 16 bits) the position where it was named last.
    last_named: Box<[u32; 1 << 16]>,
    /// What is added to positions in `last_named`: positions of earlier chunks are then too far away
    /// to count, and the table need not be cleared for each chunk.
    base: u32,
}

/// What the bytes at a possible opcode are.
enum Found {
    /// An opcode of this many bytes whose operand is translated within this reach.
    Opcode(usize, u32),
    /// Bytes to be skipped.
    Skip(usize),
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
        // The first position behind the reach of the last sure instruction, for full reach.
        let mut last_sure = None;
        let end = chunk.len() - TAIL;
        let mut from = 1;
        while let Some(at) = find_opcode(chunk, from, end) {
            let (opcode, reach) = match look_at(&chunk[at..at + 3]) {
                Found::Opcode(opcode, reach) => (opcode, reach),
                Found::Skip(bytes) => {
                    from = at + bytes;
                    continue;
                }
            };
            let position = at as u32;
            let Some(operand) = chunk[at + opcode..].first_chunk_mut::<OPERAND>() else { break };
            if last_sure.is_some_and(|sure: u32| position.saturating_sub(sure) <= reach) {
                *operand = u32::from_le_bytes(*operand).wrapping_sub(position).to_le_bytes();
            }
            let place = u32::from_le_bytes(*operand).wrapping_add(position) as u16;
            let last_byte = (at + opcode + OPERAND - 1) as u32;
            let named = &mut self.last_named[usize::from(place)];
            if base + last_byte - *named <= WINDOW {
                last_sure = Some(last_byte);
            }
            *named = base + last_byte;
            from = at + opcode + OPERAND;
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

/// Tells what instruction, if any, the three bytes may begin. The first is one that
/// [`find_opcode`] finds.
///
/// Odd but so: of the `ModR/M` byte only the low three bits are tested where all but the register field
/// would have to be, and with 8B the upper half as well.
#[inline(always)]
fn look_at(bytes: &[u8]) -> Found {
    match *bytes {
        [0xE8, ..] => Found::Opcode(1, CALL_REACH),
        [0xE9, ..] => Found::Skip(JUMP),
        [0xFF, 0x15, _] => Found::Opcode(2, REACH),
        [0xF0, 0x83, 0x05] => Found::Opcode(3, REACH),
        [0x48 | 0x4C, 0x8D, modrm] if modrm & 7 == 5 => Found::Opcode(3, REACH),
        [0x48, 0x8B, 0x05 | 0x0D] => Found::Opcode(3, REACH),
        _ => Found::Skip(1),
    }
}

/// Whether an opcode may start with this byte.
#[inline(always)]
const fn may_start(byte: u8) -> bool {
    byte & 0xFB == 0x48 || byte & 0xFE == 0xE8 || byte == 0xF0 || byte == 0xFF
}

/// The first position in `from..end` where an opcode may start.
#[inline(always)]
fn find_opcode(chunk: &[u8], from: usize, end: usize) -> Option<usize> {
    let rest = chunk.get(from..end)?;
    rest.iter().position(|&byte| may_start(byte)).map(|i| from + i)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for modrm in (0..=255).filter(|&byte| !may_start(byte)) {
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
}
