//! From words to exit status: the one place where errors end.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use crate::advice;
use crate::cli::{self, Invocation, Parsed};
use crate::commands;
use crate::console::Console;
use crate::error::UsageError;

/// How the program ends.
///
/// In the order of gravity: of several pieces of work the gravest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// All was done.
    Done,
    /// Done, except for what was listed.
    Incomplete,
    /// Nothing was done, or it cannot be trusted.
    Failed,
    /// The words were not understood.
    Usage,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::Incomplete => 3,
        })
    }
}

/// Does what the words say and reports how it went.
pub(crate) fn run(words: &[OsString]) -> Status {
    let result = match cli::parse(words) {
        Ok(Parsed::Print(text)) => {
            let mut console = Console::plain();
            console.print(&text).and_then(|()| console.finish()).map_err(Into::into)
        }
        Ok(Parsed::Run(invocation)) => return run_invocation(*invocation),
        Err(error) => Err(error.into()),
    };
    end(result.map(|()| Status::Done), &mut Console::plain())
}

fn run_invocation(invocation: Invocation) -> Status {
    let Invocation { global, verb, style } = invocation;
    let mut console = match Console::new(&global, style) {
        Ok(console) => console,
        Err(error) => return end(Err(error), &mut Console::plain()),
    };
    let result = commands::run(verb, &mut console);
    let result = result.and_then(|status| Ok(console.finish().map(|()| status)?));
    end(result, &mut console)
}

/// Reports an error, if there is one.
fn end(result: anyhow::Result<Status>, console: &mut Console) -> Status {
    let error = match result {
        Ok(status) => return status,
        Err(error) => error,
    };
    if is_broken_pipe(&error) {
        // Whoever read our output has seen enough (`imprint dir x.wim | head`).
        return Status::Done;
    }
    if let Some(UsageError::Parser(error)) = error.downcast_ref() {
        console.warn(&error.render());
        return Status::Usage;
    }
    console.warn(&format_args!("error: {error:#}\n"));
    if let Some(advice) = advice::of(&error) {
        console.warn(&format_args!("advice: {advice}\n"));
    }
    if error.is::<UsageError>() { Status::Usage } else { Status::Failed }
}

/// Whether standard output was closed. Only errors of our own printing come without any context.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
