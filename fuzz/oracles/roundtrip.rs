//! XPRESS and LZX compression: whatever is compressed is strictly smaller, comes back exactly, and
//! does not depend on what was compressed before.
//!
//! The first byte chooses the level; the rest is the chunk.

use std::cell::RefCell;

use imprint_codec::{Compressor, Decompressor, Format, Level};

const LEVELS: [u32; 6] = [1, 20, 35, 50, 60, 100];

thread_local! {
    static USED: RefCell<Vec<(Format, Vec<Compressor>)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn check(format: Format, chunk_size: u32, bytes: &[u8]) {
    let Some((&choice, input)) = bytes.split_first() else { return };
    let input = &input[..input.len().min(chunk_size as usize)];
    let choice = usize::from(choice) % LEVELS.len();
    let fresh =
        |level| Compressor::new(format, chunk_size, Level(level)).expect("a legal chunk size");
    let (mut a, mut b) = (vec![0; input.len()], vec![0; input.len()]);
    let first = fresh(LEVELS[choice]).compress(input, &mut a);
    let second = USED.with_borrow_mut(|all| {
        if all.iter().all(|(known, _)| *known != format) {
            all.push((format, LEVELS.map(fresh).into()));
        }
        let used = all.iter_mut().find(|(known, _)| *known == format);
        used.expect("it was just made").1[choice].compress(input, &mut b)
    });
    assert_eq!(first, second);
    let Some(len) = first else { return };
    assert!(len < input.len() && a[..len] == b[..len]);
    let mut out = vec![0; input.len()];
    let mut decompressor = Decompressor::new(format, chunk_size).expect("a legal chunk size");
    decompressor.decompress(&a[..len], &mut out).expect("what was compressed can be decompressed");
    assert!(out == input, "it comes back differently");
}
