//! Writes LZX's bit stream: 16-bit little-endian units, bits from the most significant end.

/// Writes into a caller's buffer and remembers whether something did not fit.
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    /// The low `count` bits are waiting; the bits above them are spent.
    bits: u64,
    count: u32,
    overflow: bool,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, bits: 0, count: 0, overflow: false }
    }

    /// Takes `count` bits (at most 32; together with what waits at most 63) without writing.
    #[inline(always)]
    pub(super) const fn add(&mut self, value: u32, count: u32) {
        self.bits = (self.bits << count) | value as u64;
        self.count += count;
    }

    /// Writes whole pairs of units, so that less than 32 bits wait.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        if self.count >= 32 {
            let pair = ((self.bits >> (self.count - 32)) as u32).rotate_left(16);
            self.count -= 32;
            if let Some(place) = self.out.get_mut(self.at..self.at + 4) {
                place.copy_from_slice(&pair.to_le_bytes());
            } else {
                self.overflow = true;
            }
            self.at += 4;
        }
    }

    /// Writes `count` bits (at most 32).
    #[inline(always)]
    pub(super) fn put(&mut self, value: u32, count: u32) {
        self.add(value, count);
        self.flush();
    }

    /// Pads the last unit with zeros and returns the bytes written, or `None` if they did not fit.
    pub(super) fn finish(mut self) -> Option<usize> {
        let pad = self.count.wrapping_neg() % 16;
        self.put(0, pad);
        if self.count == 16 {
            let unit = (self.bits as u16).to_le_bytes();
            self.out.get_mut(self.at..self.at + 2)?.copy_from_slice(&unit);
            self.at += 2;
        }
        (!self.overflow).then_some(self.at)
    }
}
