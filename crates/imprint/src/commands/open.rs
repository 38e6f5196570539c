//! Opening WIM files, and the files they need.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err::{File, OpenOptions};
use imprint_wim::{BlobSet, Wim};

use crate::cli::hi::Integrity;
use crate::console::Console;
use crate::error::CommandError;
use crate::watch::observe;

/// Opens a file to be read.
pub(super) fn open(path: &Path) -> anyhow::Result<Wim<File>> {
    open_file(File::open(path)?, path)
}

/// Opens a file to be read and written.
pub(super) fn open_writable(path: &Path) -> anyhow::Result<Wim<File>> {
    open_file(OpenOptions::new().read(true).write(true).open(path)?, path)
}

fn open_file(file: File, path: &Path) -> anyhow::Result<Wim<File>> {
    Wim::open(file).with_context(|| format!("failed to open {path:?}"))
}

/// Names of the images, unnamed ones empty.
pub(super) fn image_names(wim: &Wim<File>) -> Vec<String> {
    let images = 1..=wim.image_count();
    images.map(|index| wim.info().image(index).unwrap_or_default().name).collect()
}

/// Opens a file together with those that `patterns` name.
pub(super) fn open_set(path: &Path, patterns: &[String]) -> anyhow::Result<BlobSet<File>> {
    let mut set = BlobSet::new(open(path)?);
    for reference in expand(patterns)? {
        if !is_same_file(&reference, path)? {
            set.push(open(&reference)?);
        }
    }
    Ok(set)
}

/// Finds the files that patterns match, in the order of the patterns. As in wimlib a pattern that
/// matches nothing is an error: whoever gives one expects it to be needed.
pub(super) fn expand(patterns: &[String]) -> anyhow::Result<Vec<PathBuf>> {
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

/// Checks a file against its integrity table if the options ask for it.
pub(super) fn check_integrity(
    wim: &Wim<File>,
    path: &Path,
    integrity: Integrity,
    console: &Console,
) -> anyhow::Result<()> {
    if !integrity.check_first || !wim.header().has_integrity() {
        return Ok(());
    }
    let checked = observe(console.progress(), |progress| {
        let mut before = 0;
        wim.verify_integrity(|done, total| {
            if before == 0 {
                progress.begin("checking integrity", total, 0);
            }
            progress.add_bytes(done.saturating_sub(before));
            before = done;
        })
    });
    let bad = checked.with_context(|| format!("failed to check {path:?}"))?;
    match bad {
        Some(Err(chunk)) => {
            let (start, end) = (chunk.start, chunk.end);
            Err(CommandError::Integrity { wim: path.to_owned(), start, end }.into())
        }
        Some(Ok(())) | None => Ok(()),
    }
}
