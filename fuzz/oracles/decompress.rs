//! XPRESS and LZX chunks: any bytes are refused or decoded, and a decoder that has seen other chunks
//! decides and decodes exactly as a fresh one.
//!
//! The first two bytes are the size of the output, little-endian; the rest is the chunk.

use std::cell::RefCell;

use imprint_codec::{Decompressor, Format};

thread_local! {
    static USED: RefCell<Vec<(Format, Decompressor)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn check(format: Format, chunk_size: u32, bytes: &[u8]) {
    let Some((size, chunk)) = bytes.split_first_chunk() else { return };
    let size = usize::from(u16::from_le_bytes(*size)) % (chunk_size as usize) + 1;
    let fresh = || Decompressor::new(format, chunk_size).expect("a legal chunk size");
    let (mut a, mut b) = (vec![0; size], vec![0; size]);
    let first = fresh().decompress(chunk, &mut a);
    let second = USED.with_borrow_mut(|all| {
        if all.iter().all(|(known, _)| *known != format) {
            all.push((format, fresh()));
        }
        let used = all.iter_mut().find(|(known, _)| *known == format);
        used.expect("it was just made").1.decompress(chunk, &mut b)
    });
    assert_eq!(first, second);
    if first.is_ok() {
        assert!(a == b, "a used decoder decodes differently");
    }
}
