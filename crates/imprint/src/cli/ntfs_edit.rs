//! The verbs of `imprint ntfs` that change a volume, as they are typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// Which volume is changed.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct EditArgs {
    /// Disk file, device or DISK:PARTITION with the volume
    #[arg(value_name = "VOLUME")]
    pub(crate) volume: PathBuf,
    /// Change it even if it was not closed, or Windows hibernates on it; it stays marked dirty
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `ntfs cp`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct CpArgs {
    #[command(flatten)]
    pub(crate) edit: EditArgs,
    /// Files of this computer, or with --out files of the volume
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<OsString>,
    /// Where to on the volume, or with --out on this computer; a directory takes files in
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: OsString,
    /// Copy directories with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Copy from the volume to this computer
    #[arg(long)]
    pub(crate) out: bool,
}

/// Arguments of `ntfs mkdir`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct MkdirArgs {
    #[command(flatten)]
    pub(crate) edit: EditArgs,
    /// The directories; their names are parted by / or \
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<OsString>,
    /// Make what is missing on the way, and do not mind what is there
    #[arg(short, long)]
    pub(crate) parents: bool,
}

/// Arguments of `ntfs rm`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct RmArgs {
    #[command(flatten)]
    pub(crate) edit: EditArgs,
    /// The files, empty directories, or streams; names are parted by / or \
    #[arg(value_name = "PATH[:STREAM]", required = true)]
    pub(crate) paths: Vec<OsString>,
    /// Remove directories with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

/// Arguments of `ntfs mv`.
#[derive(Args, Debug, PartialEq, Eq)]
pub(crate) struct MvArgs {
    #[command(flatten)]
    pub(crate) edit: EditArgs,
    /// The files or directories; names are parted by / or \
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<OsString>,
    /// The new path, or a directory that takes them in
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: OsString,
}
