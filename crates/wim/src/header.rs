//! The file's header.

use bitflags::bitflags;
use imprint_codec::Format;
use imprint_winvalues::Guid;
use zerocopy::{FromBytes, transmute};

use crate::error::{Corruption, Expected, Fault, Structure};
use crate::layout::HeaderDisk;
use crate::resource::{Coding, ResourceHeader};

/// `MSWIM\0\0\0`.
const MAGIC: u64 = 0x4d_4957_534d;
/// `WLPWM\0\0\0`: wimlib's pipable files.
const MAGIC_PIPABLE: u64 = 0x4d_5750_4c57;
/// Bytes of the header.
pub const HEADER_SIZE: u64 = 208;
const HEADER_LENGTH: usize = 208;
/// The most images in a file. Source: wimlib's own limit, which keeps hostile counts small.
pub const MAX_IMAGES: u32 = 65_535;

/// Versions of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 0x10D00: read by every program.
    Normal,
    /// 0xE00: LZMS and solid resources are allowed; needs Windows 8 or later.
    Solid,
}

impl Version {
    const fn number(self) -> u32 {
        match self {
            Self::Normal => 0x1_0d00,
            Self::Solid => 0xe00,
        }
    }
}

bitflags! {
    /// Flags of the file. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct HeaderFlags: u32 {
        /// Reserved.
        const RESERVED = 0x1;
        /// Resources may be compressed; one of the `COMPRESS_` flags says how.
        const COMPRESSION = 0x2;
        /// The file must not be changed.
        const READ_ONLY = 0x4;
        /// Part of a split set.
        const SPANNED = 0x8;
        /// Holds no metadata.
        const RESOURCE_ONLY = 0x10;
        /// Holds nothing but metadata.
        const METADATA_ONLY = 0x20;
        /// Being written, or left over when writing was stopped.
        const WRITE_IN_PROGRESS = 0x40;
        /// Targets of absolute links were made relative to the captured root.
        const RP_FIX = 0x80;
        /// Reserved.
        const COMPRESS_RESERVED = 0x1_0000;
        /// XPRESS.
        const COMPRESS_XPRESS = 0x2_0000;
        /// LZX.
        const COMPRESS_LZX = 0x4_0000;
        /// LZMS.
        const COMPRESS_LZMS = 0x8_0000;
        /// XPRESS, written by newer programs; read like `COMPRESS_XPRESS`.
        const COMPRESS_XPRESS_2 = 0x20_0000;
        // Other bits: kept as they are.
        const _ = !0;
    }
}

/// The header, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the format.
    pub version: Version,
    /// Flags.
    pub flags: HeaderFlags,
    /// Bytes of an uncompressed chunk outside solid resources; 0 without compression.
    pub chunk_size: u32,
    /// Names the file, or all parts of a split set.
    pub guid: Guid,
    /// This part, from 1.
    pub part_number: u16,
    /// Number of parts, at least 1.
    pub total_parts: u16,
    /// Number of images, at most [`MAX_IMAGES`].
    pub image_count: u32,
    /// The blob table.
    pub blob_table: ResourceHeader,
    /// The XML data.
    pub xml: ResourceHeader,
    /// Copy of the boot image's metadata entry; zeros if none.
    pub boot_metadata: ResourceHeader,
    /// The integrity table; zeros if none.
    pub integrity: ResourceHeader,
    /// The image to boot, from 1; 0 if none. A number that is no image's is read as 0.
    pub boot_index: u32,
    /// Whether the file is in wimlib's pipable variant, which is not read further.
    pub pipable: bool,
}

impl Header {
    /// Checks the first [`HEADER_SIZE`] bytes of a file.
    ///
    /// # Errors
    /// [`Corruption`] at the first faulty field.
    pub fn parse(bytes: &[u8]) -> Result<Self, Corruption> {
        let wrong = |offset, fault| Corruption::new(Structure::Header, offset, fault);
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let (disk, _) = HeaderDisk::ref_from_prefix(bytes)
            .map_err(|_short| wrong(0, number("length", Expected::AtLeast(HEADER_SIZE), actual)))?;
        check_fixed_fields(disk).map_err(|(offset, fault)| wrong(offset, fault))?;
        let version = match disk.version.get() {
            0xe00 => Version::Solid,
            _ => Version::Normal,
        };
        let image_count = disk.image_count.get();
        let boot_index = Some(disk.boot_index.get()).filter(|&index| index <= image_count);
        Ok(Self {
            version,
            flags: HeaderFlags::from_bits_retain(disk.flags.get()),
            chunk_size: disk.chunk_size.get(),
            guid: Guid(disk.guid),
            part_number: disk.part_number.get(),
            total_parts: disk.total_parts.get(),
            image_count,
            blob_table: ResourceHeader::from_disk(&disk.blob_table),
            xml: ResourceHeader::from_disk(&disk.xml),
            boot_metadata: ResourceHeader::from_disk(&disk.boot_metadata),
            integrity: ResourceHeader::from_disk(&disk.integrity),
            boot_index: boot_index.unwrap_or(0),
            pipable: disk.magic.get() == MAGIC_PIPABLE,
        })
    }

    /// Makes the header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LENGTH] {
        let disk = HeaderDisk {
            magic: if self.pipable { MAGIC_PIPABLE } else { MAGIC }.into(),
            header_size: 208.into(),
            version: self.version.number().into(),
            flags: self.flags.bits().into(),
            chunk_size: self.chunk_size.into(),
            guid: self.guid.0,
            part_number: self.part_number.into(),
            total_parts: self.total_parts.into(),
            image_count: self.image_count.into(),
            blob_table: self.blob_table.to_disk(),
            xml: self.xml.to_disk(),
            boot_metadata: self.boot_metadata.to_disk(),
            boot_index: self.boot_index.into(),
            integrity: self.integrity.to_disk(),
            unused: [0; 60],
        };
        transmute!(disk)
    }

    /// How compressed resources outside solid ones are compressed; `None` without compression.
    ///
    /// # Errors
    /// [`Corruption`] if no known format is named or the chunk size is not legal for it.
    pub fn coding(&self) -> Result<Option<Coding>, Corruption> {
        if !self.flags.contains(HeaderFlags::COMPRESSION) {
            return Ok(None);
        }
        let xpress = HeaderFlags::COMPRESS_XPRESS | HeaderFlags::COMPRESS_XPRESS_2;
        let known = xpress | HeaderFlags::COMPRESS_LZX | HeaderFlags::COMPRESS_LZMS;
        let format = if self.flags.contains(HeaderFlags::COMPRESS_LZX) {
            Format::Lzx
        } else if self.flags.intersects(xpress) {
            Format::Xpress
        } else if self.flags.contains(HeaderFlags::COMPRESS_LZMS) {
            Format::Lzms
        } else {
            let fault = Fault::Code {
                field: "compression flag",
                expected: Expected::Within(
                    HeaderFlags::COMPRESS_XPRESS.bits().into(),
                    HeaderFlags::COMPRESS_XPRESS_2.bits().into(),
                ),
                actual: (self.flags & known).bits().into(),
            };
            return Err(Corruption::new(Structure::Header, 0x10, fault));
        };
        Coding::new(format, self.chunk_size)
            .map(Some)
            .map_err(|error| Corruption::new(Structure::Header, 0x14, Fault::Coding(error)))
    }

    /// Whether the file belongs to a split set.
    #[must_use]
    pub const fn is_split(&self) -> bool {
        self.total_parts > 1
    }

    /// Whether there is an integrity table.
    #[must_use]
    pub const fn has_integrity(&self) -> bool {
        self.integrity.offset != 0
    }
}

const fn number(field: &'static str, expected: Expected, actual: u64) -> Fault {
    Fault::Number { field, expected, actual }
}

/// Returns the first fixed field that is wrong, with its offset.
fn check_fixed_fields(disk: &HeaderDisk) -> Result<(), (u64, Fault)> {
    let magic = disk.magic.get();
    if magic != MAGIC && magic != MAGIC_PIPABLE {
        let expected = Expected::Exactly(MAGIC);
        return Err((0, Fault::Code { field: "magic", expected, actual: magic }));
    }
    let size = u64::from(disk.header_size.get());
    if size != HEADER_SIZE {
        return Err((0x08, number("header size", Expected::Exactly(HEADER_SIZE), size)));
    }
    let version = disk.version.get();
    let (normal, solid) = (Version::Normal.number(), Version::Solid.number());
    if version != normal && version != solid {
        let expected = Expected::Either(normal.into(), solid.into());
        return Err((0x0c, Fault::Code { field: "version", expected, actual: version.into() }));
    }
    let (part, total) = (disk.part_number.get(), disk.total_parts.get());
    if total == 0 {
        return Err((0x2a, number("number of parts", Expected::AtLeast(1), 0)));
    }
    if part == 0 || part > total {
        let expected = Expected::Within(1, total.into());
        return Err((0x28, number("part number", expected, part.into())));
    }
    let images = disk.image_count.get();
    if images > MAX_IMAGES {
        let expected = Expected::AtMost(MAX_IMAGES.into());
        return Err((0x2c, number("image count", expected, images.into())));
    }
    Ok(())
}

/// The header of a file that is being written for the first time.
pub(crate) fn new_header(coding: Option<Coding>, guid: Guid, rp_fix: bool) -> Header {
    let mut flags = HeaderFlags::empty();
    flags.set(HeaderFlags::RP_FIX, rp_fix);
    if let Some(coding) = coding {
        flags |= HeaderFlags::COMPRESSION;
        flags |= match coding.format {
            Format::Xpress => HeaderFlags::COMPRESS_XPRESS,
            Format::Lzx => HeaderFlags::COMPRESS_LZX,
            Format::Lzms => HeaderFlags::COMPRESS_LZMS,
        };
    }
    let lzms = coding.is_some_and(|coding| coding.format == Format::Lzms);
    Header {
        version: if lzms { Version::Solid } else { Version::Normal },
        flags,
        chunk_size: coding.map_or(0, |coding| coding.chunk_size),
        guid,
        part_number: 1,
        total_parts: 1,
        image_count: 0,
        blob_table: ResourceHeader::default(),
        xml: ResourceHeader::default(),
        boot_metadata: ResourceHeader::default(),
        integrity: ResourceHeader::default(),
        boot_index: 0,
        pipable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceFlags;

    fn sample() -> Header {
        let resource = |n: u64| ResourceHeader {
            stored_size: n,
            flags: ResourceFlags::METADATA,
            offset: n * 1000,
            size: n,
        };
        Header {
            version: Version::Solid,
            flags: HeaderFlags::from_bits_retain(0x8002_0082),
            chunk_size: 32 << 10,
            guid: Guid::from_random([9; 16]),
            part_number: 2,
            total_parts: 3,
            image_count: 4,
            blob_table: resource(50),
            xml: resource(60),
            boot_metadata: resource(70),
            integrity: resource(80),
            boot_index: 4,
            pipable: false,
        }
    }

    #[test]
    fn headers_come_back() {
        let header = sample();
        assert_eq!(Header::parse(&header.to_bytes()), Ok(header.clone()));
        let pipable = Header { pipable: true, version: Version::Normal, ..header };
        assert_eq!(Header::parse(&pipable.to_bytes()), Ok(pipable));
    }

    /// The message for a header with some bytes replaced.
    fn message(at: usize, bytes: &[u8]) -> String {
        let mut header = sample().to_bytes();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        Header::parse(&header).unwrap_err().to_string()
    }

    #[test]
    fn faulty_fields_are_named() {
        let magic = "WIM header: magic should be 0x4d4957534d, but is 0x0 (at offset 0x0)";
        assert_eq!(message(0, &[0; 8]), magic);
        assert_eq!(
            message(8, &[204]),
            "WIM header: header size should be 208, but is 204 (at offset 0x8)"
        );
        assert_eq!(
            message(0x0c, &[0, 0x0c, 1]),
            "WIM header: version should be 0x10d00 or 0xe00, but is 0x10c00 (at offset 0xc)"
        );
        assert_eq!(
            message(0x2a, &[0]),
            "WIM header: number of parts should be at least 1, but is 0 (at offset 0x2a)"
        );
        assert_eq!(
            message(0x28, &[4]),
            "WIM header: part number should be from 1 to 3, but is 4 (at offset 0x28)"
        );
        assert_eq!(
            message(0x2c, &70_000_u32.to_le_bytes()),
            "WIM header: image count should be at most 65535, but is 70000 (at offset 0x2c)"
        );
        assert_eq!(
            Header::parse(&[0; 207]).unwrap_err().to_string(),
            "WIM header: length should be at least 208, but is 207 (at offset 0x0)"
        );
    }

    #[test]
    fn a_boot_index_without_image_is_none() {
        let mut bytes = sample().to_bytes();
        bytes[0x78] = 5;
        assert_eq!(Header::parse(&bytes).unwrap().boot_index, 0);
    }

    #[test]
    fn the_coding_is_that_of_the_flags() {
        let coding = |flags: u32, chunk_size| {
            let flags = HeaderFlags::from_bits_retain(flags);
            Header { flags, chunk_size, ..sample() }.coding().map_err(|error| error.to_string())
        };
        let some = |format, chunk_size| Ok(Some(Coding { format, chunk_size }));
        assert_eq!(coding(0x4_0000, 5), Ok(None));
        assert_eq!(coding(0x2_0002, 4096), some(Format::Xpress, 4096));
        assert_eq!(coding(0x20_0002, 65536), some(Format::Xpress, 65536));
        assert_eq!(coding(0x4_0002, 2 << 20), some(Format::Lzx, 2 << 20));
        assert_eq!(coding(0x8_0002, 32768), some(Format::Lzms, 32768));
        assert_eq!(
            coding(0x1_0002, 32768).unwrap_err(),
            "WIM header: compression flag should be from 0x20000 to 0x200000, but is 0x0 \
             (at offset 0x10)"
        );
        assert_eq!(
            coding(0x4_0002, 4096).unwrap_err(),
            "WIM header: compression cannot be set up (at offset 0x14)"
        );
    }

    #[test]
    fn new_headers_have_the_version_their_coding_needs() {
        let guid = Guid::from_random([1; 16]);
        for (format, version) in [
            (None, Version::Normal),
            (Some(Format::Xpress), Version::Normal),
            (Some(Format::Lzx), Version::Normal),
            (Some(Format::Lzms), Version::Solid),
        ] {
            let coding = format.map(Coding::with_default_chunks);
            let header = new_header(coding, guid, false);
            assert_eq!((header.version, header.coding()), (version, Ok(coding)));
        }
    }
}
