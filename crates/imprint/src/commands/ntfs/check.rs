//! `imprint ntfs check`: proves that a volume is consistent, or tells what is wrong.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use imprint_image::disk::ChainOptions;
use imprint_image::volume::{VolumePath, open_volume};
use imprint_ntfs::{Report, Severity};
use serde::Serialize;

use crate::cli::ntfs::CheckArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::meter::{Bytes, Count, counted};
use crate::watch::observe;

/// Checks a volume.
pub(super) fn run(args: &CheckArgs, console: &mut Console) -> anyhow::Result<Status> {
    let device = open_volume(&VolumePath::parse(&args.volume), &ChainOptions::default())?;
    let report = observe(console.progress(), |progress| imprint_ntfs::check(&device, progress))
        .with_context(|| format!("failed to check {}", args.volume.display()))?;
    show(&args.volume, &report, console)?;
    Ok(status(&report))
}

/// Notes are nothing to fail for.
fn status(report: &Report) -> Status {
    match report.worst() {
        None | Some(Severity::Note) => Status::Done,
        Some(Severity::Inconsistent) => Status::Incomplete,
        Some(Severity::Damage) => Status::Failed,
    }
}

fn show(path: &Path, report: &Report, console: &mut Console) -> anyhow::Result<()> {
    if console.json() {
        console.print_json(&Document::new(path, report))?;
        return Ok(());
    }
    for finding in &report.findings {
        console.print(&format_args!("{}: {finding}\n", finding.severity()))?;
    }
    for (rule, count) in more(report) {
        console.print(&format_args!("and {count} more of the kind {rule}\n"))?;
    }
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
    /// Whether there are no findings but notes.
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
}

#[derive(Serialize)]
struct Finding {
    severity: String,
    rule: &'static str,
    message: String,
    offset: Option<u64>,
}

impl Document {
    fn new(path: &Path, report: &Report) -> Self {
        let summary = &report.summary;
        let findings = report.findings.iter().map(|finding| Finding {
            severity: finding.severity().to_string(),
            rule: finding.rule.word(),
            message: finding.to_string(),
            offset: finding.offset,
        });
        Self {
            path: path.to_string_lossy().into_owned(),
            sound: status(report) == Status::Done,
            damaged: report.count(Severity::Damage),
            inconsistent: report.count(Severity::Inconsistent),
            notes: report.count(Severity::Note),
            findings: findings.collect(),
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
        }
    }
}
