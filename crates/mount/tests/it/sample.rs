//! A disk of 64 MiB by sgdisk: an ESP, NTFS with contents, ext4, and random bytes between.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use imprint_blockio::{FlatDevice, MemoryFile, WriteAt as _};
use imprint_mount::{Failure, Mounted, Options, Served, UnmountError, serve_disk};
use imprint_partition::{Partition, PartitionTable};
use imprint_testkit::{Random, tools};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const SIZE: u64 = 64 * MIB;

pub(crate) type Memory = FlatDevice<Arc<MemoryFile>>;

/// A disk in memory, the place to mount it, and a place for files.
pub(crate) struct Sample {
    directory: tempfile::TempDir,
    pub(crate) file: Arc<MemoryFile>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) failures: Arc<Mutex<Vec<String>>>,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        fs_err::File::create_new(&image).unwrap().set_len(SIZE).unwrap();
        let partitions = ["-n", "1:2048:+4M", "-t", "1:ef00", "-n", "2:0:+16M", "-t", "2:0700"];
        let words = partitions.into_iter().chain(["-n", "4:0:+16M", image.to_str().unwrap()]);
        tools::run(&tools::require("sgdisk"), words);
        let file = Arc::new(MemoryFile::new(fs_err::read(&image).unwrap()));
        let device = FlatDevice::new(Arc::clone(&file), 512);
        let table = PartitionTable::read(&device).unwrap().unwrap();
        let sample = Self {
            directory,
            file,
            partitions: table.partitions().to_vec(),
            failures: Arc::default(),
        };
        sample.fill();
        sample
    }

    /// Puts volumes and noise into the partitions.
    fn fill(&self) {
        let volume = self.path("volume");
        let path = volume.to_str().unwrap();
        for (number, program, words) in [
            (2, "mkntfs", &["-F", "-Q", "-q", "-s", "512", "-p", "0", path][..]),
            (4, "mkfs.ext4", &["-q", "-F", path]),
        ] {
            let file = fs_err::File::create(&volume).unwrap();
            file.set_len(16 * MIB).unwrap();
            tools::run(&tools::require(program), words);
            let start = self.partition(number).start;
            self.file.write_all_at(&fs_err::read(&volume).unwrap(), start).unwrap();
        }
        let mut noise = vec![0; usize::try_from(3 * MIB).unwrap()];
        Random::new(7).fill(&mut noise);
        self.file.write_all_at(&noise, self.partition(1).start).unwrap();
        self.file.write_all_at(&noise, 45 * MIB + 12345).unwrap();
    }

    pub(crate) fn partition(&self, number: u32) -> &Partition {
        self.partitions.iter().find(|partition| partition.number == number).unwrap()
    }

    pub(crate) fn device(&self) -> Memory {
        FlatDevice::new(Arc::clone(&self.file), 512)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn mount(&self, device: impl Served) -> Mounted {
        self.mount_at(device, "m")
    }

    pub(crate) fn mount_at(&self, device: impl Served, name: &str) -> Mounted {
        let at = self.path(name);
        fs_err::create_dir_all(&at).unwrap();
        let failures = Arc::clone(&self.failures);
        let on_failure = move |failure: &Failure| {
            let mut text = failure.to_string();
            if let Some(source) = std::error::Error::source(failure) {
                text = format!("{text}: {source}");
            }
            failures.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        };
        let options = Options { on_failure: Box::new(on_failure), ..Options::default() };
        serve_disk(device, &self.partitions, &at, options).unwrap()
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes of the disk now.
    pub(crate) fn bytes(&self, start: u64, len: u64) -> Vec<u8> {
        let (start, len) = (usize::try_from(start).unwrap(), usize::try_from(len).unwrap());
        self.file.to_bytes()[start..start + len].to_vec()
    }
}

/// Unmounts, and serving must have gone well. What used the disk may still be letting go of it: a driver whose own
/// mount is gone already.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub(crate) fn finish(mounted: Mounted) {
    let began = Instant::now();
    while let Err(error) = mounted.unmount() {
        let is_busy = matches!(error, UnmountError::Busy { .. });
        assert!(is_busy && began.elapsed() < Duration::from_secs(20), "{error}");
        thread::sleep(Duration::from_millis(5));
    }
    mounted.wait().unwrap();
}

/// Runs `dd` with these words; it must succeed.
#[track_caller]
pub(crate) fn dd(words: &[String]) {
    tools::run(&tools::require("dd"), words.iter().map(String::as_str).chain(["status=none"]));
}

/// `if=`, `of=` and the path.
pub(crate) fn word(key: &str, path: &Path) -> String {
    format!("{key}={}", path.display())
}
