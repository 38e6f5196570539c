//! Disk files changed byte by byte, with checksums that are right again.

/// A copy of a file that is being spoilt.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) bytes: Vec<u8>,
}

impl Forged {
    /// Writes bytes, beyond the end as well.
    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at..end].copy_from_slice(bytes);
        self
    }

    pub(super) fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..].first_chunk().unwrap()
    }
}

/// VHD: where the fields are. Offsets of the header count from the start of the file.
pub(super) mod vhd {
    use super::Forged;

    pub(in super::super) const HEADER: usize = 512;
    pub(in super::super) const BAT: usize = 1536;
    pub(in super::super) const LOCATORS: usize = HEADER + 576;

    impl Forged {
        /// Changes both footers.
        pub(in super::super) fn footer(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
            let end = self.bytes.len() - 512;
            if self.bytes.starts_with(b"conectix") {
                self.put(at, bytes);
            }
            self.put(end + at, bytes)
        }

        /// Makes the checksums of footers and header right.
        pub(in super::super) fn sealed_vhd(mut self) -> Vec<u8> {
            let end = self.bytes.len() - 512;
            let is_dynamic = self.bytes.starts_with(b"conectix");
            let mut seal = |at: usize, length: usize, field: usize| {
                self.bytes[at + field..at + field + 4].fill(0);
                let sum = self.bytes[at..at + length].iter();
                let sum = sum.fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into()));
                self.bytes[at + field..at + field + 4].copy_from_slice(&(!sum).to_be_bytes());
            };
            seal(end, 512, 64);
            if is_dynamic {
                seal(0, 512, 64);
                seal(HEADER, 1024, 36);
            }
            self.bytes
        }
    }
}

/// VHDX: where the program puts things.
pub(super) mod vhdx {
    use super::Forged;

    pub(in super::super) const HEADERS: [usize; 2] = [64 << 10, 128 << 10];
    pub(in super::super) const REGIONS: [usize; 2] = [192 << 10, 256 << 10];
    pub(in super::super) const LOG: usize = 1 << 20;
    pub(in super::super) const METADATA: usize = 2 << 20;
    pub(in super::super) const ITEMS: usize = METADATA + (64 << 10);
    pub(in super::super) const LOCATOR: usize = ITEMS + 4096;
    pub(in super::super) const BAT: usize = 3 << 20;

    /// The checksum of VHDX, bit by bit: not how the code under test does it.
    pub(in super::super) fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte), |sum, _| {
                if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 }
            })
        })
    }

    impl Forged {
        /// Changes both headers.
        pub(in super::super) fn header(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
            for header in HEADERS {
                self.put(header + at, bytes);
            }
            self
        }

        /// Changes both region tables.
        pub(in super::super) fn region(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
            for table in REGIONS {
                self.put(table + at, bytes);
            }
            self
        }

        /// Makes the checksum of a structure right that has it behind its signature.
        pub(in super::super) fn seal(&mut self, at: usize, length: usize) -> &mut Self {
            self.put(at + 4, &[0; 4]);
            let sum = crc(&self.bytes[at..at + length]);
            self.put(at + 4, &sum.to_le_bytes())
        }

        /// Makes the checksums of headers and region tables right.
        pub(in super::super) fn sealed_vhdx(mut self) -> Vec<u8> {
            for at in HEADERS {
                self.seal(at, 4096);
            }
            for at in REGIONS {
                self.seal(at, 64 << 10);
            }
            self.bytes
        }
    }

    /// A parent locator with these keys and values.
    pub(in super::super) fn locator(values: &[(&str, &str)]) -> Vec<u8> {
        let kind = 0xB04A_EFB7_D19E_4A81_B789_25B8_E944_5913_u128.to_be_bytes();
        let mut bytes = kind.to_vec();
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        bytes.extend([0, 0]);
        bytes.extend(u16::try_from(values.len()).unwrap().to_le_bytes());
        let mut texts = Vec::new();
        let start = 20 + values.len() * 12;
        let mut text = |text: &str| {
            let at = start + texts.len();
            texts.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            (at, start + texts.len() - at)
        };
        for (key, value) in values {
            let (key, value) = (text(key), text(value));
            for offset in [key.0, value.0] {
                bytes.extend(u32::try_from(offset).unwrap().to_le_bytes());
            }
            for length in [key.1, value.1] {
                bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
            }
        }
        bytes.extend(texts);
        bytes
    }
}
