//! LZMS chunks: a decompressor that has decoded other chunks answers like a fresh one, bytes and errors
//! alike, and an error names a place inside the input.
//!
//! An input is the size wanted (three bytes, little-endian) and the chunk.

use std::cell::RefCell;

use imprint_codec::{DecompressError, Decompressor, Fault, Format};

const CHUNK_SIZE: u32 = 1 << 20;

fn fresh() -> Decompressor {
    Decompressor::new(Format::Lzms, CHUNK_SIZE).expect("the size is legal")
}

thread_local! {
    static USED: RefCell<Decompressor> = RefCell::new(fresh());
}

fn decompress(
    with: &mut Decompressor,
    chunk: &[u8],
    size: usize,
) -> Result<Vec<u8>, DecompressError> {
    let mut out = vec![0xAA; size];
    with.decompress(chunk, &mut out).map(|()| out)
}

pub(crate) fn check(bytes: &[u8]) {
    let Some((&[a, b, c], chunk)) = bytes.split_first_chunk() else { return };
    // One size in 16 is above the limit.
    let size = u32::from_le_bytes([a, b, c, 0]) as usize % (CHUNK_SIZE as usize / 15 * 16);
    let answer = USED.with_borrow_mut(|used| decompress(used, chunk, size));
    assert!(answer == decompress(&mut fresh(), chunk, size), "what was decoded before matters");
    if let Err(error) = answer {
        assert!(error.offset <= chunk.len(), "{error}");
        if let Fault::InputTooShort { produced, expected } = error.fault {
            assert!(produced < expected && expected == size, "{error}");
        }
    }
}
