//! Writing: new files, and changes in place that never overwrite what the old header refers to.
//!
//! ```text
//!  before:   header | resources | blob table | XML | integrity
//!  during:   header | resources | blob table | XML | integrity | new resources ...
//!  after:    HEADER | resources |  (unused)                    | new resources | blob table | XML | ...
//! ```
//! The header is written last, in one write, after everything else is durable: a file whose writer is
//! stopped at any byte is the old file with garbage behind its end, which the next writer reuses.

mod blobs;
mod finish;
mod images;
mod resource;
mod sink;
mod table;

use std::collections::{HashMap, HashSet};

use imprint_blockio::Resize;
use imprint_winvalues::{BlobHash, Guid};

use crate::blob_table::{Blob, BlobTable, Location, MetadataEntry};
use crate::error::{Refusal, Structure, WriteError};
use crate::header::{HEADER_SIZE, Header, HeaderFlags, new_header};
use crate::resource::Coding;
use crate::wim::{Limits, Wim};
use crate::xml::WimInfo;
pub use images::CompressChunks;
use resource::OpenResource;
use sink::{Sink, write_at};

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
    sink: Sink<F>,
    /// First byte that may be written.
    first: u64,
    /// Bytes the file had; what lies between `first` and there belongs to nothing the header names.
    length_before: u64,
    /// The header as it was, or as a new file's starts out.
    header: Header,
    is_new: bool,
    coding: Option<Coding>,
    limits: Limits,
    info: WimInfo,
    boot_index: u32,
    /// Metadata of all images.
    images: Vec<MetadataEntry>,
    /// Whether images were added.
    changed: bool,
    /// Whether images were taken away, so that references must be counted anew.
    recount: bool,
    /// The blob table as it was.
    old: BlobTable,
    /// Sizes of its blobs, sorted.
    old_sizes: Vec<u64>,
    added: HashMap<BlobHash, Blob>,
    /// Hashes of added blobs in the order of their bytes.
    added_order: Vec<BlobHash>,
    added_sizes: HashSet<u64>,
    /// References by added images.
    references: HashMap<BlobHash, u32>,
    open: Option<OpenResource>,
}

impl<F: Resize> WimWriter<F> {
    /// Starts a new file: what `file` holds is given up. Until [`Self::finish`] its header says that
    /// it is being written and names no tables.
    ///
    /// # Errors
    /// [`WriteError`] if the coding is not legal or the file cannot be written.
    pub fn create(file: F, options: CreateOptions) -> Result<Self, WriteError> {
        if let Some(Coding { format, chunk_size }) = options.coding {
            Coding::new(format, chunk_size)?;
        }
        let header = new_header(options.coding, options.guid, options.rp_fix);
        let mut unfinished = header.clone();
        unfinished.flags |= HeaderFlags::WRITE_IN_PROGRESS;
        write_at(&file, Structure::Header, 0, &unfinished.to_bytes())?;
        let (old, info) = (BlobTable::default(), WimInfo::new());
        Ok(Self::new(file, HEADER_SIZE, header, options.coding, old, info))
    }

    /// Starts to change a file in place. No byte its header refers to is overwritten, so the file
    /// stays as it was until [`Self::finish`] replaces the header.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if the file is not to be changed in place.
    pub fn append(wim: Wim<F>) -> Result<Self, WriteError> {
        let first = end_of_tables(wim.header());
        check_append(&wim, first).map_err(WriteError::Refused)?;
        let (coding, limits, length) = (wim.coding(), wim.limits(), wim.file_len());
        let (file, header, blobs, info) = wim.into_parts();
        let mut writer = Self::new(file, first, header, coding, blobs, info);
        writer.length_before = length;
        writer.is_new = false;
        writer.limits = limits;
        writer.boot_index = writer.header.boot_index;
        writer.images = writer.old.all_metadata().to_vec();
        writer.old_sizes = writer.old.iter().map(|blob| blob.size).collect();
        writer.old_sizes.sort_unstable();
        writer.old_sizes.dedup();
        Ok(writer)
    }

    fn new(
        file: F,
        first: u64,
        header: Header,
        coding: Option<Coding>,
        old: BlobTable,
        info: WimInfo,
    ) -> Self {
        Self {
            sink: Sink::new(file, first),
            first,
            length_before: first,
            header,
            is_new: true,
            coding,
            limits: Limits::default(),
            info,
            boot_index: 0,
            images: Vec::new(),
            changed: false,
            recount: false,
            old,
            old_sizes: Vec::new(),
            added: HashMap::new(),
            added_order: Vec::new(),
            added_sizes: HashSet::new(),
            references: HashMap::new(),
            open: None,
        }
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

    /// Bytes of the file up to now, without the tables to come.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.sink.position()
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

    /// Sets whether the file is marked as read-only.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.header.flags.set(HeaderFlags::READ_ONLY, read_only);
    }

    /// Sets whether targets of absolute links are said to be relative to the captured root.
    pub fn set_rp_fix(&mut self, rp_fix: bool) {
        self.header.flags.set(HeaderFlags::RP_FIX, rp_fix);
    }
}

/// The byte behind the last table.
fn end_of_tables(header: &Header) -> u64 {
    [header.blob_table, header.xml, header.integrity]
        .iter()
        .filter_map(crate::resource::ResourceHeader::end)
        .fold(HEADER_SIZE, u64::max)
}

/// Says why a file must not be changed in place, if so.
fn check_append<F: Resize>(wim: &Wim<F>, limit: u64) -> Result<(), Refusal> {
    let header = wim.header();
    if header.flags.contains(HeaderFlags::READ_ONLY) {
        return Err(Refusal::ReadOnly);
    }
    if header.is_split() || header.flags.contains(HeaderFlags::SPANNED) {
        return Err(Refusal::Split { part: header.part_number, total: header.total_parts });
    }
    if header.flags.contains(HeaderFlags::WRITE_IN_PROGRESS) {
        return Err(Refusal::WriteInProgress);
    }
    let blobs = wim.blobs().iter().filter_map(|blob| match blob.location {
        Location::Resource(header) => Some(header),
        Location::Solid { .. } => None,
    });
    let solid = wim.blobs().solid_resources().iter().map(|solid| solid.header);
    let metadata = wim.blobs().all_metadata().iter().map(|entry| entry.header);
    let ends = blobs.chain(solid).chain(metadata).filter_map(|header| header.end());
    match ends.max() {
        Some(end) if end > limit => Err(Refusal::ResourceBehindTables { end, limit }),
        _ => Ok(()),
    }
}
