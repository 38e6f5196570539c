//! Running a program and measuring it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::process;

/// One run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sample {
    /// From start to end, in seconds.
    pub(super) wall: f64,
    /// Processor time of all threads, in seconds, user and system together.
    pub(super) cpu: f64,
    /// The most memory it had resident, in MiB.
    pub(super) peak_mib: f64,
    /// Size of the WIM it wrote.
    pub(super) bytes: Option<u64>,
}

/// All runs of one side of one work.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Series(Vec<Sample>);

impl Series {
    pub(super) fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// The median, smallest and largest of one quantity.
    pub(super) fn spread(&self, quantity: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.0.iter().map(quantity).collect())
    }

    /// The median of a quantity divided by that of another side's run of the same turn. Both runs of
    /// a turn met the machine in the same mood, so this says more than the ratio of two medians.
    pub(super) fn ratio(&self, other: &Self, quantity: impl Fn(&Sample) -> f64) -> f64 {
        let turns = self.0.iter().zip(&other.0);
        Spread::of(turns.map(|(own, other)| quantity(own) / quantity(other)).collect()).median
    }

    /// The most memory of all runs, in MiB.
    pub(super) fn peak_mib(&self) -> f64 {
        self.spread(|sample| sample.peak_mib).max
    }

    /// The size of the WIM written; all runs write the same, up to a time of day.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.0.last()?.bytes
    }
}

/// Where the values of a series lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { median, min: at(0), max: at(values.len().wrapping_sub(1)) }
    }
}

/// Runs a command that must succeed. What earlier runs wrote goes to disk first, so that it does not
/// burden this one. Wall time is ours; GNU time reports the rest, in a file in `scratch`.
pub(super) fn run(command: &Command, scratch: &Path) -> anyhow::Result<Sample> {
    process::run(&mut Command::new("sync"))?;
    let usage = scratch.join("usage");
    let mut timed = Command::new("/usr/bin/time");
    timed.arg("--format=%U %S %M").arg("--output").arg(&usage);
    timed.arg(command.get_program()).args(command.get_args());
    timed.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let output = timed.output().context("failed to start GNU time; apt-get install time")?;
    let wall = start.elapsed().as_secs_f64();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}\n{errors}", output.status);
    let (cpu, peak_mib) = parse(&fs_err::read_to_string(usage)?)?;
    Ok(Sample { wall, cpu, peak_mib, bytes: None })
}

/// Reads `user system kibibytes` from the last line: GNU time may warn on lines before it.
fn parse(usage: &str) -> anyhow::Result<(f64, f64)> {
    let line = usage.lines().last().unwrap_or_default();
    let numbers: Result<Vec<f64>, _> = line.split(' ').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([user, system, kibibytes]) => Ok((user + system, kibibytes / 1024.0)),
        _ => anyhow::bail!("GNU time reports {usage:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(walls: &[f64]) -> Series {
        let sample = |&wall| Sample { wall, cpu: 0.0, peak_mib: wall, bytes: Some(7) };
        Series(walls.iter().map(sample).collect())
    }

    #[test]
    fn takes_the_middle() {
        let spread = series(&[3.0, 1.0, 2.0]).spread(|sample| sample.wall);
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 3.0 });
        let spread = series(&[4.0, 1.0, 3.0, 2.0]).spread(|sample| sample.wall);
        assert_eq!(spread, Spread { median: 2.5, min: 1.0, max: 4.0 });
        assert_eq!(series(&[1.0, 5.0, 2.0]).peak_mib(), 5.0);
    }

    #[test]
    fn compares_turn_by_turn() {
        // The second turn was slow for both, the third for one side only.
        let (ours, peer) = (series(&[5.0, 50.0, 20.0]), series(&[10.0, 100.0, 10.0]));
        assert_eq!(ours.ratio(&peer, |sample| sample.wall), 0.5);
    }

    #[test]
    fn reads_gnu_time() {
        assert_eq!(parse("1.50 0.25 2048\n").unwrap(), (1.75, 2.0));
        parse("").unwrap_err();
        parse("a b c").unwrap_err();
    }

    #[test]
    fn measures_a_program() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        let sample = run(command.arg("0.2"), dir.path()).unwrap();
        assert!(sample.wall >= 0.2 && sample.cpu < 0.2 && sample.peak_mib > 0.1, "{sample:?}");
        let error = run(&Command::new("false"), dir.path()).unwrap_err();
        assert!(error.to_string().contains("failed"), "{error}");
    }
}
