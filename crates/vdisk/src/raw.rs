//! Raw disk files: the sectors and nothing else.

use imprint_blockio::{Extent, Resize, Sparse, Stored, WriteAt};
use imprint_winvalues::Guid;

use crate::container::{check_read, check_write};
use crate::{
    Container, Format, Kind, OpenError, ParentLink, Placed, ReadError, Structure,
    WritableContainer, WriteError,
};

/// A raw disk file. The size is that of the file when it was opened.
#[derive(Debug)]
pub struct Raw<T> {
    file: T,
    size: u64,
    sector_size: u32,
}

impl<T: Sparse> Raw<T> {
    /// Opens a file as sectors of `sector_size` bytes.
    ///
    /// # Errors
    /// [`OpenError::Io`] if the file's length cannot be had.
    pub fn open(file: T, sector_size: u32) -> Result<Self, OpenError> {
        let size = file.len().map_err(|source| OpenError::Io {
            structure: Structure::Payload,
            offset: 0,
            length: 0,
            source,
        })?;
        Ok(Self { file, size, sector_size })
    }
}

impl<T: Sparse> Container for Raw<T> {
    fn format(&self) -> Format {
        Format::Raw
    }

    fn kind(&self) -> Kind {
        Kind::Fixed
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn sector_size(&self) -> u32 {
        self.sector_size
    }

    fn block_size(&self) -> u32 {
        0
    }

    fn identity(&self) -> Option<Guid> {
        None
    }

    fn parent(&self) -> Option<&ParentLink> {
        None
    }

    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        check_read(self, offset, len)?;
        Ok(Extent::Data { file: 0, offset, len })
    }

    fn storage(&self) -> &dyn Sparse {
        &self.file
    }
}

/// Zeros are written in pieces of this many bytes.
static ZEROES: [u8; 1 << 16] = [0; 1 << 16];

impl<T: Sparse + Resize> WritableContainer for Raw<T> {
    fn allocate(&self, offset: u64, len: u64) -> Result<Placed, WriteError> {
        check_write(self, offset, len)?;
        Ok(Placed { offset, len })
    }

    fn write_zeroes(&self, offset: u64, len: u64) -> Result<(), WriteError> {
        check_write(self, offset, len)?;
        let mut at = offset;
        let end = offset + len;
        while at < end {
            let failed = |source| WriteError::Io {
                structure: Structure::Payload,
                offset: at,
                length: end - at,
                source,
            };
            let length = match self.file.stored(at, end - at).map_err(failed)? {
                Stored::Data(len) => len.min(ZEROES.len() as u64),
                // Holes stay holes.
                Stored::Hole(len) => {
                    at += len;
                    continue;
                }
            };
            let piece = usize::try_from(length).unwrap_or(ZEROES.len());
            let zeroes = ZEROES.get(..piece).unwrap_or(&ZEROES);
            self.file.write_all_at(zeroes, at).map_err(|source| WriteError::Io {
                structure: Structure::Payload,
                offset: at,
                length,
                source,
            })?;
            at += length;
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), WriteError> {
        self.file.flush().map_err(WriteError::Flush)
    }

    fn target(&self) -> &dyn WriteAt {
        &self.file
    }

    fn close(self: Box<Self>) -> Result<(), WriteError> {
        self.commit()
    }
}
