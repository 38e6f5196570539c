//! Tables that decode a canonical Huffman code in one or two look-ups.
//!
//! The *root* table is indexed by the next `ROOT` bits of the stream. A codeword no longer than that
//! fills all entries it is a prefix of; longer codewords share a root entry that points to a
//! *subtable*, indexed by the bits behind the root's.
//!
//! An entry is whatever the caller wants to know about a symbol (its *payload*) plus the codeword's
//! length, so that no second look-up is needed to learn what the symbol means. There are two kinds of
//! symbols, and entries that are none:
//!
//! ```text
//!              31   30 .. 26   25 .. 13        12 .. 7          6      5 .. 0
//!  simple      1    payload    payload         length           0      length
//!  compound    0    length     payload         length + extra   rare   0
//!  pointer     0    start (30 .. 19)   64 - width (18 .. 13)   0   1   0
//!  no code     0    0          0               0                1      0
//! ```
//!
//! A *simple* symbol (a literal) is done with when its codeword is consumed; a *compound* one (a
//! match) goes on with extra bits. Shifting the bit buffer by an entry's low six bits therefore
//! consumes a simple symbol and leaves everything else in place, which lets a decoder take a literal
//! without asking whether it is one. Shifts take their amount modulo 64, as the processor does, so a
//! field of six bits at the bottom of a word needs no masking.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::needless_range_loop,
    reason = "lengths are bounded when a table is made, indices into a table are masked"
)]

/// Longest codeword of any code, in bits.
const MAX_LEN: usize = 16;
/// Symbols a table can be made for (LZMS has up to 799).
const MAX_SYMBOLS: usize = 1024;

/// Set in the payload of a simple symbol.
pub(crate) const SIMPLE: u32 = 1 << 31;
/// May be set in the payload of a compound symbol that needs special care; is set in entries that are
/// no symbol, so that one test finds both.
pub(crate) const RARE: u32 = 1 << 6;
/// Where an entry holds the bits to consume (6 bits): a simple symbol's length, a compound one's
/// length and extra bits. Its payload has the number of extra bits here. Zero if it is no symbol.
pub(crate) const TOTAL_SHIFT: u32 = 7;
/// The first bit of the payload proper.
pub(crate) const PAYLOAD_SHIFT: u32 = 13;
/// Where a compound entry holds its codeword's length (5 bits and a zero).
pub(crate) const LEN_SHIFT: u32 = 26;
/// Where a pointer holds 64 minus the width of its subtable's index (6 bits), and above it the
/// subtable's start, counted from the end of the root table.
const WIDTH_SHIFT: u32 = 13;
const START_SHIFT: u32 = 19;
/// All entries of an empty code.
const NO_CODE: u32 = RARE;

/// The bits to consume for `entry`.
#[inline(always)]
pub(crate) const fn total_bits(entry: u32) -> u32 {
    (entry >> TOTAL_SHIFT) & 63
}

/// The codeword length of a compound `entry`.
#[inline(always)]
pub(crate) const fn code_len(entry: u32) -> u32 {
    entry >> LEN_SHIFT
}

/// Whether `entry` is a pointer or belongs to an empty code.
#[inline(always)]
pub(crate) const fn is_no_symbol(entry: u32) -> bool {
    entry & (RARE | 63 << TOTAL_SHIFT) == RARE
}

/// Payloads of a code whose symbols stand for the numbers from `first` on.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(crate) const fn plain_payloads<const N: usize>(first: u32) -> [u32; N] {
    let mut table = [0; N];
    let mut symbol = 0;
    while symbol < N {
        #[expect(clippy::cast_possible_truncation, reason = "alphabets are small")]
        let value = first + symbol as u32;
        table[symbol] = value << PAYLOAD_SHIFT;
        symbol += 1;
    }
    table
}

/// The codeword lengths given form no complete code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IncompleteCode;

/// Payloads sorted by codeword, reused from table to table.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    sorted: Box<[u32; MAX_SYMBOLS]>,
}

impl Scratch {
    /// Makes the scratch space.
    pub(crate) fn new() -> Self {
        Self { sorted: Box::new([0; MAX_SYMBOLS]) }
    }
}

/// A decode table with `1 << ROOT` root entries and room for `SIZE` (a power of two) in all.
///
/// `SIZE` must hold the most entries any complete code of the alphabet needs: zlib's program `enough`
/// tells how many those are.
#[derive(Clone, Debug)]
pub(crate) struct DecodeTable<const ROOT: usize, const SIZE: usize> {
    entries: Box<[u32; SIZE]>,
}

impl<const ROOT: usize, const SIZE: usize> DecodeTable<ROOT, SIZE> {
    /// Makes a table without a code.
    pub(crate) fn new() -> Self {
        const { assert!(SIZE.is_power_of_two() && 1 << ROOT <= SIZE && SIZE <= 1 << 12) }
        Self { entries: Box::new([NO_CODE; SIZE]) }
    }

    /// The entry for the next bits of the stream (left-justified), which may be no symbol.
    #[inline(always)]
    pub(crate) const fn root_entry(&self, bits: u64) -> u32 {
        self.entries[(bits >> (64 - ROOT)) as usize & (SIZE - 1)]
    }

    /// Follows `entry`, which is no symbol, into its subtable. `None` if there is no code.
    #[inline(always)]
    pub(crate) const fn follow(&self, entry: u32, bits: u64) -> Option<u32> {
        if entry == NO_CODE {
            return None;
        }
        let index = (bits << ROOT).wrapping_shr(entry >> WIDTH_SHIFT) as usize;
        let start = (1 << ROOT) + (entry >> START_SHIFT) as usize;
        Some(self.entries[(start + index) & (SIZE - 1)])
    }

    /// The symbol entry for the next bits of the stream; `None` if there is no code.
    #[inline(always)]
    pub(crate) const fn symbol_entry(&self, bits: u64) -> Option<u32> {
        let entry = self.root_entry(bits);
        if is_no_symbol(entry) { self.follow(entry, bits) } else { Some(entry) }
    }

    /// Makes the table for the code with these codeword lengths. Symbol `i` has length `lens[i]` (0:
    /// none, at most `max_len`) and the payload `payloads[i]`.
    ///
    /// A code without any codeword gives a table in which every look-up finds no code.
    pub(crate) fn build(
        &mut self,
        lens: &[u8],
        payloads: &[u32],
        max_len: usize,
        scratch: &mut Scratch,
    ) -> Result<(), IncompleteCode> {
        debug_assert!(lens.len() == payloads.len() && lens.len() <= MAX_SYMBOLS);
        let (counts, symbols) = sort_by_codeword(lens, payloads, &mut scratch.sorted);
        if symbols.is_empty() {
            self.entries[..1 << ROOT].fill(NO_CODE);
            return Ok(());
        }
        // Weighs a codeword of length n with 2^(max_len - n).
        let used = counts[1..=max_len].iter().fold(0, |used, &n| 2 * used + u32::from(n));
        if used != 1 << max_len || counts[max_len + 1..].iter().any(|&n| n != 0) {
            return Err(IncompleteCode);
        }
        let (filled, short) = self.fill_root(&counts, symbols);
        self.fill_subtables(&counts, &symbols[short..], filled, max_len)
    }

    /// Enters all codewords that the root table can hold; returns the entries and symbols used up.
    #[inline(always)]
    fn fill_root(&mut self, counts: &LengthCounts, symbols: &[u32]) -> (usize, usize) {
        let (mut at, mut next) = (0, 0);
        for len in 1..=ROOT {
            let count = usize::from(counts[len]);
            let symbols = &symbols[next..next + count];
            let copies_log = ROOT - len;
            let entries = &mut self.entries[at..at + (count << copies_log)];
            match copies_log {
                0 => fill::<1>(entries, symbols, len),
                1 => fill::<2>(entries, symbols, len),
                2 => fill::<4>(entries, symbols, len),
                3 => fill::<8>(entries, symbols, len),
                4 => fill::<16>(entries, symbols, len),
                5 => fill::<32>(entries, symbols, len),
                6 => fill::<64>(entries, symbols, len),
                _ => {
                    for (copies, &symbol) in entries.chunks_exact_mut(1 << copies_log).zip(symbols)
                    {
                        copies.fill(entry(symbol, len));
                    }
                }
            }
            at += entries.len();
            next += count;
        }
        (at, next)
    }

    /// Enters the codewords longer than the root table's index: `symbols`, in codeword order, whose
    /// root entries are those from `root_at` on.
    fn fill_subtables(
        &mut self,
        counts: &LengthCounts,
        symbols: &[u32],
        root_at: usize,
        max_len: usize,
    ) -> Result<(), IncompleteCode> {
        let mut lens = Lengths { counts, len: ROOT, left: 0 };
        let mut start = 1 << ROOT;
        let mut rest = symbols;
        for root in root_at..1 << ROOT {
            // One root entry's share of the code space is filled by the next few codewords; the last
            // of them is the longest and says how wide the subtable's index must be.
            let mut ahead = lens.clone();
            let (mut taken, mut space) = (0, 0);
            while space < 1 << (max_len - ROOT) {
                space += 1 << (max_len - ahead.next());
                taken += 1;
            }
            let width = ahead.len - ROOT;
            let (group, after) = rest.split_at_checked(taken).ok_or(IncompleteCode)?;
            rest = after;
            self.entries[root] = pointer(start, width, ROOT);
            for &symbol in group {
                let len = lens.next();
                let end = start + (1 << (ROOT + width - len));
                self.entries.get_mut(start..end).ok_or(IncompleteCode)?.fill(entry(symbol, len));
                start = end;
            }
        }
        Ok(())
    }
}

/// Hands out the lengths of a code's codewords in order.
#[derive(Clone)]
struct Lengths<'a> {
    counts: &'a LengthCounts,
    len: usize,
    /// Codewords of this length not yet handed out.
    left: u16,
}

impl Lengths<'_> {
    /// The next codeword's length; [`MAX_LEN`] when there are no more.
    #[inline]
    fn next(&mut self) -> usize {
        while self.left == 0 && self.len < MAX_LEN {
            self.len += 1;
            self.left = self.counts[self.len];
        }
        self.left = self.left.wrapping_sub(1);
        self.len
    }
}

/// The entry of the symbol with this payload, whose codeword has `len` bits.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most MAX_LEN")]
const fn entry(payload: u32, len: usize) -> u32 {
    let len = len as u32;
    // All ones for simple symbols.
    let simple = (payload.cast_signed() >> 31).cast_unsigned();
    payload + (len << TOTAL_SHIFT) + (len & simple) + ((len << LEN_SHIFT) & !simple)
}

/// A root entry that points to the subtable at `start` with an index of `width` bits.
#[expect(clippy::cast_possible_truncation, reason = "both are small")]
const fn pointer(start: usize, width: usize, root_bits: usize) -> u32 {
    let start = (start - (1 << root_bits)) as u32;
    RARE | start << START_SHIFT | (64 - width as u32) << WIDTH_SHIFT
}

/// Writes each symbol's entry `N` times.
#[inline(always)]
fn fill<const N: usize>(entries: &mut [u32], symbols: &[u32], len: usize) {
    for (copies, &symbol) in entries.as_chunks_mut::<N>().0.iter_mut().zip(symbols) {
        copies.fill(entry(symbol, len));
    }
}

/// How many codewords have each length; the size is a power of two above [`MAX_LEN`].
type LengthCounts = [u16; 32];

/// Sorts the payloads of all symbols with a codeword by codeword: shorter first, equal lengths in
/// symbol order. Returns the number of symbols of each length, and the sorted payloads.
///
/// Both passes work on the quarters of the alphabet at once: neighbours often have the same length,
/// and a counter just written takes the processor a while to read again.
fn sort_by_codeword<'a>(
    lens: &[u8],
    payloads: &[u32],
    sorted: &'a mut [u32; MAX_SYMBOLS],
) -> (LengthCounts, &'a [u32]) {
    let quarter = lens.len() / QUARTERS;
    let lens_of = quarters(lens, quarter);
    let payloads_of = quarters(payloads, quarter);
    let mut next = [[0u16; 32]; QUARTERS];
    for i in 0..quarter {
        for (next, lens) in next.iter_mut().zip(lens_of) {
            next[usize::from(lens[i] & 31)] += 1;
        }
    }
    let last_lens = &lens_of[QUARTERS - 1][quarter..];
    for &len in last_lens {
        next[QUARTERS - 1][usize::from(len & 31)] += 1;
    }

    // From counts to starting positions.
    let mut counts = [0; 32];
    let mut at = 0;
    for (len, count) in counts.iter_mut().enumerate() {
        let start = at;
        for next in &mut next {
            at += std::mem::replace(&mut next[len], at);
        }
        *count = at - start;
    }

    let mut place = |next: &mut [u16; 32], len: u8, payload: u32| {
        let next = &mut next[usize::from(len & 31)];
        sorted[usize::from(*next) & (MAX_SYMBOLS - 1)] = payload;
        *next += 1;
    };
    for i in 0..quarter {
        for ((next, lens), payloads) in next.iter_mut().zip(lens_of).zip(payloads_of) {
            place(next, lens[i], payloads[i]);
        }
    }
    for (&len, &payload) in last_lens.iter().zip(&payloads_of[QUARTERS - 1][quarter..]) {
        place(&mut next[QUARTERS - 1], len, payload);
    }
    let unused = usize::from(counts[0]);
    (counts, &sorted[unused..lens.len()])
}

/// Parts of an alphabet that are sorted side by side.
const QUARTERS: usize = 4;

/// Parts of `quarter` elements each; what is left over belongs to the last.
#[inline(always)]
fn quarters<T>(all: &[T], quarter: usize) -> [&[T]; QUARTERS] {
    let (first, rest) = all.split_at(quarter);
    let (second, rest) = rest.split_at(quarter);
    let (third, fourth) = rest.split_at(quarter);
    [first, second, third, fourth]
}
