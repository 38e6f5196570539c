//! `imprint append`: adds an image of a directory to a WIM file.

use fs_err::File;
use imprint_image::{change_wim, open_wim};
use imprint_wim::{HeaderFlags, Wim};

use super::{capture, open};
use crate::cli::hi::{self, Storage};
use crate::cli::low::AppendArgs;
use crate::console::Console;
use crate::error::{CommandError, UsageError};
use crate::exit::Status;
use crate::watch::watch;

/// What to append, and to what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    capture: capture::Job,
    /// Make the file if there is none.
    create: bool,
}

impl Job {
    pub(super) fn new(args: AppendArgs) -> Result<Self, UsageError> {
        let AppendArgs { capture, create } = args;
        let wim = capture.wim.clone();
        Ok(Self { capture: capture::Job::with_default(capture, None, Some(&wim))?, create })
    }
}

/// Adds the image.
pub(super) fn run(job: Job, console: &mut Console) -> anyhow::Result<Status> {
    let Job { capture: mut job, create } = job;
    if create && !job.wim.try_exists()? {
        // An image of the file that is not there yet cannot be meant.
        job.update_of = job.update_of.filter(|update| update.wim != job.wim);
        return capture::run(&job, console);
    }
    let source = capture::open_source(&job, console)?;
    let wim = open_wim(&job.wim)?;
    check_coding(&job, &wim)?;
    open::check_integrity(&wim, &job.wim, job.integrity.check_first, console)?;
    let name = match &job.properties.name {
        Some(name) => name.clone(),
        None => free_name(hi::default_image_name(&job.source), &open::image_names(&wim)),
    };
    let flag = wim.header().flags.contains(HeaderFlags::RP_FIX);
    let before = capture::Before::open(&job)?;
    let config = capture::config(&job, console)?;
    drop(wim);
    let outcome = watch(console.progress(), |progress| {
        let fix_links = job.fix_links.unwrap_or(flag);
        let request = capture::Request {
            job: &job,
            name: &name,
            fix_links,
            before: before.as_ref(),
            config: &config,
        };
        let integrity = open::integrity_change(job.integrity.table);
        change_wim(&job.wim, integrity, progress, |writer| {
            let outcome = request.capture(&*source, writer, progress)?;
            progress.begin("finishing", 0, 0);
            progress.check()?;
            anyhow::Ok(outcome)
        })
    })?;
    capture::report(&job, &name, &outcome, console)
}

/// A file has one compression for all its images.
fn check_coding(job: &capture::Job, wim: &Wim<File>) -> Result<(), CommandError> {
    let has = wim.coding();
    let Storage { format, chunk_size, .. } = job.storage;
    let other_format = format.is_some_and(|format| format != has.map(|coding| coding.format));
    let other_size = chunk_size.is_some_and(|size| Some(size) != has.map(|c| c.chunk_size));
    if other_format || other_size {
        return Err(CommandError::OtherCompression { wim: job.wim.clone(), has });
    }
    Ok(())
}

/// Numbers a name that was not chosen by the user until no image has it.
fn free_name(name: String, used: &[String]) -> String {
    let candidates = (2..).map(|number| format!("{name} ({number})"));
    let is_free = |candidate: &String| candidate.is_empty() || !used.contains(candidate);
    std::iter::once(name.clone()).chain(candidates).find(is_free).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::free_name;

    #[test]
    fn default_names_are_numbered_when_they_are_used() {
        let used = ["pc".to_owned(), "pc (2)".to_owned()];
        assert_eq!(free_name("pc".to_owned(), &used), "pc (3)");
        assert_eq!(free_name("PC".to_owned(), &used), "PC");
        assert_eq!(free_name(String::new(), &[String::new()]), "");
    }
}
