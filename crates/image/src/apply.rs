//! Apply: from an image of a WIM to a target.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use imprint_blockio::ReadAt;
use imprint_progress::{Cancelled, Progress};
use imprint_wim::{Location, Wim};
use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::{Content, NameId, Tree};

use crate::blobs::{BlobSink, Damage, Wanted, read_blobs};
use crate::outcome::{Outcome, SkipReason, under_all_names};
use crate::target::{BlobUse, Coming, Target, TargetError};

/// What was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Names made, directories included.
    pub names: u64,
    /// Streams with data.
    pub streams: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An image cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The target cannot go on.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Puts the files of `tree`, whose blobs are in one of `wims`, into a target.
///
/// Blobs are read once each, in stored order, whatever the number of files that hold them. Damaged
/// or missing data does not stop the work: the files concerned are listed in the outcome and are
/// not left behind half written.
///
/// # Errors
/// [`ApplyError`] if the target cannot go on (disk full) or the work was cancelled.
pub fn apply<R: ReadAt, T: Target>(
    wims: &[Wim<R>],
    tree: &Tree,
    target: &mut T,
    threads: NonZeroUsize,
    progress: &Progress,
) -> Result<Outcome<Applied>, ApplyError> {
    let mut uses = uses_of(tree);
    let mut faults = Vec::new();
    let mut done = Applied { names: tree.names().len() as u64, ..Applied::default() };
    let mut wanted = Vec::with_capacity(uses.len());
    let mut wanted_uses = Vec::with_capacity(uses.len());
    for (hash, uses) in uses.drain(..) {
        let found =
            wims.iter().enumerate().find_map(|(wim, w)| Some((wim, w.blobs().find(&hash)?)));
        let Some((wim, blob)) = found else {
            faults.extend(uses.iter().map(|u| (u.file, u.name, SkipReason::BlobMissing { hash })));
            continue;
        };
        done.streams += uses.len() as u64;
        done.bytes += blob.size.saturating_mul(uses.len() as u64);
        wanted.push(Wanted { wim, blob: blob.clone() });
        wanted_uses.push(uses);
    }
    target.begin(tree, &coming(&wanted, &wanted_uses), progress)?;
    progress.begin("applying", done.bytes, done.streams);
    let sink = TargetSink {
        target: &*target,
        tree,
        wanted: &wanted,
        uses: &wanted_uses,
        progress,
        damaged: Mutex::default(),
    };
    read_blobs(wims, &wanted, &sink, threads, progress)?;
    progress.check()?;
    let damaged = sink.damaged.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, fault) in damaged {
        if let (Some(want), Some(uses)) = (wanted.get(index), wanted_uses.get(index)) {
            let hash = want.blob.hash;
            let reason = || SkipReason::Damaged { hash, fault: fault.clone() };
            faults.extend(uses.iter().map(|u| (u.file, u.name, reason())));
        }
    }
    let mut skipped = under_all_names(tree, faults);
    skipped.extend(target.finish(tree, progress)?);
    Ok(Outcome { done, skipped })
}

/// The blobs with their uses, in the order in which they are stored.
fn coming<'a>(wanted: &[Wanted], uses: &'a [Vec<BlobUse>]) -> Vec<Coming<'a>> {
    let place = |want: &Wanted| match want.blob.location {
        Location::Resource(header) => (want.wim, 0, header.offset),
        // Solid resources are read last.
        Location::Solid { resource, offset } => (want.wim, resource + 1, offset),
    };
    let mut all: Vec<_> = wanted.iter().zip(uses).collect();
    all.sort_by_key(|(want, _)| place(want));
    all.into_iter().map(|(want, uses)| Coming { uses, size: want.blob.size }).collect()
}

/// Which streams refer to which blob, in tree order.
fn uses_of(tree: &Tree) -> Vec<(BlobHash, Vec<BlobUse>)> {
    let mut uses: Vec<(BlobHash, Vec<BlobUse>)> = Vec::new();
    let mut index: HashMap<BlobHash, usize> = HashMap::new();
    for (file_id, name) in first_names(tree) {
        let Some(file) = tree.file(file_id) else { continue };
        for (stream, number) in file.streams.iter().zip(0..) {
            let Content::Blob(hash) = stream.content else { continue };
            let blob_use = BlobUse { file: file_id, name, stream: number };
            let at = *index.entry(hash).or_insert_with(|| {
                uses.push((hash, Vec::new()));
                uses.len() - 1
            });
            if let Some((_, list)) = uses.get_mut(at) {
                list.push(blob_use);
            }
        }
    }
    uses
}

/// Every file with the first of its names.
pub(crate) fn first_names(
    tree: &Tree,
) -> impl Iterator<Item = (imprint_winvalues::tree::FileId, NameId)> {
    let mut seen = vec![false; tree.files().len()];
    tree.names().filter_map(move |(id, name)| {
        let slot = seen.get_mut(usize::try_from(name.file().0).ok()?)?;
        (!std::mem::replace(slot, true)).then_some((name.file(), id))
    })
}

/// Hands blobs to a target.
struct TargetSink<'a, T> {
    target: &'a T,
    tree: &'a Tree,
    wanted: &'a [Wanted],
    uses: &'a [Vec<BlobUse>],
    progress: &'a Progress,
    damaged: Mutex<Vec<(usize, String)>>,
}

impl<T> TargetSink<'_, T> {
    fn uses(&self, index: usize) -> &[BlobUse] {
        self.uses.get(index).map_or(&[], Vec::as_slice)
    }
}

impl<T: Target> BlobSink for TargetSink<'_, T> {
    type Open = (T::Open, u64);
    type Error = TargetError;

    fn put(&self, index: usize, data: &[u8]) -> Result<(), TargetError> {
        let uses = self.uses(index);
        self.target.put(self.tree, uses, data)?;
        self.progress.add_bytes((data.len() as u64).saturating_mul(uses.len() as u64));
        self.progress.add_files(uses.len() as u64);
        Ok(())
    }

    fn open(&self, index: usize) -> Result<Self::Open, TargetError> {
        let size = self.wanted.get(index).map_or(0, |want| want.blob.size);
        let uses = self.uses(index);
        Ok((self.target.open(self.tree, uses, size)?, uses.len() as u64))
    }

    fn write(&self, open: &Self::Open, offset: u64, data: &[u8]) -> Result<(), TargetError> {
        self.target.write(&open.0, offset, data)?;
        self.progress.add_bytes((data.len() as u64).saturating_mul(open.1));
        Ok(())
    }

    fn close(&self, _: usize, open: Self::Open, whole: bool) -> Result<(), TargetError> {
        self.progress.add_files(open.1);
        self.target.close(self.tree, open.0, whole)
    }

    fn damaged(&self, index: usize, damage: Damage) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.push((index, damage.to_string()));
    }
}
