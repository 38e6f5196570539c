//! Whole files: what must hold stands in `oracles/vhd_open.rs`.
#![no_main]

#[path = "../oracles/vhd_open.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
