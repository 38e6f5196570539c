//! Devices that fail: programs see it, and the caller hears why.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use imprint_blockio::{FlatDevice, MemoryFile};
use imprint_mount::{MountError, Options, ReadOnly, ServeError, Writable, serve_disk};
use imprint_testkit::{FailingFile, Fault, Limit};

use crate::sample::{MIB, Sample, finish};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn failing(
    sample: &Sample,
    fault: Fault,
    limit: Limit,
) -> FlatDevice<FailingFile<Arc<MemoryFile>>> {
    FlatDevice::new(FailingFile::new(Arc::clone(&sample.file), fault, limit), 512)
}

fn open(path: &Path) -> fs_err::File {
    fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn a_read_that_fails() {
    let sample = Sample::new();
    let device = failing(&sample, Fault::Broken, Limit::Bytes(0));
    let mounted = sample.mount(ReadOnly(device));
    let file = fs_err::File::open(mounted.path().join("p1")).unwrap();
    let error = file.file().read_at(&mut [0; 100], 0).unwrap_err();
    drop(file);
    assert_eq!(error.raw_os_error(), Some(EIO));
    let failures = sample.failures();
    let first = failures.first().unwrap();
    assert!(first.starts_with("failed to read p1 (") && first.contains("at offset 0x0"), "{first}");
    assert!(first.ends_with("Input/output error (os error 5)"), "{first}");
    finish(mounted);
}

#[test]
fn a_write_that_fails() {
    let sample = Sample::new();
    let device = failing(&sample, Fault::Full, Limit::Operations(1));
    let mounted = sample.mount(Writable(device));
    let file = open(&mounted.path().join("p1"));
    file.file().write_all_at(&[1; 10], 0).unwrap();
    let error = file.file().write_all_at(&[1; 10], 4096).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ENOSPC));
    drop(file);
    let expected = "failed to write p1 (10 bytes at offset 0x1000): \
                    No space left on device (os error 28)";
    assert_eq!(sample.failures(), [expected]);
    mounted.unmount().unwrap();
    assert!(matches!(mounted.wait(), Err(ServeError::Flush(_))));
}

/// The program that asks for durability is told, and so is whoever unmounts.
#[test]
fn a_flush_that_fails() {
    let sample = Sample::new();
    let device = failing(&sample, Fault::Broken, Limit::Operations(1));
    let mounted = sample.mount(Writable(device));
    let file = open(&mounted.path().join("disk"));
    file.file().write_all_at(&[1; 512], 30 * MIB).unwrap();
    assert_eq!(file.file().sync_all().unwrap_err().raw_os_error(), Some(EIO));
    drop(file);
    let said = "failed to flush the disk: Input/output error (os error 5)";
    assert_eq!(sample.failures(), [said]);
    mounted.unmount().unwrap();
    let error = mounted.wait().unwrap_err();
    assert_eq!(error.to_string(), "failed to flush the disk after unmounting");
    assert_eq!(sample.failures(), [said, said]);
}

#[test]
fn places_that_cannot_be_mounted_on() {
    let sample = Sample::new();
    let refused = |at: &Path| {
        let device = ReadOnly(sample.device());
        serve_disk(device, &sample.partitions, at, Options::default()).unwrap_err()
    };
    let error = refused(&sample.path("nowhere"));
    assert!(matches!(error, MountError::Directory { .. }), "{error}");
    let error = refused(&sample.path("image"));
    assert!(matches!(error, MountError::Directory { .. }), "{error}");
}

#[test]
fn partitions_of_another_disk() {
    let sample = Sample::new();
    let device = FlatDevice::new(Arc::new(MemoryFile::new(vec![0; 1 << 20])), 512);
    let at = sample.path("");
    let error = serve_disk(ReadOnly(device), &sample.partitions, &at, Options::default());
    assert_eq!(error.unwrap_err().to_string(), "partition 1 is not on the disk");
}
