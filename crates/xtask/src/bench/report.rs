//! Tables of results.

use std::fmt::Write as _;

use serde::Serialize;

use super::measure::{Sample, Series, Spread};
use super::works::Variant;

/// One line of the table.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Whole programs; less is better.
    Runs {
        ours: Series,
        peer: Series,
        /// Our wall time divided by the peer's may be this at most.
        target: f64,
        /// Our size divided by the peer's may be this at most.
        size_target: Option<f64>,
    },
    /// A whole program that has no peer.
    Alone {
        ours: Series,
        /// It may take this at most.
        seconds: f64,
        /// What it writes takes less than this on disk.
        bytes: u64,
    },
    /// A throughput, in MB/s; more is better.
    Speed { ours: f64, peer: f64, target: f64 },
}

impl Row {
    pub(super) fn of_work(variant: &Variant, ours: Series, peer: Series) -> Self {
        let Variant { name, time, size, .. } = *variant;
        Self { name, outcome: Outcome::Runs { ours, peer, target: time, size_target: size } }
    }

    fn peak_mib(&self) -> Option<f64> {
        match &self.outcome {
            Outcome::Runs { ours, .. } | Outcome::Alone { ours, .. } => Some(ours.peak_mib()),
            Outcome::Speed { .. } => None,
        }
    }

    fn markdown(&self) -> String {
        let cells = match &self.outcome {
            Outcome::Runs { ours, peer, target, size_target } => {
                run_cells(ours, peer, *target, *size_target)
            }
            Outcome::Alone { ours, seconds, bytes } => alone_cells(ours, *seconds, *bytes),
            Outcome::Speed { ours, peer, target } => {
                let ratio = ours / peer;
                let met = verdict(ratio >= *target);
                format!(
                    "{peer:.0} MB/s | {ours:.0} MB/s | {ratio:.2} | >= {target:.2} | {met} | | | |"
                )
            }
        };
        format!("| {} | {cells}\n", self.name)
    }
}

fn run_cells(ours: &Series, peer: &Series, target: f64, size_target: Option<f64>) -> String {
    let wall = |series: &Series| series.spread(|sample: &Sample| sample.wall);
    let ratio = ours.ratio(peer, |sample| sample.wall);
    let size = ours.bytes().zip(peer.bytes());
    let size_ratio = size.map(|(ours, peer)| as_f64(ours) / as_f64(peer));
    let small_enough = size_ratio.zip(size_target).is_none_or(|(ratio, target)| ratio <= target);
    let sizes = size.map_or_else(String::new, |(ours, peer)| {
        format!("{:.1} / {:.1}", as_f64(ours) / 1e6, as_f64(peer) / 1e6)
    });
    let limit = size_target.map_or_else(String::new, |size| format!(", size <= {size:.2}"));
    format!(
        "{} s | {} s | {ratio:.2} | <= {target:.2}{limit} | {} | {:.2} | {sizes} | {:.0} / {:.0} |",
        cell(wall(peer)),
        cell(wall(ours)),
        verdict(ratio <= target && small_enough),
        ours.ratio(peer, |sample| sample.cpu),
        ours.peak_mib(),
        peer.peak_mib(),
    )
}

fn alone_cells(ours: &Series, seconds: f64, limit: u64) -> String {
    let wall = ours.spread(|sample| sample.wall);
    let bytes = ours.bytes().unwrap_or(u64::MAX);
    format!(
        "- | {:.1} ms ({:.1}-{:.1}) | - | <= {:.0} ms, size < {:.1} | {} | | {:.1} | {:.0} |",
        wall.median * 1e3,
        wall.min * 1e3,
        wall.max * 1e3,
        seconds * 1e3,
        as_f64(limit) / 1e6,
        verdict(wall.median <= seconds && bytes < limit),
        as_f64(bytes) / 1e6,
        ours.peak_mib(),
    )
}

fn cell(spread: Spread) -> String {
    format!("{:.2} ({:.2}-{:.2})", spread.median, spread.min, spread.max)
}

fn verdict(met: bool) -> &'static str {
    if met { "yes" } else { "**no**" }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are printed with one digit of a megabyte")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// The largest peak memory of ours, in MiB.
fn peak_mib(rows: &[Row]) -> Option<f64> {
    rows.iter().filter_map(Row::peak_mib).max_by(f64::total_cmp)
}

/// All rows as a Markdown table; no work may take more memory than `memory_mib`.
pub(super) fn markdown(title: &str, rows: &[Row], memory_mib: f64) -> String {
    let mut text = format!(
        "{title}\n\nWall time: median (smallest-largest). Ratios: ours / the peer's, the median over \
         the turns.\nSizes in MB and peak memory in MiB: ours / the peer's.\n\n\
         | work | peer | ours | ratio | target | met | CPU ratio | size | peak memory |\n\
         |---|---|---|---|---|---|---|---|---|\n"
    );
    text.extend(rows.iter().map(Row::markdown));
    if let Some(peak) = peak_mib(rows) {
        let met = verdict(peak <= memory_mib);
        let _infallible = writeln!(
            text,
            "| peak memory, all works | | {peak:.0} MiB | | <= {memory_mib:.0} MiB | {met} | | | |"
        );
    }
    text
}

/// All samples as JSON.
pub(super) fn json(title: &str, rows: &[Row]) -> anyhow::Result<String> {
    let report = serde_json::json!({ "machine": title, "works": rows });
    Ok(serde_json::to_string_pretty(&report)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(wall: f64, bytes: Option<u64>) -> Series {
        let mut series = Series::default();
        series.push(Sample { wall, cpu: 2.0 * wall, peak_mib: 40.0, bytes });
        series
    }

    fn row(ours: f64, size: u64) -> Row {
        Row {
            name: "capture",
            outcome: Outcome::Runs {
                ours: series(ours, Some(size)),
                peer: series(10.0, Some(100_000_000)),
                target: 0.8,
                size_target: Some(1.01),
            },
        }
    }

    #[track_caller]
    fn check(row: &Row, expected: &str) {
        assert_eq!(row.markdown(), format!("| {expected}\n"));
    }

    #[test]
    fn a_row_says_whether_both_targets_are_met() {
        let start = "capture | 10.00 (10.00-10.00) s |";
        let end = "100.0 | 40 / 40 |";
        let target = "<= 0.80, size <= 1.01";
        check(
            &row(7.5, 101_000_000),
            &format!("{start} 7.50 (7.50-7.50) s | 0.75 | {target} | yes | 0.75 | 101.0 / {end}"),
        );
        check(
            &row(7.5, 102_000_000),
            &format!(
                "{start} 7.50 (7.50-7.50) s | 0.75 | {target} | **no** | 0.75 | 102.0 / {end}"
            ),
        );
        check(
            &row(8.5, 100_000_000),
            &format!(
                "{start} 8.50 (8.50-8.50) s | 0.85 | {target} | **no** | 0.85 | 100.0 / {end}"
            ),
        );
        let speed = |ours| Row {
            name: "decompress",
            outcome: Outcome::Speed { ours, peer: 400.0, target: 1.3 },
        };
        let start = "decompress | 400 MB/s |";
        check(&speed(520.0), &format!("{start} 520 MB/s | 1.30 | >= 1.30 | yes | | | |"));
        check(&speed(500.0), &format!("{start} 500 MB/s | 1.25 | >= 1.30 | **no** | | | |"));
    }

    #[test]
    fn a_program_without_a_peer_has_limits() {
        let row = |wall, size| Row {
            name: "child",
            outcome: Outcome::Alone {
                ours: series(wall, Some(size)),
                seconds: 0.01,
                bytes: 5_000_000,
            },
        };
        let limits = "<= 10 ms, size < 5.0";
        let start = "child | - | 9.0 ms (9.0-9.0) | - |";
        check(&row(0.009, 4_000_000), &format!("{start} {limits} | yes | | 4.0 | 40 |"));
        check(&row(0.009, 5_000_000), &format!("{start} {limits} | **no** | | 5.0 | 40 |"));
        let start = "child | - | 11.0 ms (11.0-11.0) | - |";
        check(&row(0.011, 4_000_000), &format!("{start} {limits} | **no** | | 4.0 | 40 |"));
    }

    #[test]
    fn memory_is_the_largest_of_all_works() {
        let table = markdown("machine", &[row(7.5, 1), row(8.0, 1)], 100.0);
        assert!(
            table.ends_with("| peak memory, all works | | 40 MiB | | <= 100 MiB | yes | | | |\n")
        );
        assert!(json("machine", &[row(7.5, 1)]).unwrap().contains("\"peak_mib\": 40.0"));
    }
}
