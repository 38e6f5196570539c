//! LZNT1, the compression of files on NTFS volumes, \[MS-XCA\] section 2.5; reading.
//!
//! Data is cut into chunks of 4096 bytes, each with a header of two bytes: in the low 12 bits the bytes of the
//! chunk with its header, less 3, and in the highest whether it is compressed. A compressed chunk is groups of
//! a byte of flags and eight items, each a byte or a match of two: the longer the chunk already is, the more bits
//! of a match are its distance and the fewer its length.

use thiserror::Error;

/// Bytes of a chunk when decompressed.
const CHUNK: usize = 4096;
/// Bit of the header: compressed.
const COMPRESSED: u16 = 0x8000;

/// Compressed data breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Lznt1Error {
    /// A chunk is longer than the data.
    #[error(
        "LZNT1 chunk at offset {offset:#x} should end at or before {limit:#x}, but ends at {end:#x}"
    )]
    ChunkPastEnd {
        /// Where the chunk begins.
        offset: usize,
        /// Where the data ends.
        limit: usize,
        /// Where the chunk ends.
        end: usize,
    },
    /// A match reaches back before its chunk.
    #[error(
        "LZNT1 match at offset {offset:#x} reaches {distance} bytes back, but its chunk has {produced}"
    )]
    Distance {
        /// Where the match stands.
        offset: usize,
        /// How far back it reaches.
        distance: usize,
        /// Bytes of the chunk so far.
        produced: usize,
    },
    /// There is more than there is room for: a chunk has at most 4096 bytes, the output its own length.
    #[error("LZNT1 data at offset {offset:#x} makes more than {limit} bytes")]
    TooLong {
        /// Where the data stands that is too much.
        offset: usize,
        /// Bytes there is room for.
        limit: usize,
    },
}

/// Decompresses into `output` and returns how many bytes were made; the rest of `output` is left as it is. A header
/// of zero, or the end of the input, ends the data.
///
/// # Errors
/// [`Lznt1Error`].
pub fn decompress(input: &[u8], output: &mut [u8]) -> Result<usize, Lznt1Error> {
    let (mut at, mut made) = (0, 0);
    while let Some(header) = word(input, at).filter(|&header| header != 0) {
        let (start, end) = (at + 2, at + usize::from(header & 0xfff) + 3);
        let limit = input.len();
        let chunk =
            input.get(start..end).ok_or(Lznt1Error::ChunkPastEnd { offset: at, limit, end })?;
        let room = output.get_mut(made..).unwrap_or_default();
        // All chunks but the last are whole, whatever the last item of one says.
        let most = room.len().min(CHUNK);
        let room = room.get_mut(..most).unwrap_or_default();
        made += if header & COMPRESSED == 0 {
            let place = room.get_mut(..chunk.len());
            place.ok_or(Lznt1Error::TooLong { offset: start, limit: most })?.copy_from_slice(chunk);
            chunk.len()
        } else {
            decompress_chunk(chunk, start, room)?
        };
        at = end;
    }
    Ok(made)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&pair| u16::from_le_bytes(pair))
}

fn decompress_chunk(chunk: &[u8], start: usize, output: &mut [u8]) -> Result<usize, Lznt1Error> {
    let (mut at, mut made) = (0, 0);
    let limit = output.len();
    while let Some(&flags) = chunk.get(at) {
        at += 1;
        for item in 0..8 {
            let too_long = Lznt1Error::TooLong { offset: start + at, limit };
            if flags >> item & 1 == 0 {
                let Some(&byte) = chunk.get(at) else { return Ok(made) };
                *output.get_mut(made).ok_or(too_long)? = byte;
                (at, made) = (at + 1, made + 1);
                continue;
            }
            let Some(pair) = word(chunk, at) else { return Ok(made) };
            let shift = length_bits(made);
            let distance = usize::from(pair >> shift) + 1;
            let length = usize::from(pair & ((1 << shift) - 1)) + 3;
            if distance > made {
                return Err(Lznt1Error::Distance { offset: start + at, distance, produced: made });
            }
            if length > limit - made {
                return Err(too_long);
            }
            for _ in 0..length {
                let byte = output.get(made - distance).copied().unwrap_or(0);
                *output.get_mut(made).ok_or(too_long)? = byte;
                made += 1;
            }
            at += 2;
        }
    }
    Ok(made)
}

/// How many bits of a match are its length, when the chunk has so many bytes.
const fn length_bits(made: usize) -> u32 {
    let mut bits = 12;
    while bits > 4 && made > 1 << (16 - bits) {
        bits -= 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(input: &[u8], expected: &[u8]) {
        let mut output = vec![0xee; 70_000];
        let made = decompress(input, &mut output).unwrap();
        assert_eq!(&output[..made], expected);
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        // [MS-XCA] 3.3
        let input = [
            0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2,
            0x47, 0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0,
            0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58,
            0x02, 0x8c, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01,
            0x18, 0x90, 0x00,
        ];
        check(&input, b"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0");
    }

    #[test]
    fn chunks_that_are_not_compressed_are_copied() {
        check(&[2, 0x30, 1, 2, 3, 0, 0], &[1, 2, 3]);
        check(&[], &[]);
    }

    #[test]
    fn a_chunk_of_one_byte_many_times() {
        // One byte, then a match of 4095 more.
        let mut expected = vec![0x20; 4096];
        check(&[0x03, 0xb0, 0x02, 0x20, 0xfc, 0x0f], &expected);
        expected.extend([0x20; 4096]);
        check(&[0x03, 0xb0, 0x02, 0x20, 0xfc, 0x0f, 0x03, 0xb0, 0x02, 0x20, 0xfc, 0x0f], &expected);
    }

    #[test]
    fn faults_are_told() {
        let fault = |input: &[u8]| decompress(input, &mut [0; 100]).unwrap_err().to_string();
        assert_eq!(
            fault(&[9, 0xb0, 0]),
            "LZNT1 chunk at offset 0x0 should end at or before 0x3, but ends at 0xc"
        );
        assert_eq!(
            fault(&[3, 0xb0, 2, 0x20, 0xfc, 0x1f]),
            "LZNT1 match at offset 0x4 reaches 2 bytes back, but its chunk has 1"
        );
        assert_eq!(
            fault(&[3, 0xb0, 2, 0x20, 0xfc, 0x0f]),
            "LZNT1 data at offset 0x4 makes more than 100 bytes"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 0..600)) {
            let _any = decompress(&input, &mut [0; 5000]);
        }
    }
}
