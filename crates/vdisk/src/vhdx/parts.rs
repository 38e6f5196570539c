//! What a file is made of, checked once.

use imprint_blockio::{Expected, ReadAt};
use zerocopy::FromBytes;

use super::bat::{BatShape, ENTRY_BYTES};
use super::header::Headers;
use super::layout::{FILE_SIGNATURE, FileIdentifierDisk};
use super::metadata::{Metadata, read_metadata};
use super::region::{Region, Regions, read_regions};
use crate::{Corruption, Kind, OpenError, Structure};

/// The parts of a file. Beyond it nothing of this is checked again.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// The headers.
    pub(crate) headers: Headers,
    /// Where the regions are; the table's entries lie inside the file.
    pub(crate) regions: Regions,
    /// What the metadata say.
    pub(crate) metadata: Metadata,
    /// How the block allocation table is to be read.
    pub(crate) shape: BatShape,
}

impl Parts {
    /// Reads everything behind the headers. `file` shows the file with its log replayed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn read(file: &(impl ReadAt + ?Sized), headers: Headers) -> Result<Self, OpenError> {
        let regions = read_regions(file, log_region(&headers))?;
        let metadata = read_metadata(file, &regions)?;
        let shape = BatShape::new(
            metadata.size,
            metadata.block_size,
            metadata.sector_size,
            metadata.kind == Kind::Differencing,
        );
        check_bat(file, &regions, &shape)?;
        Ok(Self { headers, regions, metadata, shape })
    }

    /// Where the log is; of length 0 if there is none.
    pub(crate) fn log(&self) -> Region {
        log_region(&self.headers)
    }

    /// Where an entry of the block allocation table is in the file.
    pub(crate) const fn entry_offset(&self, entry: u64) -> u64 {
        self.regions.bat.offset + entry * ENTRY_BYTES
    }
}

/// Where the log is; of length 0 if there is none.
pub(crate) fn log_region(headers: &Headers) -> Region {
    let current = &headers.current;
    Region { offset: current.log_offset, length: current.log_length.into() }
}

/// Refuses a file that does not begin like one.
///
/// # Errors
/// Corruption, or [`OpenError::Io`].
pub(crate) fn check_identifier(file: &(impl ReadAt + ?Sized)) -> Result<(), OpenError> {
    let (structure, offset) = (Structure::FileIdentifier, 0);
    let mut bytes = [0; size_of::<FileIdentifierDisk>()];
    let length = bytes.len() as u64;
    file.read_exact_at(&mut bytes, offset).map_err(|source| OpenError::Io {
        structure,
        offset,
        length,
        source,
    })?;
    let signature =
        FileIdentifierDisk::ref_from_bytes(&bytes).map_or(0, |disk| disk.signature.get());
    if signature != FILE_SIGNATURE {
        let expected = Expected::Exactly(FILE_SIGNATURE);
        return Err(Corruption::code(structure, offset, "signature", expected, signature).into());
    }
    Ok(())
}

/// The entries that the disk needs must have room in the region, and be in the file.
fn check_bat(
    file: &(impl ReadAt + ?Sized),
    regions: &Regions,
    shape: &BatShape,
) -> Result<(), OpenError> {
    let structure = Structure::Bat;
    let needed = shape.entry_count * ENTRY_BYTES;
    let at = regions.bat_entry;
    let bat = regions.bat;
    if needed > bat.length {
        let (structure, field) = (Structure::RegionTable, "length of the block allocation table");
        let expected = Expected::AtLeast(needed);
        return Err(Corruption::number(structure, at + 24, field, expected, bat.length).into());
    }
    let len =
        file.len().map_err(|source| OpenError::Io { structure, offset: 0, length: 0, source })?;
    let end = bat.offset.saturating_add(needed);
    if end > len {
        let structure = Structure::RegionTable;
        let field = "block allocation table";
        return Err(Corruption::past_end(structure, at + 16, field, len, end).into());
    }
    Ok(())
}
