//! Mapping pairs: where the clusters of a value are.
//!
//! A pair is a byte that says how long its two numbers are (length low, place high), then the length in
//! clusters and the place, as the distance from the place of the run before. Without a place the run is a
//! hole. A zero byte ends them. Both numbers are little-endian and signed.

use imprint_blockio::Expected;

use crate::{Corruption, Lcn, Structure, Vcn};

/// Clusters that follow one another both in the value and on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first of them in the value.
    pub vcn: Vcn,
    /// How many.
    pub length: u64,
    /// Where the first is on the volume; `None` for a hole.
    pub lcn: Option<Lcn>,
}

impl Run {
    /// The cluster of the value behind the run.
    #[must_use]
    pub const fn end(&self) -> Vcn {
        Vcn(self.vcn.0 + self.length)
    }
}

/// Where mapping pairs stand, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairsPlace {
    pub(crate) structure: Structure,
    /// Of the first byte, from the start of the volume.
    pub(crate) offset: u64,
}

/// Reads the pairs of a part of a value, from `first` on, and appends their runs, neighbours as one. `clusters`
/// is how many the volume has.
///
/// # Errors
/// [`Corruption`] at the pair that is wrong: not whole, of no length, outside the volume.
pub(crate) fn read_runs(
    pairs: &[u8],
    first: Vcn,
    clusters: u64,
    place: PairsPlace,
    runs: &mut Vec<Run>,
) -> Result<Vcn, Corruption> {
    let (mut rest, mut vcn, mut lcn) = (pairs, first, 0_i64);
    loop {
        let at = place.offset + (pairs.len() - rest.len()) as u64;
        let Some((&head, tail)) = rest.split_first() else {
            let end = place.offset + pairs.len() as u64;
            return Err(Corruption::past_end(place.structure, at, "mapping pair", end, end + 1));
        };
        if head == 0 {
            return Ok(vcn);
        }
        let (length_bytes, place_bytes) = (usize::from(head & 15), usize::from(head >> 4));
        if length_bytes == 0 || length_bytes > 8 || place_bytes > 8 {
            let expected = Expected::Within(0x01, 0x88);
            return Err(code(place, at, "head of mapping pair", expected, head.into()));
        }
        let Some((numbers, tail)) = tail.split_at_checked(length_bytes + place_bytes) else {
            let limit = place.offset + pairs.len() as u64;
            let end = at + 1 + (length_bytes + place_bytes) as u64;
            return Err(Corruption::past_end(place.structure, at, "mapping pair", limit, end));
        };
        let (length, distance) = numbers.split_at_checked(length_bytes).unwrap_or_default();
        let length = number(length);
        // No value is larger than the largest number of a file's bytes.
        let end = u64::try_from(length).ok().filter(|&length| length > 0);
        let end = end.and_then(|length| vcn.0.checked_add(length)).filter(|&end| end <= 1 << 54);
        let Some(end) = end else {
            let expected = Expected::Within(1, 1 << 54);
            return Err(code(place, at + 1, "length of run", expected, length.cast_unsigned()));
        };
        let length = end - vcn.0;
        let found = if place_bytes == 0 {
            None
        } else {
            lcn = lcn.wrapping_add(number(distance));
            let inside = u64::try_from(lcn)
                .ok()
                .filter(|lcn| lcn.checked_add(length).is_some_and(|end| end <= clusters));
            let Some(inside) = inside else {
                let at = at + 1 + length_bytes as u64;
                let expected = Expected::AtMost(clusters.saturating_sub(length));
                return Err(code(place, at, "place of run", expected, lcn.cast_unsigned()));
            };
            Some(Lcn(inside))
        };
        add(runs, Run { vcn, length, lcn: found });
        (rest, vcn) = (tail, Vcn(end));
    }
}

/// Appends a run, to the last one if it goes on where that ends.
fn add(runs: &mut Vec<Run>, run: Run) {
    if let Some(last) = runs.last_mut()
        && last.end() == run.vcn
    {
        let goes_on = match (last.lcn, run.lcn) {
            (None, None) => true,
            (Some(last_lcn), Some(lcn)) => last_lcn.0 + last.length == lcn.0,
            _ => false,
        };
        if goes_on {
            last.length += run.length;
            return;
        }
    }
    runs.push(run);
}

/// Writes runs as pairs, with the zero at the end.
pub fn write_runs(runs: &[Run], pairs: &mut Vec<u8>) {
    let mut before = 0_i64;
    for run in runs {
        let length = run.length.to_le_bytes();
        let length_bytes = needed(run.length.cast_signed());
        let lcn = run.lcn.map(|lcn| lcn.0.cast_signed());
        let distance = lcn.map(|lcn| lcn.wrapping_sub(before));
        let place_bytes = distance.map_or(0, needed);
        pairs.push((place_bytes << 4 | length_bytes).to_le_bytes().first().copied().unwrap_or(0));
        pairs.extend(length.iter().take(length_bytes));
        pairs.extend(distance.unwrap_or(0).to_le_bytes().iter().take(place_bytes));
        before = lcn.unwrap_or(before);
    }
    pairs.push(0);
}

/// How many bytes a signed number needs, at least 1.
const fn needed(value: i64) -> usize {
    let bits = 65 - if value < 0 { value.leading_ones() } else { value.leading_zeros() };
    let bytes = bits.div_ceil(8) as usize;
    if bytes == 0 { 1 } else { bytes }
}

/// A little-endian signed number of up to 8 bytes.
fn number(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    for (target, &byte) in all.iter_mut().zip(bytes) {
        *target = byte;
    }
    i64::from_le_bytes(all)
}

const fn code(
    place: PairsPlace,
    offset: u64,
    field: &'static str,
    expected: Expected,
    actual: u64,
) -> Corruption {
    Corruption::code(place.structure, offset, field, expected, actual)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{AttributeKind, RecordNumber};

    const PLACE: PairsPlace = PairsPlace {
        structure: Structure::Attribute(RecordNumber(5), AttributeKind::DATA),
        offset: 0x1000,
    };

    fn run(vcn: u64, length: u64, lcn: Option<u64>) -> Run {
        Run { vcn: Vcn(vcn), length, lcn: lcn.map(Lcn) }
    }

    fn read(pairs: &[u8]) -> Result<Vec<Run>, Corruption> {
        let mut runs = Vec::new();
        read_runs(pairs, Vcn(0), 1 << 20, PLACE, &mut runs).map(|_| runs)
    }

    #[track_caller]
    fn check_fault(pairs: &[u8], expected: &str) {
        let error = read(pairs).unwrap_err().to_string();
        assert_eq!(error, format!("$DATA of file record 5: {expected}"));
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        // 0x18 clusters at 0x5634, a hole of 0x10, 0x20 at 0x5634 - 0x34.
        let pairs = [0x21, 0x18, 0x34, 0x56, 0x01, 0x10, 0x11, 0x20, 0xcc, 0];
        let expected =
            [run(0, 0x18, Some(0x5634)), run(0x18, 0x10, None), run(0x28, 0x20, Some(0x5600))];
        assert_eq!(read(&pairs).unwrap(), expected);
        assert_eq!(read(&[0x11, 4, 10, 0x11, 4, 4, 0]).unwrap(), [run(0, 8, Some(10))]);
        assert_eq!(read(&[0]).unwrap(), []);
    }

    #[test]
    fn each_fault_is_named() {
        check_fault(
            &[],
            "mapping pair should end at or before 0x1000, but ends at 0x1001 (at offset 0x1000)",
        );
        check_fault(
            &[0x11, 1, 1, 0x42, 1],
            "mapping pair should end at or before 0x1005, but ends at 0x100a (at offset 0x1003)",
        );
        check_fault(
            &[0x10, 1],
            "head of mapping pair should be from 0x1 to 0x88, but is 0x10 (at offset 0x1000)",
        );
        check_fault(
            &[0x91, 1],
            "head of mapping pair should be from 0x1 to 0x88, but is 0x91 (at offset 0x1000)",
        );
        check_fault(
            &[0x11, 0, 1, 0],
            "length of run should be from 0x1 to 0x40000000000000, but is 0x0 (at offset 0x1001)",
        );
        check_fault(
            &[0x11, 0xff, 1, 0],
            "length of run should be from 0x1 to 0x40000000000000, but is 0xffffffffffffffff (at offset 0x1001)",
        );
        check_fault(
            &[0x11, 1, 0xff, 0],
            "place of run should be at most 0xfffff, but is 0xffffffffffffffff (at offset 0x1002)",
        );
        check_fault(
            &[0x31, 2, 0xff, 0xff, 0x0f, 0],
            "place of run should be at most 0xffffe, but is 0xfffff (at offset 0x1002)",
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            pieces in prop::collection::vec((1_u64..5000, prop::option::of(0_u64..(1 << 20) - 5000)), 0..40)
        ) {
            let mut runs = Vec::new();
            let mut vcn = 0;
            for (length, lcn) in pieces {
                add(&mut runs, run(vcn, length, lcn));
                vcn += length;
            }
            let mut pairs = Vec::new();
            write_runs(&runs, &mut pairs);
            prop_assert_eq!(read(&pairs).unwrap(), runs);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _any = read(&bytes);
        }
    }
}
