//! Reading all file records, by several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use imprint_blockio::ReadAt;
use imprint_ntfs::{ReadError, RecordNumber, Swept, SweptLoss, Volume};
use imprint_progress::{Cancelled, Progress};

/// Records that a thread reads at once.
const PIECE: u64 = 4096;

/// All files of a volume, in the order of their records, and those that cannot be read.
#[derive(Debug, Default)]
pub(super) struct AllFiles {
    pub(super) files: Vec<Swept>,
    pub(super) broken: Vec<(RecordNumber, ReadError)>,
    /// What of files cannot be read, though the rest can.
    pub(super) lost: Vec<(RecordNumber, SweptLoss)>,
}

impl AllFiles {
    /// Index of the file whose first record this is.
    pub(super) fn find(&self, record: u64) -> Option<u32> {
        let found = self.files.binary_search_by_key(&record, |file| file.reference.record.0);
        found.ok().and_then(|position| u32::try_from(position).ok())
    }
}

/// Reads them.
///
/// # Errors
/// [`Cancelled`].
pub(super) fn sweep<D: ReadAt>(
    volume: &Volume<D>,
    threads: NonZeroUsize,
    progress: &Progress,
) -> Result<AllFiles, Cancelled> {
    let pieces = volume.records().div_ceil(PIECE);
    let next = AtomicU64::new(0);
    let done: Mutex<Vec<(u64, AllFiles)>> = Mutex::default();
    let work = || {
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces || progress.check().is_err() {
                return;
            }
            let AllFiles { mut files, mut broken, mut lost } = AllFiles::default();
            let found = |number, found| match found {
                Ok(file) => files.push(file),
                Err(error) => broken.push((number, error)),
            };
            let records = piece * PIECE..(piece + 1) * PIECE;
            volume.sweep_with_losses(records, found, |number, loss| lost.push((number, loss)));
            let all = AllFiles { files, broken, lost };
            progress.add_files(all.files.len() as u64);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((piece, all));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get() {
            scope.spawn(work);
        }
        work();
    });
    progress.check()?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(piece, _)| *piece);
    let count = done.iter().map(|(_, piece)| piece.files.len()).sum();
    let mut all = AllFiles { files: Vec::with_capacity(count), ..AllFiles::default() };
    for (_, mut piece) in done {
        all.files.append(&mut piece.files);
        all.broken.append(&mut piece.broken);
        all.lost.append(&mut piece.lost);
    }
    Ok(all)
}
