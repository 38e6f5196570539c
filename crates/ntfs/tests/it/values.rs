//! Values and facts that ntfs-3g wrote, read without it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use imprint_ntfs::{AttributeKind, FileValue, RecordNumber, Swept, SweptValue, Volume};
use imprint_testkit::{Mount, tools};

/// A fresh volume of 32 MiB with clusters of this size.
fn fresh(folder: &Path, cluster: u32) -> PathBuf {
    let path = folder.join("volume");
    fs_err::File::create(&path).unwrap().set_len(32 << 20).unwrap();
    let cluster = cluster.to_string();
    let words = ["-F", "-Q", "-q", "-c", &cluster, path.to_str().unwrap()];
    tools::run(&tools::require("mkntfs"), words);
    path
}

fn open(path: &Path) -> Volume<fs_err::File> {
    Volume::open(fs_err::File::open(path).unwrap()).unwrap()
}

/// The file of this name.
fn find(volume: &Volume<fs_err::File>, name: &str) -> Swept {
    let mut found = None;
    volume.sweep(0..volume.records(), |_, swept| {
        let swept = swept.unwrap();
        if swept.names.iter().any(|known| known.name.to_string() == name) {
            found = Some(swept);
        }
    });
    found.unwrap()
}

/// Holes between data: units of 16 clusters of which only some are there, wholly there, and not there.
fn check_holes(cluster: u32, zeros: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = fresh(folder.path(), cluster);
    let step = u64::from(cluster);
    let expected = {
        let mount = Mount::ntfs(&path, &folder.path().join("at"), "rw");
        let name = mount.path().join("holes");
        let file = fs_err::File::create(&name).unwrap();
        file.set_len(100 * step).unwrap();
        for (at, clusters) in [(0, 1), (5, 2), (32, 16), (70, 1)] {
            let data = (0..clusters * step)
                .map(|byte| if byte < zeros { 0 } else { u8::try_from(byte % 250 + 1).unwrap() });
            file.file().write_all_at(&data.collect::<Vec<u8>>(), at * step).unwrap();
        }
        drop(file);
        fs_err::read(name).unwrap()
    };
    let volume = open(&path);
    let file = find(&volume, "holes");
    let SweptValue::Clusters(value) = &file.streams[0].value else { panic!("no clusters") };
    assert!(value.runs().iter().filter(|run| run.lcn.is_none()).count() >= 3);
    let mut whole = vec![0xee; expected.len()];
    volume.read_value(value, &mut whole, 0).unwrap();
    assert!(whole == expected, "clusters of {cluster}");
    for start in (0..expected.len() - 3000).step_by(1777) {
        let mut part = vec![0xee; 3000];
        volume.read_value(value, &mut part, start as u64).unwrap();
        assert!(part == expected[start..start + 3000], "clusters of {cluster} at {start}");
    }
}

/// A sparse value says the size of compression units as a compressed one does: only its flags tell them apart.
#[test]
fn interop_sparse_values_are_not_decompressed() {
    check_holes(512, 0);
    check_holes(4096, 0);
    check_holes(65_536, 0);
    // LZNT1 would take zeros for the end of its data, and say nothing.
    check_holes(4096, 16);
}

/// What a tag that is not Microsoft's has before its data does not count in its length.
#[test]
fn interop_reparse_data_keep_their_guid() {
    let folder = tempfile::tempdir().unwrap();
    let path = fresh(folder.path(), 4096);
    let data: Vec<u8> = (1..=36).collect();
    let whole = [&[0x11, 0, 0, 0, 20, 0, 0, 0][..], &data].concat();
    {
        let mount = Mount::ntfs(&path, &folder.path().join("at"), "rw");
        let name = mount.path().join("point");
        fs_err::write(&name, b"").unwrap();
        let value = whole.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let words = ["-h", "-n", "system.ntfs_reparse_data", "-v", &value, name.to_str().unwrap()];
        tools::run(&tools::require("setfattr"), words);
    }
    let volume = open(&path);
    let (tag, reserved, found) = find(&volume, "point").extras.unwrap().reparse.unwrap();
    assert_eq!((tag, reserved, &*found), (0x11, 0, &*data));
}

/// `$SDS` that says it is a hole of so many clusters.
fn check_endless_descriptors(clusters: u64) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = fresh(folder.path(), 4096);
    let mut bytes = fs_err::read(&path).unwrap();
    let file = open(&path).file(RecordNumber(9)).unwrap().unwrap();
    let sds = file.attributes.iter().find(|found| {
        found.kind == AttributeKind::DATA && matches!(found.value, FileValue::Clusters(_))
    });
    let at = usize::try_from(sds.unwrap().offset).unwrap();
    let mut put = |start: usize, new: &[u8]| bytes[at + start..][..new.len()].copy_from_slice(new);
    put(0x18, &(clusters - 1).to_le_bytes());
    for field in [0x28, 0x30, 0x38] {
        put(field, &(clusters * 4096).to_le_bytes());
    }
    // One pair, of a length in six bytes and no place.
    put(0x48, &[&[6][..], &clusters.to_le_bytes()[..6], &[0]].concat());
    fs_err::write(&path, bytes).unwrap();
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || said.send(open(&path).security_index().map(|_index| ())));
    let ended = heard.recv_timeout(Duration::from_secs(60)).expect("the scan ends");
    ended.unwrap_err().to_string()
}

#[test]
fn descriptors_larger_than_the_volume_are_refused() {
    let error = check_endless_descriptors(1 << 40);
    assert!(error.contains("bytes of security descriptors"), "{error}");
}
