//! Running other programs.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::workspace::Workspace;

/// The cargo that started this program, so that both are of one toolchain.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Runs a program that must succeed, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("failed to start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Runs a program that must succeed and returns its standard output.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("failed to start {command:?}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed: {}\n{}", output.status, errors.trim_end());
    }
    Ok(output.stdout)
}

/// Runs a program, shows its standard output line by line as it comes, and gives each line to `see`.
/// Returns whether it succeeded.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> anyhow::Result<bool> {
    command.stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("failed to start {command:?}"))?;
    let stdout = child.stdout.take().context("the child has no standard output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.with_context(|| format!("failed to read what {command:?} prints"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    Ok(child.wait().with_context(|| format!("failed to wait for {command:?}"))?.success())
}

/// Whether a program can be started and succeeds; what it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Builds a program of the workspace as it is released and returns its path.
pub(crate) fn build(
    workspace: &Workspace,
    package: &str,
    program: &str,
) -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(&workspace.root);
    command.args(["build", "--quiet", "--release", "--locked"]);
    run(command.args(["--package", package, "--bin", program]))?;
    Ok(workspace.target.join("release").join(program))
}
