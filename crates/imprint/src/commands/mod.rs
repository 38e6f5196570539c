//! One file per verb: what its words mean (`Job`) and what is then done.

mod append;
mod apply;
mod capture;
mod delete;
mod dir;
mod disk;
mod export;
mod extract;
mod info;
mod ntfs;
mod open;
mod optimize;
mod verify;

use crate::cli::low::Verb;
use crate::console::Console;
use crate::exit::Status;

/// Does what a verb says.
pub(crate) fn run(verb: Verb, console: &mut Console) -> anyhow::Result<Status> {
    match verb {
        Verb::Capture(args) => capture::run(&capture::Job::new(args)?, console),
        Verb::Append(args) => append::run(append::Job::new(args)?, console),
        Verb::Apply(args) => apply::run(&apply::Job::new(args)?, console),
        Verb::Info(args) => info::run(&info::Job::new(args)?, console),
        Verb::Dir(args) => dir::run(&dir::Job::new(args)?, console),
        Verb::Extract(args) => extract::run(&extract::Job::new(args)?, console),
        Verb::Export(args) => export::run(&export::Job::new(args)?, console),
        Verb::Delete(args) => delete::run(&delete::Job::new(args)?, console),
        Verb::Optimize(args) => optimize::run(&optimize::Job::new(args)?, console),
        Verb::Verify(args) => verify::run(&verify::Job::new(args)?, console),
        Verb::Disk(verb) => disk::run(verb, console),
        Verb::Ntfs(verb) => ntfs::run(verb, console),
        // The parser of ImageX's syntax gives one of the other verbs.
        Verb::Imagex(_) => Ok(Status::Usage),
    }
}
