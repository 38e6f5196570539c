//! The decoder proper: items to bytes.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "every match is checked against the chunk first; symbols have the size of their alphabet"
)]

use super::bits::{BackwardBits, Ended};
use super::code::{extra_bits, symbol};
use super::copy::{append_delta, append_lz};
use super::layout::{RECENT, UNIT};
use super::models::{DeltaSource, Kind, LENGTH_BASES, Models, OFFSET_BASES, SourceClasses};
use super::range::RangeDecoder;
use super::x86::Filter;
use crate::{DecompressError, Fault, Format};

/// Decompresses LZMS chunks; all memory is allocated when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    /// Largest chunk in bytes.
    limit: usize,
    models: Box<Models>,
    filter: Filter,
}

impl Decoder {
    /// Makes a decoder for chunks of at most `chunk_size` bytes.
    pub(crate) fn new(chunk_size: u32) -> Self {
        Self { limit: chunk_size as usize, models: Box::new(Models::new()), filter: Filter::new() }
    }

    /// Decompresses `input` into exactly `output.len()` bytes.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), DecompressError> {
        let error = |(offset, fault)| DecompressError { format: Format::Lzms, offset, fault };
        let expected = output.len();
        if expected > self.limit {
            return Err(error((0, Fault::OutputTooLarge { expected, limit: self.limit })));
        }
        decode_items(&mut self.models, input, output).map_err(error)?;
        self.filter.decode(output);
        Ok(())
    }
}

/// One step of the output.
#[derive(Clone, Copy, Debug)]
enum Item {
    Literal(u8),
    Lz { offset: u32, length: u32 },
    Delta { source: DeltaSource, length: u32 },
}

/// Byte position in the input, and what is wrong.
type Failure = (usize, Fault);

/// Decodes all items of a chunk into `out`.
#[inline(never)]
fn decode_items(models: &mut Models, input: &[u8], out: &mut [u8]) -> Result<(), Failure> {
    let bad_size = |rule| (input.len(), Fault::BadInputSize { size: input.len(), rule });
    if !input.len().is_multiple_of(UNIT) {
        return Err(bad_size("it should be even"));
    }
    let Some(range) = RangeDecoder::new(input) else {
        return Err(bad_size("it should be at least 4"));
    };
    models.reset(out.len());
    let mut items = Items { models, range, bits: BackwardBits::new(input) };
    let mut at = 0;
    while at < out.len() {
        match items.next() {
            Ok(Item::Literal(byte)) => {
                out[at] = byte;
                at += 1;
            }
            Ok(Item::Lz { offset, length }) => {
                let length = length as usize;
                let offset = offset as usize;
                if offset > at || length > out.len() - at {
                    return Err(bad_match(items.bits, offset as u64, length, at, out.len()));
                }
                append_lz(out, at, offset, length);
                at += length;
            }
            Ok(Item::Delta { source, length }) => {
                let length = length as usize;
                let (power, raw) = (source.power, u64::from(source.raw_offset));
                let reach = (raw + 1) << power;
                if reach > at as u64 || length > out.len() - at {
                    return Err(bad_match(items.bits, reach, length, at, out.len()));
                }
                append_delta(out, at, (raw << power) as usize, power, length);
                at += length;
            }
            Err(Ended) => return Err(ended(items.bits, at, out.len())),
        }
    }
    if items.bits.overrun() {
        // The end of the last item was made of bits that are not there.
        return Err(ended(items.bits, at.saturating_sub(1), out.len()));
    }
    Ok(())
}

// The two below take copies: a reference would keep the caller from holding its state in registers.

#[cold]
fn ended(bits: BackwardBits<'_>, produced: usize, expected: usize) -> Failure {
    (bits.position(), Fault::InputTooShort { produced, expected })
}

#[cold]
fn bad_match(bits: BackwardBits<'_>, reach: u64, length: usize, at: usize, size: usize) -> Failure {
    let match_offset = usize::try_from(reach).unwrap_or(usize::MAX);
    if bits.overrun() {
        ended(bits, at, size)
    } else if match_offset > at {
        (bits.position(), Fault::OffsetTooLarge { match_offset, produced: at })
    } else {
        (bits.position(), Fault::MatchTooLong { length, remaining: size - at })
    }
}

/// Reads the items of one chunk. Its methods are all inlined, so that most of it lives in registers.
struct Items<'a> {
    models: &'a mut Models,
    range: RangeDecoder<'a>,
    bits: BackwardBits<'a>,
}

impl Items<'_> {
    /// Decodes one item.
    #[inline(always)]
    fn next(&mut self) -> Result<Item, Ended> {
        let classes = &mut self.models.classes;
        if !self.range.bit(&mut classes.is_match)? {
            self.bits.refill()?;
            let models = &mut *self.models;
            let entry = models.literals.decode(&mut self.bits, &mut models.scratch);
            self.models.previous = Kind::Literal;
            Ok(Item::Literal(symbol(entry) as u8))
        } else if !self.range.bit(&mut classes.is_delta)? {
            let offset = self.lz_offset()?;
            let length = self.length()?;
            self.models.previous = Kind::Lz;
            Ok(Item::Lz { offset, length })
        } else {
            let source = self.delta_source()?;
            let length = self.length()?;
            self.models.previous = Kind::Delta;
            Ok(Item::Delta { source, length })
        }
    }

    #[inline(always)]
    fn lz_offset(&mut self) -> Result<u32, Ended> {
        let models = &mut *self.models;
        if let Some(index) = self.range.recent_index(&mut models.classes.lz)? {
            return Ok(models.recent_lz.reuse(index, models.previous == Kind::Lz));
        }
        self.bits.refill()?;
        let entry = models.offsets.decode(&mut self.bits, &mut models.scratch);
        let offset = OFFSET_BASES[symbol(entry)] + self.bits.take(extra_bits(entry));
        models.recent_lz.push(offset);
        Ok(offset)
    }

    #[inline(always)]
    fn delta_source(&mut self) -> Result<DeltaSource, Ended> {
        let models = &mut *self.models;
        if let Some(index) = self.range.recent_index(&mut models.classes.delta)? {
            return Ok(models.recent_delta.reuse(index, models.previous == Kind::Delta));
        }
        self.bits.refill()?;
        let power = models.powers.decode(&mut self.bits, &mut models.scratch);
        self.bits.refill()?;
        let entry = models.delta_offsets.decode(&mut self.bits, &mut models.scratch);
        let raw_offset = OFFSET_BASES[symbol(entry)] + self.bits.take(extra_bits(entry));
        let source = DeltaSource { power: symbol(power) as u32, raw_offset };
        models.recent_delta.push(source);
        Ok(source)
    }

    #[inline(always)]
    fn length(&mut self) -> Result<u32, Ended> {
        self.bits.refill()?;
        let models = &mut *self.models;
        let entry = models.lengths.decode(&mut self.bits, &mut models.scratch);
        Ok(LENGTH_BASES[symbol(entry)] + self.bits.take(extra_bits(entry)))
    }
}

impl RangeDecoder<'_> {
    /// Which recent source a match uses; `None` for a new one.
    #[inline(always)]
    fn recent_index(&mut self, classes: &mut SourceClasses) -> Result<Option<usize>, Ended> {
        if !self.bit(&mut classes.is_recent)? {
            return Ok(None);
        }
        let [not_first, not_second] = &mut classes.is_later;
        if !self.bit(not_first)? {
            return Ok(Some(0));
        }
        if !self.bit(not_second)? {
            return Ok(Some(1));
        }
        Ok(Some(RECENT - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lzms::layout::{LENGTH_SLOTS, OFFSET_SLOTS};
    use crate::lzms::testing::{Source, Step, code_like, encode, make_sense, unfilter};
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    fn decode(input: &[u8], size: usize) -> Result<Vec<u8>, (usize, Fault)> {
        let mut out = vec![0xAA; size];
        match Decoder::new(1 << 20).decode(input, &mut out) {
            Ok(()) => Ok(out),
            Err(error) => {
                assert_eq!(error.format, Format::Lzms);
                Err((error.offset, error.fault))
            }
        }
    }

    /// Encodes what sense the items make and checks what is decoded.
    fn check(steps: &[Step], size_limit: usize) {
        let (steps, mut expected) = make_sense(steps, size_limit);
        let input = encode(&steps, expected.len());
        unfilter(&mut expected);
        assert_eq!(decode(&input, expected.len()), Ok(expected));
    }

    #[track_caller]
    fn check_fault(steps: &[Step], size: usize, fault: Fault) {
        assert_eq!(decode(&encode(steps, size), size).map_err(|(_, fault)| fault), Err(fault));
    }

    const A: Step = Step::Literal(b'a');

    #[test]
    fn sizes_of_the_input() {
        #[track_caller]
        fn check(size: usize, rule: &'static str) {
            let fault = Fault::BadInputSize { size, rule };
            assert_eq!(decode(&vec![0; size], 10), Err((size, fault)));
        }
        check(0, "it should be at least 4");
        check(2, "it should be at least 4");
        check(1, "it should be even");
        check(7, "it should be even");
    }

    #[test]
    fn an_empty_chunk_needs_no_items() {
        assert_eq!(decode(&encode(&[], 0), 0), Ok(vec![]));
    }

    #[test]
    fn a_chunk_larger_than_the_limit() {
        let fault = Fault::OutputTooLarge { expected: 40_000, limit: 32_768 };
        let error = Decoder::new(32_768).decode(&[0; 100], &mut vec![0; 40_000]).unwrap_err();
        assert_eq!((error.offset, error.fault), (0, fault));
    }

    #[test]
    fn matches_that_reach_before_the_chunk() {
        let too_large = |match_offset, produced| Fault::OffsetTooLarge { match_offset, produced };
        check_fault(&[Step::Lz(Source::Recent(0), 1)], 10, too_large(1, 0));
        check_fault(&[A, Step::Lz(Source::New(2), 3)], 10, too_large(2, 1));
        check_fault(&[A, A, Step::Lz(Source::Recent(2), 3)], 10, too_large(3, 2));
        check_fault(&[A, A, Step::Delta(Source::New((0, 2)), 3)], 10, too_large(3, 2));
        check_fault(&[A, Step::Delta(Source::Recent(0), 3)], 10, too_large(2, 1));
        check_fault(&[A, Step::Delta(Source::New((7, 1)), 3)], 10, too_large(256, 1));
        let far = Step::Delta(Source::New((7, 1_000_000)), 3);
        check_fault(&[A, far], 1 << 20, too_large(1_000_001 << 7, 1));
    }

    #[test]
    fn matches_that_reach_behind_the_chunk() {
        let too_long = |length, remaining| Fault::MatchTooLong { length, remaining };
        check_fault(&[A, Step::Lz(Source::New(1), 10)], 10, too_long(10, 9));
        check_fault(&[A, A, Step::Delta(Source::New((0, 1)), 9)], 10, too_long(9, 8));
        let longest = 1_073_809_578;
        check_fault(&[A, Step::Lz(Source::New(1), longest)], 10, too_long(longest as usize, 9));
    }

    #[test]
    fn an_input_that_ends_early() {
        // All decisions are 0 (a literal) and all codewords too; four of them are there.
        #[track_caller]
        fn check(size: usize, produced: usize) {
            let fault = Fault::InputTooShort { produced, expected: size };
            assert_eq!(decode(&[0; 4], size), Err((0, fault)));
        }
        assert_eq!(decode(&[0; 4], 4), Ok(vec![0; 4]));
        check(5, 4);
        // Where more is wanted, the reader's position tells less exactly.
        check(6, 5);
        check(2000, 5);
    }

    #[test]
    fn an_input_cut_at_any_byte() {
        let steps: Vec<_> = (0..2000u32).map(|n| Step::Literal((n * n % 251) as u8)).collect();
        let input = encode(&steps, steps.len());
        let plain = decode(&input, steps.len()).unwrap();
        for cut in 0..input.len() {
            for part in [&input[..cut], &input[cut..]] {
                // The decisions being all alike, the front may be cut off without anybody noticing.
                match decode(part, steps.len()) {
                    Ok(out) => assert!(out == plain || part.len() > 1000, "{} bytes", part.len()),
                    Err((offset, _)) => assert!(offset <= part.len()),
                }
            }
        }
    }

    #[test]
    fn literals_alone_rebuild_their_code() {
        let text: Vec<u8> = (0..20_000u32).map(|n| (n * n % 31 * (n % 7)) as u8).collect();
        let steps: Vec<_> = text.iter().map(|&byte| Step::Literal(byte)).collect();
        check(&steps, text.len());
    }

    #[test]
    fn code_is_unfiltered() {
        let steps: Vec<_> = code_like(50_000, 5).into_iter().map(Step::Literal).collect();
        check(&steps, steps.len());
    }

    #[test]
    fn every_offset_slot_and_length_slot() {
        let size = 1 << 20;
        let mut steps: Vec<_> = (0..64).map(Step::Literal).collect();
        let mut at = 64;
        for slot in &OFFSET_SLOTS {
            let offset = slot.base + (1 << slot.extra_bits) - 1;
            while at < offset && at < size {
                let length = LENGTH_SLOTS.iter().map(|slot| slot.base).find(|&l| l > at / 8);
                let length = length.unwrap_or(70_000).min(size - at);
                steps.push(Step::Lz(Source::New(1 + at / 2), length));
                at += length;
            }
            if at == size {
                break;
            }
            // What `make_sense` makes of it is this offset.
            steps.push(Step::Lz(Source::New(offset - 1), 1));
            at += 1;
        }
        check(&steps, size as usize);
    }

    #[test]
    fn what_was_decoded_before_does_not_matter() {
        let mut used = Decoder::new(1 << 20);
        for seed in 0..20 {
            let code = code_like(500 * seed as usize + 30, seed);
            let steps: Vec<_> = code.iter().map(|&byte| Step::Literal(byte)).collect();
            let mut input = encode(&steps, code.len());
            let mut out = vec![0; code.len()];
            used.decode(&input, &mut out).unwrap();
            assert_eq!(decode(&input, code.len()), Ok(out.clone()));
            let middle = input.len() / 2;
            input[middle] ^= 0x55;
            let again = used.decode(&input, &mut out).map_err(|e| (e.offset, e.fault));
            assert_eq!(again.map(|()| out), decode(&input, code.len()));
        }
    }

    /// Any item, as if in a chunk of any size.
    fn step() -> impl Strategy<Value = Step> {
        let length = prop_oneof![8 => 1..20u32, 2 => 20..300u32, 1 => 300..70_000u32];
        prop_oneof![
            4 => any::<u8>().prop_map(Step::Literal),
            2 => prop::sample::select(vec![0xE8, 0xFF, 0x15, 0x48, 0x8D, 0x05]).prop_map(Step::Literal),
            2 => (any::<u32>(), length.clone()).prop_map(|(o, l)| Step::Lz(Source::New(o), l)),
            2 => (0..8u32, any::<u32>(), length.clone())
                .prop_map(|(p, o, l)| Step::Delta(Source::New((p, o)), l)),
            2 => (0..3usize, length.clone()).prop_map(|(i, l)| Step::Lz(Source::Recent(i), l)),
            2 => (0..3usize, length).prop_map(|(i, l)| Step::Delta(Source::Recent(i), l)),
        ]
    }

    /// Has libwim decompress a pack of chunks (see the script).
    fn peer_decode(pack: &[u8]) -> Vec<u8> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lzms/peer.py");
        let mut peer = Command::new("python3")
            .args([script, "decode"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It reads everything before it writes anything.
        peer.stdin.take().unwrap().write_all(pack).unwrap();
        let output = peer.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    /// What no compressor is known to write, libwim's decompressor must take as we do.
    #[test]
    fn libwim_decodes_any_items_as_we_do() {
        let mut runner = TestRunner::deterministic();
        let items = (prop::collection::vec(step(), 1..4000), 100..300_000usize);
        let (mut pack, mut plain) = (vec![], vec![]);
        for _ in 0..50 {
            let (steps, size_limit) = items.new_tree(&mut runner).unwrap().current();
            let (steps, chunk) = make_sense(&steps, size_limit);
            let input = encode(&steps, chunk.len());
            for number in [0, 0, chunk.len(), input.len()] {
                pack.extend(u32::try_from(number).unwrap().to_le_bytes());
            }
            plain.extend(decode(&input, chunk.len()).unwrap());
            pack.extend(input);
        }
        assert!(plain.len() > 1_000_000, "only {} bytes", plain.len());
        assert!(peer_decode(&pack) == plain);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        // Long enough for each code to be rebuilt several times.
        #[test]
        fn any_items(steps in prop::collection::vec(step(), 1..9000), size in 1..400_000usize) {
            check(&steps, size);
        }
    }

    proptest! {

        #[test]
        fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..600), size in 0..70_000usize) {
            drop(decode(&input, size));
        }

        #[test]
        fn flipped_bits_and_cuts(
            steps in prop::collection::vec(step(), 1..400),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u32), 0..4),
            cut in any::<prop::sample::Index>(),
            more in 0..100usize,
        ) {
            let (steps, plain) = make_sense(&steps, 100_000);
            let mut input = encode(&steps, plain.len());
            for (at, bit) in flips {
                let at = at.index(input.len());
                input[at] ^= 1 << bit;
            }
            drop(decode(&input, plain.len() + more));
            input.truncate(cut.index(input.len()));
            drop(decode(&input, plain.len()));
        }
    }
}
