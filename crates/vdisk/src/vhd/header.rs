//! The dynamic header: blocks, their table, the parent.

use imprint_blockio::Expected;
use zerocopy::FromBytes;

use super::layout::{
    DynamicHeaderDisk, ENTRY_BYTES, HEADER_COOKIE, LocatorDisk, NOWHERE, SECTOR, VERSION, checksum,
};
use crate::{Corruption, Structure};

/// A checked dynamic header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// The bytes.
    pub(crate) disk: DynamicHeaderDisk,
}

impl Header {
    /// Reads a header that stands at `at`, for a disk of `size` bytes in a file of `length` bytes. Second
    /// is what is wrong and can be done without: the checksum, if every field is legal.
    pub(crate) fn parse(
        bytes: &[u8; 1024],
        at: u64,
        size: u64,
        length: u64,
    ) -> Result<(Self, Option<Corruption>), Corruption> {
        let structure = Structure::DynamicHeader;
        let code = |offset, field, expected: u64, actual| {
            Corruption::code(structure, at + offset, field, Expected::Exactly(expected), actual)
        };
        let number = |offset, field, expected, actual| {
            Corruption::number(structure, at + offset, field, expected, actual)
        };
        let disk = DynamicHeaderDisk::read_from_bytes(bytes)
            .map_err(|_| number(0, "length", Expected::Exactly(1024), 0))?;
        if disk.cookie != HEADER_COOKIE {
            let [expected, actual] = [HEADER_COOKIE, disk.cookie].map(u64::from_be_bytes);
            return Err(code(0, "cookie", expected, actual));
        }
        if disk.version.get() >> 16 != VERSION >> 16 {
            return Err(code(24, "version", VERSION.into(), disk.version.get().into()));
        }
        let block_size = u64::from(disk.block_size.get());
        if block_size < SECTOR || !block_size.is_power_of_two() {
            let nearest = block_size.clamp(SECTOR, 1 << 31).next_power_of_two();
            return Err(number(32, "block size", Expected::Exactly(nearest), block_size));
        }
        let (entries, needed) = (u64::from(disk.max_entries.get()), size.div_ceil(block_size));
        if entries < needed {
            return Err(number(28, "max table entries", Expected::AtLeast(needed), entries));
        }
        let table = disk.bat_offset.get();
        if table < SECTOR || !table.is_multiple_of(SECTOR) {
            return Err(number(16, "table offset", Expected::MultipleOf(SECTOR), table));
        }
        let end = table.saturating_add(needed * ENTRY_BYTES);
        if end > length {
            let field = "block allocation table";
            return Err(Corruption::past_end(structure, at + 16, field, length, end));
        }
        let (sum, stored) = (checksum(bytes, disk.checksum), disk.checksum.get());
        let damage = (sum != stored).then(|| code(36, "checksum", sum.into(), stored.into()));
        Ok((Self { disk }, damage))
    }

    /// Makes the header of a new disk without a parent.
    pub(crate) fn new(bat_offset: u64, entries: u32, block_size: u32) -> Self {
        let locator = LocatorDisk {
            code: [0; 4],
            space: 0.into(),
            length: 0.into(),
            reserved: 0.into(),
            offset: 0.into(),
        };
        let disk = DynamicHeaderDisk {
            cookie: HEADER_COOKIE,
            next: NOWHERE.into(),
            bat_offset: bat_offset.into(),
            version: VERSION.into(),
            max_entries: entries.into(),
            block_size: block_size.into(),
            checksum: 0.into(),
            parent_id: [0; 16],
            parent_timestamp: 0.into(),
            reserved: 0.into(),
            parent_name: [0; 512],
            locators: [locator; 8],
            rest: [0; 256],
        };
        Self { disk: disk.sealed() }
    }

    /// Bytes of a block without its bitmap.
    pub(crate) fn block_size(&self) -> u64 {
        self.disk.block_size.get().into()
    }

    /// Bytes of the bitmap before each block: a bit for each sector, up to a whole sector.
    pub(crate) fn bitmap_bytes(&self) -> u64 {
        (self.block_size() / SECTOR).div_ceil(8).next_multiple_of(SECTOR)
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;

    #[track_caller]
    fn check(offset: usize, bytes: &[u8], expected: &str) {
        let mut header: [u8; 1024] =
            Header::new(1536, 512, 2 << 20).disk.as_bytes().try_into().unwrap();
        header[offset..offset + bytes.len()].copy_from_slice(bytes);
        let found = match Header::parse(&header, 0x200, 1 << 30, 4096) {
            Err(error) => error,
            Ok((_, damage)) => damage.unwrap(),
        };
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn each_broken_field_is_named() {
        let at = |text: &str| format!("VHD dynamic header: {text}");
        check(
            0,
            b"Cxsparse",
            &at("cookie should be 0x6378737061727365, but is 0x4378737061727365 (at offset 0x200)"),
        );
        check(24, &[1, 1], &at("version should be 0x10000, but is 0x1010000 (at offset 0x218)"));
        check(
            28,
            &[0, 0, 1, 0xff],
            &at("max table entries should be at least 512, but is 511 (at offset 0x21c)"),
        );
        check(
            32,
            &[0, 0, 0, 0],
            &at("block size should be 512, but is 0 (at offset 0x220)"),
        );
        check(
            32,
            &[0, 0x30, 0, 0],
            &at("block size should be 4194304, but is 3145728 (at offset 0x220)"),
        );
        check(
            22,
            &[0, 1],
            &at("table offset should be a multiple of 512, but is 1 (at offset 0x210)"),
        );
        check(
            16,
            &[0x80],
            &at(
                "block allocation table should end at or before 0x1000, but ends at 0x8000000000000e00 (at offset 0x210)",
            ),
        );
        check(
            700,
            &[1],
            &at("checksum should be 0xfffff474, but is 0xfffff475 (at offset 0x224)"),
        );
    }
}
