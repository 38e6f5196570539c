//! A volume in memory, of which a test damages one field.
#![expect(clippy::indexing_slicing, reason = "a test that damages what is not there stops")]

/// The bytes of a volume by mkntfs with clusters of 4 KiB, whose MFT lies in one piece from cluster 4 on: the little
/// that a test has to know to damage it.
#[derive(Clone, Debug)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// Bytes of a file record.
    pub const RECORD: usize = 1024;
    /// Bytes of a cluster.
    pub const CLUSTER: usize = 4096;

    /// The number of `length` bytes at a place.
    #[must_use]
    pub fn number(&self, at: usize, length: usize) -> usize {
        self.0[at..at + length].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }

    /// Writes a number of so many bytes.
    pub fn set(&mut self, at: usize, length: usize, number: u64) {
        self.0[at..at + length].copy_from_slice(&number.to_le_bytes()[..length]);
    }

    /// Where a record lies.
    #[must_use]
    pub const fn record(&self, number: usize) -> usize {
        4 * Self::CLUSTER + number * Self::RECORD
    }

    /// Where an attribute header of a record lies, the first of a type with a name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn attribute(&self, record: usize, kind: usize, name: &str) -> usize {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut at = self.record(record);
        at += self.number(at + 0x14, 2);
        loop {
            let found = self.number(at, 4);
            assert_ne!(found, 0xFFFF_FFFF, "record {record} has no {kind:#x}");
            let start = at + self.number(at + 10, 2);
            let length = 2 * self.number(at + 9, 1);
            if found == kind && self.0[start..start + length] == name {
                return at;
            }
            at += self.number(at + 4, 4);
        }
    }

    /// Where a resident value lies.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn value(&self, record: usize, kind: usize, name: &str) -> usize {
        let at = self.attribute(record, kind, name);
        at + self.number(at + 20, 2)
    }

    /// Where the mapping pairs of an attribute lie.
    ///
    /// # Panics
    /// If there is no such attribute.
    #[must_use]
    #[track_caller]
    pub fn pairs(&self, record: usize, kind: usize, name: &str) -> usize {
        let at = self.attribute(record, kind, name);
        at + self.number(at + 32, 2)
    }

    /// Where the first run of an attribute lies.
    ///
    /// # Panics
    /// If there is no such attribute.
    #[must_use]
    #[track_caller]
    pub fn run(&self, record: usize, kind: usize, name: &str) -> usize {
        let pairs = self.pairs(record, kind, name);
        let (lengths, offsets) = (self.0[pairs] & 15, self.0[pairs] >> 4);
        Self::CLUSTER * self.number(pairs + 1 + usize::from(lengths), usize::from(offsets))
    }

    /// The first record of the file with a name, of the first files ntfs-3g made.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn named(&self, name: &str) -> usize {
        let holder = self.holder(name);
        match self.number(self.record(holder) + 0x20, 6) {
            0 => holder,
            base => base,
        }
    }

    /// The record that holds a name, of the first files ntfs-3g made; perhaps it continues another.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn holder(&self, name: &str) -> usize {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let holds = |number: &usize| self.names(*number).any(|found| found == units);
        (27..128).find(holds).unwrap_or_else(|| panic!("no record has the name {name}"))
    }

    /// The names that a record in use holds.
    fn names(&self, record: usize) -> impl Iterator<Item = &[u8]> {
        let start = self.record(record);
        let in_use = self.0[start..].starts_with(b"FILE") && self.0[start + 0x16] & 1 == 1;
        let mut at = start + self.number(start + 0x14, 2);
        std::iter::from_fn(move || {
            while in_use && self.number(at, 4) != 0xffff_ffff {
                let (kind, value) = (self.number(at, 4), at + self.number(at + 20, 2));
                at += self.number(at + 4, 4);
                if kind == 0x30 {
                    return Some(&self.0[value + 66..][..2 * usize::from(self.0[value + 64])]);
                }
            }
            None
        })
    }
}
