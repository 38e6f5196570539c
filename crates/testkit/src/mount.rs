//! File systems that are there for one test.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::tools;

/// A mounted file system. It is unmounted when this goes away, also when the test fails.
///
/// Mounting needs root, and NTFS a FUSE device; without them the test fails.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
    /// A program of its own serves it, and outlives the mount for a while.
    has_driver: bool,
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
        Self { at: at.to_owned(), has_driver: false }
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
        Self { at: at.to_owned(), has_driver: true }
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
            let failing = thread::panicking();
            assert!(failing, "{} was in use, detached: {detached}", self.at.display());
        }
        if self.has_driver {
            await_driver(&self.at);
        }
    }
}

/// Waits until the program that served a directory is gone: only then is everything in the file.
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn await_driver(at: &Path) {
    let began = Instant::now();
    while serves(at) && began.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether any ntfs-3g was started for this directory.
fn serves(at: &Path) -> bool {
    let Ok(processes) = fs_err::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let line = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next().is_some_and(|program| program.ends_with(b"ntfs-3g"))
            && words.any(|word| word == at.as_os_str().as_bytes())
    })
}

/// Makes an empty NTFS volume of so many MiB in a sparse file.
///
/// # Panics
/// If that fails.
#[track_caller]
pub fn ntfs_volume(path: &Path, mebibytes: u64) {
    ntfs_volume_of(path, mebibytes, 512, 4096);
}

/// Makes an empty NTFS volume of so many MiB in a sparse file, with sectors and clusters of so many bytes.
///
/// # Panics
/// If that fails.
#[track_caller]
pub fn ntfs_volume_of(path: &Path, mebibytes: u64, sector_size: u32, cluster_size: u32) {
    let file = fs_err::File::create(path).unwrap_or_else(|error| panic!("{error}"));
    file.set_len(mebibytes << 20).unwrap_or_else(|error| panic!("{error}"));
    let (sector, cluster) = (sector_size.to_string(), cluster_size.to_string());
    let options = ["-F", "-Q", "-q", "-p", "0", "-s", &sector, "-c", &cluster].map(AsRef::as_ref);
    tools::run(&tools::require("mkntfs"), options.into_iter().chain([path.as_os_str()]));
}
