//! `imprint ntfs info`: what a volume says of itself, and whether it was left in order.

use std::path::Path;

use anyhow::Context;
use imprint_ntfs::{Hibernation, LogState, Volume, VolumeState};
use serde::Serialize;

use super::open;
use crate::cli::ntfs::InfoArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::meter::Bytes;
use crate::report::write_facts;

/// Shows a volume.
pub(super) fn run(args: &InfoArgs, console: &mut Console) -> anyhow::Result<Status> {
    let volume = open(&args.volume)?;
    let document = Document::new(&args.volume, &volume)
        .with_context(|| format!("failed to read {}", args.volume.display()))?;
    if console.json() {
        console.print_json(&document)?;
    } else {
        write_facts(console, 22, &document.facts())?;
    }
    for warning in &document.warnings {
        console.warn(&format_args!("warning: {warning}\n"));
    }
    Ok(if document.warnings.is_empty() { Status::Done } else { Status::Incomplete })
}

/// What cannot be read is left out, and a warning says why.
#[derive(Serialize)]
struct Document {
    path: String,
    label: Option<String>,
    version: Option<String>,
    /// In hexadecimal.
    serial: String,
    flags: Option<u16>,
    flag_names: Option<Vec<&'static str>>,
    clean: Option<bool>,
    /// Why it is not clean.
    reasons: Option<Vec<String>>,
    log: Option<&'static str>,
    hibernation: Option<&'static str>,
    size: u64,
    sector_size: u32,
    cluster_size: u32,
    record_size: u32,
    index_block_size: u32,
    hidden_sectors: u32,
    clusters: u64,
    free_clusters: Option<u64>,
    mft_cluster: u64,
    mft_mirror_cluster: u64,
    records: u64,
    records_in_use: Option<u64>,
    warnings: Vec<String>,
}

impl Document {
    fn new<D: imprint_blockio::ReadAt>(path: &Path, volume: &Volume<D>) -> anyhow::Result<Self> {
        let mut warnings = Vec::new();
        let information = kept(volume.information(), &mut warnings);
        let state = kept(volume.state(), &mut warnings);
        let free = kept(free_clusters(volume), &mut warnings);
        let in_use = volume.record_bits().and_then(|mut bits| bits.count_set());
        let geometry = volume.geometry();
        let text = |(major, minor): (u8, u8)| format!("{major}.{minor}");
        Ok(Self {
            path: path.to_string_lossy().into_owned(),
            label: information.as_ref().map(|found| found.label.to_string()),
            version: information.as_ref().map(|found| text(found.version)),
            serial: format!("{:016x}", geometry.serial),
            flags: information.as_ref().map(|found| found.flags.0),
            flag_names: information.as_ref().map(|found| found.flags.names().collect()),
            clean: state.map(|state| state.reasons().is_empty()),
            reasons: state.map(reasons),
            log: state.map(|state| log_name(state.log)),
            hibernation: state.map(|state| hibernation_name(state.hibernation)),
            size: geometry.sectors * u64::from(geometry.sector_size),
            sector_size: geometry.sector_size,
            cluster_size: geometry.cluster_size,
            record_size: geometry.record_size,
            index_block_size: geometry.index_size,
            hidden_sectors: geometry.hidden_sectors,
            clusters: geometry.clusters(),
            free_clusters: free,
            mft_cluster: geometry.mft.0,
            mft_mirror_cluster: geometry.mirror.0,
            records: volume.records(),
            records_in_use: kept(in_use, &mut warnings),
            warnings,
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let bytes = |bytes: u32| format!("{bytes} bytes");
        let room = |clusters: u64| {
            let size = clusters.saturating_mul(self.cluster_size.into());
            format!("{clusters} clusters, {}", Bytes(size))
        };
        let low = self.serial.get(8..).unwrap_or_default();
        let (first, last) = low.split_at_checked(4).unwrap_or_default();
        let short = format!("{first}-{last}").to_uppercase();
        let mut facts = vec![("Volume:", self.path.clone())];
        let label = self.label.iter().filter(|label| !label.is_empty());
        facts.extend(label.map(|label| ("Label:", label.clone())));
        facts.extend(self.version.iter().map(|version| ("NTFS version:", version.clone())));
        facts.push(("Serial number:", format!("{short} ({})", self.serial)));
        if let Some(names) = self.flag_names.as_ref().filter(|names| !names.is_empty()) {
            facts.push(("Flags:", names.join(", ")));
        }
        if let Some(reasons) = &self.reasons {
            let clean = "it was left in order".to_owned();
            let text = if reasons.is_empty() { clean } else { reasons.join("; ") };
            facts.push(("State:", text));
        }
        facts.extend(self.log.map(|log| ("$LogFile:", log.to_owned())));
        facts.extend(self.hibernation.map(|found| ("Hibernation:", found.replace('_', " "))));
        facts.push(("Size:", format!("{} bytes ({})", self.size, Bytes(self.size))));
        facts.push(("Sector size:", bytes(self.sector_size)));
        facts.push(("Cluster size:", bytes(self.cluster_size)));
        facts.push(("File record size:", bytes(self.record_size)));
        facts.push(("Index block size:", bytes(self.index_block_size)));
        facts.push(("Hidden sectors:", self.hidden_sectors.to_string()));
        facts.push(("In all:", room(self.clusters)));
        if let Some(free) = self.free_clusters {
            facts.push(("Used:", room(self.clusters - free)));
            facts.push(("Free:", room(free)));
        }
        facts.push(("$MFT at cluster:", self.mft_cluster.to_string()));
        facts.push(("$MFTMirr at cluster:", self.mft_mirror_cluster.to_string()));
        facts.push(("File records:", self.records.to_string()));
        facts.extend(self.records_in_use.map(|count| ("  of them in use:", count.to_string())));
        facts
    }
}

/// What was found; what was not is a warning.
fn kept<T>(found: Result<T, imprint_ntfs::ReadError>, warnings: &mut Vec<String>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::from(error));
            // The state says again what is wrong with the rest.
            if !warnings.contains(&text) {
                warnings.push(text);
            }
            None
        }
    }
}

fn free_clusters<D: imprint_blockio::ReadAt>(
    volume: &Volume<D>,
) -> Result<u64, imprint_ntfs::ReadError> {
    let mut free = volume.geometry().clusters();
    for range in volume.used_ranges()? {
        free -= range?.length;
    }
    Ok(free)
}

/// Why a volume was not left in order, in words.
fn reasons(state: VolumeState) -> Vec<String> {
    state.reasons().iter().map(ToString::to_string).collect()
}

const fn log_name(log: LogState) -> &'static str {
    match log {
        LogState::Empty => "empty",
        LogState::Clean => "closed",
        LogState::Open => "open",
        LogState::Cached => "cached",
        LogState::Damaged => "damaged",
    }
}

const fn hibernation_name(hibernation: Hibernation) -> &'static str {
    match hibernation {
        Hibernation::NoFile => "no_file",
        Hibernation::Awake => "awake",
        Hibernation::Asleep => "asleep",
        Hibernation::Elsewhere => "elsewhere",
    }
}
