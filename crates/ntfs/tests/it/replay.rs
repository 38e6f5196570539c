//! What fuzzing found once stays right, and what it began with is read.

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
