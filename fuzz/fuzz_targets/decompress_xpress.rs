//! XPRESS chunks: what must hold stands in `oracles/decompress.rs`.
#![no_main]

#[path = "../oracles/decompress.rs"]
mod oracle;

use imprint_codec::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(Format::Xpress, 65536, bytes));
