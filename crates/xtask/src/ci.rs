//! The steps of CI.

use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;
use crate::{fuzz, process, testing, tidy};

/// One step of CI. The quick ones come first, so that a slip of the pen is reported within seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Step {
    /// `cargo fmt --check`.
    Fmt,
    /// The project's own rules.
    Tidy,
    /// Clippy over all targets, warnings denied.
    Clippy,
    /// The documentation, warnings denied.
    Doc,
    /// All tests.
    Test,
    /// Every fuzz target for 60 seconds.
    Fuzz,
}

const ALL: [Step; 6] = [Step::Fmt, Step::Tidy, Step::Clippy, Step::Doc, Step::Test, Step::Fuzz];

/// Runs the chosen steps, or all if none is chosen; every step runs even if an earlier one failed.
pub(crate) fn run(workspace: &Workspace, steps: &[Step]) -> anyhow::Result<()> {
    let steps = if steps.is_empty() { &ALL } else { steps };
    let mut failed = Vec::new();
    for step in steps {
        let start = Instant::now();
        println!("== {step:?}");
        let result = step.run(workspace).with_context(|| format!("{step:?}"));
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => println!("== {step:?}: passed in {seconds:.1} s"),
            Err(error) => {
                println!("== {step:?}: FAILED in {seconds:.1} s\n{error:#}");
                failed.push(*step);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed steps: {failed:?}") }
}

impl Step {
    fn run(self, workspace: &Workspace) -> anyhow::Result<()> {
        match self {
            Self::Fmt => {
                cargo(workspace, &["fmt", "--all", "--", "--check"], &[])?;
                in_fuzz(workspace, &["fmt", "--", "--check"])
            }
            Self::Tidy => tidy::run(workspace),
            Self::Clippy => {
                let arguments = ["clippy", "--workspace", "--all-targets", "--locked"];
                cargo(workspace, &arguments, &["-D", "warnings"])?;
                in_fuzz(workspace, &["clippy", "--bins", "--", "-D", "warnings"])
            }
            Self::Doc => {
                let mut command = process::cargo();
                command.args(["doc", "--workspace", "--no-deps", "--locked"]);
                process::run(command.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Self::Test => testing::run_all(workspace, 0),
            Self::Fuzz => fuzz::run(workspace, &fuzz::Smoke::all(fuzz::SECONDS)),
        }
    }
}

fn cargo(workspace: &Workspace, arguments: &[&str], after: &[&str]) -> anyhow::Result<()> {
    let mut command = process::cargo();
    command.current_dir(&workspace.root).args(arguments);
    if !after.is_empty() {
        command.arg("--").args(after);
    }
    process::run(&mut command)
}

/// Runs cargo in the fuzz package, which the workspace leaves out because it needs flags of its own.
fn in_fuzz(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<()> {
    let dir = workspace.fuzz_dir();
    if !dir.join("Cargo.toml").exists() {
        return Ok(());
    }
    let mut command = process::cargo();
    command.current_dir(dir).args(arguments);
    process::run(command.env("CARGO_TARGET_DIR", fuzz::target_dir(workspace)))
}
