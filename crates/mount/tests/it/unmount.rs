//! The ways a mount ends.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use std::{io, thread};

use imprint_blockio::{BlockDevice, Extent, ReadAt, WriteAt};
use imprint_mount::{ReadOnly, Unmount, UnmountError, Writable};
use imprint_testkit::tools;

use crate::sample::{MIB, Memory, SIZE, Sample, finish};

/// A device that counts flushes.
struct Counting {
    device: Memory,
    flushes: Arc<AtomicU64>,
}

impl ReadAt for Counting {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.device.read_exact_at(buf, offset)
    }
    fn len(&self) -> io::Result<u64> {
        self.device.len()
    }
}

impl WriteAt for Counting {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.device.write_all_at(buf, offset)
    }
    fn flush(&self) -> io::Result<()> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl BlockDevice for Counting {
    fn sector_size(&self) -> u32 {
        512
    }
    fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
        self.device.extent(offset, len)
    }
}

fn counting(sample: &Sample) -> (Writable<Counting>, Arc<AtomicU64>) {
    let flushes = Arc::<AtomicU64>::default();
    (Writable(Counting { device: sample.device(), flushes: Arc::clone(&flushes) }), flushes)
}

#[track_caller]
fn assert_not_mounted(sample: &Sample) {
    let mounts = fs_err::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(sample.path("m").to_str().unwrap()));
}

#[test]
fn unmounting_flushes_once() {
    let sample = Sample::new();
    let (device, flushes) = counting(&sample);
    let mounted = sample.mount(device);
    fs_err::read(mounted.path().join("p1")).unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 0);
    let file = fs_err::OpenOptions::new().write(true).open(mounted.path().join("p1")).unwrap();
    file.sync_all().unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
    drop(file);
    finish(mounted);
    assert_eq!(flushes.load(Ordering::SeqCst), 2);
    assert_eq!(Arc::strong_count(&flushes), 1, "nothing holds the device any more");
    assert_not_mounted(&sample);
}

#[test]
fn others_unmount() {
    for (program, words) in [("fusermount3", &["-u"][..]), ("umount", &[])] {
        let sample = Sample::new();
        let (device, flushes) = counting(&sample);
        let mounted = sample.mount(device);
        let at = mounted.path().to_str().unwrap();
        tools::run(&tools::require(program), words.iter().chain([&at]));
        let unmounter = mounted.unmounter();
        mounted.wait().unwrap();
        assert_eq!(flushes.load(Ordering::SeqCst), 1);
        // Afterwards there is nothing to do.
        unmounter.unmount(Unmount::WhenUnused).unwrap();
        assert_not_mounted(&sample);
    }
}

#[test]
fn a_mount_in_use_goes_on() {
    let sample = Sample::new();
    let mounted = sample.mount(ReadOnly(sample.device()));
    let file = fs_err::File::open(mounted.path().join("disk")).unwrap();
    let error = mounted.unmount().unwrap_err();
    assert!(matches!(error, UnmountError::Busy { .. }), "{error}");
    let mut found = vec![0; usize::try_from(SIZE).unwrap()];
    file.file().read_exact_at(&mut found, 0).unwrap();
    assert!(found == sample.file.to_bytes());
    drop(file);
    finish(mounted);
}

/// The directory goes at once, and serving ends with the last open file.
#[test]
fn a_mount_in_use_is_detached() {
    let sample = Sample::new();
    let (device, flushes) = counting(&sample);
    let mounted = sample.mount(device);
    let path = mounted.path().join("disk");
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    mounted.unmounter().unmount(Unmount::Detach).unwrap();
    assert_not_mounted(&sample);
    file.file().write_all_at(&[77; 100], 40 * MIB).unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 0);
    let waiting = thread::spawn(move || mounted.wait());
    drop(file);
    waiting.join().unwrap().unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
    assert_eq!(sample.bytes(40 * MIB, 100), [77; 100]);
}

#[test]
fn dropping_unmounts_and_flushes() {
    let sample = Sample::new();
    let (device, flushes) = counting(&sample);
    drop(sample.mount(device));
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
    assert_not_mounted(&sample);
    // In use: the directory is free at once all the same.
    let (device, _) = counting(&sample);
    let mounted = sample.mount(device);
    let file = fs_err::File::open(mounted.path().join("disk")).unwrap();
    drop(mounted);
    assert_not_mounted(&sample);
    file.file().read_exact_at(&mut [0; 10], 0).unwrap();
}

/// As a thread that waits for signals would.
#[test]
fn another_thread_unmounts() {
    let sample = Sample::new();
    let mounted = sample.mount(ReadOnly(sample.device()));
    let unmounter = mounted.unmounter();
    let other = thread::spawn(move || unmounter.unmount(Unmount::WhenUnused));
    mounted.wait().unwrap();
    other.join().unwrap().unwrap();
}
