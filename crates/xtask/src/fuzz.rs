//! Building and running the fuzz targets on the stable toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use crate::process;
use crate::testing::Tally;
use crate::workspace::Workspace;

/// What the compiler must do for libFuzzer: count edges, describe them, report comparisons. The flags
/// are those cargo-fuzz uses; without a sanitizer they work on a stable toolchain.
const COVERAGE: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// How much of a failed target's output is shown, in lines.
const SHOWN: usize = 40;

/// Seconds a target runs unless told otherwise.
pub(crate) const SECONDS: u32 = 60;

/// Memory a target may use unless told otherwise, in MiB. Engines bound what they allocate by the
/// input, so anything near this is a defect.
const RSS_LIMIT_MB: u32 = 512;

/// A short run of fuzz targets.
#[derive(Debug, clap::Args)]
pub(crate) struct Smoke {
    /// Seconds each target runs.
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
    /// Memory a target may use before it counts as failed, in MiB.
    #[arg(long, default_value_t = RSS_LIMIT_MB)]
    rss_limit_mb: u32,
    /// Start from the committed seeds only and with this random seed, so that a run can be had again;
    /// otherwise every run goes on from what earlier ones found.
    #[arg(long)]
    seed: Option<u32>,
    /// Targets to run; all when none is named.
    targets: Vec<String>,
}

impl Smoke {
    /// All targets, each for as many seconds.
    pub(crate) const fn all(seconds: u32) -> Self {
        Self { seconds, rss_limit_mb: RSS_LIMIT_MB, seed: None, targets: Vec::new() }
    }

    /// All targets from the same start each time: what fails then is due to the change.
    pub(crate) const fn repeatable(seconds: u32) -> Self {
        Self { seconds, rss_limit_mb: RSS_LIMIT_MB, seed: Some(1), targets: Vec::new() }
    }
}

/// Where the fuzz targets are built: their flags differ, so sharing a folder with ordinary builds
/// would rebuild everything each time.
pub(crate) fn target_dir(workspace: &Workspace) -> PathBuf {
    workspace.target.join("fuzz")
}

/// Runs the targets; fails if one of them crashes.
pub(crate) fn run(workspace: &Workspace, smoke: &Smoke) -> anyhow::Result<()> {
    let Tally { passed, failed } = self::smoke(workspace, smoke)?;
    ensure!(failed == 0, "{failed} of {} fuzz targets failed", passed + failed);
    Ok(())
}

/// Builds all targets, runs the chosen ones, as many at a time as there are cores, and counts them.
pub(crate) fn smoke(workspace: &Workspace, smoke: &Smoke) -> anyhow::Result<Tally> {
    let targets = choose(list(workspace)?, &smoke.targets)?;
    let host = host()?;
    build(workspace, &host)?;
    let programs = target_dir(workspace).join(&host).join("release");
    let waiting = Mutex::new(targets.into_iter());
    let tally = Mutex::new(Tally::default());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(name) = next(&waiting) {
                    let result = run_target(workspace, &programs, &name, smoke);
                    if let Err(error) = &result {
                        println!("fuzz {name}: FAILED: {error:#}");
                    }
                    let mut tally = tally.lock().unwrap_or_else(|poison| poison.into_inner());
                    tally.add(Tally {
                        passed: u64::from(result.is_ok()),
                        failed: u64::from(result.is_err()),
                    });
                }
            });
        }
    });
    Ok(tally.into_inner().unwrap_or_else(|poison| poison.into_inner()))
}

fn next(waiting: &Mutex<std::vec::IntoIter<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(|poison| poison.into_inner()).next()
}

/// The names of all targets, sorted.
fn list(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(workspace.fuzz_dir().join("fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "there are no fuzz targets");
    Ok(names)
}

fn choose(all: Vec<String>, wanted: &[String]) -> anyhow::Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(all);
    }
    for name in wanted {
        ensure!(all.contains(name), "no fuzz target {name:?}; there are {}", all.join(", "));
    }
    Ok(wanted.to_vec())
}

/// The toolchain's own platform. It is named in full when building: then cargo keeps the coverage
/// flags away from build scripts and procedural macros, which could not be linked with them.
fn host() -> anyhow::Result<String> {
    let output = process::output(Command::new("rustc").arg("-vV"))?;
    let text = String::from_utf8_lossy(&output);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

fn build(workspace: &Workspace, host: &str) -> anyhow::Result<()> {
    let mut command = process::cargo();
    command.current_dir(workspace.fuzz_dir());
    command.args(["build", "--quiet", "--release", "--bins", "--target", host]);
    command.env("CARGO_TARGET_DIR", target_dir(workspace));
    process::run(command.env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}")))
        .context("failed to build the fuzz targets")
}

/// Runs one target from its seeds and from what earlier runs on this machine found.
fn run_target(
    workspace: &Workspace,
    programs: &Path,
    name: &str,
    smoke: &Smoke,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let corpus = if smoke.seed.is_some() { "corpus-of-one-run" } else { "corpus" };
    let corpus = target_dir(workspace).join(corpus).join(name);
    if smoke.seed.is_some() && corpus.exists() {
        fs_err::remove_dir_all(&corpus)?;
    }
    let crashes = target_dir(workspace).join("crashes").join(name);
    fs_err::create_dir_all(&corpus)?;
    fs_err::create_dir_all(&crashes)?;
    let mut command = Command::new(programs.join(name));
    command.arg(format!("-max_total_time={}", smoke.seconds));
    command.arg(format!("-rss_limit_mb={}", smoke.rss_limit_mb));
    command.args(["-timeout=10", "-verbosity=1", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", crashes.display()));
    if let Some(seed) = smoke.seed {
        command.arg(format!("-seed={seed}"));
    }
    command.arg(&corpus);
    let seeds = workspace.fuzz_dir().join("seeds").join(name);
    if seeds.exists() {
        command.arg(&seeds);
    }
    let output = command.output().with_context(|| format!("failed to start {command:?}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let lines: Vec<_> = log.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default();
        println!("{}", shown.join("\n"));
        bail!("{}; the input is in {}", output.status, crashes.display());
    }
    let runs = stat(&log, "stat::number_of_executed_units:");
    // A target that never runs finds nothing.
    ensure!(runs > 0, "not a single input was run");
    let peak = stat(&log, "stat::peak_rss_mb:");
    let seconds = start.elapsed().as_secs();
    println!("fuzz {name}: {runs} inputs in {seconds} s, peak memory {peak} MiB");
    Ok(())
}

/// Reads a number of libFuzzer's closing statistics.
fn stat(log: &str, name: &str) -> u64 {
    let line = log.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_only_targets_that_exist() {
        let all = || vec!["lzx".to_owned(), "wim".to_owned()];
        assert_eq!(choose(all(), &[]).unwrap(), all());
        assert_eq!(choose(all(), &["wim".to_owned()]).unwrap(), ["wim"]);
        let error = choose(all(), &["xml".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no fuzz target \"xml\"; there are lzx, wim");
    }

    #[test]
    fn reads_statistics() {
        let log = "Done 12 runs\nstat::number_of_executed_units: 1234\nstat::peak_rss_mb:   41\n";
        assert_eq!(stat(log, "stat::number_of_executed_units:"), 1234);
        assert_eq!(stat(log, "stat::peak_rss_mb:"), 41);
        assert_eq!(stat(log, "stat::missing:"), 0);
    }
}
