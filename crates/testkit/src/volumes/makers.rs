//! Volumes that mkntfs and ntfs-3g make.

use std::path::Path;
use std::process::Command;

use crate::tools::{self, Shown, require};
use crate::{Mount, ntfs_volume_of};

/// What is put onto a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// A bit of all that NTFS keeps: streams, descriptors, hard links, short names, reparse points, object ids,
    /// extended attributes, holes, names of all kinds; compressed files where clusters have at most 4 KiB.
    Everything,
    /// A directory of so many files.
    Entries(u32),
    /// A file in so many runs, with a hole behind each.
    Runs(u32),
    /// A file with so many names.
    Links(u32),
}

/// Makes a volume of so many MiB, with sectors and clusters of so many bytes, and lets ntfs-3g fill it. Mounting
/// needs root and a FUSE device.
///
/// # Panics
/// If that fails.
#[track_caller]
pub fn make(path: &Path, mebibytes: u64, sector_size: u32, cluster_size: u32, filling: Filling) {
    ntfs_volume_of(path, mebibytes, sector_size, cluster_size);
    let (what, count) = match filling {
        Filling::Everything => ("everything", 0),
        Filling::Entries(count) => ("entries", count),
        Filling::Runs(count) => ("runs", count),
        Filling::Links(count) => ("links", count),
    };
    let scratch = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let options = "compression,streams_interface=windows";
    let mount = Mount::ntfs(path, &scratch.path().join("mount"), options);
    let mut command = Command::new(require("python3"));
    command.args(["-c", include_str!("fill_ntfs.py")]).arg(mount.path());
    let output = tools::output(command.args([what, &count.to_string()]));
    assert!(output.status.success(), "{what}: {}", Shown(&output.stderr));
}
