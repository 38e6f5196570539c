//! NTFS volumes that ntfs-3g filled are read by us as ntfs-3g itself, The Sleuth Kit, 7-Zip and dissect.ntfs read
//! them: every name, time, attribute, descriptor, link, stream and reparse point, field by field.

use std::path::Path;

use imprint_testkit::soak;
use imprint_testkit::volumes::{self, Filling, Listing, Strictness, differences};

/// A volume of so many MiB, with sectors and clusters of so many bytes. Returns what we see on it.
#[track_caller]
fn check(mebibytes: u64, sector_size: u32, cluster_size: u32, filling: Filling) -> Listing {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    volumes::make(&path, mebibytes, sector_size, cluster_size, filling);
    assert_eq!(volumes::check(&path, 0, Strictness::Lenient), "");
    let mut all = Listing::by_others(&path);
    let ours = Listing::ours(Path::new(env!("CARGO_BIN_EXE_imprint")), &path);
    all.push(ours.clone());
    let found = differences(&all, &[]);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    ours
}

#[test]
fn all_programs_see_the_same_on_a_volume_of_ntfs_3g() {
    let found = check(64, 512, 4096, Filling::Everything);
    // That there is something to agree about.
    let row = |path: &str| &found.rows[path];
    assert_eq!(row("/small")["streams"], ":|:empty|:one|:two");
    assert_eq!(row("/folder")["streams"], ":stream");
    assert_eq!(row("/a long name.text")["short"], "ALONGN~1.TEX");
    assert_eq!(row("/junction")["tag"], "0xa0000003");
    assert_eq!(row("/extended")["extended"], "ONE 0 1|TWO 128 900");
    assert_eq!(row("/identified")["object_id"], "000102030405060708090a0b0c0d0e0f");
    assert_eq!(row("/compressed/text")["attributes"], "0x820");
    assert!(row("/many names")["links"].starts_with("151 "));
    for name in ["/names/<d800>lone", "/names/lone<dfff>", "/hollow", "/in pieces"] {
        assert!(found.rows.contains_key(name), "{name}");
    }
}

#[test]
fn all_programs_see_the_same_on_ntfs_volumes_of_any_cluster_size() {
    for cluster_size in [512, 1024, 2048, 8192, 16384, 65536] {
        if soak::is_on() || cluster_size == 512 || cluster_size == 65536 {
            check(64, 512, cluster_size, Filling::Everything);
        }
    }
}

#[test]
fn all_programs_see_the_same_on_an_ntfs_volume_of_long_sectors() {
    check(64, 4096, 4096, Filling::Everything);
}

#[test]
fn all_programs_see_the_same_in_a_large_ntfs_directory() {
    let count = soak::rounds(500, 100_000);
    let found = check(512, 512, 4096, Filling::Entries(count));
    assert_eq!(found.rows.len(), 2 + count as usize);
}

#[test]
fn all_programs_see_the_same_in_an_ntfs_file_of_many_runs() {
    check(512, 512, 4096, Filling::Runs(soak::rounds(800, 10_000)));
}

#[test]
fn all_programs_see_the_same_in_an_ntfs_file_of_many_names() {
    check(64, 512, 4096, Filling::Links(soak::rounds(300, 4000)));
}
