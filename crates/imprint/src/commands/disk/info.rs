//! `imprint disk info`: what a disk file and its parents say of themselves.

use std::path::Path;

use imprint_image::disk::{ChainLook, DiskInfo, file_room, look_at_chain};
use imprint_vdisk::{Kind, PathKind};
use serde::Serialize;

use super::{file_options, format_name};
use crate::cli::disk::FileArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::report::write_facts;

/// Shows a disk file and its chain.
pub(super) fn run(args: &FileArgs, console: &mut Console) -> anyhow::Result<Status> {
    let ChainLook { disks: found, missing } = look_at_chain(&args.file, &file_options(args))?;
    let mut disks = Vec::new();
    for (path, info) in &found {
        disks.push(Document::new(path, info)?);
    }
    let missing = missing.map(|error| format!("{:#}", anyhow::Error::from(error)));
    if console.json() {
        console.print_json(&Chain { chain: &disks, missing: missing.as_deref() })?;
    } else {
        for (index, disk) in disks.iter().enumerate() {
            if index > 0 {
                console.print(&"\n")?;
            }
            write_facts(console, 22, &disk.facts())?;
        }
        if let Some(missing) = &missing {
            console.warn(&format_args!("warning: {missing}\n"));
        }
    }
    Ok(if missing.is_some() { Status::Incomplete } else { Status::Done })
}

#[derive(Serialize)]
struct Chain<'a> {
    /// Leaf first.
    chain: &'a [Document],
    /// Why the chain ends too early.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'a str>,
}

#[derive(Serialize)]
struct Document {
    path: String,
    format: &'static str,
    kind: String,
    size: u64,
    length: u64,
    room: u64,
    sector_size: u32,
    physical_sector_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
}

#[derive(Serialize)]
struct Parent {
    identity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alternative: Option<String>,
    paths: Vec<StoredPath>,
}

#[derive(Serialize)]
struct StoredPath {
    kind: &'static str,
    path: String,
}

impl Document {
    fn new(path: &Path, info: &DiskInfo) -> anyhow::Result<Self> {
        let (length, room) = file_room(path)?;
        let parent = info.parent.as_ref().map(|link| Parent {
            identity: link.identity.to_string(),
            alternative: link.alternative.map(|guid| guid.to_string()),
            paths: link
                .paths
                .iter()
                .map(|path| StoredPath { kind: kind_name(path.kind), path: path.text.clone() })
                .collect(),
        });
        Ok(Self {
            path: path.to_string_lossy().into_owned(),
            format: format_name(info.format),
            kind: info.kind.to_string(),
            size: info.size,
            length,
            room,
            sector_size: info.sector_size,
            physical_sector_size: info.physical_sector_size,
            block_size: Some(info.block_size).filter(|&size| size > 0 && info.kind != Kind::Fixed),
            identity: info.identity.map(|guid| guid.to_string()),
            parent,
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("File:", self.path.clone()),
            ("Format:", format!("{} ({})", self.format, self.kind)),
            ("Size:", format!("{} bytes", self.size)),
            ("File length:", format!("{} bytes", self.length)),
            ("Takes on disk:", format!("{} bytes", self.room)),
            ("Sector size:", format!("{} bytes", self.sector_size)),
            ("Physical sector size:", format!("{} bytes", self.physical_sector_size)),
        ];
        facts.extend(self.block_size.map(|size| ("Block size:", format!("{size} bytes"))));
        facts.extend(self.identity.iter().map(|guid| ("Identity:", guid.clone())));
        if let Some(parent) = &self.parent {
            facts.push(("Parent identity:", parent.identity.clone()));
            facts.extend(parent.alternative.iter().map(|guid| ("  or, merging:", guid.clone())));
            let paths = parent.paths.iter();
            facts.extend(
                paths.map(|path| ("Parent path:", format!("{} ({})", path.path, path.kind))),
            );
        }
        facts
    }
}

fn kind_name(kind: PathKind) -> &'static str {
    match kind {
        PathKind::Relative => "relative",
        PathKind::Volume => "volume",
        PathKind::Absolute => "absolute",
        PathKind::Name => "name",
        PathKind::Other => "other",
    }
}
