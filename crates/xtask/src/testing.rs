//! Running tests and counting them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::process::Command;

use anyhow::ensure;

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

/// Tests failed, and all there is to say of it has been said.
#[derive(Debug)]
pub(crate) struct TestsFailed;

impl fmt::Display for TestsFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some tests failed")
    }
}

impl Error for TestsFailed {}

/// Runs all tests, then each fuzz target for `fuzz_seconds`, and prints the sum on the last line.
pub(crate) fn run_all(workspace: &Workspace, fuzz_seconds: u32) -> anyhow::Result<()> {
    let mut run = run_workspace(workspace)?;
    if fuzz_seconds > 0 {
        run.tally.add(fuzz::smoke(workspace, &fuzz::Smoke::repeatable(fuzz_seconds))?);
    }
    run.close()
}

/// Parts of the paths of tests in which an independent program has a say: a test is named after what
/// it shows, and that names its judge.
pub(crate) const JUDGED: [&str; 4] = ["interop", "wimlib", "7zip", "ntfs"];

/// Runs the tests whose path contains one of `names`; there must be at least one test.
pub(crate) fn run_matching(
    workspace: &Workspace,
    names: &[&str],
    length: Length,
) -> anyhow::Result<()> {
    let mut command = cargo_test(workspace);
    if length == Length::Long {
        command.arg("--release").env("IMPRINT_SOAK", "1");
    }
    let run = count(command.args(["--all-targets", "--quiet", "--"]).args(names))?;
    let Tally { passed, failed } = run.tally;
    ensure!(passed + failed > 0, "no test has one of {names:?} in its path");
    run.close()
}

/// Runs all tests of the workspace, with nextest if it is there: it runs the test programs of
/// several crates at once. It knows no documentation tests, those are cargo's.
fn run_workspace(workspace: &Workspace) -> anyhow::Result<Run> {
    if !process::succeeds(process::cargo().args(["nextest", "--version"])) {
        return count(&mut cargo_test(workspace));
    }
    let mut command = process::cargo();
    command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    command.args(["--cargo-quiet", "--status-level=slow", "--color=never", "--no-tests=fail"]);
    // Its report goes to standard error: a shell joins both streams.
    let mut joined = Command::new("sh");
    joined.current_dir(&workspace.root).args(["-c", "exec \"$@\" 2>&1", "sh"]);
    joined.arg(command.get_program()).args(command.get_args());
    let mut run = count(&mut joined)?;
    let documentation = count(cargo_test(workspace).args(["--doc", "--quiet"]))?;
    run.tally.add(documentation.tally);
    run.failures.extend(documentation.failures);
    Ok(run)
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command
}

/// Runs tests and sums the lines with which each test program closes.
fn count(command: &mut Command) -> anyhow::Result<Run> {
    let mut run = Run::default();
    let succeeded = process::watch(command, |line| run.see(line))?;
    // A runner that fails without a failed test could not build or start the tests.
    let explained = succeeded || run.tally.failed > 0;
    ensure!(explained, "{command:?} failed before it counted a failed test");
    Ok(run)
}

/// What came out of running tests.
#[derive(Debug, Default)]
struct Run {
    tally: Tally,
    /// The paths of the tests that failed.
    failures: BTreeSet<String>,
}

impl Run {
    fn see(&mut self, line: &str) {
        if let Some(tally) = Tally::of_libtest(line).or_else(|| Tally::of_nextest(line)) {
            self.tally.add(tally);
        }
        self.failures.extend(failed_test(line).map(str::to_owned));
    }

    /// Names the failed tests; the count is the last line.
    fn close(self) -> anyhow::Result<()> {
        let Self { tally: Tally { passed, failed }, failures } = self;
        for name in failures {
            println!("failed: {name}");
        }
        println!("{passed} passed, {failed} failed");
        ensure!(passed > 0 || failed > 0, "no test was run");
        if failed > 0 { Err(TestsFailed.into()) } else { Ok(()) }
    }
}

/// Reads `test one::two ... FAILED`, in quiet runs `one::two --- FAILED`, and `FAIL [ 0.1s] ( 3/12) crate module::test`.
fn failed_test(line: &str) -> Option<&str> {
    if let Some(test) = line.strip_prefix("test ") {
        return test.strip_suffix(" ... FAILED");
    }
    if let Some(test) = line.strip_suffix(" --- FAILED") {
        return Some(test);
    }
    let (status, test) = line.trim_start().split_once(']')?;
    let failed = ["FAIL [", "TIMEOUT [", "SIGSEGV [", "SIGABRT ["];
    failed.iter().any(|word| status.starts_with(word)).then(|| {
        // The number of the test, where it is printed, is of no use here.
        test.rsplit_once(") ").map_or(test, |(_, test)| test).trim_start()
    })
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

    #[test]
    fn reads_the_names_of_failed_tests() {
        assert_eq!(failed_test("test a::b ... FAILED"), Some("a::b"));
        assert_eq!(failed_test("test a::b ... ok"), None);
        assert_eq!(failed_test("a::b --- FAILED"), Some("a::b"));
        let line = "        FAIL [   0.007s] ( 6/12) imprint-wim::it header::magic";
        assert_eq!(failed_test(line), Some("imprint-wim::it header::magic"));
        let line = "        FAIL [   0.007s] imprint-wim header::magic";
        assert_eq!(failed_test(line), Some("imprint-wim header::magic"));
        assert_eq!(failed_test("        PASS [   0.007s] imprint-wim header::magic"), None);
    }
}
