//! Running `imprint` on a file that may be broken.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::Context as _;

/// Seconds any command may take: a broken file must not make an endless loop.
const SECONDS: &str = "60";

/// The exit code of GNU timeout when the time was up.
const TIMED_OUT: i32 = 124;

/// Runs it to its end, or for a minute.
pub(super) fn run<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> anyhow::Result<Output> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", SECONDS]).arg(program).args(arguments);
    command.output().with_context(|| format!("failed to start {command:?}"))
}

/// Says what is wrong with an exit code that should not be. A signal or a panic is never right.
pub(super) fn code_fault(verb: &str, output: &Output, codes: &[i32]) -> Option<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors = errors.trim_end();
    match output.status.code() {
        Some(code) if codes.contains(&code) => None,
        Some(TIMED_OUT) => Some(format!("{verb} took more than {SECONDS} s")),
        Some(code) => {
            Some(format!("{verb} should exit with one of {codes:?}, but did with {code}: {errors}"))
        }
        None => Some(format!("{verb} was killed: {}: {errors}", output.status)),
    }
}
