//! Where trees are applied to: a fresh ext4 for every run.
//!
//! ext4 does not give out an inode again for a while after its file was deleted, and looks for another
//! one again and again meanwhile: a run that comes after the removal of 40,000 files spends most of
//! its time there. On a fresh file system no run pays for the one before.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// A mounted file system that goes with the value.
pub(super) struct Ground {
    mount: PathBuf,
    image: PathBuf,
}

impl Ground {
    /// Makes and mounts an ext4 with room for `bytes` of files in `scratch`. Needs root.
    pub(super) fn make(scratch: &Path, bytes: u64) -> anyhow::Result<Self> {
        let ground = Self { mount: scratch.join("ground"), image: scratch.join("ground.img") };
        fs_err::File::create(&ground.image)?.set_len(bytes * 2 + (1 << 30))?;
        fs_err::create_dir_all(&ground.mount)?;
        let mut make = Command::new("mkfs.ext4");
        // Nothing is left to be done in the background.
        make.args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]);
        process::output(make.arg(&ground.image))?;
        let mut mount = Command::new("mount");
        process::output(mount.args(["-o", "loop"]).arg(&ground.image).arg(&ground.mount))?;
        Ok(ground)
    }

    /// The root of the file system.
    pub(super) fn path(&self) -> &Path {
        &self.mount
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = process::output(Command::new("umount").arg(&self.mount)) {
            eprintln!("{error:#}");
        }
        if let Err(error) = fs_err::remove_file(&self.image) {
            eprintln!("{error:#}");
        }
    }
}
