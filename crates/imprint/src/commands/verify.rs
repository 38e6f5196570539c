//! `imprint verify`: checks that everything in a WIM file can be read and is what it was.

use std::path::PathBuf;

use anyhow::Context;
use imprint_image::{VerifyFault, VerifyReport, verify};
use imprint_winvalues::BlobHash;
use serde::Serialize;

use super::open::{self, OpenSet};
use crate::cli::hi;
use crate::cli::low::VerifyArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;
use crate::meter::{Bytes, counted};
use crate::report::as_optional_text;
use crate::watch::observe;

/// What to check.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    integrity_table: bool,
    threads: Option<usize>,
    references: Vec<String>,
}

impl Job {
    pub(super) fn new(args: VerifyArgs) -> Result<Self, UsageError> {
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            integrity_table: !args.nocheck,
            threads: hi::threads(args.threads),
            references: args.references.references,
        })
    }
}

/// Checks the file.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let set = OpenSet::open_whole(&job.wim, &job.references)?;
    let mut faults = Vec::new();
    let integrity = match job.integrity_table {
        true => check_tables(&set, &mut faults, console)?,
        false => TableState::NotChecked,
    };
    let report = observe(console.progress(), |progress| {
        verify(set.blobs.wims(), open::threads(job.threads), progress)
    })?;
    let VerifyReport { images, blobs, bytes, faults: found, warnings } = report;
    faults.extend(found.iter().map(FaultFacts::from));
    let sound = faults.is_empty();
    let path = job.wim.to_string_lossy().into_owned();
    let document = Document {
        path,
        sound,
        integrity_table: integrity,
        images,
        blobs,
        bytes,
        faults,
        warnings,
    };
    if console.json() {
        console.print_json(&document)?;
    } else {
        document.print(console)?;
    }
    Ok(if sound { Status::Done } else { Status::Failed })
}

/// Compares all files with their integrity tables.
fn check_tables(
    set: &OpenSet,
    faults: &mut Vec<FaultFacts>,
    console: &Console,
) -> anyhow::Result<TableState> {
    let mut state = TableState::None;
    for (wim, path) in set.files() {
        let context = || format!("failed to check {}", path.display());
        match open::integrity(wim, console).with_context(context)? {
            None => {}
            Some(Ok(())) => state = state.max(TableState::Good),
            Some(Err(bad)) => {
                state = TableState::Bad;
                let (path, start, end) = (path.display(), bad.start, bad.end);
                let message = format!(
                    "bytes {start:#x} to {end:#x} of {path} are not as its integrity table says"
                );
                faults.push(FaultFacts { kind: "integrity", message, ..FaultFacts::default() });
            }
        }
    }
    Ok(state)
}

/// What integrity tables say; of several files the gravest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum TableState {
    None,
    NotChecked,
    Good,
    Bad,
}

#[derive(Serialize)]
struct Document {
    path: String,
    sound: bool,
    integrity_table: TableState,
    images: u32,
    blobs: u64,
    bytes: u64,
    faults: Vec<FaultFacts>,
    warnings: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct FaultFacts {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// A file that has the data, and its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    hash: Option<BlobHash>,
}

impl From<&VerifyFault> for FaultFacts {
    fn from(fault: &VerifyFault) -> Self {
        let message = fault.to_string();
        match fault {
            VerifyFault::Metadata { image, .. } => {
                Self { kind: "metadata", message, image: Some(*image), ..Self::default() }
            }
            VerifyFault::Blob { hash, path, .. } => {
                let used_by = path.clone();
                Self { kind: "blob", message, used_by, hash: Some(*hash), ..Self::default() }
            }
            VerifyFault::Missing { hash, image, path } => Self {
                kind: "missing",
                message,
                image: Some(*image),
                path: Some(path.clone()),
                hash: Some(*hash),
                used_by: None,
            },
            _ => Self { kind: "other", message, ..Self::default() },
        }
    }
}

impl Document {
    fn print(&self, console: &mut Console) -> anyhow::Result<()> {
        for warning in &self.warnings {
            console.warn(&format_args!("warning: {warning}\n"));
        }
        for fault in &self.faults {
            console.print(&format_args!("damaged: {}\n", fault.message))?;
        }
        let found = match (self.sound, self.faults.len()) {
            (true, _) => "sound".to_owned(),
            (false, 1) => "damaged in one place".to_owned(),
            (false, count) => format!("damaged in {count} places"),
        };
        let (images, blobs) = (counted(self.images.into(), "image"), counted(self.blobs, "blob"));
        let bytes = Bytes(self.bytes);
        console.summary(&format_args!("{} is {found}: {images}, {blobs}, {bytes}", self.path))?;
        Ok(())
    }
}
