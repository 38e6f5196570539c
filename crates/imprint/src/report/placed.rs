//! What became of a tree that was put into a directory.

use std::path::Path;

use imprint_image::{Applied, Skipped};
use serde::Serialize;

use super::lost::LostFacts;
use super::skipped::{self, SkippedFacts};

/// The part that the documents of all verbs that write files share.
#[derive(Serialize)]
pub(crate) struct PlacedFacts {
    target: String,
    names: u64,
    streams: u64,
    bytes: u64,
    not_kept: Vec<LostFacts>,
    skipped: Vec<SkippedFacts>,
}

impl PlacedFacts {
    /// Joins what was done, what the directory cannot keep and what was left out.
    pub(crate) fn new(
        target: &Path,
        done: Applied,
        not_kept: Vec<LostFacts>,
        skipped: &[Skipped],
    ) -> Self {
        let Applied { names, streams, bytes } = done;
        let target = target.to_string_lossy().into_owned();
        Self { target, names, streams, bytes, not_kept, skipped: skipped::facts(skipped) }
    }
}
