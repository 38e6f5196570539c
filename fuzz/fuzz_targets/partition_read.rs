//! Partition tables: what must hold stands in `oracles/partition_read.rs`.
#![no_main]

#[path = "../oracles/partition_read.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracle::check(bytes));
