//! Whole VHDX files: what must hold stands in `oracles/vhdx_open.rs`.
#![no_main]

#[path = "../oracles/vhdx_open.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
