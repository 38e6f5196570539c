//! An NTFS volume as a source.
//!
//! `$MFT` is read from its beginning to its end by several threads, and the tree is put together from the names in
//! the records: no directory is read.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use imprint_blockio::ReadAt;
use imprint_ntfs::{Clusters, SystemData, SystemReader, Volume};
use imprint_progress::Progress;
use imprint_winvalues::tree::Tree;

use super::join::{StoredData, join};
use super::sweep::sweep;
use crate::{ScanOptions, Scanned, Source, SourceError, StreamReader};

/// A volume of files to be captured.
#[derive(Debug)]
pub struct NtfsSource<D> {
    volume: Volume<D>,
    threads: NonZeroUsize,
    /// Where the data of streams is; their locations are indices.
    values: OnceLock<Vec<StoredData>>,
}

impl<D: ReadAt> NtfsSource<D> {
    /// Takes an open volume.
    pub const fn new(volume: Volume<D>, threads: NonZeroUsize) -> Self {
        Self { volume, threads, values: OnceLock::new() }
    }

    /// The volume.
    pub const fn volume(&self) -> &Volume<D> {
        &self.volume
    }
}

impl<D: ReadAt> Source for NtfsSource<D> {
    fn scan(&self, options: &ScanOptions<'_>, progress: &Progress) -> Result<Scanned, SourceError> {
        progress.begin("scanning", 0, 0);
        let swept = sweep(&self.volume, self.threads, progress)?;
        let (scanned, values) = join(&self.volume, swept, options)?;
        // A source is scanned once.
        let _first = self.values.set(values);
        Ok(scanned)
    }

    fn open(&self, _: &Tree, location: u64) -> io::Result<Box<dyn StreamReader + '_>> {
        let index = usize::try_from(location).unwrap_or(usize::MAX);
        let value = self.values.get().and_then(|values| values.get(index));
        let value = value.ok_or(io::ErrorKind::NotFound)?;
        Ok(match value {
            StoredData::Clusters(value) => Box::new(ValueReader { volume: &self.volume, value }),
            StoredData::System(data) => {
                let first = self.volume.system_reader(data).map_err(io::Error::other)?;
                let readers = Mutex::new(vec![first]);
                Box::new(SystemStream { volume: &self.volume, data, readers })
            }
        })
    }
}

/// How many of the bytes wanted at `offset` a stream of `size` bytes has.
fn available(size: u64, buf: &[u8], offset: u64) -> usize {
    let left = size.saturating_sub(offset);
    usize::try_from(left).unwrap_or(usize::MAX).min(buf.len())
}

/// Reads a stream.
struct ValueReader<'a, D> {
    volume: &'a Volume<D>,
    value: &'a Clusters,
}

impl<D: ReadAt> StreamReader for ValueReader<'_, D> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = available(self.value.size(), buf, offset);
        let target = buf.get_mut(..length).unwrap_or_default();
        self.volume.read_value(self.value, target, offset).map_err(io::Error::other)?;
        Ok(length)
    }
}

/// Reads a stream that Windows compressed.
struct SystemStream<'a, D> {
    volume: &'a Volume<D>,
    data: &'a SystemData,
    /// Those that no thread uses now.
    readers: Mutex<Vec<SystemReader<'a, D>>>,
}

impl<'a, D: ReadAt> SystemStream<'a, D> {
    fn readers(&self) -> MutexGuard<'_, Vec<SystemReader<'a, D>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: ReadAt> StreamReader for SystemStream<'_, D> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = available(self.data.size(), buf, offset);
        let target = buf.get_mut(..length).unwrap_or_default();
        let idle = self.readers().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.volume.system_reader(self.data).map_err(io::Error::other)?,
        };
        let read = reader.read(target, offset);
        self.readers().push(reader);
        read.map_err(io::Error::other)?;
        Ok(length)
    }
}
