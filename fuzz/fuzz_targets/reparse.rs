//! Reparse data: what must hold stands in `oracles/reparse.rs`.
#![no_main]

#[path = "../oracles/reparse.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
