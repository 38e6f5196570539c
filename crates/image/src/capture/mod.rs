//! Capture: from a source into a WIM.
//!
//! ```text
//!  units of the tree ──read + hash──► drop duplicates ──compress──► write in order
//!   (any thread)                       (caller)         (any thread)   (caller)
//! ```
//!
//! Small streams travel in units of about 1 MiB and are read once: whether one is new is decided by
//! its hash when its data is in hand. Large streams travel in segments; one whose size is shared
//! with another large stream or a blob of the WIM is hashed beforehand, so that a duplicate is never
//! compressed. The order of blobs in the file is the order of the tree, whatever the threads do.

mod image;
mod sink;
mod stages;
mod unchanged;
mod units;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use imprint_blockio::{Resize, WriteAt};
use imprint_codec::{Level, NewCodecError};
use imprint_progress::{Cancelled, Progress};
use imprint_wim::{WimWriter, WriteError};
use imprint_winvalues::tree::Tree;

use crate::pipeline;
use crate::{Outcome, Source, SourceError};
use sink::{Books, Sink, settle_hashed};
use stages::CaptureStages;
use units::Plan;

pub use image::{CaptureRequest, Captured, Earlier, capture};
pub use unchanged::reuse_unchanged;

/// Bytes of file data under way at once, in all threads together.
const BUDGET: usize = 16 << 20;

/// How to store data.
#[derive(Clone, Copy)]
pub struct StoreOptions<'a> {
    /// How hard to compress.
    pub level: Level,
    /// Threads that read and compress.
    pub threads: NonZeroUsize,
    /// Decides which files are stored uncompressed; gets the path from the root with backslashes.
    pub uncompressed: &'a (dyn Fn(&str) -> bool + Sync),
}

/// What was stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Streams with data, duplicates included.
    pub streams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were new to the WIM.
    pub new_blobs: u64,
    /// Their bytes before compression.
    pub new_bytes: u64,
    /// Bytes they take in the WIM.
    pub stored_bytes: u64,
}

/// Data cannot be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The source cannot be scanned.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The WIM cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The WIM's compression cannot be written.
    #[error(transparent)]
    Codec(#[from] NewCodecError),
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Stores the data of all [`Content::Unread`] and [`Content::Inline`] streams of `tree` in the WIM
/// and replaces them by [`Content::Blob`], so that the tree can be added as an image.
///
/// Files whose data cannot be read are removed from the tree and listed in the outcome. Files that
/// changed while they were read are listed too; small ones stay, with the data as it was read.
///
/// # Errors
/// [`CaptureError`] if the WIM cannot be written or the work was cancelled; the WIM's old images
/// are not affected.
///
/// [`Content::Unread`]: imprint_winvalues::tree::Content::Unread
/// [`Content::Inline`]: imprint_winvalues::tree::Content::Inline
/// [`Content::Blob`]: imprint_winvalues::tree::Content::Blob
pub fn store<F: WriteAt + Resize>(
    source: &dyn Source,
    tree: &mut Tree,
    writer: &mut WimWriter<F>,
    options: &StoreOptions<'_>,
    progress: &Progress,
) -> Result<Outcome<Stored>, CaptureError> {
    Ok(store_streams(source, tree, writer, options, progress)?.close(tree))
}

/// Stores data as [`store`] does, but leaves the tree its files and tells of each stream by itself.
pub(crate) fn store_streams<F: WriteAt + Resize>(
    source: &dyn Source,
    tree: &mut Tree,
    writer: &mut WimWriter<F>,
    options: &StoreOptions<'_>,
    progress: &Progress,
) -> Result<Books, CaptureError> {
    let mut plan = Plan::new(tree, options.uncompressed);
    progress.begin("writing", plan.bytes, plan.streams);
    let mut books = Books::default();
    let coding = writer.coding();

    let shared: Vec<usize> = shared_sizes(&plan, writer);
    let stages = CaptureStages::new(source, tree, coding, options, progress, &plan)?;
    let hashes = stages.hash_items(&shared, options.threads);
    drop(stages);
    let hashed: Vec<_> = shared.into_iter().zip(hashes).collect();
    settle_hashed(writer, &mut plan, &hashed, progress, &mut books);

    let stages = CaptureStages::new(source, tree, coding, options, progress, &plan)?;
    let jobs = units::units(&plan, stages.segment());
    let mut sink = Sink {
        writer,
        stages: &stages,
        plan: &plan,
        progress,
        claimed: HashSet::new(),
        open: None,
        books: &mut books,
    };
    pipeline::run(&stages, &mut sink, jobs, options.threads, BUDGET)?;
    drop(stages);
    books.enter(tree);
    Ok(books)
}

/// Numbers of the large items whose size is that of another or of a blob the WIM has.
fn shared_sizes<F: WriteAt + Resize>(plan: &Plan, writer: &WimWriter<F>) -> Vec<usize> {
    let mut count: HashMap<u64, usize> = HashMap::new();
    for (_, item) in plan.large() {
        *count.entry(item.size).or_default() += 1;
    }
    let shared = |size: &u64| count.get(size).is_some_and(|&n| n > 1) || writer.knows_size(*size);
    plan.large().filter(|(_, item)| shared(&item.size)).map(|(number, _)| number).collect()
}
