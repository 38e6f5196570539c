//! The end of writing: tables behind everything else, the header last.

use std::collections::HashMap;

use imprint_blockio::Resize;
use imprint_progress::Progress;
use imprint_winvalues::BlobHash;

use super::images::count_references;
use super::sink::write_at;
use super::{FinishOptions, IntegrityChange, WimWriter, table};
use crate::error::{Structure, WriteError};
use crate::header::{Header, HeaderFlags};
use crate::integrity::IntegrityTable;
use crate::metadata;
use crate::resource::{ResourceFlags, ResourceHeader};
use crate::tables::{integrity_end, read_integrity, read_metadata};

impl<F: Resize> WimWriter<F> {
    /// Writes blob table, XML data and integrity table behind everything else, makes them durable,
    /// and only then the header, in one write. Gives the file back.
    ///
    /// # Errors
    /// [`WriteError`] if a blob is unfinished or the file cannot be written; a file that was changed
    /// in place then still has its old header.
    pub fn finish(self, options: FinishOptions) -> Result<F, WriteError> {
        self.finish_with(options, &Progress::new())
    }

    /// Does what [`Self::finish`] does, which takes time if an integrity table is to be made: then the
    /// file is read again.
    ///
    /// # Errors
    /// As [`Self::finish`], and [`WriteError::Cancelled`]; what was written to a file changed in place
    /// is cut off again.
    pub fn finish_with(
        mut self,
        options: FinishOptions,
        progress: &Progress,
    ) -> Result<F, WriteError> {
        let header = match self.write_tables(options, progress) {
            Ok(header) => header,
            Err(error) => {
                // If cutting fails, too, the file is longer than it need be and good all the same.
                drop(self.abandon());
                return Err(error);
            }
        };
        let file = self.sink.into_file();
        write_at(&file, Structure::Header, 0, &header.to_bytes())?;
        file.flush().map_err(|source| {
            let (structure, length) = (Structure::Header, 208);
            WriteError::Io { structure, offset: 0, length, source }
        })?;
        Ok(file)
    }

    /// Writes everything but the header, and makes it durable.
    fn write_tables(
        &mut self,
        options: FinishOptions,
        progress: &Progress,
    ) -> Result<Header, WriteError> {
        self.expect_closed()?;
        let mut header = self.header.clone();
        header.flags.remove(HeaderFlags::WRITE_IN_PROGRESS);
        header.image_count = u32::try_from(self.images.len()).unwrap_or(u32::MAX);
        let new_table = self.is_new || self.changed || self.recount || !self.added.is_empty();
        if new_table {
            let bytes = self.table_bytes()?;
            header.blob_table = self.write_table(Structure::BlobTable, &bytes)?;
        }
        self.info.set_total_bytes(self.sink.position());
        let xml = self.info.to_bytes();
        header.xml = self.write_table(Structure::Xml, &xml)?;
        header.boot_index = self.boot_index;
        header.boot_metadata = self.boot_metadata();
        header.integrity = self.integrity(&header, options.integrity, progress)?;
        self.sink.settle(Structure::Xml)?;
        Ok(header)
    }

    /// Gives up: cuts what was written behind a file changed in place, which is then as it was and as
    /// long as it was. A new file stays unfinished.
    ///
    /// # Errors
    /// [`WriteError::Io`] if the file cannot be cut.
    pub fn abandon(mut self) -> Result<F, WriteError> {
        self.sink.rewind(self.first);
        // Behind the tables may be what only other programs understand, or what damage hides.
        self.sink.cut(Structure::Resource, self.first.max(self.length_before))?;
        Ok(self.sink.into_file())
    }

    fn table_bytes(&mut self) -> Result<Vec<u8>, WriteError> {
        let counts = if self.recount { Some(self.count_all()?) } else { None };
        Ok(table::encode(&self.kept_blobs(counts.as_ref()), &self.images, &self.old))
    }

    /// Counts the references of all images anew: counts in foreign files are not reliable, and
    /// taking away from one that is too low would lose blobs.
    fn count_all(&mut self) -> Result<HashMap<BlobHash, u32>, WriteError> {
        self.sink.drain(Structure::Resource)?;
        let mut counts = HashMap::new();
        let end = self.sink.position();
        for (entry, image) in self.images.iter().zip(1..) {
            let bytes = read_metadata(self.sink.file(), end, entry, self.coding, self.limits)?;
            let read = metadata::read(&bytes, image).map_err(crate::error::ReadError::from)?;
            count_references(&read.tree, &mut counts);
        }
        Ok(counts)
    }

    /// The blobs that go into the table, with their reference counts.
    fn kept_blobs(&self, counts: Option<&HashMap<BlobHash, u32>>) -> Vec<table::Kept<'_>> {
        let added = self.added_order.iter().filter_map(|hash| self.added.get(hash));
        let new_count = |hash| self.references.get(hash).copied().unwrap_or(0);
        let counted = |hash| counts.map(|counts| counts.get(hash).copied().unwrap_or(0));
        let old = self.old.iter().filter_map(|blob| {
            let total = || blob.references.saturating_add(new_count(&blob.hash));
            let references = counted(&blob.hash).unwrap_or_else(total);
            // What nobody counted stays even if its count is 0.
            (counts.is_none() || references > 0).then_some(table::Kept { blob, references })
        });
        let added = added.filter_map(|blob| {
            let references = counted(&blob.hash).unwrap_or_else(|| new_count(&blob.hash));
            (references > 0).then_some(table::Kept { blob, references })
        });
        old.chain(added).collect()
    }

    fn write_table(
        &mut self,
        structure: Structure,
        bytes: &[u8],
    ) -> Result<ResourceHeader, WriteError> {
        let offset = self.sink.position();
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.sink.write(structure, bytes)?;
        // The flag means nothing here, but all programs set it.
        let flags = ResourceFlags::METADATA;
        Ok(ResourceHeader { stored_size: size, flags, offset, size })
    }

    fn boot_metadata(&self) -> ResourceHeader {
        let entry = self.boot_index.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let entry = entry.and_then(|at| self.images.get(at));
        entry.map(|entry| entry.header).unwrap_or_default()
    }

    /// Writes the integrity table, if there is to be one. Hashes of what has not changed are kept.
    fn integrity(
        &mut self,
        header: &Header,
        change: IntegrityChange,
        progress: &Progress,
    ) -> Result<ResourceHeader, WriteError> {
        let had = self.header.has_integrity();
        match change {
            IntegrityChange::Keep if had => {}
            IntegrityChange::Add => {}
            IntegrityChange::Keep | IntegrityChange::Remove => return Ok(ResourceHeader::default()),
        }
        self.sink.drain(Structure::Xml)?;
        let file = self.sink.file();
        let end = integrity_end(header)?;
        // A damaged old table is no reason to fail: everything is hashed anew then.
        let old = if had { read_integrity(file, self.first, &self.header).ok() } else { None };
        let old_end = integrity_end(&self.header).unwrap_or(0);
        let old = old.as_ref().map(|table| (table, old_end));
        let table = IntegrityTable::build(file, end, old, progress)?;
        let bytes = table.to_bytes();
        let place = self.write_table(Structure::IntegrityTable, &bytes)?;
        Ok(ResourceHeader { flags: ResourceFlags::empty(), ..place })
    }
}
