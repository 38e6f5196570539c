//! Damage to a sound volume: what must hold stands in `oracles/ntfs_check.rs`.
#![no_main]

#[path = "../oracles/ntfs_check.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
