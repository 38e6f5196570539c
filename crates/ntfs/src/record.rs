//! File records: what every file is described by, protected against torn writes.

use imprint_blockio::Expected;
use zerocopy::FromBytes;

use crate::attribute::{Attribute, Attributes};
use crate::layout::{RECORD_SIGNATURE, RecordHeaderDisk, STRIDE};
use crate::{Corruption, RecordNumber, Structure};

/// Bytes of the header.
const HEADER: usize = size_of::<RecordHeaderDisk>();
/// Bit of the flags: the record belongs to a file.
const IN_USE: u16 = 1;
/// Bit of the flags: the file is a directory.
const DIRECTORY: u16 = 2;

/// A reference to a file: its record, and the record's use count when the reference was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileReference {
    /// The record.
    pub record: RecordNumber,
    /// The use count the record had.
    pub use_count: u16,
}

impl FileReference {
    /// Takes a reference apart: the record in the low 48 bits, the use count above.
    #[must_use]
    pub const fn from_disk(value: u64) -> Self {
        let [.., low, high] = value.to_le_bytes();
        let use_count = u16::from_le_bytes([low, high]);
        Self { record: RecordNumber(value & ((1 << 48) - 1)), use_count }
    }

    /// Puts it together again.
    #[must_use]
    pub const fn to_disk(self) -> u64 {
        self.record.0 & ((1 << 48) - 1) | (self.use_count as u64) << 48
    }
}

/// A record in use, its header checked.
#[derive(Clone, Copy, Debug)]
pub struct FileRecord<'a> {
    bytes: &'a [u8],
    header: RecordHeaderDisk,
    number: RecordNumber,
    /// Where it stands, from the start of the volume.
    offset: u64,
    /// Clusters of the volume.
    clusters: u64,
}

impl<'a> FileRecord<'a> {
    /// Checks a record whose sectors were joined ([`Protected::join_sectors`]). `None` if it is not in use.
    ///
    /// # Errors
    /// [`Corruption`] in the header.
    pub(crate) fn parse(
        bytes: &'a [u8],
        number: RecordNumber,
        offset: u64,
        clusters: u64,
    ) -> Result<Option<Self>, Corruption> {
        let structure = Structure::FileRecord(number);
        let Ok((header, _)) = RecordHeaderDisk::read_from_prefix(bytes) else {
            let (limit, end) = (offset + bytes.len() as u64, offset + HEADER as u64);
            return Err(Corruption::past_end(structure, offset, "header", limit, end));
        };
        if header.flags.get() & IN_USE == 0 {
            return Ok(None);
        }
        let (used, length) = (u64::from(header.used.get()), bytes.len() as u64);
        if used > length {
            let (limit, end) = (offset + length, offset.saturating_add(used));
            return Err(Corruption::past_end(structure, offset + 0x18, "used bytes", limit, end));
        }
        let first = u64::from(header.attributes.get());
        if !(HEADER as u64..=used).contains(&first) || !first.is_multiple_of(8) {
            let expected = Expected::Within(HEADER as u64, used);
            let field = "offset of the first attribute";
            return Err(Corruption::code(structure, offset + 0x14, field, expected, first));
        }
        Ok(Some(Self { bytes, header, number, offset, clusters }))
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> RecordNumber {
        self.number
    }

    /// The reference others have to it.
    #[must_use]
    pub fn reference(&self) -> FileReference {
        FileReference { record: self.number, use_count: self.header.use_count.get() }
    }

    /// The record it continues, if it is not a file's first.
    #[must_use]
    pub fn base(&self) -> Option<FileReference> {
        let base = self.header.base.get();
        (base != 0).then(|| FileReference::from_disk(base))
    }

    /// How many `$FILE_NAME` attributes the file says it has.
    #[must_use]
    pub fn links(&self) -> u16 {
        self.header.links.get()
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.header.flags.get() & DIRECTORY != 0
    }

    /// 1 in use, 2 directory, 4 in `$Extend`, 8 has another index.
    pub(crate) fn flags(&self) -> u16 {
        self.header.flags.get()
    }

    /// Its attributes, in their order; ends behind the first that is wrong.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        let used = usize::try_from(self.header.used.get()).unwrap_or(0);
        let bytes = self.bytes.get(..used).unwrap_or_default();
        let first = usize::from(self.header.attributes.get());
        Attributes::new(bytes, first, self.number, self.offset, self.clusters)
    }

    /// The first attribute of a type without a name.
    ///
    /// # Errors
    /// [`Corruption`] of it or one before it.
    pub fn find(&self, kind: crate::AttributeKind) -> Result<Option<Attribute<'a>>, Corruption> {
        for attribute in self.attributes() {
            let attribute = attribute?;
            if attribute.kind == kind && attribute.name.is_empty() {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }
}

/// What protects a structure of several sectors against being written in part: each sector's last two
/// bytes are replaced by one number, and kept in the update sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protected {
    pub(crate) structure: Structure,
    /// `FILE`, `INDX`.
    pub(crate) signature: u32,
    /// Where it stands, from the start of the volume.
    pub(crate) offset: u64,
}

impl Protected {
    pub(crate) const fn record(number: RecordNumber, offset: u64) -> Self {
        Self { structure: Structure::FileRecord(number), signature: RECORD_SIGNATURE, offset }
    }

    /// Puts the true last bytes of each sector back.
    ///
    /// # Errors
    /// [`Corruption`] if it is another structure, its update sequence does not fit, or not all its
    /// sectors were written together.
    pub(crate) fn join_sectors(&self, bytes: &mut [u8]) -> Result<(), Corruption> {
        let word = |bytes: &[u8], at: usize| {
            let pair = bytes.get(at..).and_then(|rest| rest.first_chunk());
            pair.map_or(0, |&pair| u16::from_le_bytes(pair))
        };
        let signature = bytes.first_chunk().map_or(0, |&first| u32::from_le_bytes(first));
        if signature != self.signature {
            let expected = Expected::Exactly(self.signature.into());
            return Err(self.code(0, "signature", expected, signature.into()));
        }
        let (start, count) = (usize::from(word(bytes, 4)), usize::from(word(bytes, 6)));
        let sectors = bytes.len() / STRIDE;
        if count != sectors + 1 {
            let expected = Expected::Exactly(sectors as u64 + 1);
            let (structure, at) = (self.structure, self.offset + 6);
            let field = "words of the update sequence";
            return Err(Corruption::number(structure, at, field, expected, count as u64));
        }
        // It must not reach the bytes that it replaces.
        let last = STRIDE - 2 - count * 2;
        if start < 8 || start > last || !start.is_multiple_of(2) {
            let expected = Expected::Within(8, last as u64);
            return Err(self.code(4, "offset of the update sequence", expected, start as u64));
        }
        let number = word(bytes, start);
        for sector in 0..sectors {
            let at = sector * STRIDE + STRIDE - 2;
            let found = word(bytes, at);
            if found != number {
                let expected = Expected::Exactly(number.into());
                return Err(self.code(at as u64, "last bytes of a sector", expected, found.into()));
            }
            let kept = word(bytes, start + 2 + sector * 2).to_le_bytes();
            if let Some(place) = bytes.get_mut(at..at + 2) {
                place.copy_from_slice(&kept);
            }
        }
        Ok(())
    }

    const fn code(
        &self,
        at: u64,
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) -> Corruption {
        Corruption::code(self.structure, self.offset + at, field, expected, actual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Protected = Protected::record(RecordNumber(30), 0x4000);

    /// A record of two sectors, the bytes at their ends replaced by 7.
    fn sample() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..8].copy_from_slice(b"FILE\x30\0\x03\0");
        bytes[0x30..0x36].copy_from_slice(&[7, 0, 0xaa, 0xab, 0xba, 0xbb]);
        bytes[510] = 7;
        bytes[1022] = 7;
        bytes
    }

    #[test]
    fn sectors_are_joined() {
        let mut bytes = sample();
        PLACE.join_sectors(&mut bytes).unwrap();
        assert_eq!(bytes[510..512], [0xaa, 0xab]);
        assert_eq!(bytes[1022..], [0xba, 0xbb]);
    }

    #[track_caller]
    fn check(at: usize, change: &[u8], expected: &str) {
        let mut bytes = sample();
        bytes[at..at + change.len()].copy_from_slice(change);
        let error = PLACE.join_sectors(&mut bytes).unwrap_err().to_string();
        assert_eq!(error, format!("file record 30: {expected}"));
    }

    #[test]
    fn torn_and_foreign_records_are_told() {
        check(0, b"BAAD", "signature should be 0x454c4946, but is 0x44414142 (at offset 0x4000)");
        check(6, &[2], "words of the update sequence should be 3, but is 2 (at offset 0x4006)");
        check(
            4,
            &[0xfa, 1],
            "offset of the update sequence should be from 0x8 to 0x1f8, but is 0x1fa (at offset 0x4004)",
        );
        check(
            4,
            &[0x31],
            "offset of the update sequence should be from 0x8 to 0x1f8, but is 0x31 (at offset 0x4004)",
        );
        check(1022, &[8], "last bytes of a sector should be 0x7, but is 0x8 (at offset 0x43fe)");
    }

    #[test]
    fn references_come_back() {
        let value = 0x0005_0000_0000_0005;
        let reference = FileReference::from_disk(value);
        assert_eq!(reference, FileReference { record: RecordNumber(5), use_count: 5 });
        assert_eq!(reference.to_disk(), value);
    }
}
