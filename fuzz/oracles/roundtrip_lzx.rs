//! LZX compression: whatever is compressed is strictly smaller, comes back exactly, and does not
//! depend on what was compressed before.
//!
//! The first byte chooses the level; the rest is the chunk.

use std::cell::RefCell;

use imprint_codec::{Compressor, Decompressor, Format, Level};

const CHUNK: u32 = 32768;
const LEVELS: [u32; 6] = [1, 20, 35, 50, 60, 100];

thread_local! {
    static USED: RefCell<Vec<Compressor>> = RefCell::new(LEVELS.map(compressor).into());
}

fn compressor(level: u32) -> Compressor {
    Compressor::new(Format::Lzx, CHUNK, Level(level)).expect("a legal chunk size")
}

pub(crate) fn check(bytes: &[u8]) {
    let Some((&choice, input)) = bytes.split_first() else { return };
    let input = &input[..input.len().min(CHUNK as usize)];
    let choice = usize::from(choice) % LEVELS.len();
    let (mut a, mut b) = (vec![0; input.len()], vec![0; input.len()]);
    let first = compressor(LEVELS[choice]).compress(input, &mut a);
    let second = USED.with_borrow_mut(|used| used[choice].compress(input, &mut b));
    assert_eq!(first, second);
    let Some(len) = first else { return };
    assert!(len < input.len() && a[..len] == b[..len]);
    let mut out = vec![0; input.len()];
    let mut decompressor = Decompressor::new(Format::Lzx, CHUNK).expect("a legal chunk size");
    decompressor.decompress(&a[..len], &mut out).expect("what was compressed can be decompressed");
    assert!(out == input, "it comes back differently");
}
