//! File systems that are there for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// A mounted file system. It is unmounted when this goes away, also when the test fails.
///
/// Mounting needs root, and NTFS a FUSE device; without them the test fails.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// Mounts an empty file system in memory at a directory, which is made. `options` are those of
    /// tmpfs, such as `size=256k`.
    ///
    /// # Panics
    /// If it cannot be mounted.
    #[must_use]
    #[track_caller]
    pub fn tmpfs(at: &Path, options: &str) -> Self {
        fs_err::create_dir_all(at).unwrap_or_else(|error| panic!("{error}"));
        let words = ["-t", "tmpfs", "-o", options, "tmpfs"].map(AsRef::as_ref);
        tools::run(&tools::require("mount"), words.into_iter().chain([at.as_os_str()]));
        Self { at: at.to_owned() }
    }

    /// Mounts an NTFS volume at a directory, which is made. `options` are those of ntfs-3g, such as
    /// `ro`.
    ///
    /// # Panics
    /// If it cannot be mounted.
    #[must_use]
    #[track_caller]
    pub fn ntfs(volume: &Path, at: &Path, options: &str) -> Self {
        fs_err::create_dir_all(at).unwrap_or_else(|error| panic!("{error}"));
        let words = ["-o".as_ref(), options.as_ref(), volume.as_os_str(), at.as_os_str()];
        tools::run(&tools::require("ntfs-3g"), words);
        Self { at: at.to_owned() }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmount = |words: &[&str]| {
            let ended = Command::new("umount").args(words).arg(&self.at).status();
            ended.is_ok_and(|status| status.success())
        };
        if !unmount(&[]) {
            // A program the test left behind may still use it: then it goes when that ends.
            let detached = unmount(&["-l"]);
            let failing = std::thread::panicking();
            assert!(failing, "{} was in use, detached: {detached}", self.at.display());
        }
    }
}

/// Makes an empty NTFS volume of so many MiB in a sparse file.
///
/// # Panics
/// If that fails.
#[track_caller]
pub fn ntfs_volume(path: &Path, mebibytes: u64) {
    let file = fs_err::File::create(path).unwrap_or_else(|error| panic!("{error}"));
    file.set_len(mebibytes << 20).unwrap_or_else(|error| panic!("{error}"));
    let options = ["-F", "-Q", "-q", "-s", "512", "-p", "0"].map(AsRef::as_ref);
    tools::run(&tools::require("mkntfs"), options.into_iter().chain([path.as_os_str()]));
}
