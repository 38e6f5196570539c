//! `imprint disk check`: what is wrong with a disk file, and saving what can be saved.

use std::path::Path;

use imprint_image::disk::{Checked, check_disk, repair_disk};
use imprint_vdisk::{Format, Severity};
use serde::Serialize;

use super::{file_options, format_name, fresh};
use crate::cli::disk::CheckArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::watch::{observe, watch};

/// Checks a disk file and its chain.
pub(super) fn run(args: &CheckArgs, console: &mut Console) -> anyhow::Result<Status> {
    let path = &args.file.file;
    let options = file_options(&args.file);
    let checked = observe(console.progress(), |progress| check_disk(path, &options, progress))?;
    let faults = faults(checked);
    let lost = match &args.repair {
        Some(into) => save(args, into, console)?,
        None => Vec::new(),
    };
    let status = match (&args.repair, lost.is_empty()) {
        (Some(_), true) => Status::Done,
        (Some(_), false) => Status::Incomplete,
        (None, _) => status(&faults.faults),
    };
    if console.json() {
        console.print_json(&Document {
            path: path.to_string_lossy().into_owned(),
            faults,
            lost,
        })?;
        return Ok(status);
    }
    for fault in &faults.faults {
        console.print(&format_args!("{}: {}\n", fault.severity, fault.message))?;
    }
    for range in &lost {
        console.print(&format_args!(
            "lost: {} bytes at offset {:#x}: {}\n",
            range.length, range.offset, range.reason
        ))?;
    }
    console.summary(&format_args!("{}: {}", path.display(), verdict(&faults.faults)))?;
    if let Some(into) = &args.repair {
        console.summary(&format_args!("saved into {}", into.display()))?;
    }
    Ok(status)
}

fn save(args: &CheckArgs, into: &Path, console: &mut Console) -> anyhow::Result<Vec<Lost>> {
    let format = args.file.format.map(Format::from);
    let lost = watch(console.progress(), |progress| {
        let naming = imprint_image::disk::Naming::default();
        repair_disk(&args.file.file, into, format, naming, &fresh(), progress)
    })?;
    let told = |range: imprint_image::disk::LostRange| {
        let imprint_image::disk::LostRange { offset, length, reason } = range;
        Lost { offset, length, reason }
    };
    Ok(lost.into_iter().map(told).collect())
}

fn verdict(faults: &[Fault]) -> String {
    let count = |severity| faults.iter().filter(|fault| fault.severity == severity).count();
    match (count("error"), count("warning")) {
        (0, 0) => "nothing wrong".to_owned(),
        (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
    }
}

fn status(faults: &[Fault]) -> Status {
    if faults.iter().any(|fault| fault.severity == "error") {
        Status::Failed
    } else if faults.iter().any(|fault| fault.severity == "warning") {
        Status::Incomplete
    } else {
        Status::Done
    }
}

/// Everything found, in one list.
fn faults(checked: Checked) -> Faults {
    let Checked { format, findings, broken, chain } = checked;
    let mut faults: Vec<Fault> = findings
        .iter()
        .map(|finding| Fault {
            severity: match finding.severity() {
                Severity::Note => "note",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            message: finding.to_string(),
        })
        .collect();
    let broken = broken.map(anyhow::Error::from);
    let chain = chain.map(anyhow::Error::from);
    faults.extend(broken.into_iter().chain(chain).map(|error| {
        let message = format!("{error:#}");
        Fault { severity: "error", message }
    }));
    Faults { format: format_name(format), faults }
}

#[derive(Serialize)]
struct Document {
    path: String,
    #[serde(flatten)]
    faults: Faults,
    lost: Vec<Lost>,
}

#[derive(Serialize)]
struct Faults {
    format: &'static str,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    severity: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Lost {
    offset: u64,
    length: u64,
    reason: String,
}
