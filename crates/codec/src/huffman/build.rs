//! Makes the optimal length-limited canonical code for a set of symbol frequencies.
//!
//! The work is done in a few linear passes over stack arrays: sort the used symbols by frequency,
//! find how many code words of each length the Huffman tree has, hand the lengths out to the sorted
//! symbols, number the code words. Only if the tree is deeper than the limit (rare: it takes
//! frequencies that grow like Fibonacci's numbers) the lengths come from package-merge, which is
//! optimal under a limit but slower. So the result is always a code of the least possible cost.
#![expect(
    clippy::indexing_slicing,
    reason = "indices are masked or bounded by the number of used symbols, at most MAX_SYMBOLS"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "symbols and lengths are bounded by constants"
)]

use std::hint::select_unpredictable;

/// The largest alphabet, in symbols. LZX needs 656 for its largest window.
pub(crate) const MAX_SYMBOLS: usize = 1024;

/// The longest code word of any format, in bits.
pub(crate) const MAX_LENGTH: usize = 16;

/// Sort keys are `frequency << SYMBOL_BITS | symbol`.
const SYMBOL_BITS: u32 = MAX_SYMBOLS.trailing_zeros();
const SYMBOL_MASK: usize = MAX_SYMBOLS - 1;
/// Sums of frequencies up to here keep their exact values; larger ones are scaled down first.
const MAX_TOTAL: u64 = (1 << (32 - SYMBOL_BITS)) - 1;
/// Frequencies from here on share one bucket of the counting sort.
const BUCKETS: usize = 256;
/// Items one level of package-merge can hold.
const MAX_ITEMS: usize = 2 * MAX_SYMBOLS;

/// How many code words there are of each length in bits; index 0 is not used.
type LengthCounts = [u16; MAX_LENGTH + 1];

/// Makes the code for `freqs` with code words of at most `max_len` bits.
///
/// `lens` gets the length in bits of every symbol's code word, 0 for a symbol of frequency 0, and
/// `codewords` the code words, right-aligned (unspecified where the length is 0). Equal input gives
/// equal output. The code is complete, or empty if no symbol is used: a lone symbol is given a
/// companion, because decoders may insist on completeness.
///
/// All three slices have the alphabet's size, 2 to [`MAX_SYMBOLS`]; `max_len` is at most
/// [`MAX_LENGTH`] and large enough for the used symbols.
pub(crate) fn build(freqs: &[u32], max_len: u8, lens: &mut [u8], codewords: &mut [u16]) {
    let counts = assign_lengths(freqs, max_len, lens);
    number_codewords(&counts, lens, codewords);
}

fn assign_lengths(freqs: &[u32], max_len: u8, lens: &mut [u8]) -> LengthCounts {
    debug_assert!(freqs.len() == lens.len() && (2..=MAX_SYMBOLS).contains(&freqs.len()));
    debug_assert!(usize::from(max_len) <= MAX_LENGTH);
    lens.fill(0);
    let mut counts = [0; MAX_LENGTH + 1];
    let mut keys = [0; MAX_SYMBOLS];
    let used = sort_used(freqs, &mut keys);
    let keys = &keys[..used];
    match *keys {
        [] => return counts,
        [key] => {
            let symbol = key as usize & SYMBOL_MASK;
            let companion = usize::from(symbol == 0);
            lens[symbol] = 1;
            lens[companion] = 1;
            counts[1] = 2;
            return counts;
        }
        _ => {}
    }
    debug_assert!(used <= 1 << max_len, "{used} code words cannot have at most {max_len} bits");
    if !tree_length_counts(keys, usize::from(max_len), &mut counts) {
        package_merge(keys, usize::from(max_len), &mut counts);
    }
    let mut next = 0;
    for len in (1..=MAX_LENGTH).rev() {
        let end = next + usize::from(counts[len]);
        for &key in &keys[next..end] {
            lens[key as usize & SYMBOL_MASK] = len as u8;
        }
        next = end;
    }
    counts
}

/// Numbers the code words: shorter ones first, equal lengths in symbol order.
fn number_codewords(counts: &LengthCounts, lens: &[u8], codewords: &mut [u16]) {
    let mut next = [0u16; 32];
    let mut first = 0u32;
    for (next, &count) in next.iter_mut().zip(counts).skip(1) {
        first <<= 1;
        *next = first as u16;
        first += u32::from(count);
    }
    for (codeword, &len) in codewords.iter_mut().zip(lens) {
        let next = &mut next[usize::from(len & 31)];
        *codeword = *next;
        *next = next.wrapping_add(1);
    }
}

/// Fills the front of `keys` with the used symbols' sort keys, ascending, and returns their number.
fn sort_used(freqs: &[u32], keys: &mut [u32; MAX_SYMBOLS]) -> usize {
    let total: u64 = freqs.iter().map(|&freq| u64::from(freq)).sum();
    let excess_bits = total.div_ceil(MAX_TOTAL).next_power_of_two().trailing_zeros();
    let mut unsorted = [0; MAX_SYMBOLS];
    let mut used = 0;
    for (symbol, &freq) in freqs.iter().enumerate() {
        // Scaling down must not make a used symbol unused.
        let scaled = (freq >> excess_bits) | u32::from(freq != 0 && excess_bits != 0);
        unsorted[used & SYMBOL_MASK] = scaled << SYMBOL_BITS | symbol as u32;
        used += usize::from(freq != 0);
    }
    let unsorted = &unsorted[..used];

    // Most frequencies are small, so one counting pass sorts nearly everything.
    let bucket = |key: u32| ((key >> SYMBOL_BITS) as usize).min(BUCKETS - 1);
    let mut starts = [0u16; BUCKETS];
    for &key in unsorted {
        starts[bucket(key)] += 1;
    }
    let mut start = 0;
    for slot in &mut starts {
        start += std::mem::replace(slot, start);
    }
    let large = usize::from(starts[BUCKETS - 1]);
    for &key in unsorted {
        let slot = &mut starts[bucket(key)];
        keys[usize::from(*slot) & SYMBOL_MASK] = key;
        *slot += 1;
    }
    keys[large..used].sort_unstable();
    used
}

/// Counts the code words of each length in the Huffman tree of at least two sorted `keys`. Answers
/// `false`, with `counts` unspecified, if the tree is deeper than `max_len`.
///
/// This is Moffat's and Katajainen's in-place construction ("In-place calculation of
/// minimum-redundancy codes", 1995) reduced to the inner nodes: one array holds first their weights,
/// then their parents, at last their depths. Ties take the leaf first, which keeps the tree shallow.
fn tree_length_counts(keys: &[u32], max_len: usize, counts: &mut LengthCounts) -> bool {
    let leaves = keys.len();
    // A node not made yet is heavier than any leaf, a leaf used up heavier than any node.
    let mut nodes = [u32::MAX; MAX_SYMBOLS];
    let leaf_weight = |leaf: usize| keys.get(leaf).map_or(u32::MAX, |key| key >> SYMBOL_BITS);
    let (mut leaf, mut orphan) = (0, 0);
    for node in 0..leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let from_leaf = leaf_weight(leaf);
            let slot = &mut nodes[orphan & SYMBOL_MASK];
            let takes_leaf = from_leaf <= *slot;
            weight += from_leaf.min(*slot);
            *slot = select_unpredictable(takes_leaf, *slot, node as u32);
            leaf += usize::from(takes_leaf);
            orphan += usize::from(!takes_leaf);
        }
        nodes[node & SYMBOL_MASK] = weight;
    }

    // Each inner node turns one place at its depth into two at the next.
    let root = leaves - 2;
    nodes[root] = 0;
    counts[1] = 2;
    for node in (0..root).rev() {
        let depth = nodes[nodes[node] as usize & SYMBOL_MASK] as usize + 1;
        if depth >= max_len {
            counts.fill(0);
            return false;
        }
        nodes[node] = depth as u32;
        counts[depth & 15] -= 1;
        counts[(depth & 15) + 1] += 2;
    }
    true
}

/// Counts the code words of each length in the optimal code of `keys` limited to `max_len` bits.
///
/// Package-merge (Larmore and Hirschberg, 1990): every level's list merges the leaves with the pairs
/// of the next deeper level's list; the first `2 * leaves - 2` items of the top list are the code.
/// It is enough to remember which items were leaves: a symbol's length is the number of levels in
/// which its leaf was chosen.
fn package_merge(keys: &[u32], max_len: usize, counts: &mut LengthCounts) {
    let leaves = keys.len();
    let wanted = 2 * leaves - 2;
    let mut is_leaf = [[0u64; MAX_ITEMS / 64]; MAX_LENGTH];
    let mut deeper = [0u32; MAX_ITEMS];
    let mut deeper_items = 0;
    for level in (0..max_len).rev() {
        let mut list = [0u32; MAX_ITEMS];
        let packages = deeper_items / 2;
        let items = (leaves + packages).min(wanted);
        let (mut leaf, mut package) = (0, 0);
        for (item, slot) in list[..items].iter_mut().enumerate() {
            let paired =
                (package < packages).then(|| deeper[2 * package] + deeper[2 * package + 1]);
            let single = keys.get(leaf).map(|key| key >> SYMBOL_BITS);
            match (single, paired) {
                (Some(single), paired) if paired.is_none_or(|paired| single <= paired) => {
                    *slot = single;
                    is_leaf[level][item / 64] |= 1 << (item % 64);
                    leaf += 1;
                }
                (_, paired) => {
                    *slot = paired.unwrap_or_default();
                    package += 1;
                }
            }
        }
        deeper = list;
        deeper_items = items;
    }

    let mut items = wanted;
    let mut at_least = leaves;
    for level in 0..max_len {
        let chosen_leaves =
            (0..items).filter(|item| is_leaf[level][item / 64] >> (item % 64) & 1 == 1).count();
        if level > 0 {
            counts[level] = (at_least - chosen_leaves) as u16;
        }
        at_least = chosen_leaves;
        items = 2 * (items - chosen_leaves);
    }
    counts[max_len] = at_least as u16;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of [`build`].
    fn lengths(freqs: &[u32], max_len: u8, lens: &mut [u8]) {
        build(freqs, max_len, lens, &mut vec![0; freqs.len()]);
    }
    use proptest::prelude::*;

    /// The least cost in bits of a code with at most `max_len` bits, by textbook package-merge with
    /// explicit symbol sets.
    fn least_cost(freqs: &[u32], max_len: u8) -> u64 {
        let mut leaves: Vec<(u64, Vec<usize>)> = (freqs.iter().enumerate())
            .filter(|&(_, &freq)| freq > 0)
            .map(|(symbol, &freq)| (u64::from(freq), vec![symbol]))
            .collect();
        leaves.sort();
        let mut list = leaves.clone();
        for _ in 1..max_len {
            let packages = list.chunks_exact(2).map(|pair| {
                (pair[0].0 + pair[1].0, [pair[0].1.as_slice(), pair[1].1.as_slice()].concat())
            });
            list = packages.chain(leaves.clone()).collect();
            list.sort_by_key(|item| item.0);
        }
        list.truncate(2 * leaves.len() - 2);
        list.iter().flat_map(|item| &item.1).map(|&symbol| u64::from(freqs[symbol])).sum()
    }

    fn check(freqs: &[u32], max_len: u8) {
        let mut lens = vec![0xAA; freqs.len()];
        let mut codewords = vec![0xAAAA; freqs.len()];
        build(freqs, max_len, &mut lens, &mut codewords);

        let used = freqs.iter().filter(|&&freq| freq > 0).count();
        let coded = lens.iter().filter(|&&len| len > 0).count();
        assert_eq!(coded, if used == 1 { 2 } else { used }, "companion only for a lone symbol");
        for (symbol, (&freq, &len)) in freqs.iter().zip(&lens).enumerate() {
            assert!(len <= max_len, "symbol {symbol} has {len} bits");
            assert!(freq == 0 || len > 0, "symbol {symbol} is used but has no code word");
        }
        if used > 0 {
            let kraft: u32 = lens.iter().filter(|&&len| len > 0).map(|len| 1 << (16 - len)).sum();
            assert_eq!(kraft, 1 << 16, "the code is not complete");
        }
        if used > 1 {
            let costs =
                freqs.iter().zip(&lens).map(|(&freq, &len)| u64::from(freq) * u64::from(len));
            assert_eq!(costs.sum::<u64>(), least_cost(freqs, max_len), "not optimal");
        }

        // Canonical: in (length, symbol) order, left-aligned code words are consecutive.
        let mut order: Vec<usize> = (0..freqs.len()).filter(|&symbol| lens[symbol] > 0).collect();
        order.sort_by_key(|&symbol| (lens[symbol], symbol));
        let mut next = 0;
        for symbol in order {
            let shift = 16 - u32::from(lens[symbol]);
            assert_eq!(u32::from(codewords[symbol]) << shift, next, "symbol {symbol}");
            next += 1 << shift;
        }
    }

    #[test]
    fn no_used_symbol_gives_an_empty_code() {
        check(&[0; 20], 7);
    }

    #[test]
    fn a_lone_symbol_gets_a_companion() {
        for symbol in [0, 1, 2, 511] {
            let mut freqs = [0; 512];
            freqs[symbol] = 3;
            check(&freqs, 15);
        }
    }

    #[test]
    fn equal_frequencies_give_equal_lengths() {
        check(&[1; 512], 15);
        check(&[1; 512], 9);
        check(&[7; 16], 4);
    }

    #[test]
    fn fibonacci_frequencies_hit_the_limit() {
        let mut freqs = vec![1u32, 1];
        while freqs.len() < 22 {
            freqs.push(freqs[freqs.len() - 1] + freqs[freqs.len() - 2]);
        }
        for max_len in 5..=16 {
            check(&freqs, max_len);
        }
        freqs.resize(512, 1);
        check(&freqs, 15);
    }

    #[test]
    fn totals_beyond_the_key_width_are_scaled() {
        let mut lens = [0; 4];
        lengths(&[u32::MAX, 1 << 31, 1, 0], 15, &mut lens);
        assert_eq!(lens, [1, 2, 2, 0]);
        lengths(&[1, u32::MAX, 1, 1 << 30], 15, &mut lens);
        assert_eq!(lens, [3, 1, 3, 2]);
    }

    /// Frequencies as skewed as `2^0` to `2^exponent`.
    fn skewed(symbols: usize, exponent: u32) -> impl Strategy<Value = Vec<u32>> {
        let freq = (0..=exponent, any::<u32>(), 0..3u8).prop_map(|(bits, random, used)| {
            if used == 0 { 0 } else { random & ((1 << bits) - 1) }
        });
        prop::collection::vec(freq, symbols)
    }

    proptest! {
        #[test]
        fn large_alphabets(freqs in skewed(512, 11)) {
            check(&freqs, 15);
            check(&freqs, 10);
        }

        #[test]
        fn lzx_main(freqs in skewed(496, 8)) {
            check(&freqs, 16);
        }

        #[test]
        fn small_alphabets(freqs in skewed(20, 16)) {
            check(&freqs, 7);
            check(&freqs, 5);
        }

        #[test]
        fn steep_frequencies(
            freqs in prop::collection::vec((0..13u32).prop_map(|bits| 1u32 << bits), 2..120)
        ) {
            for max_len in 7..=16 {
                check(&freqs, max_len);
            }
        }
    }
}
