//! Writing what the log holds to where it belongs.

use imprint_blockio::{Resize, Sparse, Stored};

use super::changes::for_each_change;
use super::entry::Descriptor;
use super::sequence::active;
use super::{Ring, SECTOR};
use crate::vhdx::header::Header;
use crate::{OpenError, Structure, WriteError};

/// Zeros are written in pieces of at most this many bytes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Writes what the log of `header` holds to its places and makes it durable. The log stays as it is:
/// replaying it again, after a crash, comes to the same.
///
/// # Errors
/// As [`Overlay::open`](super::Overlay::open), before anything is written; and what the storage
/// reports.
pub(crate) fn replay(file: &(impl Sparse + Resize), header: &Header) -> Result<(), OpenError> {
    if !header.has_log() {
        return Ok(());
    }
    let ring = Ring::new(file, header)?;
    let entries = active(&ring)?;
    let length = for_each_change(&ring, &entries, |_change| Ok(()))?;
    if length > ring.file_length {
        file.set_len(length).map_err(|source| {
            failed(Structure::Log, ring.file_length, length - ring.file_length, source)
        })?;
    }
    for_each_change(&ring, &entries, |change| match change {
        Descriptor::Page(page) => {
            let mut sector = ring.sector(page.at)?;
            page.restore(&mut sector);
            file.write_all_at(&sector, page.offset)
                .map_err(|source| failed(Structure::Log, page.offset, SECTOR.into(), source))
        }
        Descriptor::Zero { offset, length } => write_zeros(file, offset, length),
    })?;
    file.flush().map_err(|source| OpenError::Write(WriteError::Flush(source)))
}

fn failed(structure: Structure, offset: u64, length: u64, source: std::io::Error) -> OpenError {
    OpenError::Write(WriteError::Io { structure, offset, length, source })
}

/// Writes zeros where there are none yet: what is a hole stays one, however long it is.
fn write_zeros(file: &(impl Sparse + Resize), offset: u64, length: u64) -> Result<(), OpenError> {
    let end = offset.saturating_add(length);
    let mut at = offset;
    while at < end {
        let stored = file.stored(at, end - at);
        at += match stored.map_err(|source| failed(Structure::Log, at, end - at, source))? {
            Stored::Hole(length) => length,
            Stored::Data(length) => {
                let length = length.min(ZEROS.len() as u64);
                let zeros = usize::try_from(length).ok().and_then(|length| ZEROS.get(..length));
                file.write_all_at(zeros.unwrap_or_default(), at)
                    .map_err(|source| failed(Structure::Log, at, length, source))?;
                length
            }
        };
    }
    Ok(())
}
