//! A VHD file open for reading.

use imprint_blockio::{Extent, Sparse};
use imprint_winvalues::Guid;

use super::map::Map;
use super::parts::Parts;
use crate::container::check_read;
use crate::{Container, Corruption, Format, Kind, OpenError, ParentLink, ReadError};

/// A VHD file, open for reading.
#[derive(Debug)]
pub struct Vhd<T> {
    file: T,
    parts: Parts,
    map: Option<Map>,
}

impl<T: Sparse> Vhd<T> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`OpenError::Io`] and [`OpenError::Corruption`].
    pub fn open(file: T) -> Result<Self, OpenError> {
        let parts = Parts::read(&file)?;
        let map = Map::new(&parts);
        Ok(Self { file, parts, map })
    }

    /// What is wrong with the file that reading can do without: one of the two footers, the header's
    /// checksum, a path to the parent.
    #[must_use]
    pub fn warnings(&self) -> &[Corruption] {
        &self.parts.warnings
    }
}

impl<T: Sparse> Container for Vhd<T> {
    fn format(&self) -> Format {
        Format::Vhd
    }

    fn kind(&self) -> Kind {
        self.parts.footer.kind
    }

    fn size(&self) -> u64 {
        self.parts.footer.size()
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn block_size(&self) -> u32 {
        self.parts.header.map_or(0, |header| header.disk.block_size.get())
    }

    fn identity(&self) -> Option<Guid> {
        Some(self.parts.footer.identity())
    }

    fn parent(&self) -> Option<&ParentLink> {
        self.parts.link.as_ref()
    }

    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        check_read(self, offset, len)?;
        match &self.map {
            Some(map) => map.resolve(&self.file, offset, len),
            None => Ok(Extent::Data { file: 0, offset, len }),
        }
    }

    fn storage(&self) -> &dyn Sparse {
        &self.file
    }
}
