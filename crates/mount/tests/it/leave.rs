//! Unmounting from another process, which is told what became of the disk.

use std::path::Path;
use std::thread;
use std::time::Duration;

use imprint_blockio::FlatDevice;
use imprint_mount::{
    Ended, FindError, Options, ReadOnly, Report, Reporter, UnmountError, Writable, find_mount,
    serve_disk,
};

use crate::sample::Sample;

const LONG: Duration = Duration::from_secs(60);

/// Each test has a name of its own for its reporter.
fn mount(sample: &Sample, name: &str, token: u64) -> (imprint_mount::Mounted, Reporter) {
    let reporter = Reporter::new(token).unwrap();
    let at = sample.path(name);
    fs_err::create_dir_all(&at).unwrap();
    let source = reporter.source("/some/disk, and more");
    let options = Options { source, ..Options::default() };
    let device = FlatDevice::new(sample.file.clone(), 512);
    (serve_disk(Writable(device), &sample.partitions, &at, options).unwrap(), reporter)
}

#[test]
fn whoever_unmounts_is_told() {
    let sample = Sample::new();
    for (name, kept) in [("m", true), ("a b\\c\u{e9}", false)] {
        let (mounted, reporter) = mount(&sample, name, 0xfeed_0000 + u64::from(kept));
        let names: Vec<_> = mounted.files().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["disk", "p1", "p2", "p4"]);
        // A link to the directory is as good.
        let link = sample.path("link");
        std::os::unix::fs::symlink(mounted.path(), &link).unwrap();
        let found = find_mount(&link).unwrap();
        fs_err::remove_file(&link).unwrap();
        assert_eq!(found.at, fs_err::canonicalize(mounted.path()).unwrap());
        assert_eq!((found.shown.as_str(), found.read_only), ("/some/disk_ and more", false));
        let file = fs_err::File::open(mounted.path().join("disk")).unwrap();
        let busy = found.unmount().unwrap_err();
        assert!(matches!(busy, UnmountError::Busy { .. }), "{busy}");
        drop(file);
        let (mut one, mut other) = (found.unmount().unwrap(), found.unmount().unwrap());
        mounted.wait().unwrap();
        assert_eq!(one.wait(Duration::from_millis(10)), None, "nothing is said yet");
        let report = Report { kept, messages: vec!["first".to_owned(), "second".to_owned()] };
        let telling = report.clone();
        let teller = thread::spawn(move || reporter.tell(&telling));
        assert_eq!(one.wait(LONG), Some(Ended::Told(report.clone())));
        assert_eq!(other.wait(LONG), Some(Ended::Told(report)));
        teller.join().unwrap();
        let late = found.unmount().unwrap().wait(LONG);
        assert_eq!(late, Some(Ended::Unknown), "who comes too late is not told anything good");
    }
}

#[test]
fn a_process_that_says_nothing_is_no_good_sign() {
    let sample = Sample::new();
    let (mounted, reporter) = mount(&sample, "m", 0xfeed_0002);
    let mut leaving = find_mount(mounted.path()).unwrap().unmount().unwrap();
    mounted.wait().unwrap();
    // As when it is killed.
    drop(reporter);
    assert_eq!(leaving.wait(LONG), Some(Ended::Unknown));
}

#[test]
fn other_places_are_not_unmounted() {
    let sample = Sample::new();
    let check = |at: &Path| {
        let error = find_mount(at).unwrap_err();
        assert!(matches!(error, FindError::NotMounted { .. }), "{error}");
    };
    check(&sample.path(""));
    check(&sample.path("nothing"));
    check(Path::new("/proc"));
    let mounted = sample.mount(ReadOnly(sample.device()));
    // Without a reporter nobody would be told.
    check(mounted.path());
    check(&mounted.path().join("disk"));
    crate::sample::finish(mounted);
    let error = find_mount(&sample.path("no/where")).unwrap_err();
    assert!(matches!(error, FindError::Directory { .. }), "{error}");
}
