//! Writing blobs.

use imprint_blockio::{ReadAt, Resize};
use imprint_winvalues::BlobHash;

use super::resource::{OpenResource, ResourceEnd};
use super::{BlobEnd, Copied, WimWriter};
use crate::blob_table::{Blob, Location};
use crate::chunk_map::chunk_count;
use crate::error::{Structure, WriteError};
use crate::resource::{Coding, ResourceFlags, ResourceHeader};
use crate::wim::{Wim, read_at, sized_buffer};

/// Bytes copied at once.
const PIECE: u64 = 256 << 10;

impl<F: Resize> WimWriter<F> {
    /// Whether the file holds a blob.
    #[must_use]
    pub fn has_blob(&self, hash: &BlobHash) -> bool {
        self.blob_size(hash).is_some()
    }

    /// Bytes of a blob the file holds.
    #[must_use]
    pub fn blob_size(&self, hash: &BlobHash) -> Option<u64> {
        let old = self.old.find(hash).map(|blob| blob.size);
        old.or_else(|| self.added.get(hash).map(|blob| blob.size))
    }

    /// Whether the file holds any blob of this size: if not, a file of this size must be new and
    /// need not be hashed before it is written.
    #[must_use]
    pub fn knows_size(&self, size: u64) -> bool {
        self.old_sizes.binary_search(&size).is_ok() || self.added_sizes.contains(&size)
    }

    /// Writes a blob whose stored form is complete in memory, as `stored` pieces one after another.
    /// `compressed` says that they are a chunk table ([`crate::ChunkMap::encode_table`]) and chunks of
    /// this file's coding; otherwise they are the bytes themselves. A blob the file already holds is
    /// passed over.
    ///
    /// # Errors
    /// [`WriteError`] if the sizes do not fit each other or the file cannot be written; nothing of
    /// the blob stays then.
    pub fn write_stored(
        &mut self,
        hash: BlobHash,
        size: u64,
        compressed: bool,
        stored: &[&[u8]],
    ) -> Result<(), WriteError> {
        self.expect_closed()?;
        if self.has_blob(&hash) {
            return Ok(());
        }
        let length: usize = stored.iter().copied().map(<[u8]>::len).sum();
        let stored_size = u64::try_from(length).unwrap_or(u64::MAX);
        let flags = if compressed { ResourceFlags::COMPRESSED } else { ResourceFlags::empty() };
        let header = ResourceHeader { stored_size, flags, offset: self.sink.position(), size };
        self.check_stored(&header)?;
        for piece in stored {
            if let Err(error) = self.sink.write(Structure::Resource, piece) {
                self.sink.rewind(header.offset);
                return Err(error);
            }
        }
        self.record(hash, header);
        Ok(())
    }

    /// Checks that the sizes of a resource fit how it is stored.
    fn check_stored(&self, header: &ResourceHeader) -> Result<(), WriteError> {
        let (what, actual) = ("stored blob", header.stored_size);
        let expected = match self.coding {
            Some(coding) if header.is_compressed() => {
                let table = header.table_len(Some(coding));
                let least = table.saturating_add(chunk_count(header.size, coding.chunk_size));
                if actual >= least && actual <= table.saturating_add(header.size) {
                    return Ok(());
                }
                least
            }
            _ if header.is_compressed() => {
                return Err(WriteError::Order { expected: "uncompressed, as the file is," });
            }
            _ => header.size,
        };
        if actual == expected && expected > 0 && !header.is_compressed() {
            return Ok(());
        }
        Err(WriteError::Size { what, expected: expected.max(1), actual })
    }

    /// Starts a blob of `size` bytes, to be given chunk by chunk in this file's coding; in a file
    /// without compression as [`Self::begin_raw_blob`].
    ///
    /// # Errors
    /// [`WriteError`] if a blob is already being written, `size` is 0 (empty files have no blob) or
    /// the file cannot be written.
    pub fn begin_blob(&mut self, size: u64) -> Result<(), WriteError> {
        self.begin(size, self.coding)
    }

    /// Starts a blob of `size` bytes, to be given uncompressed in pieces of any length.
    ///
    /// # Errors
    /// As [`Self::begin_blob`].
    pub fn begin_raw_blob(&mut self, size: u64) -> Result<(), WriteError> {
        self.begin(size, None)
    }

    fn begin(&mut self, size: u64, coding: Option<Coding>) -> Result<(), WriteError> {
        self.expect_closed()?;
        self.open = Some(OpenResource::begin(&mut self.sink, size, coding)?);
        Ok(())
    }

    /// Gives the next chunk: compressed, or as it is if compression would not make it smaller.
    ///
    /// # Errors
    /// [`WriteError`] if no blob is being written, the chunk is empty or too long, or the file cannot
    /// be written.
    pub fn push_chunk(&mut self, stored: &[u8]) -> Result<(), WriteError> {
        let open = self.open.as_mut().ok_or(WriteError::Order { expected: "begun" })?;
        open.push(&mut self.sink, stored)
    }

    /// Ends the blob and names it. If the file already holds it, or if it did not get smaller, it is
    /// taken back.
    ///
    /// # Errors
    /// [`WriteError`] if chunks are missing or the file cannot be written; the blob is then taken
    /// back.
    pub fn end_blob(&mut self, hash: BlobHash) -> Result<BlobEnd, WriteError> {
        let open = self.open.take().ok_or(WriteError::Order { expected: "begun" })?;
        let start = open.start();
        if self.has_blob(&hash) {
            self.sink.rewind(start);
            return Ok(BlobEnd::Written);
        }
        match open.end(&mut self.sink) {
            Ok(ResourceEnd::Written(header)) => {
                self.record(hash, header);
                Ok(BlobEnd::Written)
            }
            Ok(ResourceEnd::NotSmaller) => Ok(BlobEnd::NotSmaller),
            Err(error) => {
                self.sink.rewind(start);
                Err(error)
            }
        }
    }

    /// Takes back the blob being written, if any.
    pub fn abort_blob(&mut self) {
        if let Some(open) = self.open.take() {
            self.sink.rewind(open.start());
        }
    }

    /// Copies a blob of another file as it is stored there, without decompressing it, if both files
    /// have the same coding and it is in a resource of its own. A blob the file already holds is
    /// passed over. Its SHA-1 is not verified.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be read or written; nothing of it stays then.
    pub fn copy_blob<R: ReadAt>(
        &mut self,
        source: &Wim<R>,
        blob: &Blob,
    ) -> Result<Copied, WriteError> {
        self.expect_closed()?;
        if self.has_blob(&blob.hash) {
            return Ok(Copied::Yes);
        }
        match blob.location {
            Location::Resource(header) if source.coding() == self.coding => {
                let copy = self.copy_resource(source.file(), &header, ResourceFlags::COMPRESSED)?;
                self.record(blob.hash, copy);
                Ok(Copied::Yes)
            }
            Location::Resource(_) | Location::Solid { .. } => Ok(Copied::NeedsRecoding),
        }
    }

    /// Copies the stored bytes of a resource; of its flags only `kept` stay.
    pub(super) fn copy_resource<R: ReadAt>(
        &mut self,
        file: &R,
        header: &ResourceHeader,
        kept: ResourceFlags,
    ) -> Result<ResourceHeader, WriteError> {
        let offset = self.sink.position();
        let copied = self.copy_bytes(file, header);
        if let Err(error) = copied {
            self.sink.rewind(offset);
            return Err(error);
        }
        Ok(ResourceHeader { offset, flags: header.flags & kept, ..*header })
    }

    fn copy_bytes<R: ReadAt>(
        &mut self,
        file: &R,
        header: &ResourceHeader,
    ) -> Result<(), WriteError> {
        let mut buffer = Vec::new();
        let mut done = 0;
        while done < header.stored_size {
            let piece = (header.stored_size - done).min(PIECE);
            sized_buffer(&mut buffer, "copy", piece)?;
            read_at(file, Structure::Resource, header.offset + done, &mut buffer)?;
            self.sink.write(Structure::Resource, &buffer)?;
            done += piece;
        }
        Ok(())
    }

    pub(super) const fn expect_closed(&self) -> Result<(), WriteError> {
        match self.open {
            None => Ok(()),
            Some(_) => Err(WriteError::Order { expected: "ended" }),
        }
    }

    fn record(&mut self, hash: BlobHash, header: ResourceHeader) {
        self.added_sizes.insert(header.size);
        self.added_order.push(hash);
        let part = self.header.part_number;
        let location = Location::Resource(header);
        self.added.insert(hash, Blob { hash, size: header.size, references: 0, part, location });
    }
}
