//! Capture configurations: what must hold stands in `oracles/capture_config.rs`.
#![no_main]

#[path = "../oracles/capture_config.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
