//! Running tests and counting them.

use std::process::Command;

use anyhow::{bail, ensure};

use crate::workspace::Workspace;
use crate::{fuzz, process};

/// How long tests run that come in two lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Short,
    Long,
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// Runs all tests, then each fuzz target for `fuzz_seconds`, and prints the sum on the last line.
pub(crate) fn run_all(workspace: &Workspace, fuzz_seconds: u32) -> anyhow::Result<()> {
    let mut tally = run_workspace(workspace)?;
    if fuzz_seconds > 0 {
        tally.add(fuzz::smoke(workspace, &fuzz::Smoke::all(fuzz_seconds))?);
    }
    tally.print();
    tally.into_result()
}

/// Runs the tests whose path contains `name`; there must be at least one.
pub(crate) fn run_matching(
    workspace: &Workspace,
    name: &str,
    length: Length,
) -> anyhow::Result<()> {
    let mut command = cargo_test(workspace);
    if length == Length::Long {
        command.arg("--release").env("IMPRINT_SOAK", "1");
    }
    let tally = count(command.args(["--all-targets", "--", name]))?;
    ensure!(tally.passed + tally.failed > 0, "no test has {name:?} in its path");
    tally.print();
    tally.into_result()
}

/// Runs all tests of the workspace, with nextest if it is there: it runs the test programs of
/// several crates at once. It knows no documentation tests, those are cargo's.
fn run_workspace(workspace: &Workspace) -> anyhow::Result<Tally> {
    if !process::succeeds(process::cargo().args(["nextest", "--version"])) {
        return count(&mut cargo_test(workspace));
    }
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    command.args(["--cargo-quiet", "--status-level=slow", "--color=never"]);
    // Its report is on standard error.
    command.arg("--no-tests=fail");
    let mut tally = count_nextest(&command)?;
    tally.add(count(cargo_test(workspace).arg("--doc"))?);
    Ok(tally)
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command
}

/// Runs cargo's own tests and sums the lines with which each test program closes.
fn count(command: &mut Command) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let succeeded = process::watch(command, |line| {
        if let Some(one) = Tally::of_libtest(line) {
            tally.add(one);
        }
    })?;
    tally.check(succeeded, command)
}

/// Runs nextest, whose report goes to standard error: a shell joins both streams.
fn count_nextest(command: &Command) -> anyhow::Result<Tally> {
    let mut joined = Command::new("sh");
    joined.args(["-c", "exec \"$@\" 2>&1", "sh"]);
    joined.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        joined.current_dir(dir);
    }
    let mut tally = Tally::default();
    let succeeded = process::watch(&mut joined, |line| {
        if let Some(one) = Tally::of_nextest(line) {
            tally.add(one);
        }
    })?;
    tally.check(succeeded, command)
}

impl Tally {
    /// Reads `test result: ok. 3 passed; 1 failed; ...`.
    fn of_libtest(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?;
        Some(Self { passed: before(counts, " passed")?, failed: before(counts, " failed")? })
    }

    /// Reads `Summary [ 0.1s] 4 tests run: 3 passed, 1 failed, 0 skipped`.
    fn of_nextest(line: &str) -> Option<Self> {
        let counts = line.trim_start().strip_prefix("Summary [")?;
        let failures = [" failed", " timed out", " exec failed"];
        let failed = failures.iter().filter_map(|word| before(counts, word)).sum();
        Some(Self { passed: before(counts, " passed").unwrap_or_default(), failed })
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    fn print(self) {
        println!("{} passed, {} failed", self.passed, self.failed);
    }

    /// A runner that fails without a failed test could not build or start the tests.
    fn check(self, succeeded: bool, command: &Command) -> anyhow::Result<Self> {
        ensure!(succeeded || self.failed > 0, "{command:?} failed before it counted a failed test");
        Ok(self)
    }

    fn into_result(self) -> anyhow::Result<()> {
        match self {
            Self { failed: 0, passed: 0 } => bail!("no test was run"),
            Self { failed: 0, .. } => Ok(()),
            Self { failed, .. } => bail!("{failed} tests failed"),
        }
    }
}

/// The number in front of a word.
fn before(text: &str, word: &str) -> Option<u64> {
    let (front, _) = text.split_once(word)?;
    front.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closing_lines() {
        let line = "test result: FAILED. 16 passed; 2 failed; 0 ignored; finished in 0.09s";
        assert_eq!(Tally::of_libtest(line), Some(Tally { passed: 16, failed: 2 }));
        assert_eq!(Tally::of_libtest("running 2 tests"), None);
        let line = "     Summary [   0.019s] 4 tests run: 3 passed (1 slow), 1 failed, 0 skipped";
        assert_eq!(Tally::of_nextest(line), Some(Tally { passed: 3, failed: 1 }));
        let line = "     Summary [   0.2s] 21/40 tests run: 20 passed, 1 timed out, 0 skipped";
        assert_eq!(Tally::of_nextest(line), Some(Tally { passed: 20, failed: 1 }));
    }
}
