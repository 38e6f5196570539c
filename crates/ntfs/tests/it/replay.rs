//! What fuzzing found once stays right, and what it began with is read.

use imprint_ntfs::{Overlay, UpCase, Volume};
use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/ntfs_volume.rs"]
mod ntfs_volume;

#[path = "../../../../fuzz/oracles/ntfs_check.rs"]
mod ntfs_check;

#[test]
fn beginnings_of_volumes() {
    replay("ntfs_volume", ntfs_volume::check);
}

#[test]
fn damage_to_volumes() {
    replay("ntfs_check", ntfs_check::check);
}

/// Else the seeds would try little.
#[test]
fn a_seed_has_a_file_of_each_kind() {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/ntfs_volume/filled");
    let bytes = ntfs_volume::lay_out(&fs_err::read(seed).unwrap());
    let volume = Volume::open(bytes).unwrap();
    let upcase = UpCase::windows();
    let find = |path: &str| volume.find(path, &upcase).unwrap().unwrap().record;
    let look = |path: &str| volume.look(find(path)).unwrap().unwrap();
    let many = volume.directory(find("/MANY")).unwrap().unwrap();
    assert_eq!(many.entries().unwrap().map(Result::unwrap).count(), 40);
    assert!(look("large").names.len() > 12);
    let compact = look("compact");
    let Overlay::Compressed(data) = compact.overlay() else { panic!("{compact:?}") };
    let mut plain = [0; 9000];
    volume.system_reader(&data).unwrap().read(&mut plain, 0).unwrap();
    assert!(plain.starts_with(b"nine hundred and ninety nine times nine"));
    assert!(volume.used_ranges().unwrap().all(|range| range.unwrap().length > 0));
    let bad = look("holes").streams.len();
    assert_eq!((bad, volume.information().unwrap().version), (1, (3, 1)));
}
