//! XPRESS chunks made by hand: Microsoft's examples, and every fault.

use imprint_codec::{Decompressor, Format};

/// A chunk with these codeword lengths and this data behind them.
fn chunk(lens: &[(usize, u8)], data: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0; 256];
    for &(symbol, len) in lens {
        chunk[symbol / 2] |= len << (symbol % 2 * 4);
    }
    chunk.extend(data);
    chunk
}

/// Units of bits, written as text with spaces anywhere.
fn units(bits: &str) -> Vec<u8> {
    let mut bits: Vec<u16> =
        bits.bytes().filter(|b| *b != b' ').map(|b| u16::from(b == b'1')).collect();
    bits.resize(bits.len().next_multiple_of(16), 0);
    bits.chunks(16)
        .flat_map(|unit| unit.iter().fold(0, |unit, bit| unit << 1 | bit).to_le_bytes())
        .collect()
}

fn decompress(input: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let mut out = vec![0xAA; size];
    let mut decompressor = Decompressor::new(Format::Xpress, 65536).unwrap();
    decompressor.decompress(input, &mut out).map(|()| out).map_err(|error| error.to_string())
}

#[track_caller]
fn check_fault(input: &[u8], size: usize, message: &str) {
    assert_eq!(decompress(input, size).unwrap_err(), message);
}

/// Source: \[MS-XCA\] section 3.2, first example.
#[test]
fn the_alphabet() {
    let lens: Vec<_> = (b'a'..=b'z')
        .map(|letter| (usize::from(letter), if letter < b'w' { 5 } else { 4 }))
        .chain([(256, 4)])
        .collect();
    let data = [
        0xD8, 0x52, 0x3E, 0xD7, 0x94, 0x11, 0x5B, 0xE9, 0x19, 0x5F, 0xF9, 0xD6, 0x7C, 0xDF, 0x8D,
        0x04, 0, 0, 0, 0,
    ];
    let plain = decompress(&chunk(&lens, &data), 26).unwrap();
    assert_eq!(plain, b"abcdefghijklmnopqrstuvwxyz");
}

/// The code of the second example: c 00, end 01, long matches with offsets 2 and 3 10, a 110, b 111.
const ABC: [(usize, u8); 5] =
    [(b'a' as usize, 3), (b'b' as usize, 3), (b'c' as usize, 2), (256, 2), (287, 2)];

/// Source: \[MS-XCA\] section 3.2, second example.
#[test]
fn the_alphabet_s_start_a_hundred_times() {
    let data = [0xA8, 0xDC, 0, 0, 0xFF, 0x26, 0x01];
    let plain = decompress(&chunk(&ABC, &data), 300).unwrap();
    assert_eq!(plain, b"abc".repeat(100));
}

#[test]
fn nothing_to_decode() {
    assert_eq!(decompress(&chunk(&ABC, &[]), 0), Ok(vec![]));
    assert_eq!(decompress(&[0; 256], 0), Ok(vec![]));
}

#[test]
fn lengths_of_every_form() {
    // "ab", a match with offset 2 and length bytes, "c".
    let data =
        |length_bytes: &[u8]| [&units("110 111 10 0 00 01")[..], &[0, 0], length_bytes].concat();
    let abs = |length: usize| -> Vec<u8> {
        b"ab".iter().cycle().take(2 + length).chain(b"c").copied().collect()
    };
    for (length, bytes) in [
        (18, &[0][..]),
        (19, &[1]),
        (18 + 254, &[254]),
        (18 + 255, &[255, 14, 1]),
        (65000, &[255, 0xE5, 0xFD]),
        // A field larger than need be says the same.
        (20, &[255, 17, 0]),
        (3, &[255, 0, 0]),
    ] {
        let plain = decompress(&chunk(&ABC, &data(bytes)), length + 3);
        assert!(plain == Ok(abs(length)), "length {length}");
    }
}

#[test]
fn faults() {
    let abc = |bits| chunk(&ABC, &units(bits));
    check_fault(
        &[0; 255],
        1,
        "XPRESS chunk: compressed size of 255 bytes is not allowed: the code table alone has 256 \
         bytes (at offset 0x0 of the chunk)",
    );
    check_fault(
        &[0; 300],
        1,
        "XPRESS chunk: symbol code lengths do not form a complete prefix code (at offset 0x106 of \
         the chunk)",
    );
    for lens in [&ABC[1..], &[(0, 1), (1, 1), (2, 1)], &[(0, 1)], &[(0, 15), (511, 1)]] {
        check_fault(
            &chunk(lens, &[0; 20]),
            1,
            "XPRESS chunk: symbol code lengths do not form a complete prefix code (at offset 0x0 \
             of the chunk)",
        );
    }
    check_fault(
        &abc("110 111 00 00 00 00 00"),
        9,
        "XPRESS chunk: input ends after 7 of 9 output bytes (at offset 0x102 of the chunk)",
    );
    check_fault(
        &chunk(&ABC, &[&units("110 111 10 0 00 01 00")[..], &[0, 0, 255, 1]].concat()),
        30,
        "XPRESS chunk: input ends after 2 of 30 output bytes (at offset 0x105 of the chunk)",
    );
    check_fault(
        &chunk(&ABC, &units(&format!("10 0 {}", "0".repeat(60)))),
        30,
        "XPRESS chunk: match offset 2 exceeds the 0 bytes produced so far (at offset 0x105 of the \
         chunk)",
    );
    check_fault(
        &chunk(&ABC, &units(&format!("00 00 00 01 {}", "0".repeat(60)))),
        5,
        "XPRESS chunk: match of 3 bytes exceeds the 2 bytes left (at offset 0x108 of the chunk)",
    );
    check_fault(
        &abc(""),
        65537,
        "XPRESS chunk: output of 65537 bytes exceeds the decompressor's limit of 65536 bytes (at \
         offset 0x0 of the chunk)",
    );
}

/// The same faults far from both ends, where the fast loop meets them first.
#[test]
fn faults_far_from_the_ends() {
    let letters = "00".repeat(400);
    let zeros = "0".repeat(4000);
    // The shortest match, and one with length bytes.
    for symbol in [256 + 15 * 16, 511] {
        let code: Vec<_> = ABC.into_iter().take(4).chain([(symbol, 2)]).collect();
        let chunk = chunk(&code, &units(&format!("{letters} 10 111111111111111 {zeros}")));
        let error = decompress(&chunk, 3000).unwrap_err();
        let fault = "XPRESS chunk: match offset 65535 exceeds the 400 bytes produced so far (";
        assert!(error.starts_with(fault), "{error}");
    }
    // The longest match there is.
    let mut long = units(&format!("{} 10 1 {}", "00".repeat(399), "0".repeat(15)));
    long.extend([0xFF, 0xFF, 0xFF]);
    long.extend([0; 500]);
    check_fault(
        &chunk(&ABC, &long),
        3000,
        "XPRESS chunk: match of 65538 bytes exceeds the 2601 bytes left (at offset 0x169 of the \
         chunk)",
    );
}
