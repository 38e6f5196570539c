//! The footer: what kind of disk, how large, who.

use imprint_blockio::Expected;
use imprint_winvalues::{FileTime, Guid};

use super::geometry::Geometry;
use super::layout::{
    FEATURES, FOOTER_COOKIE, FooterDisk, HEADER_BYTES, NOWHERE, SECTOR, VERSION, checksum,
};
use crate::{Corruption, Kind, Structure};

/// Seconds from 1970 to 2000, where the format's time begins.
const EPOCH: i64 = 946_684_800;

/// A checked footer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footer {
    /// The bytes.
    pub(crate) disk: FooterDisk,
    /// The kind of disk.
    pub(crate) kind: Kind,
}

impl Footer {
    /// Reads a footer that stands at `at`.
    pub(crate) fn parse(bytes: &[u8; 512], at: u64) -> Result<Self, Corruption> {
        let footer = Self::parse_fields(bytes, at);
        // A wrong checksum explains whatever else is wrong.
        let is_footer = bytes.starts_with(&FOOTER_COOKIE);
        let disk: FooterDisk = zerocopy::transmute!(*bytes);
        let (sum, stored) = (checksum(bytes, disk.checksum), disk.checksum.get());
        if is_footer && sum != stored {
            let expected = Expected::Exactly(sum.into());
            let (structure, field) = (Structure::Footer, "checksum");
            return Err(Corruption::code(structure, at + 64, field, expected, stored.into()));
        }
        footer
    }

    /// The same, whatever the checksum.
    pub(crate) fn parse_fields(bytes: &[u8; 512], at: u64) -> Result<Self, Corruption> {
        let code = |offset, field, expected: u64, actual| {
            let expected = Expected::Exactly(expected);
            Corruption::code(Structure::Footer, at + offset, field, expected, actual)
        };
        let disk: FooterDisk = zerocopy::transmute!(*bytes);
        if disk.cookie != FOOTER_COOKIE {
            let [expected, actual] = [FOOTER_COOKIE, disk.cookie].map(u64::from_be_bytes);
            return Err(code(0, "cookie", expected, actual));
        }
        if disk.version.get() >> 16 != VERSION >> 16 {
            return Err(code(12, "version", VERSION.into(), disk.version.get().into()));
        }
        let kind = match disk.disk_type.get() {
            2 => Kind::Fixed,
            3 => Kind::Dynamic,
            4 => Kind::Differencing,
            other => {
                let (structure, expected) = (Structure::Footer, Expected::Within(2, 4));
                return Err(Corruption::number(
                    structure,
                    at + 60,
                    "disk type",
                    expected,
                    other.into(),
                ));
            }
        };
        let number = |offset, field, expected, actual| {
            Corruption::number(Structure::Footer, at + offset, field, expected, actual)
        };
        let size = disk.current_size.get();
        if size == 0 || !size.is_multiple_of(SECTOR) {
            let expected =
                if size == 0 { Expected::AtLeast(SECTOR) } else { Expected::MultipleOf(SECTOR) };
            return Err(number(48, "current size", expected, size));
        }
        let header = disk.data_offset.get();
        if kind != Kind::Fixed
            && (header < SECTOR
                || !header.is_multiple_of(SECTOR)
                || header.checked_add(HEADER_BYTES).is_none())
        {
            return Err(number(16, "data offset", Expected::MultipleOf(SECTOR), header));
        }
        Ok(Self { disk, kind })
    }

    /// Makes the footer of a new disk.
    pub(crate) fn new(kind: Kind, size: u64, identity: Guid, created: FileTime) -> Self {
        let disk = FooterDisk {
            cookie: FOOTER_COOKIE,
            features: FEATURES.into(),
            version: VERSION.into(),
            data_offset: if kind == Kind::Fixed { NOWHERE } else { SECTOR }.into(),
            timestamp: to_seconds(created).into(),
            // Readers that take the geometry for the size make an exception for this name, and some
            // cloud providers demand this host.
            creator_app: *b"win ",
            creator_version: 0x000a_0000.into(),
            creator_host: *b"Wi2k",
            original_size: size.into(),
            current_size: size.into(),
            cylinders: 0.into(),
            heads: 0,
            sectors_per_track: 0,
            disk_type: match kind {
                Kind::Fixed => 2,
                Kind::Dynamic => 3,
                Kind::Differencing => 4,
            }
            .into(),
            checksum: 0.into(),
            unique_id: identity.0,
            saved_state: 0,
            reserved: [0; 427],
        };
        Self { disk, kind }.with_size(size)
    }

    /// The same with another size.
    pub(crate) fn with_size(mut self, size: u64) -> Self {
        let geometry = Geometry::of(size);
        self.disk.current_size = size.into();
        self.disk.cylinders = geometry.cylinders.into();
        self.disk.heads = geometry.heads;
        self.disk.sectors_per_track = geometry.sectors_per_track;
        self.disk = self.disk.sealed();
        self
    }

    /// The same with the dynamic header elsewhere.
    pub(crate) fn with_header_at(mut self, offset: u64) -> Self {
        self.disk.data_offset = offset.into();
        self.disk = self.disk.sealed();
        self
    }

    /// The same with another identity.
    pub(crate) fn with_identity(mut self, identity: Guid) -> Self {
        self.disk.unique_id = identity.0;
        self.disk = self.disk.sealed();
        self
    }

    /// The size of the disk in bytes.
    ///
    /// It is always the current size, never the geometry's product. Windows, Hyper-V, libvhdi, 7-Zip
    /// and dissect take it whoever made the file. qemu takes the geometry unless the creator is
    /// one of `win `, `qem2`, `d2v`, `tap` or the geometry is the largest there is; the files it
    /// makes as `qemu` have a current size equal to the geometry's product, so that all agree. Only
    /// of files made by Virtual PC does qemu show less than everybody else.
    /// Source: qemu 10.0, block/vpc.c, `vpc_open`. Observed in: `vhdiinfo`, `7zz l`.
    pub(crate) fn size(&self) -> u64 {
        self.disk.current_size.get()
    }

    /// The disk's identity.
    pub(crate) const fn identity(&self) -> Guid {
        Guid(self.disk.unique_id)
    }

    /// Where the dynamic header is.
    pub(crate) fn header_at(&self) -> u64 {
        self.disk.data_offset.get()
    }
}

/// Seconds since 2000 of a moment; what cannot be said is the nearest that can.
pub(crate) fn to_seconds(time: FileTime) -> u32 {
    let seconds = time.to_unix().0.saturating_sub(EPOCH).clamp(0, u32::MAX.into());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// The moment of seconds since 2000.
pub(crate) fn from_seconds(seconds: u32) -> FileTime {
    FileTime::from_unix(i64::from(seconds) + EPOCH, 0)
}

#[cfg(test)]
mod tests {
    use zerocopy::{FromBytes, IntoBytes};

    use super::*;

    fn sample() -> [u8; 512] {
        let time = from_seconds(1000);
        let footer = Footer::new(Kind::Dynamic, 1 << 30, Guid([7; 16]), time);
        footer.disk.as_bytes().try_into().unwrap()
    }

    /// Puts `bytes` at `offset`, mends the checksum and reads the footer at 0x1000.
    #[track_caller]
    fn check(offset: usize, bytes: &[u8], expected: &str) {
        let mut footer = sample();
        footer[offset..offset + bytes.len()].copy_from_slice(bytes);
        let disk = FooterDisk::read_from_bytes(&footer).unwrap().sealed();
        footer.copy_from_slice(disk.as_bytes());
        assert_eq!(Footer::parse(&footer, 0x1000).unwrap_err().to_string(), expected);
    }

    #[test]
    fn each_broken_field_is_named() {
        check(
            0,
            b"Conectix",
            "VHD footer: cookie should be 0x636f6e6563746978, but is 0x436f6e6563746978 (at offset 0x1000)",
        );
        check(
            12,
            &[0, 2],
            "VHD footer: version should be 0x10000, but is 0x20000 (at offset 0x100c)",
        );
        check(
            16,
            &[0, 0, 0, 0, 0, 0, 2, 1],
            "VHD footer: data offset should be a multiple of 512, but is 513 (at offset 0x1010)",
        );
        check(
            16,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0],
            "VHD footer: data offset should be a multiple of 512, but is 18446744073709551104 (at offset 0x1010)",
        );
        check(
            48,
            &[0, 0, 0, 0, 0, 0, 2, 1],
            "VHD footer: current size should be a multiple of 512, but is 513 (at offset 0x1030)",
        );
        check(
            60,
            &[0, 0, 0, 5],
            "VHD footer: disk type should be from 2 to 4, but is 5 (at offset 0x103c)",
        );
        let mut footer = sample();
        footer[100] = 1;
        let text = Footer::parse(&footer, 0).unwrap_err().to_string();
        assert!(text.starts_with("VHD footer: checksum should be 0x"), "{text}");
        assert!(text.ends_with("(at offset 0x40)"), "{text}");
    }

    #[test]
    fn time_begins_in_2000() {
        assert_eq!(to_seconds(from_seconds(77)), 77);
        assert_eq!(to_seconds(FileTime(0)), 0);
        assert_eq!(to_seconds(FileTime(u64::MAX)), u32::MAX);
    }
}
