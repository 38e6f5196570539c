//! LZX and XPRESS chunks made by libwim: whole, cut, damaged, and asked for in other sizes.

use std::process::Command;

use imprint_codec::{DecompressError, Decompressor, Fault, Format};
use proptest::prelude::*;

use crate::lzms_data::{Chunk, chunks};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lzx_xpress/peer.py");

macro_rules! pack {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/lzx_xpress/", $name, ".pack"))
    };
}

/// Format, chunk size in bytes, and chunks.
const PACKS: [(Format, u32, &[u8]); 10] = [
    (Format::Lzx, 32 << 10, pack!("lzx-32768")),
    (Format::Lzx, 64 << 10, pack!("lzx-65536")),
    (Format::Lzx, 128 << 10, pack!("lzx-131072")),
    (Format::Lzx, 256 << 10, pack!("lzx-262144")),
    (Format::Lzx, 512 << 10, pack!("lzx-524288")),
    (Format::Lzx, 1 << 20, pack!("lzx-1048576")),
    (Format::Lzx, 2 << 20, pack!("lzx-2097152")),
    (Format::Xpress, 4 << 10, pack!("xpress-4096")),
    (Format::Xpress, 32 << 10, pack!("xpress-32768")),
    (Format::Xpress, 64 << 10, pack!("xpress-65536")),
];

/// How many bytes behind the last symbol XPRESS needs: libwim ends with a symbol of no use, and a bit
/// reader's last units may hold none of it.
const XPRESS_TAIL: usize = 6;

fn decompressor(format: Format, chunk_size: u32) -> Decompressor {
    Decompressor::new(format, chunk_size).unwrap()
}

/// Decodes all chunks with one decompressor, and each with a fresh one.
fn check(format: Format, chunk_size: u32, pack: &[u8]) -> usize {
    let mut used = decompressor(format, chunk_size);
    let chunks = chunks(pack);
    for Chunk { kind, seed, size, stored } in &chunks {
        let plain = Chunk { kind: *kind, seed: *seed, size: *size, stored }.plain();
        for decompressor in [&mut used, &mut decompressor(format, chunk_size)] {
            let mut out = vec![0xAA; *size];
            decompressor.decompress(stored, &mut out).unwrap();
            assert!(out == plain, "{format}, kind {kind}, seed {seed}, {size} bytes");
        }
    }
    chunks.len()
}

/// The chunks whose every byte is worth a try.
fn small_chunks() -> impl Iterator<Item = (Format, u32, Chunk<'static>)> {
    let chunks = PACKS
        .into_iter()
        .flat_map(|(format, size, pack)| chunks(pack).into_iter().map(move |c| (format, size, c)));
    chunks.filter(|(_, _, chunk)| chunk.size <= 5000)
}

#[test]
fn fixtures() {
    let count: usize =
        PACKS.into_iter().map(|(format, chunk_size, pack)| check(format, chunk_size, pack)).sum();
    assert!(count > 40, "only {count} chunks");
}

#[track_caller]
fn check_live(format: &str, chunk_size: u32, seed: u32) {
    let made = Command::new("python3")
        .args([PEER, "live", format, &chunk_size.to_string(), &seed.to_string()])
        .output()
        .expect("python3 is needed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let format = if format == "lzx" { Format::Lzx } else { Format::Xpress };
    assert!(check(format, chunk_size, &made.stdout) > 40);
}

#[test]
fn what_libwim_makes_now() {
    for order in 15..=21 {
        check_live("lzx", 1 << order, order);
    }
    for seed in 1..=3 {
        check_live("lzx", 32 << 10, seed);
    }
    for order in 12..=16 {
        check_live("xpress", 1 << order, order);
    }
}

#[test]
fn cut_at_any_byte() {
    for (format, chunk_size, chunk) in small_chunks() {
        let plain = chunk.plain();
        let mut decompressor = decompressor(format, chunk_size);
        for end in 0..chunk.stored.len() {
            let mut out = vec![0xAA; chunk.size];
            let result = decompressor.decompress(&chunk.stored[..end], &mut out);
            let in_tail = format == Format::Xpress && end + XPRESS_TAIL >= chunk.stored.len();
            assert!(result.is_err() || in_tail && out == plain, "{format} cut at {end}");
        }
        let mut out = vec![0xAA; chunk.size];
        decompressor.decompress(chunk.stored, &mut out).unwrap();
        assert!(out == plain, "{format}: an error left something behind");
    }
}

#[test]
fn other_sizes() {
    for (format, chunk_size, chunk) in small_chunks() {
        let plain = chunk.plain();
        let mut decompressor = decompressor(format, chunk_size);
        for size in 0..chunk.size {
            let mut out = vec![0xAA; size];
            let result = decompressor.decompress(chunk.stored, &mut out);
            // The blocks of LZX tell the size; XPRESS may just stop early.
            let may_stop = format == Format::Xpress && out == plain[..size];
            assert!(result.is_err() || may_stop || size == 0, "{format}: {size} of {}", chunk.size);
        }
        for size in [chunk.size + 20, chunk.size + 1000] {
            let result = decompressor.decompress(chunk.stored, &mut vec![0; size]);
            let fault = result.unwrap_err().fault;
            let too_large = size > usize::try_from(chunk_size).unwrap();
            assert_eq!(too_large, matches!(fault, Fault::OutputTooLarge { .. }), "{fault}");
        }
    }
}

/// What a decompressor makes of a chunk: a used one and a fresh one agree, whatever happens.
#[track_caller]
fn outcome(
    format: Format,
    chunk_size: u32,
    before: &Chunk<'_>,
    stored: &[u8],
) -> Result<Vec<u8>, DecompressError> {
    let mut used = decompressor(format, chunk_size);
    used.decompress(before.stored, &mut vec![0; before.size]).unwrap();
    let mut fresh = decompressor(format, chunk_size);
    let [used, fresh] = [&mut used, &mut fresh].map(|decompressor| {
        let mut out = vec![0; before.size];
        decompressor.decompress(stored, &mut out).map(|()| out)
    });
    assert!(used == fresh, "{format}: a used decompressor decides differently");
    fresh
}

#[test]
fn each_bit_flipped() {
    for (format, chunk_size, order) in [(Format::Lzx, 32 << 10, 0), (Format::Xpress, 32 << 10, 8)] {
        let pack = chunks(PACKS[order].2);
        let chunk = pack.iter().min_by_key(|chunk| chunk.stored.len()).unwrap();
        let mut stored = chunk.stored.to_vec();
        let mut refused = 0;
        for bit in 0..8 * stored.len() {
            stored[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(outcome(format, chunk_size, chunk, &stored).is_err());
            stored[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(refused > stored.len(), "{format}: only {refused} flips were noticed");
    }
}

proptest! {
    #[test]
    fn flipped_bits(
        pack in prop::sample::select(PACKS.to_vec()),
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u32), 1..5),
    ) {
        let (format, chunk_size, pack) = pack;
        let chunks = chunks(pack);
        let chunk = which.get(&chunks);
        let mut stored = chunk.stored.to_vec();
        for (at, bit) in flips {
            *at.get_mut(&mut stored) ^= 1 << bit;
        }
        let _either = outcome(format, chunk_size, chunk, &stored);
    }
}
