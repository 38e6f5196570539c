//! Sound volumes by others, in which a check finds nothing.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use imprint_ntfs::{Report, Rule, check};
use imprint_progress::Progress;
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{Mount, Random, tools};

/// Checks a volume in a file.
#[track_caller]
pub(crate) fn report(path: &Path) -> Report {
    check(&fs_err::File::open(path).unwrap(), &Progress::new()).unwrap()
}

/// Findings, one in a line.
pub(crate) fn text(report: &Report) -> String {
    let lines = report.findings.iter();
    lines.map(|found| format!("{} [{}] {found}\n", found.severity(), found.rule)).collect()
}

/// Nothing is wrong with a volume.
#[track_caller]
pub(crate) fn assert_sound(path: &Path) {
    assert_eq!(text(&report(path)), "");
}

/// Nothing is wrong with a volume that ntfs-3g wrote to, but for what it breaks: it writes `$STANDARD_INFORMATION` of
/// `$MFT` anew, without a security id.
#[track_caller]
fn assert_sound_by_ntfs_3g(path: &Path) -> Report {
    let mut found = report(path);
    found.findings.retain(|finding| finding.rule != Rule::NoSecurity);
    assert_eq!(text(&found), "");
    assert_eq!(volumes::check(path, 0, Strictness::Lenient), "");
    found
}

/// A volume by mkntfs.
pub(crate) fn make(path: &Path, mebibytes: u64, sector: u32, cluster: u32) {
    fs_err::File::create(path).unwrap().set_len(mebibytes << 20).unwrap();
    let (sector, cluster) = (sector.to_string(), cluster.to_string());
    let words =
        ["-F", "-Q", "-q", "-p", "0", "-H", "255", "-S", "63", "-s", &sector, "-c", &cluster];
    let words = words.iter().map(AsRef::as_ref).chain([path.as_os_str()]);
    tools::run(&tools::require("mkntfs"), words);
}

#[track_caller]
pub(crate) fn set(path: &Path, attribute: &str, value: &str) {
    let mut command = Command::new(tools::require("setfattr"));
    tools::output(command.args(["-h", "-n", attribute, "-v", value]).arg(path));
}

/// One of everything that ntfs-3g can make.
fn everything(at: &Path) {
    fs_err::create_dir_all(at.join("a/b/c/d")).unwrap();
    let many = at.join("many");
    fs_err::create_dir(&many).unwrap();
    for number in 0..700_u32 {
        fs_err::write(many.join(format!("Name {number} ä")), vec![7; number as usize * 3]).unwrap();
    }
    for number in (0..700).step_by(3) {
        fs_err::remove_file(many.join(format!("Name {number} ä"))).unwrap();
    }
    for name in ["same", "Same", "SAME"] {
        fs_err::write(at.join(name), name).unwrap();
    }
    let linked = at.join("linked");
    fs_err::write(&linked, "data").unwrap();
    for number in 0..60 {
        fs_err::hard_link(&linked, at.join(format!("a/b/other name {number:080}"))).unwrap();
    }
    fs_err::write(at.join("large"), vec![3; 3_000_001]).unwrap();
    fs_err::rename(at.join("a/b/c"), at.join("many/moved")).unwrap();
    let sparse = fs_err::File::create(at.join("sparse")).unwrap();
    sparse.set_len(5_000_000).unwrap();
    for place in [0, 1_000_000, 4_999_999] {
        sparse.file().write_all_at(b"x", place).unwrap();
    }
    let file = |name: &str| {
        let path = at.join(name);
        fs_err::write(&path, "data").unwrap();
        path
    };
    set(&file("pointing"), "system.ntfs_reparse_data", "0x130000800800000001020304050607ff");
    set(&file("identified"), "system.ntfs_object_id", "0x000102030405060708090a0b0c0d0e0f");
    set(&file("a long name"), "system.ntfs_dos_name", "SHORT~1");
    set(&file("streams"), "user.stream", "more");
    std::os::unix::fs::symlink("large", at.join("link")).unwrap();
}

/// Uses up all room in small files and frees every second, so that what comes then is in pieces.
fn fragment(at: &Path) {
    let filler = |number: u32| at.join(format!("filler {number}"));
    let full = (0..).find(|&number| fs_err::write(filler(number), [1; 6000]).is_err()).unwrap();
    for number in (0..=full).step_by(2) {
        fs_err::remove_file(filler(number)).unwrap();
    }
    fs_err::write(at.join("pieces"), vec![9; 4_000_000]).unwrap();
}

#[track_caller]
fn check_geometry(sector: u32, cluster: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    make(&path, 64, sector, cluster);
    assert_sound(&path);
    let at = folder.path().join("at");
    {
        let mount = Mount::ntfs(&path, &at, "rw,streams_interface=xattr");
        everything(mount.path());
    }
    wait(&path);
    let found = assert_sound_by_ntfs_3g(&path);
    assert!(found.summary.files > 450 && found.summary.names > found.summary.files);
}

/// Waits for the driver: it writes on when the volume is unmounted already.
pub(crate) fn wait(volume: &Path) {
    let name = volume.to_str().unwrap().as_bytes();
    let uses = |process: fs_err::DirEntry| {
        let words = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
        words.split(|&byte| byte == 0).any(|word| word == name)
    };
    while fs_err::read_dir("/proc").unwrap().any(|process| uses(process.unwrap())) {
        std::thread::yield_now();
    }
}

#[test]
fn volumes_of_any_size_by_ntfs_3g_are_sound() {
    check_geometry(512, 4096);
    check_geometry(512, 512);
    check_geometry(512, 65_536);
    check_geometry(1024, 2048);
    check_geometry(4096, 4096);
}

#[test]
fn fragmented_and_compressed_files_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    make(&path, 24, 512, 4096);
    let at = folder.path().join("at");
    {
        let mount = Mount::ntfs(&path, &at, "rw,compression");
        let compressed = mount.path().join("compressed");
        fs_err::create_dir(&compressed).unwrap();
        set(&compressed, "system.ntfs_attrib_be", "0x00000810");
        let text = "ten green bottles ".repeat(20_000);
        fs_err::write(compressed.join("text"), text).unwrap();
        let mut noise = vec![0; 300_000];
        Random::new(7).fill(&mut noise);
        fs_err::write(compressed.join("noise"), noise).unwrap();
        fragment(mount.path());
    }
    wait(&path);
    let found = assert_sound_by_ntfs_3g(&path);
    assert!(found.summary.clusters > found.summary.all_clusters * 2 / 3);
}

/// A list may be so long that it stands in clusters and its file's records are many.
#[test]
fn files_of_thousands_of_names_and_runs_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    make(&path, 48, 512, 512);
    let at = folder.path().join("at");
    {
        let mount = Mount::ntfs(&path, &at, "rw");
        let at = mount.path();
        let file = fs_err::File::create(at.join("runs")).unwrap();
        let other = fs_err::File::create(at.join("others")).unwrap();
        for place in 0..8000_u64 {
            file.file().write_all_at(&[1; 512], place * 512).unwrap();
            other.file().write_all_at(&[2; 512], place * 512).unwrap();
        }
        drop((file, other));
        fs_err::write(at.join("names"), "n").unwrap();
        for number in 0..1500 {
            fs_err::hard_link(at.join("names"), at.join(format!("name {number}"))).unwrap();
        }
    }
    wait(&path);
    let found = assert_sound_by_ntfs_3g(&path);
    assert!(found.summary.records > found.summary.files + found.summary.directories + 100);
}
