//! XML data: what must hold stands in `oracles/wim_xml.rs`.
#![no_main]

#[path = "../oracles/wim_xml.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
