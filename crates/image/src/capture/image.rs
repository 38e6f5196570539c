//! A whole capture: scan, store, add the image.

use std::collections::BTreeMap;

use fs_err::File;
use imprint_blockio::{Resize, WriteAt};
use imprint_progress::Progress;
use imprint_wim::{Blob, Copied, ImageInfo, Location, TreeDetails, Wim, WimWriter};
use imprint_winvalues::tree::{Content, Tree};

use super::{CaptureError, StoreOptions, Stored, reuse_unchanged, store};
use crate::encode::chunks_in_parallel;
use crate::{Outcome, ScanOptions, Source};

/// What to capture and how.
pub struct CaptureRequest<'a> {
    /// How to scan.
    pub scan: ScanOptions<'a>,
    /// How to store data.
    pub store: StoreOptions<'a>,
    /// An earlier image: files that look unchanged since are not read again.
    pub unchanged_since: Option<Earlier<'a>>,
    /// Name, description and times of the image.
    pub info: ImageInfo,
}

/// An earlier state of what is captured.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    /// Its files.
    pub tree: &'a Tree,
    /// The WIM that holds their data, if that is not the one being written. Data is taken from it as
    /// it is stored there; what is stored in another way is read from the source.
    pub wim: Option<&'a Wim<File>>,
}

/// What was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// Index of the image, counted from 1.
    pub image: u32,
    /// Names in the image, the root included.
    pub names: u64,
    /// Entries left out by the exclusion list.
    pub excluded: u64,
    /// Streams not read because they look unchanged.
    pub unchanged: u64,
    /// What was stored.
    pub stored: Stored,
}

/// Captures a source as a new image of the WIM. The image is in the file once the writer is
/// finished.
///
/// # Errors
/// [`CaptureError`] if the source cannot be scanned, the WIM cannot be written or the work was
/// cancelled.
pub fn capture<F: WriteAt + Resize>(
    source: &dyn Source,
    writer: &mut WimWriter<F>,
    request: CaptureRequest<'_>,
    progress: &Progress,
) -> Result<Outcome<Captured>, CaptureError> {
    progress.begin("scanning", 0, 0);
    let mut scanned = source.scan(&request.scan, progress)?;
    let unchanged = match request.unchanged_since {
        Some(earlier) => take_unchanged(&mut scanned.tree, earlier, writer, progress)?,
        None => 0,
    };
    let stored = store(source, &mut scanned.tree, writer, &request.store, progress)?;
    let StoreOptions { level, threads, .. } = request.store;
    let compress = |bytes: &[u8], coding| chunks_in_parallel(bytes, coding, level, threads);
    let details = TreeDetails::default();
    let image = writer.add_image_by(&scanned.tree, &details, request.info, &compress)?;
    let mut skipped = scanned.skipped;
    skipped.extend(stored.skipped);
    let names = scanned.tree.names().len() as u64;
    let done =
        Captured { image, names, excluded: scanned.excluded, unchanged, stored: stored.done };
    Ok(Outcome { done, skipped })
}

/// Takes over the data of unchanged files, copying from the earlier WIM what the new one lacks.
fn take_unchanged<F: WriteAt + Resize>(
    tree: &mut Tree,
    earlier: Earlier<'_>,
    writer: &mut WimWriter<F>,
    progress: &Progress,
) -> Result<u64, CaptureError> {
    let from = earlier.wim.filter(|wim| wim.coding() == writer.coding());
    let stored = |hash: &_| from?.blobs().find(hash).filter(|blob| offset_of(blob).is_some());
    let size_of = |hash: &_| writer.blob_size(hash).or_else(|| Some(stored(hash)?.size));
    let count = reuse_unchanged(tree, earlier.tree, size_of);
    let Some(from) = from else { return Ok(count) };
    let mut blobs = BTreeMap::new();
    for stream in tree.files().flat_map(|(_, file)| &file.streams) {
        if let Content::Blob(hash) = stream.content
            && !writer.has_blob(&hash)
            && let Some(blob) = from.blobs().find(&hash)
        {
            blobs.insert(offset_of(blob), blob);
        }
    }
    let bytes = blobs.values().map(|blob| blob.size).fold(0, u64::saturating_add);
    progress.begin("copying", bytes, blobs.len() as u64);
    for blob in blobs.values() {
        progress.check()?;
        let copied = writer.copy_blob(from, blob)?;
        debug_assert_eq!(copied, Copied::Yes, "both files have the same coding");
        progress.add_bytes(blob.size);
        progress.add_files(1);
    }
    Ok(count)
}

/// Where a blob is that can be copied as it is stored.
const fn offset_of(blob: &Blob) -> Option<u64> {
    match blob.location {
        Location::Resource(header) => Some(header.offset),
        Location::Solid { .. } => None,
    }
}
