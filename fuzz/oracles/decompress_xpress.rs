//! XPRESS chunks: any bytes are refused or decoded, and a decoder that has seen other chunks decides
//! and decodes exactly as a fresh one.
//!
//! The first two bytes are the size of the output, little-endian; the rest is the chunk.

use std::cell::RefCell;

use imprint_codec::{Decompressor, Format};

const CHUNK: u32 = 65536;

thread_local! {
    static USED: RefCell<Decompressor> =
        RefCell::new(Decompressor::new(Format::Xpress, CHUNK).expect("a legal chunk size"));
}

pub(crate) fn check(bytes: &[u8]) {
    let Some((size, chunk)) = bytes.split_first_chunk() else { return };
    let size = usize::from(u16::from_le_bytes(*size)) % (CHUNK as usize) + 1;
    let mut fresh = Decompressor::new(Format::Xpress, CHUNK).expect("a legal chunk size");
    let (mut a, mut b) = (vec![0; size], vec![0; size]);
    let first = fresh.decompress(chunk, &mut a);
    let second = USED.with_borrow_mut(|used| used.decompress(chunk, &mut b));
    assert_eq!(first, second);
    if first.is_ok() {
        assert!(a == b, "a used decoder decodes differently");
    }
}
