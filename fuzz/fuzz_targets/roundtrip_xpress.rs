//! XPRESS compression: what must hold stands in `oracles/roundtrip_xpress.rs`.
#![no_main]

#[path = "../oracles/roundtrip_xpress.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
