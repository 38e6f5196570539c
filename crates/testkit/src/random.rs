//! Pseudo-random numbers that are the same on every machine and in every release.

/// A seeded source of pseudo-random numbers.
///
/// The generator is `SplitMix64`: one 64-bit state, an addition and three mixing steps per number. It is
/// no secret and of no cryptographic worth; it is here so that tests need no dependency and a seed in
/// a failure message is enough to repeat the run.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Makes a source that depends on nothing but `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        // Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`, or 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The upper half of the product is below `limit`; its bias (limit / 2^64) is no matter here.
        let product = u128::from(self.next_u64()) * u128::from(limit);
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// Returns an index below `len`, or 0 if `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }

    /// Returns a byte.
    pub fn byte(&mut self) -> u8 {
        self.next_u64().to_le_bytes()[0]
    }

    /// Returns true `numerator` times out of `denominator` on average.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// Returns one of `items`.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.index(items.len());
        items.get(index).unwrap_or_else(|| panic!("there is nothing to pick from"))
    }

    /// Fills `buf` with random bytes.
    pub fn fill(&mut self, buf: &mut [u8]) {
        for piece in buf.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            for (target, byte) in piece.iter_mut().zip(bytes) {
                *target = byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_sequence() {
        // First numbers of the reference implementation for seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn stays_below_its_limit() {
        let mut random = Random::new(1);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[random.index(7)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
        assert_eq!(random.below(0), 0);
        assert_eq!((0..10_000).filter(|_| random.chance(0, 5)).count(), 0);
    }

    #[test]
    fn fills_odd_lengths() {
        let mut buf = [0; 13];
        Random::new(3).fill(&mut buf);
        assert!(buf.iter().filter(|&&byte| byte == 0).count() < 4, "{buf:?}");
    }
}
