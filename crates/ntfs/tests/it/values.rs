//! Values and facts that ntfs-3g wrote, read without it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_ntfs::{AttributeKind, FileValue, Piece, RecordNumber, Swept, SweptValue, Volume};
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
fn find(volume: &Volume<impl ReadAt>, name: &str) -> Swept {
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
    let error = check_endless_descriptors(1 << 31);
    assert!(error.contains("bytes of security descriptors"), "{error}");
}

/// A device some bytes of which cannot be read.
struct Scratched {
    bytes: MemoryFile,
    bad: std::ops::Range<u64>,
}

impl ReadAt for Scratched {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        if offset < self.bad.end && self.bad.start < offset + buf.len() as u64 {
            return Err(std::io::Error::other("bad sector"));
        }
        self.bytes.read_exact_at(buf, offset)
    }

    fn len(&self) -> std::io::Result<u64> {
        self.bytes.len()
    }
}

/// Damages `$SDS` in one place and demands that all descriptors are there as before.
fn check_descriptors_survive(offset: u64, is_bad_sector: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs_err::read(fresh(folder.path(), 4096)).unwrap();
    let whole = Volume::open(MemoryFile::new(bytes.clone())).unwrap();
    let index = whole.security_index().unwrap();
    let expected = [0x100, 0x101].map(|id| whole.security_descriptor(&index, id).unwrap().unwrap());
    let file = whole.file(RecordNumber(9)).unwrap().unwrap();
    let sds = file.attributes.iter().find_map(|found| match &found.value {
        FileValue::Clusters(value) if found.kind == AttributeKind::DATA => Some(value),
        _ => None,
    });
    let Some(Piece::Data { offset: at, .. }) = sds.unwrap().piece(offset, 1) else { panic!() };
    let bad = if is_bad_sector { at / 512 * 512..at / 512 * 512 + 512 } else { 0..0 };
    if !is_bad_sector {
        bytes[usize::try_from(at).unwrap()] ^= 0x10;
    }
    let device = Scratched { bytes: MemoryFile::new(bytes), bad };
    let volume = Volume::open(device).unwrap();
    let index = volume.security_index().unwrap();
    let found = [0x100, 0x101].map(|id| volume.security_descriptor(&index, id).unwrap());
    assert!(found == expected.map(Some), "damaged at {offset:#x}");
}

#[test]
fn descriptors_are_read_from_the_copy_where_they_cannot_be_had() {
    for copy in [0, 0x4_0000] {
        check_descriptors_survive(copy, true);
        // The id of the first entry, its length, a byte of its descriptor, the same of the second.
        for at in [4, 16, 40, 0x84, 0x90, 0xa8] {
            check_descriptors_survive(copy + at, false);
        }
    }
}

/// A volume with a file that has a stream in clusters, and a directory with blocks; where its records are.
fn streams() -> (Vec<u8>, u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = fresh(folder.path(), 4096);
    {
        let options = "streams_interface=windows";
        let mount = Mount::ntfs(&path, &folder.path().join("at"), options);
        fs_err::write(mount.path().join("file"), "main").unwrap();
        fs_err::write(mount.path().join("file:stream"), [7; 9000]).unwrap();
        fs_err::write(mount.path().join("file:other"), "kept").unwrap();
        fs_err::create_dir(mount.path().join("directory")).unwrap();
        for number in 0..60 {
            let name = format!("directory/with a name so long that blocks are needed {number}");
            fs_err::write(mount.path().join(name), "").unwrap();
        }
    }
    let volume = open(&path);
    let [file, directory] =
        ["file", "directory"].map(|name| find(&volume, name).reference.record.0);
    (fs_err::read(&path).unwrap(), file, directory)
}

/// Where an attribute of a type that stands in clusters begins.
fn in_clusters(bytes: &[u8], record: u64, kind: AttributeKind) -> usize {
    let volume = Volume::open(MemoryFile::new(bytes.to_vec())).unwrap();
    let file = volume.file(RecordNumber(record)).unwrap().unwrap();
    let mut all = file.attributes.iter().filter(|found| found.kind == kind);
    let found = all.find(|found| matches!(found.value, FileValue::Clusters(_)));
    usize::try_from(found.unwrap().offset).unwrap()
}

/// Makes the first run of an attribute one of no length.
fn break_pairs(attribute: &mut [u8]) {
    attribute[usize::from(attribute[0x20])] = 0x10;
}

#[test]
fn a_damaged_named_stream_leaves_the_rest_of_its_file() {
    let (mut bytes, file, _) = streams();
    let at = in_clusters(&bytes, file, AttributeKind::DATA);
    break_pairs(&mut bytes[at..]);
    let volume = Volume::open(MemoryFile::new(bytes)).unwrap();
    let (mut swept, mut lost) = (Vec::new(), Vec::new());
    let found = |_, found: Result<Swept, _>| swept.push(found.unwrap());
    volume.sweep_with_losses(file..file + 1, found, |number, loss| lost.push((number, loss)));
    let names: Vec<_> = swept[0].streams.iter().map(|stream| stream.name.to_string()).collect();
    assert_eq!(names, ["", "other"]);
    assert_eq!((lost.len(), lost[0].0), (1, RecordNumber(file)));
    assert_eq!(lost[0].1.stream.to_string(), "stream");
    let error = lost[0].1.error.to_string();
    assert!(error.contains("head of mapping pair"), "{error}");
    // Who wants the file whole is told.
    volume.file(RecordNumber(file)).unwrap_err();
}

#[test]
fn a_damaged_index_does_not_hide_the_directory_from_a_sweep() {
    let (mut bytes, _, directory) = streams();
    let at = in_clusters(&bytes, directory, AttributeKind::INDEX_ALLOCATION);
    break_pairs(&mut bytes[at..]);
    let volume = Volume::open(MemoryFile::new(bytes)).unwrap();
    let swept = find(&volume, "directory");
    assert!(swept.is_directory);
    volume.file(RecordNumber(directory)).unwrap_err();
}

/// What a sweep says of the file after two bytes of its stream's attribute were changed, for the main data.
fn refusal(change: impl FnOnce(&mut [u8])) -> String {
    let (mut bytes, file, _) = streams();
    let at = in_clusters(&bytes, file, AttributeKind::DATA);
    change(&mut bytes[at..]);
    let volume = Volume::open(MemoryFile::new(bytes)).unwrap();
    let mut lost = Vec::new();
    volume.sweep_with_losses(file..file + 1, |_, _| (), |_, loss| lost.push(loss));
    lost[0].error.to_string()
}

#[test]
fn values_longer_than_any_are_refused() {
    let error = refusal(|attribute| {
        // A hole of 2^46 clusters, in six bytes.
        let clusters = 1_u64 << 46;
        attribute[0x18..0x20].copy_from_slice(&(clusters - 1).to_le_bytes());
        for field in [0x28, 0x30, 0x38] {
            attribute[field..field + 8].copy_from_slice(&(clusters << 12).to_le_bytes());
        }
        let pairs = usize::from(attribute[0x20]);
        let pair = [&[6][..], &clusters.to_le_bytes()[..6], &[0]].concat();
        attribute[pairs..pairs + 8].copy_from_slice(&pair);
    });
    assert!(error.contains("bytes of value should be at most 17592186044416"), "{error}");
}

#[test]
fn what_is_compressed_without_a_unit_is_refused() {
    let error = refusal(|attribute| attribute[0x0c] |= 1);
    assert!(error.contains("compression unit should be at least 1, but is 0"), "{error}");
}
