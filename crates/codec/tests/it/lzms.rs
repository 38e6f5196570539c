//! LZMS chunks made by libwim.

use std::process::Command;

use imprint_codec::{DecompressError, Decompressor, Format};
use proptest::prelude::*;

use crate::lzms_data::{Chunk, chunks};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lzms/peer.py");
const FIXTURES: &[u8] = include_bytes!("../fixtures/lzms/chunks.pack");
const CHUNK_SIZE: u32 = 1 << 20;

fn decompressor() -> Decompressor {
    Decompressor::new(Format::Lzms, CHUNK_SIZE).unwrap()
}

fn decompress(input: &[u8], size: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = vec![0xAA; size];
    decompressor().decompress(input, &mut out).map(|()| out)
}

/// Decodes all chunks with one decompressor.
fn check(chunks: &[Chunk<'_>]) {
    let mut decompressor = decompressor();
    for chunk in chunks {
        let mut out = vec![0xAA; chunk.size];
        decompressor.decompress(chunk.stored, &mut out).unwrap();
        assert!(
            out == chunk.plain(),
            "kind {}, seed {}, {} bytes: other plain bytes",
            chunk.kind,
            chunk.seed,
            chunk.size
        );
    }
}

#[test]
fn fixtures() {
    let chunks = chunks(FIXTURES);
    assert!(chunks.len() > 30);
    check(&chunks);
}

#[test]
fn what_libwim_makes_now() {
    for seed in ["1", "2", "3"] {
        let made = Command::new("python3").args([PEER, "live", seed]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let chunks = chunks(&made.stdout);
        let total: usize = chunks.iter().map(|chunk| chunk.size).sum();
        assert!(total > 1_900_000, "only {total} bytes");
        check(&chunks);
    }
}

#[test]
fn cut_at_any_byte() {
    for chunk in chunks(FIXTURES).iter().filter(|chunk| chunk.size <= 3000) {
        let plain = chunk.plain();
        let mut decompressor = decompressor();
        let mut out = vec![0; chunk.size];
        for end in 0..chunk.stored.len() {
            // Without the last codewords the first items are others: right bytes would be a wonder.
            let result = decompressor.decompress(&chunk.stored[..end], &mut out);
            assert!(result.is_err() || out != plain || chunk.size < 64, "cut at {end}");
        }
        decompressor.decompress(chunk.stored, &mut out).unwrap();
        assert!(out == plain, "an error left something behind");
    }
}

proptest! {
    #[test]
    fn flipped_bits(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u32), 1..5),
    ) {
        let chunks = chunks(FIXTURES);
        let chunk = which.get(&chunks);
        let mut stored = chunk.stored.to_vec();
        for (at, bit) in flips {
            *at.get_mut(&mut stored) ^= 1 << bit;
        }
        // A used decompressor and a fresh one agree, whatever happens.
        let mut used = decompressor();
        let mut out = vec![0; chunk.size];
        used.decompress(chunk.stored, &mut out).unwrap();
        let result = used.decompress(&stored, &mut out).map(|()| out);
        prop_assert!(result == decompress(&stored, chunk.size));
    }
}
