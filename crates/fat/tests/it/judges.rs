//! Volumes we make and fill, judged by others; volumes of others, read by us.

use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_blockio::{FlatDevice, WriteAt as _};
use imprint_fat::{FormatError, FormatOptions, FormatPlan, NameFault, New, Volume};
use imprint_testkit::tools;
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, FileTime};

struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new(len: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("volume");
        fs_err::File::create_new(&path).unwrap().set_len(len).unwrap();
        Self { _directory: directory, path }
    }

    fn open(&self) -> fs_err::File {
        fs_err::OpenOptions::new().read(true).write(true).open(&self.path).unwrap()
    }

    #[track_caller]
    fn formatted(len: u64, sector_size: u32, label: &str) -> Self {
        let file = Self::new(len);
        let options = FormatOptions {
            label: label.to_owned(),
            serial: 0x1234_abcd,
            hidden_sectors: 2048,
            now: time(),
            ..FormatOptions::default()
        };
        FormatPlan::new(len, sector_size, options).unwrap().perform(&file.open()).unwrap();
        file
    }

    /// The checker finds nothing.
    #[track_caller]
    fn check(&self) {
        let mut command = Command::new(tools::require("fsck.vfat"));
        let output = tools::output(command.arg("-n").arg("-v").arg(&self.path));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        for complaint in ["differences", "dirty", "wrong", "Bad", "Reclaim"] {
            assert!(!said.contains(complaint), "{said}");
        }
    }

    #[track_caller]
    fn mtools(&self, program: &str, words: &[&str]) -> String {
        let mut command = Command::new(tools::require(program));
        command
            .arg("-i")
            .arg(&self.path)
            .args(words)
            .env("TZ", "UTC")
            .env("MTOOLS_SKIP_CHECK", "1");
        // Not in the locale of other programs: names are cut to ASCII there.
        let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", tools::Shown(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn time() -> FileTime {
    FileTime::from_unix(1_795_362_182, 0)
}

fn new(name: &str, attributes: Attributes) -> New {
    let times = Times { creation: time(), access: time(), write: time(), change: None };
    New { name: name.into(), short_name: Default::default(), attributes, times }
}

#[test]
fn volumes_we_make_are_clean() {
    for (len, sector_size, cluster_size) in [
        (40 << 20, 512, 512),
        (100 << 20, 512, 1024),
        (128 << 20, 512, 1024),
        (200 << 20, 512, 2048),
        (260 << 20, 512, 4096),
        (260 << 20, 4096, 4096),
        (10_u64 << 30, 512, 8192),
        (33 << 30, 4096, 32768),
    ] {
        let file = File::formatted(len, sector_size, "SYSTEM");
        file.check();
        let volume = Volume::open(file.open()).unwrap();
        assert_eq!(volume.cluster_size(), cluster_size);
        assert_eq!(
            (volume.label().unwrap().to_string(), volume.serial()),
            ("SYSTEM".into(), 0x1234_abcd)
        );
        assert!(volume.is_clean() && volume.list(volume.root()).unwrap().entries.is_empty());
    }
    File::formatted(64 << 20, 512, "").check();
}

#[test]
fn volumes_that_cannot_be_are_refused() {
    let plan = |len, sector_size, label: &str, cluster_size| {
        let options =
            FormatOptions { label: label.to_owned(), cluster_size, ..FormatOptions::default() };
        FormatPlan::new(len, sector_size, options)
    };
    assert!(matches!(plan(32 << 20, 512, "", None), Err(FormatError::TooSmall { .. })));
    assert!(matches!(plan(256 << 20, 4096, "", None), Err(FormatError::TooSmall { .. })));
    assert!(matches!(plan(0, 512, "", None), Err(FormatError::TooSmall { .. })));
    assert!(matches!(plan(2 << 40, 512, "", None), Err(FormatError::TooLarge { .. })));
    assert!(matches!(plan(1 << 30, 1024, "", None), Err(FormatError::SectorSize { .. })));
    for cluster_size in [0, 256, 513, 1536, 131_072] {
        let refused = plan(1 << 30, 512, "", Some(cluster_size));
        assert!(matches!(refused, Err(FormatError::ClusterSize { .. })));
    }
    for label in ["twelve chars", "a.b", "ä", " x", "a\u{1}"] {
        assert!(matches!(plan(1 << 30, 512, label, None), Err(FormatError::Label)), "{label}");
    }
}

fn fill(path: &Path) {
    let file = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let volume = Volume::open(file).unwrap();
    let directory = Attributes::DIRECTORY;
    let made = volume
        .make(volume.root(), &[new("EFI", directory), new("Grüße, 世界.txt", Attributes::HIDDEN)]);
    let made: Vec<_> = made.unwrap().into_iter().map(Result::unwrap).collect();
    let data = volume.allocate(made[1].place, 5).unwrap();
    volume.write_at(&data, b"hello", 0).unwrap();
    let efi = made[0].directory().unwrap();
    let many: Vec<_> = (0..1000)
        .map(|number| new(&format!("a long name, number {number}"), Attributes::ARCHIVE))
        .collect();
    let made = volume.make(efi, &many).unwrap();
    for (number, made) in made.into_iter().enumerate() {
        let contents = vec![b'x'; number * 20];
        let data = volume.allocate(made.unwrap().place, contents.len() as u64).unwrap();
        volume.write_at(&data, &contents, 0).unwrap();
    }
    assert_eq!(
        volume.make(efi, &[new("A LONG NAME, number 7", directory)]).unwrap(),
        [Err(NameFault::Taken)]
    );
    volume.flush().unwrap();
}

#[test]
fn what_we_write_others_read() {
    for sector_size in [512, 4096] {
        let file = File::formatted(260 << 20, sector_size, "ESP");
        fill(&file.path);
        file.check();
        if sector_size == 512 {
            assert_eq!(file.mtools("mtype", &["::/Grüße, 世界.txt"]), "hello");
            let listed = file.mtools("mdir", &["-b", "::/EFI"]);
            assert_eq!(listed.lines().count(), 1000);
            assert_eq!(file.mtools("mtype", &["::/EFI/a long name, number 999"]).len(), 19_980);
            assert!(file.mtools("mdir", &["::/"]).contains("2026-11-22  15:43"));
        }
        let listed =
            tools::run(&tools::require_any(&["7zz", "7z"]), ["l", file.path.to_str().unwrap()]);
        assert!(listed.contains("1001 files, 1 folders"), "{listed}");
        // Half of it removed again.
        let volume = Volume::open(file.open()).unwrap();
        let efi = volume.directory(&volume.find("efi").unwrap().unwrap()).unwrap();
        for entry in volume.list(efi).unwrap().entries.iter().step_by(2) {
            volume.remove(efi, entry).unwrap();
        }
        let refused = volume.remove(volume.root(), &volume.find("EFI").unwrap().unwrap());
        assert!(matches!(refused, Err(imprint_fat::WriteError::NotEmpty)));
        let more: Vec<_> =
            (0..600).map(|number| new(&format!("n{number}"), Attributes::empty())).collect();
        assert!(volume.make(efi, &more).unwrap().iter().all(|made| made.is_ok()));
        volume.flush().unwrap();
        file.check();
        assert_eq!(volume.list(efi).unwrap().entries.len(), 1100);
    }
}

#[test]
fn what_others_write_we_read() {
    let file = File::new(64 << 20);
    let path = file.path.to_str().unwrap();
    tools::run(
        &tools::require("mkfs.vfat"),
        ["-F", "32", "-s", "1", "-n", "THEIRS", "-i", "cafe0001", path],
    );
    let outside = tempfile::tempdir().unwrap();
    let tree = outside.path().join("Tree of files");
    fs_err::create_dir_all(tree.join("sub/Größe")).unwrap();
    for (number, size) in [0, 1, 511, 512, 513, 100_000].into_iter().enumerate() {
        fs_err::write(tree.join(format!("sub/file number {number}.bin")), vec![7; size]).unwrap();
    }
    fs_err::write(tree.join("UPPER.TXT"), "upper").unwrap();
    fs_err::write(tree.join("lower.txt"), "lower").unwrap();
    file.mtools("mcopy", &["-s", "-m", tree.to_str().unwrap(), "::/"]);
    let volume = Volume::open(file.open()).unwrap();
    assert_eq!(
        (volume.label().unwrap().to_string(), volume.serial()),
        ("THEIRS".into(), 0xcafe_0001)
    );
    for (number, size) in [0, 1, 511, 512, 513, 100_000].into_iter().enumerate() {
        let found =
            volume.find(&format!("\\tree of files/sub/file number {number}.bin")).unwrap().unwrap();
        let data = volume.data(&found).unwrap();
        let mut bytes = vec![0; size + 10];
        let read = volume.read_at(&data, &mut bytes, 0).unwrap();
        assert_eq!((read, &bytes[..size]), (size, &vec![7; size][..]));
    }
    let names: Vec<_> = ["UPPER.TXT", "lower.txt"]
        .map(|name| {
            volume.find(&format!("Tree of files/{name}")).unwrap().unwrap().name.to_string()
        })
        .into();
    assert_eq!(names, ["UPPER.TXT", "lower.txt"]);
    assert!(volume.find("Tree of files/sub/Größe").unwrap().unwrap().is_directory());
    assert!(volume.find("Tree of files/none").unwrap().is_none());
}

#[test]
fn a_full_volume_says_so_and_stays_whole() {
    let file = File::formatted(40 << 20, 512, "");
    let volume = Volume::open(file.open()).unwrap();
    let made = volume
        .make(volume.root(), &[new("large", Attributes::empty()), new("more", Attributes::empty())])
        .unwrap();
    let large = made[0].unwrap().place;
    volume.allocate(large, 30 << 20).unwrap();
    let refused = volume.allocate(made[1].unwrap().place, 20 << 20);
    assert!(matches!(refused, Err(imprint_fat::WriteError::Full { wanted: 40960, .. })));
    let refused = volume.allocate(large, 1 << 32);
    assert!(matches!(refused, Err(imprint_fat::WriteError::FileTooLarge { .. })));
    volume.allocate(large, 0).unwrap();
    volume.allocate(made[1].unwrap().place, 20 << 20).unwrap();
    volume.flush().unwrap();
    file.check();
}

#[test]
fn a_volume_that_was_not_closed_is_known() {
    let file = File::formatted(40 << 20, 512, "");
    let volume = Volume::open(file.open()).unwrap();
    volume.make(volume.root(), &[new("a", Attributes::empty())]).unwrap().remove(0).unwrap();
    assert!(!Volume::open(file.open()).unwrap().is_clean());
    volume.flush().unwrap();
    assert!(Volume::open(file.open()).unwrap().is_clean());
    let device = FlatDevice::new(file.open(), 512);
    device.write_all_at(&[0; 512], 0).unwrap();
    Volume::open(device).unwrap_err();
}
