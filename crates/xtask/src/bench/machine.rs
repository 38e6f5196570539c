//! On what a measurement was made.

use std::path::Path;
use std::process::Command;
use std::thread;

use crate::process;
use crate::workspace::Workspace;

/// One line: processor, how busy it was (1 to 2 is what the benchmark itself makes), kernel, commit, peer, corpus. Figures without it cannot be compared.
pub(super) fn describe(
    workspace: &Workspace,
    peer: &Path,
    subject: &str,
) -> anyhow::Result<String> {
    let cpus = fs_err::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |text| text.trim_start_matches([' ', '\t', ':']));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = first_line(Command::new("uname").arg("-sr"))?;
    let mut git = Command::new("git");
    let git = git.current_dir(&workspace.root);
    let commit = first_line(git.args(["describe", "--always", "--dirty", "--abbrev=12"]))?;
    let peer = first_line(Command::new(peer).arg("--version"))?;
    let load = fs_err::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!(
        "{subject}; {cores} cores of {model}, load {load} at the end; {kernel}; imprint {commit}; \
         {peer}"
    ))
}

fn first_line(command: &mut Command) -> anyhow::Result<String> {
    let output = process::output(command)?;
    Ok(String::from_utf8_lossy(&output).lines().next().unwrap_or_default().to_owned())
}
