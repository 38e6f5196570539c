//! Reading: every byte, by every tool, and nothing else.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use imprint_blockio::{FlatDevice, MemoryFile};
use imprint_mount::{Options, ReadOnly, serve_disk};
use imprint_testkit::{Mount, Random, tools};

use crate::sample::{MIB, SIZE, Sample, dd, finish, word};

#[test]
fn the_directory_holds_the_disk_and_its_partitions() {
    let sample = Sample::new();
    let mounted = sample.mount(ReadOnly(sample.device()));
    let mut names: Vec<_> = fs_err::read_dir(mounted.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["disk", "p1", "p2", "p4"]);
    let disk = fs_err::metadata(mounted.path().join("disk")).unwrap();
    assert_eq!((disk.len(), disk.blksize(), disk.blocks()), (SIZE, 4096, SIZE / 512));
    assert_eq!((disk.mode(), disk.mtime()), (0o100_400, 0));
    let p4 = fs_err::metadata(mounted.path().join("p4")).unwrap();
    assert_eq!(p4.len(), 16 * MIB);
    let lines = fs_err::read_to_string("/proc/mounts").unwrap();
    let line = lines.lines().find(|line| line.contains(mounted.path().to_str().unwrap())).unwrap();
    assert!(line.starts_with("imprint ") && line.contains(" ro,"), "{line}");
    finish(mounted);
    assert_eq!(fs_err::read_dir(sample.path("m")).unwrap().count(), 0);
}

#[test]
fn every_byte_is_read_by_dd_and_cmp() {
    let sample = Sample::new();
    let mounted = sample.mount(ReadOnly(sample.device()));
    for (name, start, len, block) in [
        ("disk", 0, SIZE, "bs=1M"),
        ("disk", 0, SIZE, "bs=3000"),
        ("p1", sample.partition(1).start, 4 * MIB, "bs=512"),
        ("p2", sample.partition(2).start, 16 * MIB, "bs=4M"),
    ] {
        let (copy, expected) = (sample.path("copy"), sample.path("expected"));
        let source = mounted.path().join(name);
        dd(&[word("if", &source), word("of", &copy), block.to_owned()]);
        assert!(fs_err::read(&copy).unwrap() == sample.bytes(start, len), "{name} {block}");
        fs_err::write(&expected, sample.bytes(start, len)).unwrap();
        tools::run(&tools::require("cmp"), [source, expected]);
    }
    // Past the kernel's cache.
    let copy = sample.path("copy");
    let source = mounted.path().join("disk");
    dd(&[word("if", &source), word("of", &copy), "bs=8M".into(), "iflag=direct".into()]);
    assert!(fs_err::read(&copy).unwrap() == sample.bytes(0, SIZE));
    finish(mounted);
    assert_eq!(sample.failures(), [""; 0]);
}

#[test]
fn any_place_and_length_from_many_threads() {
    let sample = Sample::new();
    let expected = sample.bytes(0, SIZE);
    let mounted = sample.mount(ReadOnly(sample.device()));
    thread::scope(|scope| {
        for seed in 0..6 {
            let (path, expected) = (mounted.path().join("disk"), &expected);
            scope.spawn(move || {
                let file = fs_err::File::open(path).unwrap();
                let mut random = Random::new(seed);
                for _ in 0..300 {
                    let offset = random.below(SIZE + 1000);
                    let mut buf = vec![0; usize::try_from(random.below(300_000)).unwrap()];
                    let mut done = 0;
                    loop {
                        let at = offset + done as u64;
                        let read = file.file().read_at(&mut buf[done..], at).unwrap();
                        done += read;
                        if read == 0 {
                            break;
                        }
                    }
                    let start = usize::try_from(offset.min(SIZE)).unwrap();
                    let end = expected.len().min(start + buf.len());
                    assert!(buf[..done] == expected[start..end], "{offset:#x}");
                }
            });
        }
    });
    finish(mounted);
}

#[test]
fn other_programs_understand_what_they_see() {
    let sample = Sample::new();
    let mounted = sample.mount(ReadOnly(sample.device()));
    let disk = mounted.path().join("disk");
    let printed = tools::run(&tools::require("sfdisk"), [Path::new("--json"), &disk]);
    let table: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let partitions = table["partitiontable"]["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 3);
    assert_eq!(partitions[2]["start"], sample.partition(4).start / 512);
    let p4 = mounted.path().join("p4");
    tools::run(&tools::require("e2fsck"), [Path::new("-fn"), &p4]);
    let ntfs = Mount::ntfs(&mounted.path().join("p2"), &sample.path("ntfs"), "ro");
    assert_eq!(fs_err::read_dir(ntfs.path()).unwrap().count(), 0);
    drop(ntfs);
    finish(mounted);
}

/// Writing is refused by the kernel, in all its forms.
#[test]
fn a_read_only_disk_is_read_only() {
    let sample = Sample::new();
    let before = sample.file.to_bytes();
    let mounted = sample.mount(ReadOnly(sample.device()));
    let disk = mounted.path().join("disk");
    const EROFS: i32 = 30;
    let error = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    let open = std::fs::OpenOptions::new().write(true).open(&disk).map(drop);
    assert_eq!(open.unwrap_err().raw_os_error(), Some(EROFS));
    assert_eq!(error(std::fs::remove_file(&disk)), Some(EROFS));
    assert_eq!(error(std::fs::rename(&disk, disk.with_extension("x"))), Some(EROFS));
    assert_eq!(error(std::fs::create_dir(disk.with_extension("x"))), Some(EROFS));
    let refused = tools::output(Command::new("dd").args([
        "if=/dev/zero".to_owned(),
        word("of", &disk),
        "count=1".to_owned(),
        "conv=notrunc".to_owned(),
    ]));
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Read-only file system"));
    finish(mounted);
    assert!(sample.file.to_bytes() == before);
    assert_eq!(sample.failures(), [""; 0]);
}

#[test]
fn holes_stay_holes() {
    let sample = Sample::new();
    let sparse = sample.path("sparse");
    let file = fs_err::File::create_new(&sparse).unwrap();
    file.set_len(SIZE).unwrap();
    file.file().write_all_at(&[1; 4096], 20 * MIB).unwrap();
    let device = ReadOnly(FlatDevice::new(fs_err::File::open(&sparse).unwrap(), 512));
    let mounted = sample.mount(device);
    let copy = sample.path("copy");
    let disk = mounted.path().join("disk");
    tools::run(&tools::require("cp"), [&disk, &copy]);
    assert_eq!(fs_err::metadata(&copy).unwrap().blocks(), 8);
    assert!(fs_err::read(&copy).unwrap() == fs_err::read(&sparse).unwrap());
    let seek =
        |at: rustix::fs::SeekFrom| rustix::fs::seek(fs_err::File::open(&disk).unwrap().file(), at);
    use rustix::fs::SeekFrom::{Data, Hole};
    assert_eq!((seek(Data(0)), seek(Hole(0))), (Ok(20 * MIB), Ok(0)));
    assert_eq!(seek(Hole(20 * MIB + 5)), Ok(20 * MIB + 4096));
    assert_eq!(seek(Data(21 * MIB)), Err(rustix::io::Errno::NXIO));
    assert_eq!(seek(Hole(SIZE)), Err(rustix::io::Errno::NXIO));
    // In a partition the places are its own.
    let p4 = fs_err::File::open(mounted.path().join("p2")).unwrap();
    let found = rustix::fs::seek(p4.file(), Data(0));
    assert_eq!(found, Ok(20 * MIB - sample.partition(2).start));
    drop(p4);
    finish(mounted);
}

#[test]
fn two_disks_at_once() {
    let (one, two) = (Sample::new(), Sample::new());
    let mounts = [one.mount(ReadOnly(one.device())), one.mount_at(ReadOnly(two.device()), "n")];
    for (mounted, sample) in mounts.iter().zip([&one, &two]) {
        let found = fs_err::read(mounted.path().join("disk")).unwrap();
        assert!(found == sample.file.to_bytes());
    }
    let [first, second] = mounts;
    finish(first);
    assert!(fs_err::read(second.path().join("p1")).unwrap().len() == 4 << 20);
    finish(second);
}

#[test]
fn a_disk_without_partitions_and_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for len in [0, 1, 511, 4097] {
        let device = FlatDevice::new(Arc::new(MemoryFile::new(vec![7; len])), 512);
        let options = Options { modified, ..Options::default() };
        let mounted = serve_disk(ReadOnly(device), &[], directory.path(), options).unwrap();
        let disk = mounted.path().join("disk");
        assert_eq!(fs_err::read(&disk).unwrap(), vec![7; len]);
        assert_eq!(fs_err::metadata(&disk).unwrap().mtime(), 1_000_000_000);
        assert_eq!(fs_err::read_dir(mounted.path()).unwrap().count(), 1);
        finish(mounted);
    }
}
