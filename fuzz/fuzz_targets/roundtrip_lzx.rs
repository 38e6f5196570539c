//! LZX compression: what must hold stands in `oracles/roundtrip.rs`.
#![no_main]

#[path = "../oracles/roundtrip.rs"]
mod oracle;

use imprint_codec::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(Format::Lzx, 32768, bytes));
