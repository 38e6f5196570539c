//! What a volume says of itself, held against the programs of ntfs-3g.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use imprint_ntfs::{
    FileValue, Hibernation, LogState, RecordNumber, Unclean, UsedRange, Volume, VolumeFlags,
};
use imprint_testkit::{Mount, ntfs_volume, tools};

fn open(path: &Path) -> Volume<fs_err::File> {
    Volume::open(fs_err::File::open(path).unwrap()).unwrap()
}

/// What ntfs-3g would do if it were to mount the volume: 0 if it would, 14 if it takes Windows for asleep, 15 if it
/// takes the log for open.
fn probe(path: &Path) -> Option<i32> {
    let mut command = Command::new(tools::require("ntfs-3g.probe"));
    command.arg("--readwrite").arg(path).status().unwrap().code()
}

/// A number that `ntfsinfo -m` prints behind a label.
fn printed(path: &Path, label: &str) -> u64 {
    let output = tools::output(Command::new(tools::require("ntfsinfo")).arg("-m").arg(path));
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.lines().find_map(|line| line.trim().strip_prefix(label));
    let found = found.unwrap_or_else(|| panic!("no {label}: {text}"));
    found.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn interop_measures_are_those_ntfsinfo_prints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 48);
    tools::run(&tools::require("ntfslabel"), [path.as_os_str(), "Grüße".as_ref()]);
    {
        let mount = Mount::ntfs(&path, &folder.path().join("at"), "rw");
        for number in 0..50 {
            fs_err::write(mount.path().join(format!("file {number}")), vec![1; 10_000]).unwrap();
        }
        (0..50).step_by(3).for_each(|number| {
            fs_err::remove_file(mount.path().join(format!("file {number}"))).unwrap();
        });
    }
    let volume = open(&path);
    let found = volume.information().unwrap();
    assert_eq!((found.label.to_string().as_str(), found.version), ("Grüße", (3, 1)));
    assert_eq!(found.flags, VolumeFlags(0));
    assert_eq!(volume.state().unwrap().reasons(), []);
    let ranges: Vec<UsedRange> = volume.used_ranges().unwrap().map(Result::unwrap).collect();
    assert!(ranges.len() > 5, "{ranges:?}");
    let used: u64 = ranges.iter().map(|range| range.length).sum();
    let clusters = volume.geometry().clusters();
    assert_eq!(clusters, printed(&path, "Volume Size in Clusters"));
    assert_eq!(clusters - used, printed(&path, "Free Clusters"));
    // Those files have, each once.
    let mut taken = vec![0; usize::try_from(clusters).unwrap()];
    for number in (0..volume.records()).map(RecordNumber) {
        for attribute in volume.file(number).unwrap().iter().flat_map(|file| &file.attributes) {
            let FileValue::Clusters(value) = &attribute.value else { continue };
            for run in value.runs() {
                let Some(first) = run.lcn else { continue };
                (first.0..first.0 + run.length)
                    .for_each(|cluster| taken[usize::try_from(cluster).unwrap()] += 1);
            }
        }
    }
    for range in &ranges {
        (range.first.0..range.first.0 + range.length)
            .for_each(|cluster| taken[usize::try_from(cluster).unwrap()] -= 1);
    }
    assert!(taken.iter().all(|&count| count == 0));
    let mut bytes = Vec::new();
    let in_use = (0..volume.records())
        .filter(|&number| volume.record(RecordNumber(number), &mut bytes).unwrap().is_some());
    let in_use = in_use.count() as u64;
    assert_eq!(volume.record_bits().unwrap().count_set().unwrap(), in_use);
}

#[test]
fn interop_dirty_volumes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 16);
    // It leaves the volume for chkdsk to check.
    tools::run(&tools::require("ntfsfix"), [&path]);
    let found = open(&path);
    assert!(found.information().unwrap().flags.contains(VolumeFlags::DIRTY));
    assert_eq!(found.state().unwrap().reasons(), [Unclean::Dirty]);
    tools::run(&tools::require("ntfsfix"), ["-d".as_ref(), path.as_os_str()]);
    assert_eq!(open(&path).state().unwrap().reasons(), []);
}

#[test]
fn interop_hibernated_volumes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let check = |name: &str, bytes: &[u8], expected, exit| {
        ntfs_volume(&path, 16);
        {
            let mount = Mount::ntfs(&path, &folder.path().join("at"), "rw");
            fs_err::write(mount.path().join(name), bytes).unwrap();
        }
        let state = open(&path).state().unwrap();
        assert_eq!(state.hibernation, expected, "{:?}", bytes.first_chunk::<4>());
        let is_awake = expected == Hibernation::Awake;
        let reasons: &[Unclean] = if is_awake { &[] } else { &[Unclean::Hibernated] };
        assert_eq!(state.reasons(), reasons);
        assert_eq!(probe(&path), Some(exit));
    };
    let file = |mark: &[u8; 4]| [&mark[..], &[0; 8188]].concat();
    check("hiberfil.sys", &file(b"hibr"), Hibernation::Asleep, 14);
    check("hiberfil.sys", &file(b"HIBR"), Hibernation::Asleep, 14);
    check("hiberfil.sys", &file(b"wake"), Hibernation::Awake, 0);
    check("hiberfil.sys", b"hibr", Hibernation::Elsewhere, 14);
    // ntfs-3g wants the name in small letters; Windows does not.
    check("HiberFil.sys", &file(b"HIBR"), Hibernation::Asleep, 0);
    ntfs_volume(&path, 16);
    assert_eq!(open(&path).state().unwrap().hibernation, Hibernation::NoFile);
}

const PAGE: usize = 4096;

/// A restart page as Windows writes it for a log of so many bytes.
fn restart_page(size: u64, lsn: u64, version: (u8, u8), flags: u8) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[..8].copy_from_slice(b"RSTR\x1e\0\x09\0");
    page[16..24].copy_from_slice(&[0, 0x10, 0, 0, 0, 0x10, 0, 0]);
    page[24..30].copy_from_slice(&[0x30, 0, version.1, 0, version.0, 0]);
    page[0x1e] = 1;
    for sector in 1..=PAGE / 512 {
        page[sector * 512 - 2] = 1;
    }
    let area = &mut page[0x30..];
    area[..8].copy_from_slice(&lsn.to_le_bytes());
    area[8..16].copy_from_slice(&[1, 0, 0xff, 0xff, 0, 0, flags, 0]);
    area[16] = u8::try_from(67 - (64 - size.leading_zeros())).unwrap();
    area[20..24].copy_from_slice(&[0xe0, 0, 0x40, 0]);
    area[24..32].copy_from_slice(&size.to_le_bytes());
    area[36..40].copy_from_slice(&[0x30, 0, 0x40, 0]);
    area[0x50..0x54].copy_from_slice(&[0xff; 4]);
    page
}

/// Writes pages to the beginning of the log.
fn write_log(path: &Path, pages: impl FnOnce(u64) -> Vec<u8>) {
    ntfs_volume(path, 16);
    let volume = open(path);
    let log = volume.file(RecordNumber(2)).unwrap().unwrap();
    let value = log.attributes.iter().find_map(|attribute| match &attribute.value {
        FileValue::Clusters(value) => Some(value),
        FileValue::Resident(_) => None,
    });
    let value = value.unwrap();
    let at = value.runs()[0].lcn.unwrap().0 * u64::from(volume.geometry().cluster_size);
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.file().write_all_at(&pages(value.size()), at).unwrap();
}

#[test]
fn interop_open_logs_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let check = |expected: LogState, exit, pages: &dyn Fn(u64) -> Vec<u8>| {
        write_log(&path, pages);
        assert_eq!(open(&path).state().unwrap().log, expected);
        assert_eq!(probe(&path), Some(exit), "{expected:?}");
    };
    let two = |first: (u64, (u8, u8), u8), second: (u64, (u8, u8), u8)| {
        move |size| {
            let page = |(lsn, version, flags)| restart_page(size, lsn, version, flags);
            [page(first), page(second)].concat()
        }
    };
    check(LogState::Empty, 0, &|_| Vec::new());
    check(LogState::Clean, 0, &two((9, (1, 1), 2), (8, (1, 1), 2)));
    check(LogState::Clean, 0, &two((9, (1, 1), 2), (8, (1, 1), 0)));
    check(LogState::Open, 15, &two((9, (1, 1), 0), (8, (1, 1), 2)));
    check(LogState::Open, 15, &two((8, (1, 1), 2), (9, (1, 1), 0)));
    check(LogState::Cached, 14, &two((9, (2, 0), 2), (8, (2, 0), 2)));
    check(LogState::Damaged, 15, &|_| vec![7; 8192]);
    check(LogState::Clean, 0, &|size| [vec![7; PAGE], restart_page(size, 1, (1, 1), 2)].concat());
}

#[test]
fn short_bitmaps_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 16);
    let volume = open(&path);
    let bitmap = volume.file(RecordNumber(6)).unwrap().unwrap();
    let data = bitmap.attributes.iter().find(|a| a.kind.0 == 0x80).unwrap();
    let size_at = data.offset + 0x30;
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    // Sizes of data and of what was written.
    for at in [size_at, size_at + 8] {
        file.file().write_all_at(&510_u64.to_le_bytes(), at).unwrap();
    }
    let error = open(&path).used_ranges().unwrap_err().to_string();
    let expected = "$DATA of file record 6: bytes should be at least 512, but is 510";
    assert!(error.starts_with(expected), "{error}");
}
