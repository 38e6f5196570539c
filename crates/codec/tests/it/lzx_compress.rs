//! What the LZX compressor writes: our decoder and libwim read it back.

use std::io::Write as _;
use std::process::Command;

use imprint_codec::{Compressor, Decompressor, Format, Level};
use proptest::prelude::*;

use crate::samples;

/// Has libwim decompress every chunk of a file: `u32` plain size, `u32` packed size, plain bytes, packed
/// bytes, again and again.
const JUDGE: &str = r#"
import ctypes, struct, sys
lib = ctypes.CDLL("libwim.so.15")
lib.wimlib_create_decompressor.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p]
lib.wimlib_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
codec = ctypes.c_void_p()
assert lib.wimlib_create_decompressor(2, int(sys.argv[2]), ctypes.byref(codec)) == 0
data, at, number = open(sys.argv[1], "rb").read(), 0, 0
while at < len(data):
    plain, packed = struct.unpack_from("<II", data, at)
    at += 8
    want, source = data[at:at + plain], data[at + plain:at + plain + packed]
    at += plain + packed
    out = ctypes.create_string_buffer(plain)
    code = lib.wimlib_decompress(source, packed, out, plain, codec)
    assert code == 0, f"chunk {number}: code {code}"
    assert out.raw == want, f"chunk {number} differs"
    number += 1
print(number)
"#;

/// Compressed chunks that wait for the independent judge.
struct Judged {
    chunk_size: u32,
    file: Vec<u8>,
    count: usize,
}

impl Judged {
    fn new(chunk_size: u32) -> Self {
        Self { chunk_size, file: Vec::new(), count: 0 }
    }

    fn add(&mut self, plain: &[u8], packed: &[u8]) {
        for len in [plain.len(), packed.len()] {
            self.file.extend(u32::try_from(len).unwrap().to_le_bytes());
        }
        self.file.extend(plain);
        self.file.extend(packed);
        self.count += 1;
    }

    #[track_caller]
    fn check(self) {
        assert!(self.count > 0, "nothing was compressed");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&self.file).unwrap();
        let output = Command::new("python3")
            .args(["-c", JUDGE])
            .arg(file.path())
            .arg(self.chunk_size.to_string())
            .output()
            .expect("python3 is needed");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "libwim rejects a chunk: {errors}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), self.count.to_string());
    }
}

/// Compresses, checks the contract and our decoder, and returns the compressed bytes if there are any.
#[track_caller]
fn round_trip(compressor: &mut Compressor, plain: &[u8], what: &str) -> Option<Vec<u8>> {
    const UNTOUCHED: u8 = 0xA5;
    let mut out = vec![UNTOUCHED; plain.len() + 64];
    let packed = compressor.compress(plain, &mut out)?;
    assert!(packed < plain.len(), "{what}: {packed} bytes are not fewer");
    assert!(out[plain.len()..].iter().all(|&byte| byte == UNTOUCHED), "{what}: wrote beyond");
    out.truncate(packed);
    let mut again = vec![0; plain.len()];
    let mut decompressor = Decompressor::new(Format::Lzx, compressor.chunk_size()).unwrap();
    if let Err(error) = decompressor.decompress(&out, &mut again) {
        panic!("{what}: {error}");
    }
    assert!(again == plain, "{what}: decompressed bytes differ");
    Some(out)
}

fn lzx(chunk_size: u32, level: u32) -> Compressor {
    Compressor::new(Format::Lzx, chunk_size, Level(level)).unwrap()
}

#[test]
fn every_kind_at_every_level() {
    let mut judged = Judged::new(32768);
    for level in (1..=100).step_by(9).chain([20, 34, 35, 44, 45, 50, 59, 60, 69, 70, 100, 300]) {
        let mut compressor = lzx(32768, level);
        for (kind, plain) in samples::all(32768, u64::from(level)) {
            if let Some(packed) = round_trip(&mut compressor, &plain, &format!("{kind}, {level}")) {
                judged.add(&plain, &packed);
            }
        }
    }
    judged.check();
}

#[test]
fn small_sizes_and_sizes_around_powers_of_two() {
    let sizes = (0..=70).chain((7..=15).flat_map(|order| (1 << order) - 2..=(1 << order) + 2));
    let mut judged = Judged::new(32768);
    for level in [20, 50] {
        let mut compressor = lzx(32768, level);
        for len in sizes.clone().filter(|&len| len <= 32768) {
            for (kind, plain) in samples::all(len, len as u64) {
                let what = format!("{kind}, {len} bytes, level {level}");
                if let Some(packed) = round_trip(&mut compressor, &plain, &what) {
                    judged.add(&plain, &packed);
                }
            }
        }
    }
    judged.check();
}

#[test]
fn every_chunk_size() {
    for order in 15..=21 {
        let size = 1 << order;
        let mut judged = Judged::new(1 << order);
        for level in [20, 35, 50, 100] {
            let mut compressor = lzx(1 << order, level);
            for len in [size, size - 1, size / 2 + 3] {
                // The larger the chunk, the fewer kinds: the text is the slowest and the richest.
                let kinds = samples::all(len, 7);
                for (kind, plain) in kinds.iter().skip(if order < 18 { 0 } else { 5 }) {
                    let what = format!("{kind}, {len} bytes, level {level}, chunk {size}");
                    if let Some(packed) = round_trip(&mut compressor, plain, &what) {
                        judged.add(plain, &packed);
                    }
                }
            }
        }
        judged.check();
    }
}

#[test]
fn blocks_of_different_kinds_in_one_chunk() {
    let mut judged = Judged::new(32768);
    for level in [20, 35, 50, 100] {
        let mut compressor = lzx(32768, level);
        for seed in 0..8 {
            let mut plain = samples::text(9000, seed);
            plain.extend(samples::code(9000, seed));
            plain.extend(samples::random(2000, seed));
            plain.extend(samples::runs(12768, seed));
            let packed = round_trip(&mut compressor, &plain, "mixed").expect("it shrinks");
            judged.add(&plain, &packed);
        }
    }
    judged.check();
}

#[test]
fn the_result_does_not_depend_on_what_came_before() {
    for level in [20, 35, 50, 100] {
        let mut used = lzx(32768, level);
        let kinds = samples::all(32768, 3).into_iter().chain(samples::all(5000, 4));
        for (kind, plain) in kinds {
            let fresh = round_trip(&mut lzx(32768, level), &plain, kind);
            let after_others = round_trip(&mut used, &plain, kind);
            assert!(fresh == after_others, "{kind}, level {level}");
        }
    }
}

#[test]
fn what_does_not_shrink_or_fit_is_refused() {
    for level in [20, 50] {
        let mut compressor = lzx(32768, level);
        let noise = samples::random(32768, 9);
        assert_eq!(compressor.compress(&noise, &mut vec![0; 40000]), None);
        assert_eq!(compressor.compress(&[], &mut []), None);
        assert_eq!(compressor.compress(&vec![0; 32769], &mut vec![0; 40000]), None);
        let text = samples::text(32768, 9);
        let needed = compressor.compress(&text, &mut vec![0; 32768]).unwrap();
        assert_eq!(compressor.compress(&text, &mut vec![0; needed]), Some(needed));
        for room in [0, 1, 2, 100, needed - 2] {
            assert_eq!(
                compressor.compress(&text, &mut vec![0; room]),
                None,
                "{room} bytes of room"
            );
        }
    }
}

#[test]
fn higher_levels_are_smaller() {
    let plain: Vec<_> = (0..6).map(|seed| samples::text(32768, seed)).collect();
    let total = |level| {
        let mut compressor = lzx(32768, level);
        let sizes =
            plain.iter().map(|text| compressor.compress(text, &mut vec![0; 32768]).unwrap());
        sizes.sum::<usize>()
    };
    let (fast, normal, max) = (total(20), total(50), total(100));
    assert!(normal < fast && max < normal, "{fast} {normal} {max}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn anything_round_trips(
        pieces in prop::collection::vec((0usize..9, 0usize..6000, any::<u64>()), 1..6),
        level in 1u32..=100,
    ) {
        let mut plain = Vec::new();
        for (kind, len, seed) in pieces {
            plain.extend(&samples::all(len, seed)[kind].1);
        }
        plain.truncate(32768);
        round_trip(&mut lzx(32768, level), &plain, "pieces");
    }
}
