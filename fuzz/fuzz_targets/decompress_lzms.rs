//! LZMS chunks: what must hold stands in `oracles/decompress_lzms.rs`.
#![no_main]

#[path = "../oracles/decompress_lzms.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
