//! Layout files: what must hold stands in `oracles/layout_file.rs`.
#![no_main]

#[path = "../oracles/layout_file.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
