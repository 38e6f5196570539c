//! LZX chunks made by hand: what no compressor writes, and every fault.

use imprint_codec::{Decompressor, Format};

const WINDOW: u32 = 32 << 10;
const VERBATIM: u32 = 1;
const ALIGNED: u32 = 2;
const UNCOMPRESSED: u32 = 3;
const MAIN_SYMBOLS: usize = 256 + 8 * 30;
const LENGTH_SYMBOLS: usize = 249;

/// The main symbol of a match.
const fn match_symbol(slot: usize, length_header: usize) -> usize {
    256 + 8 * slot + length_header
}

/// Codeword lengths by symbol; those not named have none.
type Lens<'a> = &'a [(usize, u8)];

/// A code of the letters a, b, c, and of matches: R0 with length 2, R0 with a length symbol, offsets 3
/// (slot 5) and 30 to 45 (slot 10) with length 3.
const MAIN: Lens<'static> = &[
    (b'a' as usize, 2),
    (b'b' as usize, 2),
    (b'c' as usize, 3),
    (match_symbol(0, 0), 3),
    (match_symbol(0, 7), 3),
    (match_symbol(4, 1), 4),
    (match_symbol(10, 1), 4),
];
const LENGTH: Lens<'static> = &[(0, 1), (248, 1)];

/// Writes a chunk bit by bit.
#[derive(Clone, Default)]
struct Maker {
    bits: Vec<bool>,
    main_lens: Vec<u8>,
    length_lens: Vec<u8>,
}

impl Maker {
    fn new() -> Self {
        let (main_lens, length_lens) = (vec![0; MAIN_SYMBOLS], vec![0; LENGTH_SYMBOLS]);
        Self { bits: vec![], main_lens, length_lens }
    }

    fn bits(mut self, value: u32, width: u32) -> Self {
        self.bits.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// A block's type and size.
    fn block(self, block_type: u32, size: u32) -> Self {
        self.bits(block_type, 3).bits(0, 1).bits(size, 16)
    }

    /// The pretree of [`Self::length`]: symbols 0 to 11 have 4 bits, 12 to 19 have 5.
    fn pretree(self) -> Self {
        (0..20).fold(self, |maker, symbol| maker.bits(if symbol < 12 { 4 } else { 5 }, 4))
    }

    fn pretree_symbol(self, symbol: u32) -> Self {
        if symbol < 12 { self.bits(symbol, 4) } else { self.bits(12 + symbol, 5) }
    }

    fn lens(self, old: &[u8], new: &[u8]) -> Self {
        old.iter().zip(new).fold(self.pretree(), |maker, (old, new)| {
            maker.pretree_symbol(u32::from((17 + old - new) % 17))
        })
    }

    /// The codes of a block; the aligned code must have been written.
    fn codes(mut self, main: Lens<'_>, length: Lens<'_>) -> Self {
        let old_main = std::mem::replace(&mut self.main_lens, vec![0; MAIN_SYMBOLS]);
        let old_length = std::mem::replace(&mut self.length_lens, vec![0; LENGTH_SYMBOLS]);
        for &(symbol, len) in main {
            self.main_lens[symbol] = len;
        }
        for &(symbol, len) in length {
            self.length_lens[symbol] = len;
        }
        let (main, length) = (self.main_lens.clone(), self.length_lens.clone());
        self.lens(&old_main[..256], &main[..256])
            .lens(&old_main[256..], &main[256..])
            .lens(&old_length, &length)
    }

    fn codeword(self, lens: &[u8], symbol: usize) -> Self {
        let mut order: Vec<_> = (0..lens.len()).filter(|&other| lens[other] > 0).collect();
        order.sort_by_key(|&other| lens[other]);
        let (mut code, mut width) = (0, lens[order[0]]);
        for other in order {
            code <<= lens[other] - width;
            width = lens[other];
            if other == symbol {
                return self.bits(code, width.into());
            }
            code += 1;
        }
        panic!("symbol {symbol} has no codeword")
    }

    fn main(self, symbol: usize) -> Self {
        let lens = self.main_lens.clone();
        self.codeword(&lens, symbol)
    }

    fn text(self, text: &str) -> Self {
        text.bytes().fold(self, |maker, byte| maker.main(byte.into()))
    }

    fn length(self, symbol: usize) -> Self {
        let lens = self.length_lens.clone();
        self.codeword(&lens, symbol)
    }

    /// Bits up to the next unit, or a whole unit of them.
    fn fill_unit(mut self) -> Self {
        self.bits.resize((self.bits.len() / 16 + 1) * 16, false);
        self
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        assert!(bytes.len().is_multiple_of(2) && self.bits.len().is_multiple_of(16));
        bytes.as_chunks().0.iter().fold(self, |maker, unit| {
            let unit = u16::from_le_bytes(*unit);
            maker.bits(unit.into(), 16)
        })
    }

    fn offsets(self, offsets: [u32; 3]) -> Self {
        offsets.iter().fold(self, |maker, offset| maker.bytes(&offset.to_le_bytes()))
    }

    /// The chunk, followed by `more` zero bytes.
    fn chunk(mut self, more: usize) -> Vec<u8> {
        self.bits.resize(self.bits.len().next_multiple_of(16), false);
        let units = self.bits.chunks(16).flat_map(|unit| {
            unit.iter().fold(0, |unit, &bit| unit << 1 | u16::from(bit)).to_le_bytes()
        });
        units.chain(std::iter::repeat_n(0, more)).collect()
    }
}

fn decompress_in(window: u32, input: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let mut out = vec![0xAA; size];
    let mut decompressor = Decompressor::new(Format::Lzx, window).unwrap();
    decompressor.decompress(input, &mut out).map(|()| out).map_err(|error| error.to_string())
}

/// Checks what a chunk holds, at its end and followed by enough bytes for the fast loop.
#[track_caller]
fn check(maker: &Maker, plain: &[u8]) {
    for more in [0, 100] {
        let got = decompress_in(WINDOW, &maker.clone().chunk(more), plain.len());
        assert!(got.as_deref() == Ok(plain), "{got:?}");
    }
}

/// Checks the message of a fault, without the position: that depends on how far ahead bits are fetched.
#[track_caller]
fn check_fault(maker: &Maker, size: usize, fault: &str) {
    for more in [8, 100] {
        let error = decompress_in(WINDOW, &maker.clone().chunk(more), size).unwrap_err();
        let (message, position) = error.split_once(" (at offset 0x").unwrap();
        assert_eq!(message, format!("LZX chunk: {fault}"));
        assert!(position.ends_with(" of the chunk)"), "{position}");
    }
}

#[test]
fn nothing_to_decode() {
    assert_eq!(decompress_in(WINDOW, &[], 0), Ok(vec![]));
    assert_eq!(decompress_in(WINDOW, &[1, 2, 3], 0), Ok(vec![]));
}

#[test]
fn matches_of_every_kind() {
    let maker = Maker::new()
        .block(VERBATIM, 2 + 2 + 3 + 9 + 257 + 3)
        .codes(MAIN, LENGTH)
        .text("ab")
        .main(match_symbol(0, 0)) // R0 is 1: "bb"
        .main(match_symbol(4, 1))
        .bits(1, 1) // offset 2 + 1: "bbb"
        .main(match_symbol(0, 7))
        .length(0) // length 9
        .main(match_symbol(0, 7))
        .length(248) // length 257
        .text("cab");
    let plain = [&b"abb"[..], &[b'b'; 1 + 3 + 9 + 257], b"cab"].concat();
    check(&maker, &plain);
    // Far from the output's end, too.
    check(&maker.block(VERBATIM, 600).codes(MAIN, LENGTH).text(&"a".repeat(600)), &{
        let mut plain = plain;
        plain.extend([b'a'; 600]);
        plain
    });
}

#[test]
fn lengths_are_told_as_differences_to_the_block_before() {
    let other: Lens<'_> = &[(b'x' as usize, 1), (b'a' as usize, 2), (match_symbol(1, 2), 2)];
    let maker = Maker::new()
        .block(VERBATIM, 3)
        .codes(MAIN, LENGTH)
        .text("abc")
        .block(VERBATIM, 5)
        .codes(other, &[])
        .text("x")
        .main(match_symbol(1, 2)) // R1 is 1 still
        .block(VERBATIM, 2)
        .codes(MAIN, LENGTH)
        .text("bb");
    check(&maker, b"abcxxxxxbb");
}

#[test]
fn uncompressed_blocks() {
    for lead in ["a", "ab", "abca", "abcabc"] {
        let bytes = *b"0123456789";
        let len = u32::try_from(lead.len()).unwrap();
        let maker = Maker::new()
            .block(VERBATIM, len)
            .codes(MAIN, LENGTH)
            .text(lead)
            .block(UNCOMPRESSED, 9)
            .fill_unit()
            .offsets([4, 1, 2])
            .bytes(&bytes) // the last is padding
            .block(UNCOMPRESSED, 2)
            .fill_unit()
            .offsets([3, 1, 2])
            .bytes(b"xy")
            .block(VERBATIM, 4)
            .codes(MAIN, LENGTH)
            .main(match_symbol(0, 0))
            .text("cc");
        check(&maker, &[lead.as_bytes(), b"012345678xy8xcc"].concat());
    }
    // The size that takes one bit.
    let maker = Maker::new().bits(UNCOMPRESSED, 3).bits(1, 1);
    let block = vec![b'z'; 32768];
    check(&maker.fill_unit().offsets([1, 1, 1]).bytes(&block), &block);
}

#[test]
fn a_whole_unit_is_left_out_before_an_uncompressed_block() {
    // One of these headers ends exactly with a unit.
    let mut exact = 0;
    for letters in 1..=16 {
        let maker = Maker::new()
            .block(VERBATIM, letters)
            .codes(&[(b'a' as usize, 1), (b'b' as usize, 1)], &[])
            .text(&"a".repeat(usize::try_from(letters).unwrap()))
            .block(UNCOMPRESSED, 2);
        exact += usize::from(maker.bits.len().is_multiple_of(16));
        let mut plain = vec![b'a'; usize::try_from(letters).unwrap()];
        plain.extend(b"xy");
        check(&maker.fill_unit().offsets([1, 1, 1]).bytes(b"xy"), &plain);
    }
    assert_eq!(exact, 1);
}

#[test]
fn the_pad_byte_may_be_missing() {
    let chunk = Maker::new().block(UNCOMPRESSED, 3).fill_unit().offsets([1; 3]).bytes(b"xyz0");
    let mut chunk = chunk.chunk(0);
    chunk.pop();
    assert_eq!(decompress_in(WINDOW, &chunk, 3), Ok(b"xyz".to_vec()));
}

#[test]
fn aligned_blocks() {
    let aligned = [1, 3, 3, 4, 4, 4, 5, 5];
    let maker = aligned
        .iter()
        .fold(Maker::new().block(ALIGNED, 700 + 9), |maker, &len| maker.bits(len.into(), 3));
    let start: String = "abcacb".chars().cycle().take(700).collect();
    let maker = maker.codes(MAIN, LENGTH).text(&start);
    // Offsets 30 + 8 + 0, then 3 (slot 4 has no aligned symbol), then 30 + 0 + 7.
    let maker = maker
        .main(match_symbol(10, 1))
        .bits(1, 1)
        .codeword(&aligned, 0)
        .main(match_symbol(4, 1))
        .bits(1, 1)
        .main(match_symbol(10, 1))
        .bits(0, 1)
        .codeword(&aligned, 7);
    let mut plain = start.into_bytes();
    for offset in [38, 3, 37] {
        for _ in 0..3 {
            plain.push(plain[plain.len() - offset]);
        }
    }
    check(&maker, &plain);
    let more = maker.block(VERBATIM, 300).codes(MAIN, LENGTH).text(&"b".repeat(300));
    plain.extend([b'b'; 300]);
    check(&more, &plain);
}

#[test]
fn an_aligned_code_may_be_empty() {
    // A size at which all is near the output's end, and one at which nothing is.
    for size in [63, 3000] {
        let start = "abc".repeat(20);
        let maker = Maker::new().block(ALIGNED, size).bits(0, 24).codes(MAIN, LENGTH).text(&start);
        let size = usize::try_from(size).unwrap();
        let rest = "b".repeat(size - 60);
        check(&maker.clone().text(&rest), format!("{start}{rest}").as_bytes());
        check_fault(
            &maker.main(match_symbol(10, 1)).bits(0, 20),
            size,
            "aligned offset code lengths do not form a complete prefix code",
        );
    }
}

#[test]
fn calls_are_translated_back_only_far_from_the_end() {
    let call = |position: u32, target: u32| {
        let mut plain = vec![0x90; 40];
        let at = usize::try_from(position).unwrap();
        plain[at] = 0xE8;
        plain[at + 1..at + 5].copy_from_slice(&target.to_le_bytes());
        plain
    };
    for (position, stored, plain) in [
        (3, 10, 7),
        (3, 0, (-3i32).cast_unsigned()),
        (3, 11_999_999, 11_999_996),
        (3, 12_000_000, 12_000_000),
        (3, (-3i32).cast_unsigned(), 11_999_997),
        (3, (-4i32).cast_unsigned(), (-4i32).cast_unsigned()),
        (29, 100, 71),
        (30, 100, 100),
    ] {
        let bytes = call(position, stored);
        let maker = Maker::new().block(UNCOMPRESSED, 40).fill_unit().offsets([1; 3]).bytes(&bytes);
        check(&maker, &call(position, plain));
    }
}

#[test]
fn large_windows_have_longer_sizes() {
    let bytes = vec![b'q'; 70_000];
    let maker = Maker::new().bits(UNCOMPRESSED, 3).bits(0, 1).bits(70_000, 24);
    let chunk = maker.fill_unit().offsets([1; 3]).bytes(&bytes).chunk(0);
    for order in 17..=21 {
        assert!(decompress_in(1 << order, &chunk, 70_000).as_deref() == Ok(&bytes));
    }
    let error = decompress_in(1 << 16, &chunk, 70_000).unwrap_err();
    assert_eq!(
        error,
        "LZX chunk: output of 70000 bytes exceeds the decompressor's limit of 65536 bytes (at \
         offset 0x0 of the chunk)"
    );
}

#[test]
fn faults_of_blocks() {
    for block_type in [0, 4, 5, 6, 7] {
        let fault = format!("block type should be 1, 2 or 3, but is {block_type}");
        check_fault(&Maker::new().block(block_type, 10), 10, &fault);
    }
    let fault = "block size should be 1 to 10, but is 0";
    check_fault(&Maker::new().block(VERBATIM, 0), 10, fault);
    let fault = "block size should be 1 to 10, but is 11";
    check_fault(&Maker::new().block(ALIGNED, 11), 10, fault);
    let fault = "block size should be 1 to 10, but is 32768";
    check_fault(&Maker::new().bits(UNCOMPRESSED, 3).bits(1, 1), 10, fault);
    for offset in [0, 32768, u32::MAX] {
        let offsets = [1, 32767, offset];
        let maker = Maker::new().block(UNCOMPRESSED, 10).fill_unit().offsets(offsets);
        let fault = format!("recent offset should be 1 to 32767, but is {offset}");
        check_fault(&maker.bytes(&[0; 10]), 10, &fault);
    }
}

#[test]
fn faults_of_codes() {
    let block = Maker::new().block(VERBATIM, 10);
    let incomplete = |code: &str| format!("{code} code lengths do not form a complete prefix code");
    // A lone codeword, too many, none at all.
    let one: Lens<'_> = &[(b'a' as usize, 1)];
    let three: Lens<'_> = &[(0, 1), (1, 1), (2, 1)];
    for main in [one, three] {
        check_fault(&block.clone().codes(main, LENGTH), 10, &incomplete("main"));
        check_fault(&block.clone().codes(MAIN, main), 10, &incomplete("length"));
    }
    check_fault(&block.clone().codes(&[], LENGTH), 10, &incomplete("main"));
    let no_lengths = block.clone().codes(MAIN, &[]).text("ab").main(match_symbol(0, 7));
    check_fault(&no_lengths, 10, &incomplete("length"));
    let pretree_field =
        |field| (0..20).fold(block.clone(), |maker: Maker, _| maker.bits(field, 4)).bits(0, 32);
    check_fault(&pretree_field(0), 10, &incomplete("pretree"));
    check_fault(&pretree_field(1), 10, &incomplete("pretree"));
    let aligned = Maker::new().block(ALIGNED, 10).bits(0o1234567, 24);
    check_fault(&aligned, 10, &incomplete("aligned offset"));
}

#[test]
fn faults_of_pretree_symbols() {
    let block = Maker::new().block(VERBATIM, 10).pretree();
    let bad = |symbol| format!("pretree symbol {symbol} is not allowed here");
    // 255 lengths, then a run of at least 4.
    let almost = (0..255).fold(block.clone(), |maker, _| maker.pretree_symbol(0));
    check_fault(&almost.clone().pretree_symbol(17).bits(0, 4), 10, &bad(17));
    check_fault(&almost.clone().pretree_symbol(18).bits(0, 5), 10, &bad(18));
    check_fault(&almost.pretree_symbol(19).bits(0, 1).pretree_symbol(3), 10, &bad(19));
    // A run of runs.
    for symbol in 17..20 {
        let run = block.clone().pretree_symbol(19).bits(0, 1).pretree_symbol(symbol);
        check_fault(&run, 10, &bad(symbol));
    }
}

#[test]
fn faults_of_matches() {
    let block = |size: u32| Maker::new().block(VERBATIM, size).codes(MAIN, LENGTH);
    // Near the output's end, then far from it.
    for size in [20, 3000] {
        let fault = "match offset 3 exceeds the 2 bytes produced so far";
        let maker = block(size).text("ab").main(match_symbol(4, 1)).bits(1, 1);
        check_fault(&maker, usize::try_from(size).unwrap(), fault);
        let fault = "match offset 1 exceeds the 0 bytes produced so far";
        check_fault(&block(size).main(match_symbol(0, 0)), usize::try_from(size).unwrap(), fault);
        let long = block(size).main(match_symbol(0, 7)).length(0);
        check_fault(&long, usize::try_from(size).unwrap(), fault);
    }
    let fault = "match of 257 bytes exceeds the 8 bytes left";
    let long = block(10).text("ab").main(match_symbol(0, 7)).length(248);
    check_fault(&long.clone(), 10, fault);
    // A match may not reach into the next block either.
    check_fault(&long, 1000, fault);
    let fault = "match of 2 bytes exceeds the 1 bytes left";
    check_fault(&block(2).text("a").main(match_symbol(0, 0)), 2, fault);
}

#[test]
fn input_ends_anywhere() {
    let whole = Maker::new()
        .block(VERBATIM, 3)
        .codes(MAIN, LENGTH)
        .text("abc")
        .block(UNCOMPRESSED, 4)
        .fill_unit()
        .offsets([1; 3])
        .bytes(b"wxyz")
        .block(ALIGNED, 2)
        .bits(0, 24)
        .codes(MAIN, LENGTH)
        .text("ab")
        .chunk(0);
    assert_eq!(decompress_in(WINDOW, &whole, 9), Ok(b"abcwxyzab".to_vec()));
    let mut produced = vec![];
    for end in 0..whole.len() {
        let error = decompress_in(WINDOW, &whole[..end], 9).unwrap_err();
        let (_, rest) = error.split_once("LZX chunk: input ends after ").unwrap();
        let (count, rest) = rest.split_once(' ').unwrap();
        assert!(rest.starts_with("of 9 output bytes (at offset 0x"), "{rest}");
        produced.push(count.parse::<usize>().unwrap());
    }
    assert!(produced.is_sorted());
    produced.dedup();
    assert_eq!(produced.first(), Some(&0));
    assert!(produced.contains(&3) && produced.contains(&7));
}
