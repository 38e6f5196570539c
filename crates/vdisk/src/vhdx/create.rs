//! Making empty disks.
//!
//! ```text
//! 0           1M        2M         3M                        multiple of 1M
//! │ headers   │ log     │ metadata │ block allocation table  │ fixed: the blocks, ascending
//! ```

use imprint_blockio::{Expected, FieldFault, Resize, Sparse};
use zerocopy::{FromZeros, IntoBytes};

use super::bat::{BatShape, Entry, PayloadState};
use super::crc::checksum;
use super::header::Header;
use super::layout::{
    BAT_REGION, DISK_ID, DISK_SIZE, FILE_PARAMETERS, FILE_SIGNATURE, FileIdentifierDisk,
    FileParametersDisk, HAS_PARENT, HEADER_OFFSETS, ITEM_REQUIRED, ITEM_VIRTUAL_DISK,
    LEAVE_ALLOCATED, LOGICAL_SECTOR, METADATA_REGION, METADATA_SIGNATURE, MIB, MetadataEntryDisk,
    MetadataTableHeaderDisk, PARENT_LOCATOR, PHYSICAL_SECTOR, REGION_REQUIRED, REGION_SIGNATURE,
    REGION_TABLE_OFFSETS, RegionEntryDisk, RegionTableHeaderDisk, TABLE_BYTES,
};
use super::locator::{MAX_UNITS, encode_locator};
use super::metadata::{MAX_BLOCK, MAX_SIZE, MIN_BLOCK};
use crate::{CreateError, Format, Kind, NewDisk, NewParent, Structure, WriteError};

/// What Windows takes for fixed and dynamic disks.
const BLOCK: u32 = 32 << 20;
/// What Windows takes for differencing disks.
const DIFFERENCING_BLOCK: u32 = 2 << 20;

/// Where the log is, and its length.
const LOG: (u64, u32) = (MIB, 1 << 20);
/// Where the metadata are; the region has 1 MiB.
const METADATA: u64 = 2 * MIB;
/// Where the block allocation table is.
const BAT: u64 = 3 * MIB;
/// Where items begin in the metadata region.
const ITEMS: u32 = 64 << 10;
/// Where the locator begins: a page of its own, since it is what changes when a parent moves.
const LOCATOR: u32 = ITEMS + 4096;

/// Makes an empty VHDX file; whatever the file held before is gone. Its room is left to the file
/// system: what is not written is a hole. When it returns, everything is on stable storage.
///
/// # Errors
/// [`CreateError::Parent`], [`CreateError::Impossible`] if the format has no such disk, or
/// [`CreateError::Write`].
pub fn create_vhdx<T: Sparse + Resize>(file: T, new: &NewDisk) -> Result<(), CreateError> {
    let block_size = check(new)?;
    let differencing = new.kind == Kind::Differencing;
    let shape = BatShape::new(new.size, block_size, new.sector_size, differencing);
    let blocks = BAT + shape.region_length();
    let length = match new.kind {
        Kind::Fixed => blocks + shape.payload_count * u64::from(block_size),
        Kind::Dynamic | Kind::Differencing => blocks,
    };
    let out = Output(&file);
    out.empty()?;
    out.set_len(length)?;
    for (sequence, offset) in (0..).zip(HEADER_OFFSETS) {
        out.write(Structure::Header, offset, &header(new, sequence).encode())?;
    }
    let table = region_table(&shape);
    for offset in REGION_TABLE_OFFSETS {
        out.write(Structure::RegionTable, offset, &table)?;
    }
    out.metadata(new, block_size)?;
    if new.kind == Kind::Fixed {
        out.full_table(&shape, blocks, block_size)?;
    }
    // The identifier makes it a disk: nothing else may be missing then.
    file.flush().map_err(WriteError::Flush)?;
    out.write(Structure::FileIdentifier, 0, identifier().as_bytes())?;
    Ok(file.flush().map_err(WriteError::Flush)?)
}

/// Answers the block size if the disk can be made.
fn check(new: &NewDisk) -> Result<u32, CreateError> {
    if new.parent.is_some() != (new.kind == Kind::Differencing) {
        return Err(CreateError::Parent);
    }
    let impossible = |field, expected, actual| {
        let (format, kind) = (Format::Vhdx, new.kind);
        let fault = FieldFault::Number { field, expected, actual };
        Err(CreateError::Impossible { format, kind, fault })
    };
    let sectors = Expected::Either(512, 4096);
    for (field, size) in [
        ("logical sector size", new.sector_size),
        ("physical sector size", new.physical_sector_size),
    ] {
        if !matches!(size, 512 | 4096) {
            return impossible(field, sectors, size.into());
        }
    }
    let default = if new.kind == Kind::Differencing { DIFFERENCING_BLOCK } else { BLOCK };
    let block_size = new.block_size.unwrap_or(default);
    if !block_size.is_power_of_two() || !(MIN_BLOCK..=MAX_BLOCK).contains(&block_size) {
        let expected = Expected::Within(MIN_BLOCK.into(), MAX_BLOCK.into());
        return impossible("block size, a power of two,", expected, block_size.into());
    }
    let sector_size = u64::from(new.sector_size);
    if !(sector_size..=MAX_SIZE).contains(&new.size) {
        return impossible("size", Expected::Within(sector_size, MAX_SIZE), new.size);
    }
    if !new.size.is_multiple_of(sector_size) {
        return impossible("size", Expected::MultipleOf(sector_size), new.size);
    }
    if let Some(parent) = &new.parent {
        check_paths(new.kind, parent)?;
    }
    Ok(block_size)
}

/// Refuses paths that a locator cannot hold.
pub(crate) fn check_paths(kind: Kind, parent: &NewParent) -> Result<(), CreateError> {
    for (_, path) in locator_values(parent) {
        let units = path.encode_utf16().count();
        if !(1..=MAX_UNITS).contains(&units) {
            let (field, expected) =
                ("length of the parent's path", Expected::Within(1, MAX_UNITS as u64));
            let fault = FieldFault::Number { field, expected, actual: units as u64 };
            return Err(CreateError::Impossible { format: Format::Vhdx, kind, fault });
        }
    }
    Ok(())
}

fn identifier() -> FileIdentifierDisk {
    let mut disk = FileIdentifierDisk::new_zeroed();
    disk.signature = FILE_SIGNATURE.into();
    let creator = concat!("Imprint ", env!("CARGO_PKG_VERSION")).encode_utf16();
    for (target, unit) in disk.creator.as_chunks_mut::<2>().0.iter_mut().zip(creator) {
        *target = unit.to_le_bytes();
    }
    disk
}

fn header(new: &NewDisk, sequence: u64) -> Header {
    Header {
        sequence,
        file_write: new.file_write,
        data_write: new.identity,
        log: imprint_winvalues::Guid::default(),
        log_offset: LOG.0,
        log_length: LOG.1,
    }
}

/// The first page of a region table; the rest is zeros, but counts for the checksum.
fn region_table(shape: &BatShape) -> Vec<u8> {
    let entry = |guid: imprint_winvalues::Guid, offset: u64, length: u64| RegionEntryDisk {
        guid: guid.0,
        offset: offset.into(),
        // At most 513 MiB.
        length: u32::try_from(length).unwrap_or(u32::MAX).into(),
        flags: REGION_REQUIRED.into(),
    };
    let entries =
        [entry(BAT_REGION, BAT, shape.region_length()), entry(METADATA_REGION, METADATA, MIB)];
    let mut header = RegionTableHeaderDisk::new_zeroed();
    header.signature = REGION_SIGNATURE.into();
    header.entry_count = 2.into();
    let assemble = |header: &RegionTableHeaderDisk| {
        let mut table = [header.as_bytes(), entries.as_bytes()].concat();
        table.resize(TABLE_BYTES, 0);
        table
    };
    header.checksum = checksum(&assemble(&header)).into();
    let mut table = assemble(&header);
    table.truncate(4096);
    table
}

/// What a new child says of its parent. `parent_linkage2` must not be there.
pub(crate) fn locator_values(parent: &NewParent) -> Vec<(&'static str, String)> {
    let mut values = vec![
        ("parent_linkage", format!("{{{}}}", parent.identity)),
        ("relative_path", parent.relative.clone()),
    ];
    if let Some(path) = &parent.absolute {
        values.push(("absolute_win32_path", win32(path)));
    }
    values
}

/// A path in the form in which Windows does not look into it any further.
fn win32(path: &str) -> String {
    match path.strip_prefix(r"\\") {
        Some(rest) if rest.starts_with(r"?\") || rest.starts_with(r".\") => path.to_owned(),
        Some(share) => format!(r"\\?\UNC\{share}"),
        None => format!(r"\\?\{path}"),
    }
}

struct Output<'a, T>(&'a T);

impl<T: Sparse + Resize> Output<'_, T> {
    fn write(&self, structure: Structure, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let length = bytes.len() as u64;
        self.0.write_all_at(bytes, offset).map_err(|source| WriteError::Io {
            structure,
            offset,
            length,
            source,
        })
    }

    /// Drops what the file holds. An empty file is not touched: some file systems take a file that was
    /// cut to nothing for one being replaced, and write it out when it is closed.
    fn empty(&self) -> Result<(), WriteError> {
        let failed = |source| WriteError::Io {
            structure: Structure::FileIdentifier,
            offset: 0,
            length: 0,
            source,
        };
        if self.0.len().map_err(failed)? == 0 { Ok(()) } else { self.set_len(0) }
    }

    fn set_len(&self, length: u64) -> Result<(), WriteError> {
        let (structure, offset) = (Structure::Payload, 0);
        self.0.set_len(length).map_err(|source| WriteError::Io {
            structure,
            offset,
            length,
            source,
        })
    }

    fn metadata(&self, new: &NewDisk, block_size: u32) -> Result<(), WriteError> {
        let flags = match new.kind {
            Kind::Fixed => LEAVE_ALLOCATED,
            Kind::Dynamic => 0,
            Kind::Differencing => HAS_PARENT,
        };
        let parameters = FileParametersDisk { block_size: block_size.into(), flags: flags.into() };
        let of_disk = ITEM_REQUIRED | ITEM_VIRTUAL_DISK;
        let items: [(_, u32, &[u8]); 5] = [
            (FILE_PARAMETERS, ITEM_REQUIRED, parameters.as_bytes()),
            (DISK_SIZE, of_disk, &new.size.to_le_bytes()),
            (DISK_ID, of_disk, &new.disk_id.0),
            (LOGICAL_SECTOR, of_disk, &new.sector_size.to_le_bytes()),
            (PHYSICAL_SECTOR, of_disk, &new.physical_sector_size.to_le_bytes()),
        ];
        let locator = new.parent.as_ref().map(|parent| encode_locator(&locator_values(parent)));

        let mut header = MetadataTableHeaderDisk::new_zeroed();
        header.signature = METADATA_SIGNATURE.into();
        header.entry_count = if locator.is_some() { 6 } else { 5 }.into();
        let mut table = header.as_bytes().to_vec();
        let mut values = Vec::new();
        let mut add = |guid: imprint_winvalues::Guid, flags: u32, offset: u32, length: usize| {
            let mut entry = MetadataEntryDisk::new_zeroed();
            entry.guid = guid.0;
            entry.offset = offset.into();
            entry.length = u32::try_from(length).unwrap_or(u32::MAX).into();
            entry.flags = flags.into();
            table.extend_from_slice(entry.as_bytes());
        };
        let mut at = ITEMS;
        for (guid, flags, value) in items {
            add(guid, flags, at, value.len());
            at += u32::try_from(value.len()).unwrap_or(0);
            values.extend_from_slice(value);
        }
        if let Some(locator) = &locator {
            add(PARENT_LOCATOR, ITEM_REQUIRED, LOCATOR, locator.len());
            self.write(Structure::ParentLocator, METADATA + u64::from(LOCATOR), locator)?;
        }
        self.write(Structure::Metadata, METADATA, &table)?;
        self.write(Structure::Metadata, METADATA + u64::from(ITEMS), &values)
    }

    /// The table of a fixed disk: all blocks are present, one after the other.
    fn full_table(&self, shape: &BatShape, blocks: u64, block_size: u32) -> Result<(), WriteError> {
        const PIECE: usize = 64 << 10;
        let mut piece = Vec::with_capacity(PIECE);
        let mut at = BAT;
        for block in 0..shape.payload_count {
            let offset = blocks + block * u64::from(block_size);
            let entry = Entry::payload(PayloadState::FullyPresent, offset);
            if block > 0 && block.is_multiple_of(shape.ratio()) {
                piece.extend_from_slice(&[0; 8]);
            }
            piece.extend_from_slice(&entry.0.to_le_bytes());
            if piece.len() >= PIECE - 16 {
                self.write(Structure::Bat, at, &piece)?;
                at += piece.len() as u64;
                piece.clear();
            }
        }
        self.write(Structure::Bat, at, &piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_get_their_prefix() {
        assert_eq!(win32(r"D:\imprint\base.vhdx"), r"\\?\D:\imprint\base.vhdx");
        assert_eq!(win32(r"\\server\share\base.vhdx"), r"\\?\UNC\server\share\base.vhdx");
        assert_eq!(win32(r"\\?\D:\base.vhdx"), r"\\?\D:\base.vhdx");
    }
}
