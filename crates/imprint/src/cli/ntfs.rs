//! The verbs of `imprint ntfs`, as they are typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::examples;
use super::ntfs_edit::{CpArgs, MkdirArgs, MvArgs, RmArgs};
use super::values::ByteCount;

/// What to do with NTFS volumes.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum NtfsVerb {
    /// Show what a volume says of itself, and whether it was left in order
    #[command(after_help = examples::NTFS_INFO)]
    Info(InfoArgs),
    /// List the files of a directory
    #[command(after_help = examples::NTFS_LS)]
    Ls(LsArgs),
    /// Show all that is known of a file
    #[command(after_help = examples::NTFS_STAT)]
    Stat(StatArgs),
    /// Write a file's data to standard output
    #[command(after_help = examples::NTFS_CAT)]
    Cat(CatArgs),
    /// Copy files of this computer to a volume, or out of it
    #[command(after_help = examples::NTFS_CP)]
    Cp(CpArgs),
    /// Make directories
    #[command(after_help = examples::NTFS_MKDIR)]
    Mkdir(MkdirArgs),
    /// Move or rename files and directories
    #[command(after_help = examples::NTFS_MV)]
    Mv(MvArgs),
    /// Remove files, directories or streams
    #[command(after_help = examples::NTFS_RM)]
    Rm(RmArgs),
    /// Check that everything on a volume agrees, and mend what does not
    #[command(after_help = examples::NTFS_CHECK)]
    Check(CheckArgs),
    /// Make an empty volume
    #[command(after_help = examples::NTFS_FORMAT)]
    Format(FormatArgs),
}

/// Arguments of `ntfs info`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct InfoArgs {
    /// Disk file, device or DISK:PARTITION with the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
}

/// Arguments of `ntfs ls`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct LsArgs {
    /// Disk file, device or DISK:PARTITION with the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
    /// Directory or file; its names are parted by / or \ [default: the root directory]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<OsString>,
    /// Show kind and attributes, names, size, time of the last change and target
    #[arg(short, long)]
    pub(crate) long: bool,
    /// List what is in the directories of the directory as well, with paths
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// List the volume's own files and short names as well
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// Which file is meant.
#[derive(Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileArgs {
    /// The file by the number of its record, instead of PATH
    #[arg(long, value_name = "NUMBER", conflicts_with = "path")]
    pub(crate) record: Option<u64>,
}

/// Arguments of `ntfs stat`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct StatArgs {
    /// Disk file, device or DISK:PARTITION with the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
    /// The file; its names are parted by / or \ [default: the root directory]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<OsString>,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// Arguments of `ntfs cat`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct CatArgs {
    /// Disk file, device or DISK:PARTITION with the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
    /// The file; its names are parted by / or \
    #[arg(value_name = "PATH[:STREAM]", required_unless_present = "record")]
    pub(crate) path: Option<OsString>,
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// The stream's name, instead of :STREAM behind the path
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Option<OsString>,
}

/// Arguments of `ntfs check`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct CheckArgs {
    /// Disk file, device or DISK:PARTITION with the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
    /// Mend what the file records tell how to mend; what they do not tell stays as it is
    #[arg(long)]
    pub(crate) repair: bool,
    /// Repair even if Windows sleeps on the volume, or its log was not closed: what only Windows knows is lost
    #[arg(long, requires = "repair")]
    pub(crate) force: bool,
}

/// Arguments of `ntfs format`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct FormatArgs {
    /// Disk file, device or DISK:PARTITION for the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
    /// Label of the volume
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Bytes of a cluster, 512 to 2M [default: as Windows chooses]
    #[arg(long, value_name = "SIZE")]
    pub(crate) cluster_size: Option<ByteCount>,
    /// Make it even if there is something on VOLUME, which is lost
    #[arg(long)]
    pub(crate) force: bool,
}
