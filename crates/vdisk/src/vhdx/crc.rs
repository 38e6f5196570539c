//! CRC-32C (Castagnoli), eight bytes a step.
#![expect(clippy::indexing_slicing, reason = "tables of 256 entries, indexed by bytes")]

/// The polynomial, reflected.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[n][b]`: what byte `b` does to the sum when `n` bytes follow it in the step.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let mut number = 0_usize;
    let mut byte = 0_u32;
    while number < 256 {
        let mut sum = byte;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][number] = sum;
        number += 1;
        byte += 1;
    }
    let mut level = 1;
    while level < 8 {
        number = 0;
        while number < 256 {
            let before = tables[level - 1][number];
            tables[level][number] = (before >> 8) ^ tables[0][before.to_le_bytes()[0] as usize];
            number += 1;
        }
        level += 1;
    }
    tables
}

/// A checksum over pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc32c(u32);

impl Crc32c {
    /// The checksum of nothing.
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    /// Adds bytes at the end.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let (steps, rest) = bytes.as_chunks::<8>();
        let mut sum = self.0;
        for &[a, b, c, d, e, f, g, h] in steps {
            let [a, b, c, d] = (sum ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            sum = TABLES[7][usize::from(a)]
                ^ TABLES[6][usize::from(b)]
                ^ TABLES[5][usize::from(c)]
                ^ TABLES[4][usize::from(d)]
                ^ TABLES[3][usize::from(e)]
                ^ TABLES[2][usize::from(f)]
                ^ TABLES[1][usize::from(g)]
                ^ TABLES[0][usize::from(h)];
        }
        for &byte in rest {
            let [low, ..] = sum.to_le_bytes();
            sum = (sum >> 8) ^ TABLES[0][usize::from(low ^ byte)];
        }
        self.0 = sum;
    }

    /// The checksum of all bytes added.
    pub(crate) const fn sum(self) -> u32 {
        !self.0
    }
}

/// The checksum of a structure whose checksum field is bytes 4 to 7 and counts as zero: headers, region
/// tables and log entries.
pub(crate) fn checksum(structure: &[u8]) -> u32 {
    let mut crc = Crc32c::new();
    let (before, rest) = structure.split_at_checked(4).unwrap_or((structure, &[]));
    crc.add(before);
    if let Some((_checksum, after)) = rest.split_at_checked(4) {
        crc.add(&[0; 4]);
        crc.add(after);
    }
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: u32) {
        for cut in 0..=bytes.len() {
            let mut crc = Crc32c::new();
            crc.add(&bytes[..cut]);
            crc.add(&bytes[cut..]);
            assert_eq!(crc.sum(), expected, "cut at {cut}");
        }
    }

    /// Source: RFC 3720, B.4, and the check value of the CRC catalogue.
    #[test]
    fn known_sums() {
        check(b"", 0);
        check(b"123456789", 0xE306_9283);
        check(&[0; 32], 0x8A91_36AA);
        check(&[0xff; 32], 0x62A8_AB43);
        check(&std::array::from_fn::<u8, 32, _>(|i| u8::try_from(i).unwrap()), 0x46DD_794E);
    }

    #[test]
    fn the_checksum_field_counts_as_zero() {
        let mut bytes = [7_u8; 64];
        let before = checksum(&bytes);
        bytes[4..8].copy_from_slice(&before.to_le_bytes());
        assert_eq!(checksum(&bytes), before);
        bytes[8] = 0;
        assert_ne!(checksum(&bytes), before);
        assert_eq!(checksum(b"abc"), 0x364B_3FB7);
    }
}
