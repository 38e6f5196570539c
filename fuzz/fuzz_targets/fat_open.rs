//! FAT32 volumes: what must hold stands in `oracles/fat_open.rs`.
#![no_main]

#[path = "../oracles/fat_open.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
