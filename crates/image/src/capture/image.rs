//! A whole capture: scan, store, add the image.

use imprint_blockio::{Resize, WriteAt};
use imprint_progress::Progress;
use imprint_wim::{ImageInfo, WimWriter};
use imprint_winvalues::tree::Tree;

use super::{CaptureError, StoreOptions, Stored, reuse_unchanged, store};
use crate::{Outcome, ScanOptions, Source};

/// What to capture and how.
pub struct CaptureRequest<'a> {
    /// How to scan.
    pub scan: ScanOptions<'a>,
    /// How to store data.
    pub store: StoreOptions<'a>,
    /// An earlier image: files that look unchanged since are not read again.
    pub unchanged_since: Option<&'a Tree>,
    /// Name, description and times of the image.
    pub info: ImageInfo,
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
    let unchanged = request.unchanged_since.map_or(0, |before| {
        reuse_unchanged(&mut scanned.tree, before, |hash| writer.blob_size(hash))
    });
    let stored = store(source, &mut scanned.tree, writer, &request.store, progress)?;
    let image = writer.add_image(&scanned.tree, request.info)?;
    let mut skipped = scanned.skipped;
    skipped.extend(stored.skipped);
    let names = scanned.tree.names().len() as u64;
    let done =
        Captured { image, names, excluded: scanned.excluded, unchanged, stored: stored.done };
    Ok(Outcome { done, skipped })
}
