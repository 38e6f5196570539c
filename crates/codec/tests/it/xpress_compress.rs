//! What the XPRESS compressor writes: our decoder and libwim read it back.

use std::path::Path;

use imprint_codec::{Compressor, Format, Level};
use proptest::prelude::*;

use crate::judge::{Judged, round_trip};
use crate::samples;

/// A level of every group of settings.
const LEVELS: [u32; 8] = [1, 10, 20, 30, 50, 55, 60, 100];

fn xpress(chunk_size: u32, level: u32) -> Compressor {
    Compressor::new(Format::Xpress, chunk_size, Level(level)).unwrap()
}

/// Judges every kind of data of the given sizes at the given levels.
#[track_caller]
fn check(chunk_size: u32, levels: &[u32], sizes: &[usize]) {
    let mut judged = Judged::new(Format::Xpress, chunk_size);
    for &level in levels {
        let mut compressor = xpress(chunk_size, level);
        for &len in sizes {
            for (kind, plain) in samples::all(len, len as u64 ^ u64::from(level)) {
                let what = format!("{kind}, {len} bytes, level {level}, chunk {chunk_size}");
                if let Some(packed) = round_trip(&mut compressor, &plain, &what) {
                    judged.add(&plain, &packed);
                }
            }
        }
    }
    judged.check();
}

#[test]
fn every_level() {
    let levels: Vec<u32> = (0..=100).chain([300, u32::MAX]).collect();
    check(32768, &levels, &[20_000]);
}

#[test]
fn small_sizes() {
    check(4096, &[20, 50, 100], &Vec::from_iter(0..=400));
}

#[test]
fn every_chunk_size() {
    for order in 12..=16 {
        let size = 1usize << order;
        check(1 << order, &LEVELS, &[size, size - 1, size - 7, size / 2 + 1]);
    }
}

#[test]
fn sizes_around_the_change_of_hash_tables() {
    check(32768, &LEVELS, &Vec::from_iter((8 << 10) - 2..=(8 << 10) + 2));
}

/// A chunk whose only long match has exactly `len` bytes at `offset`.
fn one_match(len: usize, offset: usize) -> Vec<u8> {
    let mut plain = samples::random(offset, 5);
    for byte in &mut plain {
        *byte |= 1;
    }
    for _ in 0..len {
        plain.push(plain[plain.len() - offset]);
    }
    // An even byte cannot continue the match.
    plain.push(0);
    plain
}

#[test]
fn match_lengths_around_every_limit() {
    for level in LEVELS {
        let mut judged = Judged::new(Format::Xpress, 65536);
        let mut compressor = xpress(65536, level);
        let lengths = (3..=20).chain(250..=300).chain([0x1000, 65535 - 400, 65535 - 1]);
        for len in lengths {
            for offset in [1, 2, 7, 300, 400] {
                let mut plain = one_match(len, offset);
                plain.resize(plain.len().max(700), 1);
                plain.truncate(65536);
                let what = format!("length {len}, offset {offset}, level {level}");
                if let Some(packed) = round_trip(&mut compressor, &plain, &what) {
                    judged.add(&plain, &packed);
                }
            }
        }
        judged.check();
    }
}

#[test]
fn the_longest_matches_and_offsets() {
    let mut judged = Judged::new(Format::Xpress, 65536);
    for level in LEVELS {
        let mut compressor = xpress(65536, level);
        for (kind, plain) in [
            ("one byte", vec![0x55; 65536]),
            ("two bytes", [1, 2].repeat(32768)),
            ("far", samples::far(65536, 3)),
        ] {
            let packed = round_trip(&mut compressor, &plain, kind).expect("it shrinks");
            judged.add(&plain, &packed);
        }
        // Random bytes, of which only the very last repeat the very first.
        let mut plain = samples::random(65536, 11);
        let (front, back) = plain.split_at_mut(32768);
        front[64..].fill(7);
        back[32768 - 64..].copy_from_slice(&front[..64]);
        let packed = round_trip(&mut compressor, &plain, "farthest").expect("it shrinks");
        judged.add(&plain, &packed);
    }
    judged.check();
}

#[test]
fn the_result_does_not_depend_on_what_came_before() {
    for level in LEVELS {
        let mut used = xpress(65536, level);
        let sizes = [65536, 32768, 9000, 8192, 5000, 300];
        for (kind, plain) in sizes.into_iter().flat_map(|len| samples::all(len, len as u64)) {
            let fresh = round_trip(&mut xpress(65536, level), &plain, kind);
            let after_others = round_trip(&mut used, &plain, kind);
            assert!(fresh == after_others, "{kind}, level {level}");
        }
    }
}

#[test]
fn what_does_not_shrink_or_fit_is_refused() {
    for level in LEVELS {
        let mut compressor = xpress(32768, level);
        let noise = samples::random(32768, 9);
        assert_eq!(compressor.compress(&noise, &mut vec![0; 40000]), None);
        assert_eq!(compressor.compress(&[], &mut []), None);
        assert_eq!(compressor.compress(&[0; 261], &mut [0; 300]), None);
        assert_eq!(compressor.compress(&vec![0; 32769], &mut vec![0; 40000]), None);
        let text = samples::text(32768, 9);
        let needed = compressor.compress(&text, &mut vec![0; 32768]).unwrap();
        assert_eq!(compressor.compress(&text, &mut vec![0; needed]), Some(needed));
        for room in [0, 1, 255, 256, 260, needed - 1] {
            assert_eq!(compressor.compress(&text, &mut vec![0; room]), None, "room for {room}");
        }
    }
}

#[test]
fn a_run_shrinks_to_little_more_than_the_table() {
    for level in LEVELS {
        let packed = xpress(4096, level).compress(&[0; 4096], &mut [0; 4096]).unwrap();
        assert!(packed <= 264, "level {level}: {packed} bytes");
    }
}

#[test]
fn higher_levels_are_smaller() {
    // The project's own sources: level by level they shrink as real files do, made-up words do not.
    let mut plain = Vec::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in ["lzms", "lzx", "xpress", "huffman"] {
        let files = fs_err::read_dir(sources.join(folder)).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            plain.extend(fs_err::read(file).unwrap());
        }
    }
    let plain: Vec<_> = plain.chunks_exact(32768).collect();
    assert!(plain.len() > 1);
    let total = |level| {
        let mut compressor = xpress(32768, level);
        let sizes =
            plain.iter().map(|text| compressor.compress(text, &mut vec![0; 32768]).unwrap());
        sizes.sum::<usize>()
    };
    let totals: Vec<usize> = [1, 50, 100].into_iter().map(total).collect();
    assert!(totals.is_sorted_by(|a, b| a > b), "{totals:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn anything_round_trips(
        pieces in prop::collection::vec((0usize..9, 0usize..12000, any::<u64>()), 1..6),
        level in 0u32..=100,
    ) {
        let mut plain = Vec::new();
        for (kind, len, seed) in pieces {
            plain.extend(&samples::all(len, seed)[kind].1);
        }
        plain.truncate(65536);
        round_trip(&mut xpress(65536, level), &plain, "pieces");
    }
}
