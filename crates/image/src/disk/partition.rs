//! Partitioning a disk, and making the FAT32 volumes of the layout.

use std::io;
use std::path::{Path, PathBuf};

use imprint_blockio::{BlockDevice, ReadAt, Slice, WriteAt};
use imprint_fat::{FormatError, FormatOptions, FormatPlan};
use imprint_partition::{
    Contents, Layout, Occupied, PartitionTable, Plan, PlanError, Planned, ReadError, WriteError,
};

use super::child::children_of;
use super::error::{ChainError, DiskError};
use super::open::{ChainOptions, Fresh, ids, open_chain, open_chain_for_writing};

/// A disk cannot be partitioned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// It is not empty, and what it holds would be lost.
    #[error("{} is not empty: {found}", path.display())]
    Occupied {
        /// The disk file.
        path: PathBuf,
        /// What it holds.
        found: Box<Occupied>,
    },
    /// The disk cannot be opened or closed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What it holds cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The layout does not fit.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The table cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A volume cannot be made.
    #[error("failed to make the volume in partition {number}")]
    Format {
        /// The partition.
        number: u32,
        /// Why not.
        source: FormatError,
    },
    /// A partition of the plan is not on the disk.
    #[error("failed to open partition {number}")]
    Slice {
        /// The partition.
        number: u32,
        /// Why not.
        source: io::Error,
    },
}

impl From<ChainError> for PartitionError {
    fn from(error: ChainError) -> Self {
        Self::Disk(error.into())
    }
}

/// How a disk is partitioned.
#[derive(Clone, Debug, Default)]
pub struct PartitionOptions {
    /// How it is opened.
    pub chain: ChainOptions,
    /// Whether what it holds may be lost, and its children with it.
    pub force: bool,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug)]
pub struct Partitioned {
    /// The new table. Partitions that want NTFS ([`Planned::contents`]) are empty.
    pub plan: Plan,
    /// What the disk held.
    pub lost: Option<Occupied>,
}

/// Divides a disk as `layout` says and makes its FAT32 volumes. Everything that can be wrong is looked
/// for before the first byte is written; the table comes last.
///
/// # Errors
/// [`PartitionError::Occupied`] if there is something on the disk and `force` is not given;
/// [`DiskError::HasChildren`] likewise; whatever cannot be read or written.
pub fn partition_disk(
    path: &Path,
    layout: &Layout,
    options: &PartitionOptions,
    fresh: &Fresh<'_>,
) -> Result<Partitioned, PartitionError> {
    let chain = open_chain(path, &options.chain)?.chain;
    let lost = Occupied::look(&chain)?;
    let identifiers: Vec<_> = (0..layout.identifiers())
        .map(|_| fresh.guid())
        .collect::<io::Result<_>>()
        .map_err(DiskError::File)?;
    let plan = Plan::new(layout, chain.size(), chain.sector_size(), &identifiers)?;
    let volumes = volumes(&plan, fresh)?;
    if options.dry_run {
        return Ok(Partitioned { plan, lost });
    }
    if !options.force {
        if let Some(found) = lost {
            let found = Box::new(found);
            return Err(PartitionError::Occupied { path: path.to_owned(), found });
        }
        let children = children_of(path, chain.leaf(), &options.chain.folders)?;
        if !children.is_empty() {
            return Err(DiskError::HasChildren { path: path.to_owned(), children }.into());
        }
    }
    drop(chain);
    let chain = open_chain_for_writing(path, &options.chain, ids(fresh)?)?.chain;
    write(&chain, &plan, &volumes)?;
    chain.close().map_err(DiskError::from)?;
    Ok(Partitioned { plan, lost })
}

/// A volume to be made in a partition.
type PlannedVolume<'a> = (&'a Planned, FormatPlan);

fn volumes<'a>(
    plan: &'a Plan,
    fresh: &Fresh<'_>,
) -> Result<Vec<PlannedVolume<'a>>, PartitionError> {
    let wanted = plan.partitions().iter().filter(|planned| planned.contents == Contents::Fat32);
    wanted
        .map(|planned| {
            let (partition, sector) = (&planned.partition, u64::from(plan.sector_size()));
            let random = (fresh.random)().map_err(DiskError::File)?;
            let options = FormatOptions {
                label: planned.label.clone(),
                serial: u32::from_le_bytes(random.first_chunk().copied().unwrap_or_default()),
                // Windows writes as many bits of it as there is room for.
                hidden_sectors: u32::try_from(partition.start / sector).unwrap_or(u32::MAX),
                cluster_size: None,
                now: fresh.now,
            };
            let number = partition.number;
            let format = FormatPlan::new(partition.len, plan.sector_size(), options)
                .map_err(|source| PartitionError::Format { number, source })?;
            Ok((planned, format))
        })
        .collect()
}

fn write<D: BlockDevice + WriteAt>(
    device: &D,
    plan: &Plan,
    volumes: &[PlannedVolume<'_>],
) -> Result<(), PartitionError> {
    plan.erase(device)?;
    for (Planned { partition, .. }, format) in volumes {
        let number = partition.number;
        let window = Slice::new(device, partition.start, partition.len)
            .map_err(|source| PartitionError::Slice { number, source })?;
        format.perform(&window).map_err(|source| PartitionError::Format { number, source })?;
    }
    Ok(plan.write(device)?)
}

/// What a disk says of its partitions.
#[derive(Debug)]
pub struct DiskPartitions {
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of a sector.
    pub sector_size: u32,
    /// The table, if there is one.
    pub table: Option<PartitionTable>,
}

/// Reads the partition table of a disk.
///
/// # Errors
/// The disk cannot be opened, or its table is damaged.
pub fn disk_partitions(
    path: &Path,
    options: &ChainOptions,
) -> Result<DiskPartitions, PartitionError> {
    let chain = open_chain(path, options)?.chain;
    let size = chain.len().map_err(DiskError::File)?;
    let table = PartitionTable::read(&chain)?;
    Ok(DiskPartitions { size, sector_size: chain.sector_size(), table })
}
