//! The verbs of `imprint disk`, as they are typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use imprint_vdisk::{Format, Kind};

use super::examples;
use super::values::ByteCount;

/// What to do with disk files.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum DiskVerb {
    /// Make an empty disk
    #[command(after_help = examples::DISK_CREATE)]
    Create(CreateArgs),
    /// Make an empty differencing disk on top of another
    #[command(after_help = examples::DISK_CHILD)]
    Child(ChildArgs),
    /// Show what a disk file and its parents say of themselves
    #[command(after_help = examples::DISK_INFO)]
    Info(InfoArgs),
    /// Write a disk into a file of another format or kind; a chain becomes one file
    #[command(after_help = examples::DISK_CONVERT)]
    Convert(ConvertArgs),
    /// Write a chain into one file without a parent
    #[command(after_help = examples::DISK_FLATTEN)]
    Flatten(ConvertArgs),
    /// Write a differencing disk into its parent, and remove it
    #[command(after_help = examples::DISK_MERGE)]
    Merge(MergeArgs),
    /// Write a disk file anew without what it does not need
    #[command(after_help = examples::DISK_COMPACT)]
    Compact(CompactArgs),
    /// Make a disk larger
    #[command(after_help = examples::DISK_RESIZE)]
    Resize(ResizeArgs),
    /// Tell a differencing disk where its parent is now
    #[command(after_help = examples::DISK_REBASE)]
    Rebase(RebaseArgs),
    /// Check all structures of a disk file and its chain; save what can be saved
    #[command(after_help = examples::DISK_CHECK)]
    Check(CheckArgs),
    /// Divide a disk into partitions and make its FAT32 volumes
    #[command(after_help = examples::DISK_PARTITION)]
    Partition(PartitionArgs),
    /// List the partitions of a disk
    #[command(after_help = examples::DISK_PARTITIONS)]
    Partitions(PartitionsArgs),
    /// List where the bytes of a disk are
    #[command(after_help = examples::DISK_MAP)]
    Map(MapArgs),
    /// Show a disk and its partitions as files in a directory
    #[command(after_help = examples::DISK_MOUNT)]
    Mount(MountArgs),
    /// Remove a mount, when all that was written is in the disk file
    #[command(after_help = examples::DISK_UNMOUNT)]
    Unmount(UnmountArgs),
}

/// A format of disk files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// The sectors and nothing else
    Raw,
    /// VHD (version 1)
    Vhd,
    /// VHDX (version 2)
    Vhdx,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Raw => Self::Raw,
            FormatName::Vhd => Self::Vhd,
            FormatName::Vhdx => Self::Vhdx,
        }
    }
}

/// A kind of disk file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindName {
    /// Has all its room from the start
    Fixed,
    /// Gets its room when it is written
    Dynamic,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Fixed => Self::Fixed,
            KindName::Dynamic => Self::Dynamic,
        }
    }
}

/// How an existing disk is found and read.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceArgs {
    /// Also look for parents in this folder; without it only beside their child
    #[arg(long = "parent-dir", value_name = "DIR")]
    pub(crate) parent_dirs: Vec<PathBuf>,
}

/// What a new file is to be like.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShapeArgs {
    /// Format of the new file; without it its ending says: vhd, vhdx, img or raw
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FormatName>,
    /// Fixed or dynamic; without it dynamic, or fixed for raw
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<KindName>,
    /// Unit of allocation; VHD 2M, VHDX 32M unless said
    #[arg(long, value_name = "SIZE")]
    pub(crate) block_size: Option<ByteCount>,
}

/// How a new file takes its name and room.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four options that are given or not")]
pub(crate) struct RoomArgs {
    /// Replace a file that has the name
    #[arg(long)]
    pub(crate) force: bool,
    /// Reserve all room of the file, so that it has no holes (Windows refuses to attach sparse files)
    #[arg(long)]
    pub(crate) preallocate: bool,
    /// Write zeros instead of leaving holes, for file systems that cannot reserve
    #[arg(long, conflicts_with = "preallocate")]
    pub(crate) no_sparse: bool,
    /// Do not wait until the file is on stable storage
    #[arg(long)]
    pub(crate) no_sync: bool,
}

/// Arguments of `disk create`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct CreateArgs {
    /// The new file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Size of the disk, such as 127G
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: ByteCount,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    /// Logical sector size: 512 or, for VHDX, 4096
    #[arg(long, value_name = "BYTES", default_value = "512")]
    pub(crate) sector_size: u32,
    /// Physical sector size a VHDX shows: 512 or 4096
    #[arg(long, value_name = "BYTES", default_value = "4096")]
    pub(crate) physical_sector_size: u32,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
}

/// Arguments of `disk child`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct ChildArgs {
    /// The disk to differ from; it is not changed, and must not be from now on
    #[arg(value_name = "PARENT")]
    pub(crate) parent: PathBuf,
    /// The new file
    #[arg(value_name = "CHILD")]
    pub(crate) child: PathBuf,
    /// Unit of allocation; 2M unless said
    #[arg(long, value_name = "SIZE")]
    pub(crate) block_size: Option<ByteCount>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
}

/// A disk file that is there, and its format.
#[derive(Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileArgs {
    /// The disk file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Format of the file; without it its contents say
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FormatName>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// Arguments of `disk info`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// Arguments of `disk map`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct MapArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// Arguments of `disk convert` and `disk flatten`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct ConvertArgs {
    /// The disk to read
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The new file
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Format of IN; without it its contents say
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<FormatName>,
    /// Leave out what NTFS volumes that were closed do not use: it becomes zeros
    #[arg(long)]
    pub(crate) used: bool,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
}

/// Arguments of `disk merge`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct MergeArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Merge even if other disks differ from the parent: they are lost
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `disk compact`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Reserve all room of the new file, so that it has no holes
    #[arg(long)]
    pub(crate) preallocate: bool,
    /// Write zeros instead of leaving holes
    #[arg(long, conflicts_with = "preallocate")]
    pub(crate) no_sparse: bool,
}

/// Arguments of `disk resize`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct ResizeArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// The new size, such as 200G
    #[arg(value_name = "SIZE")]
    pub(crate) size: ByteCount,
    /// Resize even if other disks differ from this one: they are lost
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `disk rebase`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct RebaseArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Where the parent is now
    #[arg(value_name = "PARENT")]
    pub(crate) parent: PathBuf,
}

/// Arguments of `disk check`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Write all that can be read into this new file
    #[arg(long, value_name = "OUT")]
    pub(crate) repair: Option<PathBuf>,
}

/// Arguments of `disk partition`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct PartitionArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// uefi-windows, uefi-storage, bios-windows, or a file that describes one
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) layout: PathBuf,
    /// Partition a disk that is not empty, or has children: what it holds is lost
    #[arg(long)]
    pub(crate) force: bool,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `disk partitions`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct PartitionsArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// Arguments of `disk mount`.
#[derive(Args, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four options that are given or not")]
pub(crate) struct MountArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// An empty directory
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Let the files be written; of a chain only FILE changes
    #[arg(long)]
    pub(crate) write: bool,
    /// Write even if other disks differ from this one: they are lost
    #[arg(long, requires = "write")]
    pub(crate) force: bool,
    /// Do not go into the background; Ctrl-C unmounts
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Leave the session of whoever started it
    #[arg(long, hide = true, requires = "foreground")]
    pub(crate) detached: bool,
}

/// Arguments of `disk unmount`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct UnmountArgs {
    /// Where the disk is mounted
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
