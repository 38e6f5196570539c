//! Whatever LZX compresses it decompresses to the same bytes, at every level.
#![no_main]

use imprint_codec::{Compressor, Decompressor, Format, Level};
use libfuzzer_sys::fuzz_target;

const CHUNK: u32 = 32768;

fuzz_target!(|data: &[u8]| {
    let Some((&level, plain)) = data.split_first() else { return };
    let plain = plain.get(..CHUNK as usize).unwrap_or(plain);
    let level = Level(u32::from(level).max(1));
    let mut compressor = Compressor::new(Format::Lzx, CHUNK, level).unwrap();
    let mut packed = vec![0; plain.len()];
    let Some(len) = compressor.compress(plain, &mut packed) else { return };
    assert!(len < plain.len());
    let mut again = vec![0; plain.len()];
    let mut decompressor = Decompressor::new(Format::Lzx, CHUNK).unwrap();
    decompressor.decompress(&packed[..len], &mut again).unwrap();
    assert!(again == plain);
});
