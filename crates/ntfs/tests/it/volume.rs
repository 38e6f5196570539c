//! Volumes by mkntfs, read.

use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_ntfs::{AttributeKind, Clusters, RecordNumber, Value, Volume};
use imprint_testkit::tools;

/// Runs a tool that must succeed and returns what it prints.
fn run(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tools::require(tool)).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {said}");
    output.stdout
}

/// A volume of 64 MiB with sectors and clusters of these sizes.
fn volume(folder: &Path, sector: u32, cluster: u32) -> PathBuf {
    let path = folder.join("volume");
    let file = fs_err::File::create(&path).unwrap();
    file.set_len(64 << 20).unwrap();
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
    let path = volume(folder.path(), sector, cluster);
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
