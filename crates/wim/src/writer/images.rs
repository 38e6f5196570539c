//! Adding, replacing and removing images.

use std::collections::HashMap;

use imprint_blockio::{ReadAt, Resize};
use imprint_codec::{Compressor, Level};
use imprint_winvalues::tree::{Content, File, Tree};
use imprint_winvalues::{Attributes, BlobHash};

use super::WimWriter;
use super::resource::{OpenResource, ResourceEnd};
use crate::blob_table::MetadataEntry;
use crate::error::{PropertyError, ReadError, WriteError};
use crate::header::MAX_IMAGES;
use crate::io::hash_of;
use crate::metadata::{self, TreeDetails};
use crate::resource::{Coding, ResourceFlags, ResourceHeader};
use crate::wim::Wim;
use crate::xml::ImageInfo;

/// Compresses metadata: gets all of it and returns the stored form of each chunk, which is the chunk
/// itself where that is not smaller; `None` if the coding cannot be written.
pub type CompressChunks<'a> = dyn Fn(&[u8], Coding) -> Option<Vec<Vec<u8>>> + 'a;

fn compress_serially(bytes: &[u8], coding: Coding) -> Option<Vec<Vec<u8>>> {
    let Coding { format, chunk_size } = coding;
    let mut compressor = Compressor::new(format, chunk_size, Level::default()).ok()?;
    let chunk_size = usize::try_from(chunk_size).unwrap_or(usize::MAX);
    let mut out = vec![0; chunk_size.min(bytes.len())];
    let mut store = |chunk: &[u8]| {
        let length = compressor.compress(chunk, &mut out);
        length.and_then(|length| out.get(..length)).unwrap_or(chunk).to_vec()
    };
    Some(bytes.chunks(chunk_size).map(&mut store).collect())
}

impl<F: Resize> WimWriter<F> {
    /// Adds an image of a tree whose streams are all blobs or empty, and returns its index. The
    /// counts in `info` are computed from the tree. Blobs the file does not hold are allowed (deltas).
    ///
    /// # Errors
    /// [`WriteError`] if the tree cannot become metadata, the name is used, there are too many images
    /// or the file cannot be written.
    pub fn add_image(&mut self, tree: &Tree, info: ImageInfo) -> Result<u32, WriteError> {
        self.add_image_with(tree, &TreeDetails::default(), info)
    }

    /// Adds an image with details of the tree it was read from.
    ///
    /// # Errors
    /// As [`Self::add_image`].
    pub fn add_image_with(
        &mut self,
        tree: &Tree,
        details: &TreeDetails,
        info: ImageInfo,
    ) -> Result<u32, WriteError> {
        self.add_image_by(tree, details, info, &compress_serially)
    }

    /// Adds an image whose metadata is compressed by `compress`: by many threads, or at another level
    /// than the default one.
    ///
    /// # Errors
    /// As [`Self::add_image`], and [`WriteError::Size`] if the chunks are not those of the metadata.
    pub fn add_image_by(
        &mut self,
        tree: &Tree,
        details: &TreeDetails,
        info: ImageInfo,
        compress: &CompressChunks<'_>,
    ) -> Result<u32, WriteError> {
        self.expect_room()?;
        self.info.check_new_name(&info.name)?;
        let entry = self.write_tree(tree, details, compress)?;
        let index = self.info.add_image(&self.counted(tree, info))?;
        self.images.push(entry);
        count_references(tree, &mut self.references);
        self.changed = true;
        Ok(index)
    }

    /// Replaces the tree of an image, counted from 1; the counts in `info` are computed as for
    /// [`Self::add_image`].
    ///
    /// # Errors
    /// As [`Self::add_image`].
    pub fn replace_image(
        &mut self,
        index: u32,
        tree: &Tree,
        details: &TreeDetails,
        info: ImageInfo,
    ) -> Result<(), WriteError> {
        let slot = self.slot(index)?;
        let entry = self.write_tree(tree, details, &compress_serially)?;
        let info = self.counted(tree, info);
        self.info.set_image(index, &info)?;
        if let Some(old) = self.images.get_mut(slot) {
            *old = entry;
        }
        self.recount = true;
        Ok(())
    }

    /// Copies an image's metadata from another file byte for byte, and what its XML data says of it
    /// with all elements. `name` and `description` replace the image's; an empty one removes it.
    /// Returns its index. Blobs are not copied.
    ///
    /// # Errors
    /// [`WriteError`] if the metadata cannot be read or written, or the name is used.
    pub fn copy_image<R: ReadAt>(
        &mut self,
        source: &Wim<R>,
        index: u32,
        name: Option<&str>,
        description: Option<&str>,
    ) -> Result<u32, WriteError> {
        self.expect_room()?;
        self.expect_closed()?;
        let old_name = source.info().name(index).unwrap_or_default();
        self.info.check_new_name(name.unwrap_or(&old_name))?;
        let entry = *source.metadata_entry(index)?;
        let bytes = source.metadata_bytes(index)?;
        let tree = metadata::read(&bytes, index).map_err(ReadError::from)?.tree;
        let header = if source.coding() == self.coding {
            let kept = ResourceFlags::COMPRESSED | ResourceFlags::METADATA;
            self.copy_resource(source.file(), &entry.header, kept)?
        } else {
            self.write_metadata(&bytes, &compress_serially)?
        };
        let added = self.info.add_copy(source.info(), index, name, description)?;
        self.images.push(MetadataEntry { header, hash: entry.hash });
        count_references(&tree, &mut self.references);
        self.changed = true;
        Ok(added)
    }

    /// Removes an image, counted from 1; later ones move up. Blobs that no image refers to any more
    /// leave the table; their bytes stay in the file until it is written anew. A boot index that
    /// names the image becomes 0.
    ///
    /// # Errors
    /// [`WriteError`] if there is no such image.
    pub fn remove_image(&mut self, index: u32) -> Result<(), WriteError> {
        let slot = self.slot(index)?;
        self.images.remove(slot);
        self.info.remove_image(index);
        self.boot_index = match self.boot_index {
            boot if boot == index => 0,
            boot if boot > index => boot - 1,
            boot => boot,
        };
        self.recount = true;
        Ok(())
    }

    /// Sets the image to boot, counted from 1; 0 for none.
    ///
    /// # Errors
    /// [`WriteError`] if there is no such image.
    pub fn set_boot_index(&mut self, index: u32) -> Result<(), WriteError> {
        if index != 0 {
            self.slot(index)?;
        }
        self.boot_index = index;
        Ok(())
    }

    fn slot(&self, index: u32) -> Result<usize, WriteError> {
        let count = u32::try_from(self.images.len()).unwrap_or(u32::MAX);
        let position = index.checked_sub(1).filter(|_| index <= count);
        let position = position.and_then(|position| usize::try_from(position).ok());
        position.ok_or_else(|| PropertyError::NoSuchImage { index, count }.into())
    }

    fn expect_room(&self) -> Result<(), WriteError> {
        let limit = MAX_IMAGES;
        if u32::try_from(self.images.len()).is_ok_and(|count| count < limit) {
            return Ok(());
        }
        Err(WriteError::TooManyImages { limit })
    }

    fn write_tree(
        &mut self,
        tree: &Tree,
        details: &TreeDetails,
        compress: &CompressChunks<'_>,
    ) -> Result<MetadataEntry, WriteError> {
        self.expect_closed()?;
        let bytes = metadata::write(tree, details)?;
        let header = self.write_metadata(&bytes, compress)?;
        Ok(MetadataEntry { header, hash: hash_of(&bytes) })
    }

    /// Writes metadata in this file's coding, or uncompressed if that cannot be written (LZMS) or
    /// does not make it smaller.
    fn write_metadata(
        &mut self,
        bytes: &[u8],
        compress: &CompressChunks<'_>,
    ) -> Result<ResourceHeader, WriteError> {
        let start = self.sink.position();
        let written = self.try_write_metadata(bytes, compress);
        if written.is_err() {
            self.sink.rewind(start);
        }
        let header = written?;
        Ok(ResourceHeader { flags: header.flags | ResourceFlags::METADATA, ..header })
    }

    fn try_write_metadata(
        &mut self,
        bytes: &[u8],
        compress: &CompressChunks<'_>,
    ) -> Result<ResourceHeader, WriteError> {
        if let Some(coding) = self.coding
            && let Some(chunks) = compress(bytes, coding)
            && let ResourceEnd::Written(header) = self.write_chunks(bytes, coding, &chunks)?
        {
            return Ok(header);
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut open = OpenResource::begin(&mut self.sink, size, None)?;
        open.push(&mut self.sink, bytes)?;
        match open.end(&mut self.sink)? {
            ResourceEnd::Written(header) => Ok(header),
            // Only compressed resources end like this.
            ResourceEnd::NotSmaller => Err(WriteError::Order { expected: "uncompressed" }),
        }
    }

    fn write_chunks(
        &mut self,
        bytes: &[u8],
        coding: Coding,
        chunks: &[Vec<u8>],
    ) -> Result<ResourceEnd, WriteError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut open = OpenResource::begin(&mut self.sink, size, Some(coding))?;
        for chunk in chunks {
            open.push(&mut self.sink, chunk)?;
        }
        open.end(&mut self.sink)
    }

    /// Fills in the counts, as wimlib counts: every name counts, and every stream under every name;
    /// a directory that is a reparse point counts as a file.
    fn counted(&self, tree: &Tree, mut info: ImageInfo) -> ImageInfo {
        info.dir_count = 0;
        info.file_count = 0;
        info.total_bytes = 0;
        info.hard_link_bytes = 0;
        for (_, file) in tree.files() {
            let links = u64::from(file.links());
            let is_directory =
                file.is_directory() && !file.attributes.contains(Attributes::REPARSE_POINT);
            let count = if is_directory { &mut info.dir_count } else { &mut info.file_count };
            *count += links;
            let size = blobs_of(file)
                .filter_map(|hash| self.blob_size(&hash))
                .fold(0_u64, u64::saturating_add);
            info.total_bytes = info.total_bytes.saturating_add(size.saturating_mul(links));
            let again = size.saturating_mul(links.saturating_sub(1));
            info.hard_link_bytes = info.hard_link_bytes.saturating_add(again);
        }
        info
    }
}

fn blobs_of(file: &File) -> impl Iterator<Item = BlobHash> {
    file.streams.iter().filter_map(|stream| match stream.content {
        Content::Blob(hash) => Some(hash),
        _ => None,
    })
}

/// Adds the references of a tree: every stream under every name.
pub(super) fn count_references(tree: &Tree, references: &mut HashMap<BlobHash, u32>) {
    for (_, file) in tree.files() {
        for hash in blobs_of(file) {
            let count = references.entry(hash).or_default();
            *count = count.saturating_add(file.links());
        }
    }
}
