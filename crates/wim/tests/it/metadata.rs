//! Metadata of real files, read and written again.

use imprint_wim::{TreeDetails, Wim, metadata};

use super::fixtures::{self, WHOLE};
use super::sample::assert_same;

/// Files whose metadata is not in wimlib's own form: 7-Zip orders entries otherwise, and streams of
/// directories are written as DISM wants them since wimlib 1.14.2 only.
const OTHER_FORM: [&str; 2] = ["7zip.wim", "ntfs-dirs.wim"];

#[test]
fn what_wimlib_wrote_comes_back_byte_for_byte() {
    let mut compared = 0;
    for (name, _) in WHOLE.iter().filter(|(name, _)| !OTHER_FORM.contains(name)) {
        let wim = Wim::open(fixtures::bytes(name)).unwrap();
        if wim.header().part_number != 1 {
            continue;
        }
        for index in 1..=wim.image_count() {
            let before = wim.metadata_bytes(index).unwrap();
            let image = metadata::read(&before, index).unwrap();
            let after = metadata::write(&image.tree, &image.details).unwrap();
            let differs = before.iter().zip(&after).position(|(a, b)| a != b);
            assert_eq!((differs, before.len()), (None, after.len()), "{name} {index}");
            compared += 1;
        }
    }
    assert!(compared >= 18, "{compared}");
}

#[test]
fn what_others_wrote_comes_back_in_meaning() {
    for name in OTHER_FORM {
        let wim = Wim::open(fixtures::bytes(name)).unwrap();
        let first = wim.read_tree(1).unwrap();
        let bytes = metadata::write(&first.tree, &first.details).unwrap();
        let second = metadata::read(&bytes, 1).unwrap();
        assert_eq!(second.warnings, [], "{name}");
        assert_same(&second.tree, &first.tree);
        assert!(metadata::write(&second.tree, &second.details).unwrap() == bytes, "{name}");
    }
}

#[test]
fn details_are_needed_for_the_same_bytes_only() {
    let wim = Wim::open(fixtures::bytes("unix.wim")).unwrap();
    let image = wim.read_tree(1).unwrap();
    let bytes = metadata::write(&image.tree, &TreeDetails::default()).unwrap();
    assert_same(&metadata::read(&bytes, 1).unwrap().tree, &image.tree);
}

#[test]
fn details_of_another_tree_do_no_harm() {
    let wim = |name| Wim::open(fixtures::bytes(name)).unwrap();
    let foreign = wim("unix.wim").read_tree(1).unwrap().details;
    let image = wim("ntfs-dirs.wim").read_tree(1).unwrap();
    let bytes = metadata::write(&image.tree, &foreign).unwrap();
    assert_same(&metadata::read(&bytes, 1).unwrap().tree, &image.tree);
}
