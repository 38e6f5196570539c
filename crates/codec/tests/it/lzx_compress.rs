//! What the LZX compressor writes: our decoder and libwim read it back.

use imprint_codec::{Compressor, Format, Level};
use proptest::prelude::*;

use crate::judge::{Judged, round_trip};
use crate::samples;

fn lzx(chunk_size: u32, level: u32) -> Compressor {
    Compressor::new(Format::Lzx, chunk_size, Level(level)).unwrap()
}

#[test]
fn every_kind_at_every_level() {
    let mut judged = Judged::new(Format::Lzx, 32768);
    for level in
        (1..=100).step_by(9).chain([20, 21, 29, 30, 35, 44, 45, 50, 59, 60, 69, 70, 100, 300])
    {
        let mut compressor = lzx(32768, level);
        for (kind, plain) in samples::all(32768, u64::from(level)) {
            if let Some(packed) = round_trip(&mut compressor, &plain, &format!("{kind}, {level}")) {
                judged.add(&plain, &packed);
            }
        }
    }
    judged.check();
}

#[test]
fn every_kind_at_every_fast_level() {
    for size in [32768, 65536] {
        let mut judged = Judged::new(Format::Lzx, size);
        for level in 0..=20 {
            let mut compressor = lzx(size, level);
            for len in [size as usize, size as usize - 7, 9000, 8192, 700] {
                for (kind, plain) in samples::all(len, u64::from(level) + 50) {
                    let what = format!("{kind}, {len} of {size} bytes, level {level}");
                    if let Some(packed) = round_trip(&mut compressor, &plain, &what) {
                        judged.add(&plain, &packed);
                    }
                }
            }
        }
        judged.check();
    }
}

#[test]
fn runs_and_periods_at_fast_levels() {
    let mut judged = Judged::new(Format::Lzx, 65536);
    for level in [1, 10, 20] {
        let mut compressor = lzx(65536, level);
        for period in [1, 2, 3, 5, 31, 255, 256, 257, 258, 259, 514, 515, 4096] {
            for len in [32, 257, 258, 259, 260, 515, 516, 517, 5000, 65536] {
                let pattern = samples::random(period, 5);
                let plain: Vec<u8> = pattern.iter().copied().cycle().take(len).collect();
                let what = format!("period {period}, {len} bytes, level {level}");
                if let Some(packed) = round_trip(&mut compressor, &plain, &what) {
                    judged.add(&plain, &packed);
                }
            }
        }
    }
    judged.check();
}

#[test]
fn small_sizes_and_sizes_around_powers_of_two() {
    let sizes = (0..=70).chain((7..=15).flat_map(|order| (1 << order) - 2..=(1 << order) + 2));
    let mut judged = Judged::new(Format::Lzx, 32768);
    for level in [1, 10, 20, 50] {
        let mut compressor = lzx(32768, level);
        for len in sizes.clone().filter(|&len| len <= 32768) {
            for (kind, plain) in samples::all(len, len as u64) {
                let what = format!("{kind}, {len} bytes, level {level}");
                if let Some(packed) = round_trip(&mut compressor, &plain, &what) {
                    judged.add(&plain, &packed);
                }
            }
        }
    }
    judged.check();
}

#[test]
fn every_chunk_size() {
    for order in 15..=21 {
        let size = 1 << order;
        let mut judged = Judged::new(Format::Lzx, 1 << order);
        for level in [1, 10, 20, 25, 35, 50, 100] {
            let mut compressor = lzx(1 << order, level);
            for len in [size, size - 1, size / 2 + 3] {
                // The larger the chunk, the fewer kinds: the text is the slowest and the richest.
                let kinds = samples::all(len, 7);
                for (kind, plain) in kinds.iter().skip(if order < 18 { 0 } else { 5 }) {
                    let what = format!("{kind}, {len} bytes, level {level}, chunk {size}");
                    if let Some(packed) = round_trip(&mut compressor, plain, &what) {
                        judged.add(plain, &packed);
                    }
                }
            }
        }
        judged.check();
    }
}

#[test]
fn blocks_of_different_kinds_in_one_chunk() {
    let mut judged = Judged::new(Format::Lzx, 32768);
    for level in [1, 10, 20, 25, 35, 50, 100] {
        let mut compressor = lzx(32768, level);
        for seed in 0..8 {
            let mut plain = samples::text(9000, seed);
            plain.extend(samples::code(9000, seed));
            plain.extend(samples::random(2000, seed));
            plain.extend(samples::runs(12768, seed));
            let packed = round_trip(&mut compressor, &plain, "mixed").expect("it shrinks");
            judged.add(&plain, &packed);
        }
    }
    judged.check();
}

#[test]
fn the_result_does_not_depend_on_what_came_before() {
    for level in [1, 10, 20, 25, 35, 50, 100] {
        let mut used = lzx(32768, level);
        let kinds = samples::all(32768, 3).into_iter().chain(samples::all(5000, 4));
        for (kind, plain) in kinds {
            let fresh = round_trip(&mut lzx(32768, level), &plain, kind);
            let after_others = round_trip(&mut used, &plain, kind);
            assert!(fresh == after_others, "{kind}, level {level}");
        }
    }
}

#[test]
fn what_does_not_shrink_or_fit_is_refused() {
    for level in [1, 10, 20, 50] {
        let mut compressor = lzx(32768, level);
        let noise = samples::random(32768, 9);
        assert_eq!(compressor.compress(&noise, &mut vec![0; 40000]), None);
        assert_eq!(compressor.compress(&[], &mut []), None);
        assert_eq!(compressor.compress(&vec![0; 32769], &mut vec![0; 40000]), None);
        let text = samples::text(32768, 9);
        let needed = compressor.compress(&text, &mut vec![0; 32768]).unwrap();
        assert_eq!(compressor.compress(&text, &mut vec![0; needed]), Some(needed));
        for room in [0, 1, 2, 100, needed - 2] {
            assert_eq!(
                compressor.compress(&text, &mut vec![0; room]),
                None,
                "{room} bytes of room"
            );
        }
    }
}

#[test]
fn higher_levels_are_smaller() {
    let plain: Vec<_> = (0..6).map(|seed| samples::text(32768, seed)).collect();
    let total = |level| {
        let mut compressor = lzx(32768, level);
        let sizes =
            plain.iter().map(|text| compressor.compress(text, &mut vec![0; 32768]).unwrap());
        sizes.sum::<usize>()
    };
    let sizes: Vec<_> = [10, 20, 35, 50, 100].map(total).to_vec();
    assert!(sizes.is_sorted_by(|lower, higher| lower > higher), "{sizes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn anything_round_trips(
        pieces in prop::collection::vec((0usize..9, 0usize..6000, any::<u64>()), 1..6),
        level in 1u32..=100,
    ) {
        let mut plain = Vec::new();
        for (kind, len, seed) in pieces {
            plain.extend(&samples::all(len, seed)[kind].1);
        }
        plain.truncate(32768);
        round_trip(&mut lzx(32768, level), &plain, "pieces");
    }
}
