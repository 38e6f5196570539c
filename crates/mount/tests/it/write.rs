//! Writing: what is written is there, everywhere, and nothing else changes.

use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::thread;

use imprint_mount::Writable;
use imprint_testkit::{Mount, Random, tools};

use crate::sample::{MIB, SIZE, Sample, dd, finish, word};

const ENOSPC: i32 = 28;
const EPERM: i32 = 1;
const EINVAL: i32 = 22;

fn open(path: &std::path::Path) -> fs_err::File {
    fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn what_is_written_is_in_the_disk() {
    let sample = Sample::new();
    let mut expected = sample.file.to_bytes();
    let mounted = sample.mount(Writable(sample.device()));
    let mut random = Random::new(3);
    for name in ["disk", "p1", "p4"] {
        let number = name.strip_prefix('p').map(|number| number.parse().unwrap());
        let window = number.map(|number| sample.partition(number));
        let (start, len) = window.map_or((0, SIZE), |found| (found.start, found.len));
        let file = open(&mounted.path().join(name));
        for _ in 0..100 {
            let mut bytes = vec![0; usize::try_from(random.below(100_000)).unwrap() + 1];
            random.fill(&mut bytes);
            let offset = random.below(len - bytes.len() as u64 + 1);
            file.file().write_all_at(&bytes, offset).unwrap();
            let at = usize::try_from(start + offset).unwrap();
            expected[at..at + bytes.len()].copy_from_slice(&bytes);
            let mut found = vec![0; bytes.len()];
            file.file().read_exact_at(&mut found, offset).unwrap();
            assert!(found == bytes);
        }
        file.sync_all().unwrap();
    }
    // Also in pieces larger than one request.
    let source = sample.path("source");
    let mut bytes = vec![0; 7_000_001];
    random.fill(&mut bytes);
    fs_err::write(&source, &bytes).unwrap();
    let disk = mounted.path().join("disk");
    let rest = ["bs=5M", "conv=notrunc", "oflag=seek_bytes", "seek=1234567"].map(str::to_owned);
    dd(&[[word("if", &source), word("of", &disk)].as_slice(), &rest].concat());
    expected[1_234_567..][..bytes.len()].copy_from_slice(&bytes);
    finish(mounted);
    assert!(sample.file.to_bytes() == expected);
    assert_eq!(sample.failures(), [""; 0]);
}

/// The same bytes stand in two files: both show what is written through one.
#[test]
fn a_partition_and_the_disk_show_the_same() {
    let sample = Sample::new();
    let mounted = sample.mount(Writable(sample.device()));
    let (disk, p2) = (open(&mounted.path().join("disk")), open(&mounted.path().join("p2")));
    let start = sample.partition(2).start;
    let mut found = [0; 3];
    for round in 0..3_u8 {
        disk.file().read_exact_at(&mut found, start + 4096).unwrap();
        p2.file().write_all_at(&[round + 1; 3], 4096).unwrap();
        disk.file().read_exact_at(&mut found, start + 4096).unwrap();
        assert_eq!(found, [round + 1; 3]);
        disk.file().write_all_at(&[round + 100; 3], start + 4096).unwrap();
        p2.file().read_exact_at(&mut found, 4096).unwrap();
        assert_eq!(found, [round + 100; 3]);
    }
    drop((disk, p2));
    finish(mounted);
}

#[test]
fn reading_while_it_is_written() {
    let sample = Sample::new();
    let mounted = sample.mount(Writable(sample.device()));
    let path = mounted.path().join("p4");
    thread::scope(|scope| {
        for lane in 0..4_u8 {
            let path = &path;
            scope.spawn(move || {
                // Each thread has its own lane of every 64 KiB and must always find what it wrote.
                let file = open(path);
                let mut found = [0; 5000];
                for round in 0..60_u8 {
                    for block in 0..8_u64 {
                        let offset = block * 65536 + u64::from(lane) * 16384 + 77;
                        file.file().write_all_at(&[round ^ lane; 5000], offset).unwrap();
                        file.file().read_exact_at(&mut found, offset).unwrap();
                        assert!(found == [round ^ lane; 5000]);
                    }
                }
            });
        }
    });
    finish(mounted);
    let start = sample.partition(4).start;
    assert_eq!(sample.bytes(start + 77, 5000), [59; 5000]);
}

/// As with a block device, a file cannot become longer or shorter, nor empty.
#[test]
fn sizes_never_change() {
    let sample = Sample::new();
    let mounted = sample.mount(Writable(sample.device()));
    let p1 = mounted.path().join("p1");
    let len = 4 * MIB;
    let file = open(&p1);
    let neighbour = sample.bytes(sample.partition(1).end(), 4096);
    // What fits is written.
    assert_eq!(file.file().write_at(&[9; 100], len - 10).unwrap(), 10);
    assert_eq!(file.file().write_at(&[9; 100], len).unwrap_err().raw_os_error(), Some(ENOSPC));
    file.file().write_at(&[9], u64::MAX / 2).unwrap_err();
    assert_eq!(file.file().set_len(5).unwrap_err().raw_os_error(), Some(EINVAL));
    file.set_len(len).unwrap();
    assert_eq!(fs_err::metadata(&p1).unwrap().len(), len);
    assert_eq!(sample.bytes(sample.partition(1).end(), 4096), neighbour);
    assert_eq!(sample.bytes(sample.partition(1).end() - 10, 10), [9; 10]);
    drop(file);
    // Opened to be emptied, and written from the start.
    let before = sample.bytes(sample.partition(1).start, len);
    let source = sample.path("source");
    fs_err::write(&source, [5; 1000]).unwrap();
    dd(&[word("if", &source), word("of", &p1)]);
    let found = fs_err::read(&p1).unwrap();
    assert!(found[..1000] == [5; 1000] && found[1000..] == before[1000..]);
    assert_eq!(fs_err::metadata(&p1).unwrap().len(), len);
    assert_eq!(std::fs::remove_file(&p1).unwrap_err().raw_os_error(), Some(EPERM));
    let new = std::fs::create_dir(mounted.path().join("new")).unwrap_err();
    assert_eq!(new.raw_os_error(), Some(EPERM));
    finish(mounted);
}

/// ntfs-3g writes files into the partition, and they are in the disk when it is mounted again.
#[test]
fn a_volume_is_used_and_kept() {
    let sample = Sample::new();
    let mounted = sample.mount(Writable(sample.device()));
    let ntfs = Mount::ntfs(&mounted.path().join("p2"), &sample.path("ntfs"), "rw");
    fs_err::write(ntfs.path().join("file"), vec![42; 3_000_000]).unwrap();
    drop(ntfs);
    finish(mounted);
    let volume = sample.path("after");
    fs_err::write(&volume, sample.bytes(sample.partition(2).start, 16 * MIB)).unwrap();
    let words = [volume.to_str().unwrap(), "file"];
    let mut command = Command::new(tools::require("ntfscat"));
    let found = tools::output(command.args(words)).stdout;
    assert!(found == vec![42; 3_000_000]);
    tools::run(&tools::require("ntfsfix"), ["-n", volume.to_str().unwrap()]);
    assert_eq!(sample.failures(), [""; 0]);
}
