//! Reading the codes of a block.
#![expect(clippy::indexing_slicing, reason = "positions are checked against the slice's length")]

use super::aligned::AlignedCode;
use super::entries::{ALIGNED_PAYLOADS, LENGTH_PAYLOADS, VERBATIM_PAYLOADS};
use super::layout::{
    ALIGNED_FIELD_BITS, ALIGNED_SYMBOLS, LENGTH_MAX_BITS, LENGTH_SYMBOLS, LITERALS, MAIN_MAX_BITS,
    MANY_ZEROS_RUN, MAX_MAIN_SYMBOLS, PRETREE_FIELD_BITS, PRETREE_MANY_ZEROS, PRETREE_MAX_BITS,
    PRETREE_MODULUS, PRETREE_REPEAT, PRETREE_SYMBOLS, PRETREE_ZEROS, REPEAT_RUN, ZEROS_RUN,
};
use crate::Fault;
use crate::bits::{UnitReader, top};
use crate::huffman::decode::{
    DecodeTable, PAYLOAD_SHIFT, Scratch, TOTAL_SHIFT, plain_payloads, total_bits,
};

/// Names of the codes in faults.
pub(crate) const MAIN: &str = "main";
pub(crate) const LENGTH: &str = "length";
pub(crate) const ALIGNED: &str = "aligned offset";
const PRETREE: &str = "pretree";

/// Index width of the main code's root table.
pub(crate) const MAIN_ROOT_BITS: usize = 11;
/// At most 2726 (main), 878 (length) and 390 (pretree) entries are used.
pub(crate) type MainTable = DecodeTable<MAIN_ROOT_BITS, 4096>;
pub(crate) type LengthTable = DecodeTable<9, 1024>;
type PretreeTable = DecodeTable<7, 512>;

static PRETREE_PAYLOADS: [u32; PRETREE_SYMBOLS] = plain_payloads(0);

/// The codes of a block, and the codeword lengths that the next block's are coded against.
#[derive(Clone, Debug)]
pub(crate) struct Codes {
    pub(crate) main: MainTable,
    pub(crate) length: LengthTable,
    /// Means something in aligned blocks only.
    pub(crate) aligned: AlignedCode,
    pretree: PretreeTable,
    main_symbols: usize,
    main_lens: [u8; MAX_MAIN_SYMBOLS],
    length_lens: [u8; LENGTH_SYMBOLS],
    scratch: Scratch,
}

impl Codes {
    /// Makes room for codes with `main_symbols` main symbols.
    pub(crate) fn new(main_symbols: usize) -> Self {
        Self {
            main: MainTable::new(),
            length: LengthTable::new(),
            aligned: AlignedCode::new(),
            pretree: PretreeTable::new(),
            main_symbols: main_symbols.min(MAX_MAIN_SYMBOLS),
            main_lens: [0; MAX_MAIN_SYMBOLS],
            length_lens: [0; LENGTH_SYMBOLS],
            scratch: Scratch::new(),
        }
    }

    /// Forgets the codeword lengths, as at the start of a chunk.
    pub(crate) const fn reset(&mut self) {
        self.main_lens = [0; MAX_MAIN_SYMBOLS];
        self.length_lens = [0; LENGTH_SYMBOLS];
    }

    /// Whether the block's code has a codeword for this literal.
    pub(crate) fn has_literal(&self, byte: u8) -> bool {
        self.main_lens[usize::from(byte)] != 0
    }

    /// Reads the codes at the start of a verbatim or aligned block.
    pub(crate) fn read(
        &mut self,
        reader: &mut UnitReader<'_>,
        is_aligned: bool,
    ) -> Result<(), Fault> {
        if is_aligned {
            let mut lens = [0; ALIGNED_SYMBOLS];
            read_fields(reader, ALIGNED_FIELD_BITS, &mut lens);
            self.aligned
                .build(&lens, &mut self.scratch)
                .map_err(|_incomplete| Fault::BadCode { code: ALIGNED })?;
        }
        let (literals, matches) = self.main_lens[..self.main_symbols].split_at_mut(LITERALS);
        for lens in [literals, matches, &mut self.length_lens] {
            read_pretree(reader, &mut self.pretree, &mut self.scratch)?;
            read_lens(reader, &self.pretree, lens)?;
        }
        let payloads = if is_aligned { &ALIGNED_PAYLOADS } else { &VERBATIM_PAYLOADS };
        let symbols = self.main_symbols;
        self.main
            .build(
                &self.main_lens[..symbols],
                &payloads[..symbols],
                MAIN_MAX_BITS,
                &mut self.scratch,
            )
            .map_err(|_incomplete| Fault::BadCode { code: MAIN })?;
        self.length
            .build(&self.length_lens, &LENGTH_PAYLOADS, LENGTH_MAX_BITS, &mut self.scratch)
            .map_err(|_incomplete| Fault::BadCode { code: LENGTH })
    }
}

/// Reads numbers of `width` bits, at most four bits each.
#[expect(clippy::cast_possible_truncation, reason = "fields have a few bits")]
fn read_fields(reader: &mut UnitReader<'_>, width: u32, fields: &mut [u8]) {
    for group in fields.chunks_mut(8) {
        reader.refill();
        for field in group {
            *field = top(reader.bits(), width) as u8;
            reader.consume(width);
        }
    }
}

fn read_pretree(
    reader: &mut UnitReader<'_>,
    pretree: &mut PretreeTable,
    scratch: &mut Scratch,
) -> Result<(), Fault> {
    let mut lens = [0; PRETREE_SYMBOLS];
    read_fields(reader, PRETREE_FIELD_BITS, &mut lens);
    pretree
        .build(&lens, &PRETREE_PAYLOADS, PRETREE_MAX_BITS, scratch)
        .map_err(|_incomplete| Fault::BadCode { code: PRETREE })
}

/// Reads codeword lengths over their predecessors in `lens`.
fn read_lens(
    reader: &mut UnitReader<'_>,
    pretree: &PretreeTable,
    lens: &mut [u8],
) -> Result<(), Fault> {
    /// What a run of changed lengths takes: two codewords and a bit.
    #[expect(clippy::cast_possible_truncation, reason = "small")]
    const MOST_BITS: u32 = 2 * PRETREE_MAX_BITS as u32 + REPEAT_RUN.1;
    let mut rest = lens;
    let mut fast = reader.begin_fast();
    while !rest.is_empty() && fast.refill() {
        // Symbols are short: a refill lasts for many, and waiting for one after each takes longer than
        // decoding it.
        while !rest.is_empty() && fast.has(MOST_BITS) {
            let entry = pretree.symbol_entry(fast.bits).ok_or(Fault::BadCode { code: PRETREE })?;
            fast.consume(entry >> TOTAL_SHIFT);
            rest = next_lens(rest, entry, pretree, |n| {
                let bits = fast.bits;
                fast.consume(n);
                bits
            })?;
        }
    }
    reader.end_fast(fast);
    while !rest.is_empty() {
        reader.refill();
        let entry = pretree.symbol_entry(reader.bits()).ok_or(Fault::BadCode { code: PRETREE })?;
        reader.consume(total_bits(entry));
        rest = next_lens(rest, entry, pretree, |n| {
            let bits = reader.bits();
            reader.consume(n);
            bits
        })?;
    }
    Ok(())
}

/// Writes the length, or run of lengths, that a pretree symbol stands for to the front of `lens`, which
/// is not empty, and returns the rest. `take` consumes as many bits as it is told (0 to 15) and returns
/// the bit buffer as it was before.
#[inline(always)]
fn next_lens<'a>(
    lens: &'a mut [u8],
    entry: u32,
    pretree: &PretreeTable,
    mut take: impl FnMut(u32) -> u64,
) -> Result<&'a mut [u8], Fault> {
    let symbol = symbol_of(entry);
    let old = lens[0];
    if symbol < PRETREE_MODULUS {
        lens[0] = minus(old, symbol);
        return Ok(&mut lens[1..]);
    }
    let (shortest, width) = match symbol {
        PRETREE_ZEROS => ZEROS_RUN,
        PRETREE_MANY_ZEROS => MANY_ZEROS_RUN,
        _ => REPEAT_RUN,
    };
    let run = shortest + top(take(width), width) as usize;
    let mut value = 0;
    if symbol == PRETREE_REPEAT {
        let entry = pretree.symbol_entry(take(0)).ok_or(Fault::BadCode { code: PRETREE })?;
        take(total_bits(entry));
        let symbol = symbol_of(entry);
        if symbol >= PRETREE_MODULUS {
            return Err(Fault::BadSymbol { code: PRETREE, symbol: symbol.into() });
        }
        value = minus(old, symbol);
    }
    let bad_run = Fault::BadSymbol { code: PRETREE, symbol: symbol.into() };
    let (run, rest) = lens.split_at_mut_checked(run).ok_or(bad_run)?;
    run.fill(value);
    Ok(rest)
}

/// The pretree symbol of an entry.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the alphabet has 20 symbols")]
const fn symbol_of(entry: u32) -> u8 {
    (entry >> PAYLOAD_SHIFT) as u8 & 31
}

/// `old - difference` modulo 17.
#[inline(always)]
const fn minus(old: u8, difference: u8) -> u8 {
    let len = old.wrapping_sub(difference);
    if old < difference { len.wrapping_add(PRETREE_MODULUS) } else { len }
}
