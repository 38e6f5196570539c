//! Sources of the 16-bit units of XPRESS and LZX, four at a time.

/// Where a fast loop gets its units from.
pub(crate) trait Source: Copy {
    /// The source without its first `n` bytes; empty if there are not so many.
    fn from(self, n: usize) -> Self;
    /// The next four units, the first on top, if there are four.
    fn units(self) -> Option<u64>;
}

/// The rest of an input as it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a>(pub(crate) &'a [u8]);

impl Source for Stored<'_> {
    #[inline(always)]
    fn from(self, n: usize) -> Self {
        Self(self.0.get(n..).unwrap_or_default())
    }

    #[inline(always)]
    fn units(self) -> Option<u64> {
        // Swap the halves, then the units within each half.
        let word = u64::from_le_bytes(*self.0.first_chunk()?).rotate_left(32);
        Some((word & 0x0000_FFFF_0000_FFFF) << 16 | (word >> 16) & 0x0000_FFFF_0000_FFFF)
    }
}

/// The rest of a [`SwapWindow`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swapped<'a>(&'a [u8]);

impl Swapped<'_> {
    /// Bytes left.
    pub(crate) const fn len(self) -> usize {
        self.0.len()
    }
}

impl Source for Swapped<'_> {
    #[inline(always)]
    fn from(self, n: usize) -> Self {
        Self(self.0.get(n..).unwrap_or_default())
    }

    #[inline(always)]
    fn units(self) -> Option<u64> {
        self.0.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }
}

/// A part of an input with the two bytes of each unit swapped: loading four units from it takes one
/// step instead of seven, and swapping many at once costs next to nothing. It is small so that it
/// stays in the processor's nearest cache.
#[derive(Clone, Debug)]
pub(crate) struct SwapWindow([u8; WINDOW]);

/// Size of a [`SwapWindow`] in bytes.
const WINDOW: usize = 1024;
/// Every second byte of a word, from the lowest on.
const EVEN_BYTES: u64 = 0x00FF_00FF_00FF_00FF;

impl SwapWindow {
    /// An empty window.
    pub(crate) const fn new() -> Self {
        Self([0; WINDOW])
    }

    /// Takes the first units of `input`, as many as there is room for.
    #[inline(always)]
    pub(crate) fn fill(&mut self, input: &[u8]) -> Swapped<'_> {
        let len = input.len().min(WINDOW) & !1;
        let (words, units) = input.get(..len).unwrap_or_default().as_chunks::<8>();
        // Whole words, because the compiler makes vector code of that and not of single units.
        let (room, last) = self.0.as_chunks_mut::<8>();
        for (swapped, word) in room.iter_mut().zip(words) {
            let word = u64::from_le_bytes(*word);
            let word = (word & EVEN_BYTES) << 8 | word >> 8 & EVEN_BYTES;
            *swapped = word.to_le_bytes();
        }
        let room = room.as_flattened_mut().get_mut(8 * words.len()..).unwrap_or(last);
        for (swapped, unit) in room.as_chunks_mut::<2>().0.iter_mut().zip(units.as_chunks().0) {
            let [low, high]: [u8; 2] = *unit;
            *swapped = [high, low];
        }
        Swapped(self.0.get(..len).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_units_the_first_on_top() {
        let input = [2, 1, 4, 3, 6, 5, 8, 7, 0xFF];
        let mut window = SwapWindow::new();
        assert_eq!(Stored(&input).units(), Some(0x0102_0304_0506_0708));
        assert_eq!(window.fill(&input).units(), Some(0x0102_0304_0506_0708));
        assert_eq!(Stored(&input).from(2).units(), None);
        assert_eq!(window.fill(&input).from(2).units(), None);
        assert_eq!(window.fill(&input).from(100).len(), 0);
    }

    #[test]
    fn a_window_swaps_every_unit() {
        let input: Vec<u8> = (0..=255).cycle().take(WINDOW + 50).collect();
        for len in (0..40).chain(WINDOW - 5..input.len()) {
            let mut window = SwapWindow([0xAA; WINDOW]);
            let swapped = window.fill(&input[..len]).0;
            assert_eq!(swapped.len(), (len & !1).min(WINDOW));
            let (swapped, units) = (swapped.as_chunks::<2>().0, input.as_chunks::<2>().0);
            assert!(swapped.iter().zip(units).all(|(s, u)| *s == [u[1], u[0]]), "{len}");
        }
    }
}
