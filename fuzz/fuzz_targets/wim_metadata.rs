//! Metadata: what must hold stands in `oracles/wim_metadata.rs`.
#![no_main]

#[path = "../oracles/wim_metadata.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
