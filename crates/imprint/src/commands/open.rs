//! WIM files by path: opened alone or with those they need, checked, and told what to become.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err::File;
use imprint_image::{default_threads, open_wim};
use imprint_wim::{BlobSet, Coding, IntegrityChange, Wim};

use crate::cli::hi::{Storage, Table};
use crate::console::Console;
use crate::error::CommandError;
use crate::watch::observe;

/// Names of the images, unnamed ones empty.
pub(super) fn image_names(wim: &Wim<File>) -> Vec<String> {
    let images = 1..=wim.image_count();
    images.map(|index| wim.info().image(index).unwrap_or_default().name).collect()
}

/// A file and those it needs, open.
pub(super) struct OpenSet {
    pub(super) blobs: BlobSet<File>,
    /// In the order of the files.
    paths: Vec<PathBuf>,
}

impl OpenSet {
    /// Opens a file together with those that `patterns` name.
    pub(super) fn open(path: &Path, patterns: &[String]) -> anyhow::Result<Self> {
        let mut set = Self { blobs: BlobSet::new(open_wim(path)?), paths: vec![path.to_owned()] };
        for reference in expand(patterns)? {
            if !is_same_file(&reference, path)? {
                set.blobs.push(open_wim(&reference)?);
                set.paths.push(reference);
            }
        }
        Ok(set)
    }

    /// Opens a file together with those that `patterns` name; no part of a split set may be missing.
    pub(super) fn open_whole(path: &Path, patterns: &[String]) -> anyhow::Result<Self> {
        let set = Self::open(path, patterns)?;
        set.blobs.check_parts().with_context(|| format!("failed to use {}", path.display()))?;
        Ok(set)
    }

    /// The file that holds the images.
    pub(super) fn primary(&self) -> anyhow::Result<&Wim<File>> {
        self.blobs.primary().ok_or_else(|| CommandError::NoFiles.into())
    }

    /// The files with their paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Wim<File>, &Path)> {
        self.blobs.wims().iter().zip(self.paths.iter().map(PathBuf::as_path))
    }

    /// Checks all files against their integrity tables, if `wanted` says so.
    pub(super) fn check_integrity(&self, wanted: bool, console: &Console) -> anyhow::Result<()> {
        self.files().try_for_each(|(wim, path)| check_integrity(wim, path, wanted, console))
    }
}

/// Finds the files that patterns match, in the order of the patterns. As in wimlib a pattern that
/// matches nothing is an error: whoever gives one expects it to be needed.
fn expand(patterns: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for pattern in patterns {
        let matches = glob::glob(pattern)
            .map_err(|source| CommandError::Pattern { pattern: pattern.clone(), source })?;
        let before = files.len();
        for file in matches {
            files.push(file.context("failed to look for files")?);
        }
        if files.len() == before {
            return Err(CommandError::NothingMatches { pattern: pattern.clone() }.into());
        }
    }
    Ok(files)
}

/// Whether two paths lead to one file: patterns usually match the first part of a set too.
fn is_same_file(a: &Path, b: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (a, b) = (fs_err::metadata(a)?, fs_err::metadata(b)?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Checks a file against its integrity table, if it has one and `wanted` says so.
pub(super) fn check_integrity(
    wim: &Wim<File>,
    path: &Path,
    wanted: bool,
    console: &Console,
) -> anyhow::Result<()> {
    if !wanted {
        return Ok(());
    }
    match integrity(wim, console).with_context(|| format!("failed to check {}", path.display()))? {
        Some(Err(bad)) => {
            let (start, end) = (bad.start, bad.end);
            Err(CommandError::Integrity { wim: path.to_owned(), start, end }.into())
        }
        Some(Ok(())) | None => Ok(()),
    }
}

/// Compares a file with its integrity table; `None` if it has none.
pub(super) fn integrity(
    wim: &Wim<File>,
    console: &Console,
) -> Result<Option<Result<(), imprint_wim::BadChunk>>, imprint_wim::ReadError> {
    if !wim.header().has_integrity() {
        return Ok(None);
    }
    observe(console.progress(), |progress| {
        let mut before = 0;
        wim.verify_integrity(|done, total| {
            if before == 0 {
                progress.begin("checking integrity", total, 0);
            }
            progress.add_bytes(done.saturating_sub(before));
            before = done;
        })
    })
}

/// What is to become of the integrity table.
pub(super) const fn integrity_change(table: Table) -> IntegrityChange {
    match table {
        Table::Keep => IntegrityChange::Keep,
        Table::Write => IntegrityChange::Add,
        Table::Omit => IntegrityChange::Remove,
    }
}

/// Threads as asked for, or one per processor.
pub(super) fn threads(count: Option<usize>) -> NonZeroUsize {
    count.and_then(NonZeroUsize::new).unwrap_or_else(default_threads)
}

/// The coding of a file that is written: what the options say, and `default` where they say nothing.
pub(super) fn coding(storage: &Storage, default: Option<Coding>) -> anyhow::Result<Option<Coding>> {
    let format = storage.format.unwrap_or(default.map(|coding| coding.format));
    let Some(format) = format else { return Ok(None) };
    let kept = default.filter(|coding| coding.format == format).map(|coding| coding.chunk_size);
    let chunk_size = storage.chunk_size.or(kept).unwrap_or_else(|| format.default_chunk_size());
    Ok(Some(Coding::new(format, chunk_size)?))
}
