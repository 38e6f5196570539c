//! `imprint ntfs check`: proves that a volume is consistent, or tells what is wrong, and mends it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use imprint_image::disk::{ChainOptions, Fresh};
use imprint_image::volume::{VolumePath, open_for_writing, open_volume};
use imprint_ntfs::{RepairOptions, Repaired, Report, Severity, repair};
use serde::Serialize;

use super::super::apply::refuse_parent;
use crate::cli::ntfs::CheckArgs;
use crate::console::Console;
use crate::environment;
use crate::exit::Status;
use crate::meter::{Bytes, Count, counted};
use crate::watch::{observe, watch};

/// Checks a volume.
pub(super) fn run(args: &CheckArgs, console: &mut Console) -> anyhow::Result<Status> {
    if args.repair {
        return mend(args, console);
    }
    let device = open_volume(&VolumePath::parse(&args.volume), &ChainOptions::default())?;
    let report = observe(console.progress(), |progress| imprint_ntfs::check(&device, progress))
        .with_context(|| format!("failed to check {}", args.volume.display()))?;
    show(args, &report, None, console)?;
    Ok(status(&report))
}

/// Repairs a volume.
fn mend(args: &CheckArgs, console: &mut Console) -> anyhow::Result<Status> {
    let path = VolumePath::parse(&args.volume);
    refuse_parent(&path.disk)?;
    let fresh = Fresh { now: environment::now(), random: &environment::random };
    let ids = fresh.write_ids().context("failed to get random bytes")?;
    let volume = open_for_writing(&path, &ChainOptions::default(), ids)?;
    let options = RepairOptions { now: fresh.now, force: args.force };
    let device = volume.device()?;
    let repaired = watch(console.progress(), |progress| repair(&device, &options, progress))
        .with_context(|| format!("failed to repair {}", args.volume.display()))?;
    volume.close()?;
    show(args, &repaired.before, Some(&repaired), console)?;
    Ok(status(&repaired.after))
}

/// Notes are nothing to fail for.
fn status(report: &Report) -> Status {
    match report.worst() {
        None | Some(Severity::Note) => Status::Done,
        Some(Severity::Inconsistent) => Status::Incomplete,
        Some(Severity::Damage) => Status::Failed,
    }
}

/// Shows what was found; what was mended, and what is left.
fn show(
    args: &CheckArgs,
    report: &Report,
    repaired: Option<&Repaired>,
    console: &mut Console,
) -> anyhow::Result<()> {
    let path = &args.volume;
    if console.json() {
        console.print_json(&Document::new(path, report, repaired))?;
        return Ok(());
    }
    list(report, console)?;
    let mut last = report;
    if let Some(repaired) = repaired.filter(|repaired| !repaired.steps.is_empty()) {
        for step in &repaired.steps {
            console.print(&format_args!("repair: {step}\n"))?;
        }
        last = &repaired.after;
        if !last.findings.is_empty() {
            console.print(&"what is left:\n")?;
            list(last, console)?;
        }
    }
    let report = last;
    let summary = &report.summary;
    let directories = if summary.directories == 1 { "directory" } else { "directories" };
    let facts = [
        counted(summary.files, "file"),
        format!("{} {directories}", Count(summary.directories)),
        counted(summary.names, "name"),
        format!(
            "{} used of {}",
            room(report, summary.clusters),
            room(report, summary.all_clusters)
        ),
    ];
    console.summary(&format_args!("{}: {}", path.display(), facts.join(", ")))?;
    console.summary(&format_args!("{}: {}", path.display(), verdict(report)))?;
    Ok(())
}

/// Prints what was found.
fn list(report: &Report, console: &mut Console) -> anyhow::Result<()> {
    for finding in &report.findings {
        console.print(&format_args!("{}: {finding}\n", finding.severity()))?;
    }
    for (rule, count) in more(report) {
        console.print(&format_args!("and {count} more of the kind {rule}\n"))?;
    }
    Ok(())
}

fn room(report: &Report, clusters: u64) -> Bytes {
    Bytes(clusters.saturating_mul(report.summary.cluster_size.into()))
}

/// Findings that were counted only, by their rule.
fn more(report: &Report) -> Vec<(&'static str, u64)> {
    let mut left: BTreeMap<_, u64> = report.counts.clone();
    for finding in &report.findings {
        if let Some(count) = left.get_mut(&finding.rule) {
            *count = count.saturating_sub(1);
        }
    }
    let left = left.into_iter().filter(|(_, count)| *count > 0);
    left.map(|(rule, count)| (rule.word(), count)).collect()
}

fn verdict(report: &Report) -> String {
    if report.worst().is_none() {
        return "nothing wrong".to_owned();
    }
    let [damage, inconsistent, notes] =
        [Severity::Damage, Severity::Inconsistent, Severity::Note].map(|one| report.count(one));
    format!("{damage} damaged, {inconsistent} inconsistent, {}", counted(notes, "note"))
}

#[derive(Serialize)]
struct Document {
    path: String,
    /// Whether there are no findings but notes, or none are left.
    sound: bool,
    damaged: u64,
    inconsistent: u64,
    notes: u64,
    findings: Vec<Finding>,
    /// How often each rule was broken.
    counts: BTreeMap<&'static str, u64>,
    files: u64,
    directories: u64,
    names: u64,
    records: u64,
    records_in_use: u64,
    clusters: u64,
    clusters_used: u64,
    cluster_size: u32,
    index_blocks: u64,
    security_descriptors: u64,
    /// What was mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<String>>,
    /// What is wrong still.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Vec<Finding>>,
}

#[derive(Serialize)]
struct Finding {
    severity: String,
    rule: &'static str,
    message: String,
    offset: Option<u64>,
}

impl Document {
    fn new(path: &Path, report: &Report, repaired: Option<&Repaired>) -> Self {
        let summary = &report.summary;
        let steps = |repaired: &Repaired| repaired.steps.iter().map(ToString::to_string).collect();
        Self {
            path: path.to_string_lossy().into_owned(),
            sound: status(repaired.map_or(report, |repaired| &repaired.after)) == Status::Done,
            damaged: report.count(Severity::Damage),
            inconsistent: report.count(Severity::Inconsistent),
            notes: report.count(Severity::Note),
            findings: findings(report),
            counts: report.counts.iter().map(|(rule, count)| (rule.word(), *count)).collect(),
            files: summary.files,
            directories: summary.directories,
            names: summary.names,
            records: summary.all_records,
            records_in_use: summary.records,
            clusters: summary.all_clusters,
            clusters_used: summary.clusters,
            cluster_size: summary.cluster_size,
            index_blocks: summary.index_blocks,
            security_descriptors: summary.descriptors,
            steps: repaired.map(steps),
            left: repaired.map(|repaired| findings(&repaired.after)),
        }
    }
}

fn findings(report: &Report) -> Vec<Finding> {
    let all = report.findings.iter().map(|finding| Finding {
        severity: finding.severity().to_string(),
        rule: finding.rule.word(),
        message: finding.to_string(),
        offset: finding.offset,
    });
    all.collect()
}
