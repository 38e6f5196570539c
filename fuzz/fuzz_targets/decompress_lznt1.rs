//! LZNT1: what must hold stands in `oracles/decompress_lznt1.rs`.
#![no_main]

#[path = "../oracles/decompress_lznt1.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
