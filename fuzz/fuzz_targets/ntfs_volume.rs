//! The beginning of a volume: what must hold stands in `oracles/ntfs_volume.rs`.
#![no_main]

#[path = "../oracles/ntfs_volume.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
