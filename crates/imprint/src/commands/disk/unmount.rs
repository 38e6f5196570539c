//! `imprint disk unmount`: the end of a mount, and what became of the disk.

use std::time::Duration;

use imprint_mount::{Ended, FoundMount, Leaving, Report, find_mount};
use serde::Serialize;

use crate::cli::disk::UnmountArgs;
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;

/// After this time the user is told what takes so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Unmounts, and waits until the disk file is closed.
pub(super) fn run(args: &UnmountArgs, console: &mut Console) -> anyhow::Result<Status> {
    let found = find_mount(&args.directory)?;
    let mut leaving = found.unmount()?;
    let report = match wait(&mut leaving, &found, console) {
        Ended::Told(report) => report,
        // A disk that was only read is as it was, whatever killed the process.
        _ if found.read_only => Report { kept: true, messages: Vec::new() },
        _ => return Err(CommandError::ServerGone { at: found.at }.into()),
    };
    if !report.kept {
        let why = report.messages.join("; ");
        return Err(CommandError::NotKept { at: found.at, why }.into());
    }
    for message in &report.messages {
        console.warn(&format_args!("warning: while it was mounted: {message}\n"));
    }
    let status = if report.messages.is_empty() { Status::Done } else { Status::Incomplete };
    if console.json() {
        let at = found.at.to_string_lossy().into_owned();
        console.print_json(&Document { at, path: found.shown, failures: report.messages })?;
    } else {
        let kept = if found.read_only { "" } else { ": all that was written is in the file" };
        console.summary(&format_args!(
            "unmounted {} from {}{kept}",
            found.shown,
            found.at.display()
        ))?;
    }
    Ok(status)
}

fn wait(leaving: &mut Leaving, found: &FoundMount, console: &mut Console) -> Ended {
    if let Some(ended) = leaving.wait(PATIENCE) {
        return ended;
    }
    console.note(&format_args!(
        "waiting until all that was written to {} is in the file",
        found.shown
    ));
    loop {
        if let Some(ended) = leaving.wait(PATIENCE) {
            return ended;
        }
    }
}

#[derive(Serialize)]
struct Document {
    /// Where it was mounted.
    at: String,
    /// The disk file, as the list of mounts had it.
    path: String,
    /// What failed while it was mounted.
    failures: Vec<String>,
}
