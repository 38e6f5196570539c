//! Volumes by mkntfs, read.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_ntfs::{AttributeKind, Clusters, FileValue, RecordNumber, Value, Volume};
use imprint_testkit::{Mount, tools};

/// Runs a tool that must succeed and returns what it prints.
fn run(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tools::require(tool)).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {said}");
    output.stdout
}

/// A volume of so many MiB with sectors and clusters of these sizes.
fn volume(folder: &Path, mebibytes: u64, sector: u32, cluster: u32) -> PathBuf {
    let path = folder.join("volume");
    let file = fs_err::File::create(&path).unwrap();
    file.set_len(mebibytes << 20).unwrap();
    let (sector, cluster) = (sector.to_string(), cluster.to_string());
    run("mkntfs", &["-F", "-Q", "-q", "-s", &sector, "-c", &cluster, path.to_str().unwrap()]);
    path
}

/// The unnamed data of a file, which is in clusters.
fn data(volume: &Volume<fs_err::File>, number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let record = volume.record(RecordNumber(number), &mut bytes).unwrap().unwrap();
    let found = record.find(AttributeKind::DATA).unwrap().unwrap();
    let clusters = match found.value {
        Value::Resident(bytes) => return bytes.to_vec(),
        Value::NonResident(first) => volume.clusters(&found, &first).unwrap(),
    };
    read(volume, &clusters)
}

fn read(volume: &Volume<fs_err::File>, clusters: &Clusters) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(clusters.size()).unwrap()];
    clusters.read(volume.device(), &mut bytes, 0).unwrap();
    bytes
}

#[track_caller]
fn check(sector: u32, cluster: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = volume(folder.path(), 64, sector, cluster);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let geometry = volume.geometry();
    assert_eq!((geometry.sector_size, geometry.cluster_size), (sector, cluster));
    let mut bytes = Vec::new();
    let mut used = 0;
    for number in 0..volume.records() {
        let Some(record) = volume.record(RecordNumber(number), &mut bytes).unwrap() else {
            continue;
        };
        used += 1;
        for attribute in record.attributes() {
            let attribute = attribute.unwrap();
            if let Value::NonResident(first) = attribute.value {
                let clusters = volume.clusters(&attribute, &first).unwrap();
                assert!(clusters.size() <= 64 << 20);
            }
        }
    }
    // 0 to 15, and three in $Extend.
    assert_eq!(used, 19);
    let mirror = data(&volume, 1);
    assert!(mirror.len() >= 4096 && data(&volume, 0).starts_with(&mirror));
    // ntfscat joins the sectors of the first two.
    for number in [2_u64, 4, 6, 7, 10] {
        let expected = run("ntfscat", &["-f", "-i", &number.to_string(), path.to_str().unwrap()]);
        assert!(data(&volume, number) == expected, "file {number}");
    }
}

#[test]
fn interop_system_files_are_those_ntfscat_shows() {
    check(512, 4096);
    check(512, 512);
    check(512, 65_536);
    check(4096, 4096);
}

/// All files of a volume that have a name of their own.
fn files(volume: &Volume<fs_err::File>) -> Vec<imprint_ntfs::File> {
    let numbers = (24..volume.records()).map(RecordNumber);
    numbers.filter_map(|number| volume.file(number).unwrap()).collect()
}

/// A file of a thousand runs and one of 200 names: both need several records.
#[test]
fn interop_files_of_many_records_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = volume(folder.path(), 48, 512, 4096);
    let at = Mount::ntfs(&path, &folder.path().join("at"), "rw");
    let at_path = at.path();
    // All of the volume in files of one cluster, every second of which goes again: what is free is in pieces.
    let filler = |number: u32| at_path.join(format!("filler {number}"));
    let full = (0..).find(|&number| fs_err::write(filler(number), [1; 4096]).is_err()).unwrap();
    for number in (0..=full).step_by(2) {
        fs_err::remove_file(filler(number)).unwrap();
    }
    let expected: Vec<u8> =
        (0..4000_u32).flat_map(|number| number.to_le_bytes().repeat(1024)).collect();
    fs_err::write(at_path.join("long"), &expected).unwrap();
    fs_err::write(at_path.join("named"), b"names").unwrap();
    for number in 0..200 {
        fs_err::hard_link(at_path.join("named"), at_path.join(format!("name {number:0100}")))
            .unwrap();
    }
    drop(at);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let files = files(&volume);
    let names = |file: &imprint_ntfs::File| {
        file.attributes.iter().filter(|a| a.kind == AttributeKind::FILE_NAME).count()
    };
    let many = files.iter().find(|file| file.links > 100).unwrap();
    assert_eq!((many.links, names(many)), (201, 201));
    let runs = |file: &imprint_ntfs::File| {
        file.attributes.iter().find_map(|attribute| match &attribute.value {
            FileValue::Clusters(clusters) if attribute.kind == AttributeKind::DATA => {
                Some(clusters.clone())
            }
            _ => None,
        })
    };
    let long = files.iter().filter_map(runs).find(|c| c.size() == expected.len() as u64).unwrap();
    assert!(long.runs().len() > 500, "{}", long.runs().len());
    assert!(read(&volume, &long) == expected);
}

/// ntfs-3g gives sparse files the unit of compressed ones; a part of one that is in use is no less plain for it.
#[test]
fn interop_sparse_files_are_not_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = volume(folder.path(), 16, 512, 4096);
    let at = Mount::ntfs(&path, &folder.path().join("at"), "rw");
    let mut expected = vec![0; 500_005];
    // Neither fills its unit of 64 KiB; as LZNT1 the first is broken and the second empty.
    expected[..4096].fill(0xAA);
    expected[200_000] = 7;
    let sparse = fs_err::File::create(at.path().join("sparse")).unwrap();
    sparse.set_len(expected.len() as u64).unwrap();
    sparse.file().write_all_at(&expected[..4096], 0).unwrap();
    sparse.file().write_all_at(&expected[200_000..200_001], 200_000).unwrap();
    drop(sparse);
    drop(at);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let files = files(&volume);
    let mut attributes = files.iter().flat_map(|file| &file.attributes);
    let clusters = attributes.find_map(|attribute| match &attribute.value {
        FileValue::Clusters(clusters) if attribute.flags == 0x8000 => Some(clusters),
        _ => None,
    });
    let clusters = clusters.unwrap();
    assert_eq!((clusters.size(), clusters.unit_shift()), (500_005, 0));
    let mut bytes = vec![1; expected.len()];
    volume.read_value(clusters, &mut bytes, 0).unwrap();
    assert!(bytes == expected);
}
