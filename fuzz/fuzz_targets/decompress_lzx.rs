//! LZX chunks: what must hold stands in `oracles/decompress_lzx.rs`.
#![no_main]

#[path = "../oracles/decompress_lzx.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
