//! Verify: everything a WIM holds is read and checked.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use imprint_blockio::ReadAt;
use imprint_progress::{Cancelled, Progress};
use imprint_wim::Wim;
use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::Content;

use crate::blobs::{BlobSink, Damage, Wanted, read_blobs};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a report may list damage"]
pub struct VerifyReport {
    /// Images whose metadata was read.
    pub images: u32,
    /// Blobs read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong; empty if all is well.
    pub faults: Vec<VerifyFault>,
    /// What readers pass over, but a sound writer would not have written.
    pub warnings: Vec<String>,
}

/// Something that is wrong with a WIM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyFault {
    /// An image's metadata cannot be read.
    #[error("metadata of image {image} is damaged: {fault}")]
    Metadata {
        /// The image, counted from 1.
        image: u32,
        /// What is wrong.
        fault: String,
    },
    /// A blob's data is damaged.
    #[error("data {hash} is damaged: {fault}{}", used_by(.path.as_ref()))]
    Blob {
        /// The blob.
        hash: BlobHash,
        /// A file that holds it, with its image.
        path: Option<String>,
        /// What is wrong.
        fault: String,
    },
    /// A file refers to a blob that is in none of the files given.
    #[error("data {hash} of {path} in image {image} is in none of the files given")]
    Missing {
        /// The blob.
        hash: BlobHash,
        /// The image, counted from 1.
        image: u32,
        /// The file.
        path: String,
    },
}

fn used_by(path: Option<&String>) -> String {
    path.map_or_else(String::new, |path| format!(" (used by {path})"))
}

/// Reads all metadata and all blobs of `wims` (a WIM, or the parts of a split set and further files
/// with data) and checks every hash; every blob the images refer to must be there.
///
/// # Errors
/// [`Cancelled`]; damage is in the report.
pub fn verify<R: ReadAt>(
    wims: &[Wim<R>],
    threads: NonZeroUsize,
    progress: &Progress,
) -> Result<VerifyReport, Cancelled> {
    let mut report = VerifyReport::default();
    for wim in wims {
        for image in 1..=wim.image_count() {
            progress.check()?;
            check_image(wims, wim, image, &mut report);
        }
    }
    let wanted: Vec<Wanted> = wims
        .iter()
        .enumerate()
        .flat_map(|(wim, w)| w.blobs().iter().map(move |blob| Wanted { wim, blob: blob.clone() }))
        .collect();
    let bytes = wanted.iter().map(|want| want.blob.size).fold(0, u64::saturating_add);
    progress.begin("verifying", bytes, wanted.len() as u64);
    let sink = CheckSink { progress, damaged: Mutex::default() };
    // A sink that never fails.
    if let Err(never) = read_blobs(wims, &wanted, &sink, threads, progress) {
        match never {}
    }
    progress.check()?;
    report.blobs = wanted.len() as u64;
    report.bytes = bytes;
    let mut damaged = sink.damaged.into_inner().unwrap_or_else(PoisonError::into_inner);
    damaged.sort();
    let mut users =
        users_of(wims, damaged.iter().filter_map(|(i, _)| Some(wanted.get(*i)?.blob.hash)));
    for (index, fault) in damaged {
        if let Some(want) = wanted.get(index) {
            let hash = want.blob.hash;
            let path = users.remove(&hash).flatten();
            report.faults.push(VerifyFault::Blob { hash, path, fault });
        }
    }
    Ok(report)
}

/// Finds a file for each of these blobs that holds it. Looks through the images only if there is a
/// blob to look for.
fn users_of<R: ReadAt>(
    wims: &[Wim<R>],
    hashes: impl Iterator<Item = BlobHash>,
) -> HashMap<BlobHash, Option<String>> {
    let mut users: HashMap<BlobHash, Option<String>> = hashes.map(|hash| (hash, None)).collect();
    if users.is_empty() {
        return users;
    }
    for (wim, image) in wims.iter().flat_map(|w| (1..=w.image_count()).map(move |i| (w, i))) {
        let Ok(read) = wim.read_tree(image) else { continue };
        for (file, name) in crate::apply::first_names(&read.tree) {
            for stream in read.tree.file(file).map_or(&[][..], |f| &f.streams) {
                if let Content::Blob(hash) = stream.content
                    && let Some(user @ None) = users.get_mut(&hash)
                {
                    *user = Some(format!("{} in image {image}", read.tree.path_of(name)));
                }
            }
        }
    }
    users
}

fn check_image<R: ReadAt>(wims: &[Wim<R>], wim: &Wim<R>, image: u32, report: &mut VerifyReport) {
    if wim.blobs().metadata(image).is_none() && wim.header().part_number > 1 {
        return;
    }
    report.images += 1;
    let read = match wim.read_tree(image) {
        Ok(read) => read,
        Err(error) => {
            let fault = crate::outcome::chain(&error);
            report.faults.push(VerifyFault::Metadata { image, fault });
            return;
        }
    };
    report.warnings.extend(read.warnings.iter().map(|w| format!("image {image}: {w}")));
    let mut missing = BTreeSet::new();
    for (file, name) in crate::apply::first_names(&read.tree) {
        let streams = read.tree.file(file).map_or(&[][..], |f| &f.streams);
        for stream in streams {
            let Content::Blob(hash) = stream.content else { continue };
            let is_there = wims.iter().any(|w| w.blobs().find(&hash).is_some());
            if !is_there && missing.insert(hash) {
                let path = read.tree.path_of(name).to_string();
                report.faults.push(VerifyFault::Missing { hash, image, path });
            }
        }
    }
}

/// Takes blobs and forgets them.
struct CheckSink<'a> {
    progress: &'a Progress,
    damaged: Mutex<Vec<(usize, String)>>,
}

impl BlobSink for CheckSink<'_> {
    type Open = ();
    type Error = std::convert::Infallible;

    fn put(&self, _: usize, data: &[u8]) -> Result<(), Self::Error> {
        self.progress.add_bytes(data.len() as u64);
        self.progress.add_files(1);
        Ok(())
    }

    fn open(&self, _: usize) -> Result<(), Self::Error> {
        Ok(())
    }

    fn write(&self, (): &(), _: u64, data: &[u8]) -> Result<(), Self::Error> {
        self.progress.add_bytes(data.len() as u64);
        Ok(())
    }

    fn close(&self, _: usize, (): (), _: bool) -> Result<(), Self::Error> {
        self.progress.add_files(1);
        Ok(())
    }

    fn damaged(&self, index: usize, damage: Damage) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.push((index, damage.to_string()));
    }
}
