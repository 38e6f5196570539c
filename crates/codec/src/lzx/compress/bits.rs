//! Writes LZX's bit stream: 16-bit little-endian units, bits from the most significant end.

/// Bits that can be added between two flushes.
pub(super) const FLUSH_BITS: u32 = 57;
/// Bytes of a unit.
const UNIT: usize = 2;

/// Writes into a caller's buffer and remembers whether something did not fit.
///
/// The first bit goes to the top of the first byte; only at the end are the bytes of each unit swapped.
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    /// The low `count` bits are waiting; the bits above them are spent.
    bits: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, bits: 0, count: 0 }
    }

    /// Takes `count` bits without writing: at most [`FLUSH_BITS`] in all since the last flush.
    #[inline(always)]
    pub(super) const fn add(&mut self, value: u64, count: u32) {
        self.bits = (self.bits << (count & 63)) | value;
        self.count += count;
    }

    /// Writes whole bytes, so that less than 8 bits wait.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        // With nothing waiting the shift is no shift, and what is written will be overwritten.
        let bytes = (self.bits << (self.count.wrapping_neg() & 63)).to_be_bytes();
        if let Some(place) = self.out.get_mut(self.at..self.at + bytes.len()) {
            place.copy_from_slice(&bytes);
        } else {
            self.write_last(&bytes);
        }
        self.at += self.count as usize / 8;
        self.count &= 7;
    }

    /// Writes as many bytes as there is room for.
    #[cold]
    #[inline(never)]
    fn write_last(&mut self, bytes: &[u8]) {
        let place = self.out.get_mut(self.at..).unwrap_or_default();
        for (place, &byte) in place.iter_mut().zip(bytes) {
            *place = byte;
        }
    }

    /// Writes `count` bits (at most 32).
    #[inline(always)]
    pub(super) fn put(&mut self, value: u32, count: u32) {
        self.add(u64::from(value), count);
        self.flush();
    }

    /// Pads the last unit with zeros and returns the bytes written, or `None` if they did not fit.
    pub(super) fn finish(mut self) -> Option<usize> {
        let bits = self.at as u32 * 8 + self.count;
        self.put(0, bits.wrapping_neg() % (8 * UNIT as u32));
        let (units, _) = self.out.get_mut(..self.at)?.as_chunks_mut::<UNIT>();
        for unit in units {
            unit.swap(0, 1);
        }
        Some(self.at)
    }
}
