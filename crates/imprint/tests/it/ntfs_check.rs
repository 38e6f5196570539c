//! `imprint ntfs check`: what it says and how it ends. Each rule is tried in the tests of `ntfs`.

use std::os::unix::fs::FileExt as _;

use imprint_testkit::ntfs_volume;
use imprint_testkit::volumes::Strictness;
use serde_json::Value;

use crate::world::World;

/// A volume whose `$Bitmap` has other bytes in these places.
fn volume(world: &World, changes: &[(u64, u8)]) {
    ntfs_volume(&world.path("volume"), 16);
    let file =
        fs_err::OpenOptions::new().read(true).write(true).open(world.path("volume")).unwrap();
    // Its record is the sixth, and mkntfs puts `$MFT` at cluster 4: of the run, the place has two bytes.
    let mut record = [0; 1024];
    file.file().read_exact_at(&mut record, 4 * 4096 + 6 * 1024).unwrap();
    let data = record.windows(4).position(|bytes| bytes == [0x80, 0, 0, 0]).unwrap();
    let pairs = data + usize::from(record[data + 0x20]);
    assert_eq!(record[pairs], 0x21);
    let bitmap = u64::from(u16::from_le_bytes([record[pairs + 2], record[pairs + 3]])) * 4096;
    for (byte, value) in changes {
        file.file().write_all_at(&[*value], bitmap + byte).unwrap();
    }
}

#[track_caller]
fn check(changes: &[(u64, u8)], status: i32, expected: &str) {
    let world = World::new();
    volume(&world, changes);
    let ran = world.imprint(&["ntfs", "check", "volume"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(status), expected), "{}", ran.err);
}

const SUMMARY: &str = "volume: 17 files, 2 directories, 15 names, 2.56 MB used of 16.8 MB\n";

#[test]
fn volumes_are_sound_inconsistent_or_damaged() {
    check(&[], 0, &format!("{SUMMARY}volume: nothing wrong\n"));
    let lost = "inconsistent: cluster 3203: marked as in use, but belonging to nothing\n";
    let verdict = "volume: 0 damaged, 1 inconsistent, 0 notes\n";
    check(&[(400, 8)], 3, &format!("{lost}{SUMMARY}{verdict}"));
    let free = "damage: clusters 0 to 1: in use, but marked as free\n";
    let verdict = "volume: 1 damaged, 1 inconsistent, 0 notes\n";
    check(&[(0, 0xf4), (400, 8)], 1, &format!("{free}{lost}{SUMMARY}{verdict}"));
}

#[test]
fn findings_are_told_as_json() {
    let world = World::new();
    // More than are told one by one.
    let changes: Vec<(u64, u8)> = (360..510).map(|byte| (byte, 1)).collect();
    volume(&world, &changes);
    let ran = world.imprint(&["ntfs", "check", "volume", "--json"]);
    assert_eq!(ran.status, Some(3));
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["sound"], false);
    assert_eq!(document["inconsistent"], 150);
    assert_eq!(document["counts"]["lost-cluster"], 150);
    assert_eq!(document["findings"].as_array().unwrap().len(), 100);
    assert_eq!(document["findings"][0]["rule"], "lost-cluster");
    let ran = world.imprint(&["ntfs", "check", "volume"]);
    assert!(ran.out.contains("and 50 more of the kind lost-cluster\n"), "{}", ran.out);
}

#[test]
fn what_is_no_volume_cannot_be_checked() {
    let world = World::new();
    world.write("volume", vec![0; 1 << 20]);
    let ran = world.imprint(&["ntfs", "check", "volume"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(
        ran.err.contains("failed to check volume: NTFS boot sector: mark should be"),
        "{}",
        ran.err
    );
}

#[test]
fn what_is_found_is_repaired() {
    let world = World::new();
    volume(&world, &[(0, 0xf4), (400, 8)]);
    let ran = world.imprint(&["ntfs", "check", "volume", "--repair"]);
    let found = "damage: clusters 0 to 1: in use, but marked as free\n\
                 inconsistent: cluster 3203: marked as in use, but belonging to nothing\n";
    let steps = "repair: marked 2 clusters as in use and 1 as free\n\
                 repair: removed the mark of a dirty volume and emptied $LogFile\n";
    let expected = format!("{found}{steps}{SUMMARY}volume: nothing wrong\n");
    assert_eq!((ran.status, ran.out), (Some(0), expected));
    assert_eq!(imprint_testkit::volumes::check(&world.path("volume"), 0, Strictness::Strict), "");
    let ran = world.imprint(&["ntfs", "check", "volume", "--repair", "--json"]);
    let document = ran.json();
    assert_eq!((ran.status, &document["steps"]), (Some(0), &serde_json::json!([])));
}
