//! Files laid over those that a volume has.

use std::path::Path;

use imprint_image::volume::{LayerOptions, NtfsLayer};
use imprint_image::{BlobUse, Coming, Target};
use imprint_ntfs::{EditOptions, Editor};
use imprint_testkit::{Random, ntfs_volume, soak};
use imprint_winvalues::FileTime;
use imprint_winvalues::tree::{NameId, Tree};

use crate::conformance::{
    Delivery, Summary, add, apply, assert_same, check_target, directory, file,
};
use crate::host_apply::{noise, scratch};
use crate::volume::{judge, random_tree, sample, secure, summary};

const OPTIONS: EditOptions = EditOptions { now: FileTime(133_000_000_000_000_000), force: false };

fn layer(path: &Path) -> NtfsLayer<fs_err::File> {
    let device = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let editor = Editor::open(device, OPTIONS).unwrap();
    NtfsLayer::new(editor, path.display().to_string(), LayerOptions::default())
}

#[test]
fn the_layer_keeps_all_it_says() {
    let folder = scratch();
    let path = folder.path().join("volume");
    check_target(&sample(), || {
        ntfs_volume(&path, 32);
        let path = path.clone();
        let read = move || {
            judge(&path);
            summary(&path)
        };
        (layer(&folder.path().join("volume")), Box::new(read))
    });
}

#[test]
fn random_trees_lie_side_by_side() {
    let folder = scratch();
    let path = folder.path().join("volume");
    for round in 0..soak::rounds(4, 200) {
        let mut random = Random::new(1000 + u64::from(round));
        ntfs_volume(&path, 192);
        let mut expected = Summary::default();
        for _ in 0..2 {
            let tree = random_tree(&mut random);
            let mut target = layer(&path);
            let kept = target.capabilities();
            let skipped = apply(&mut target, &tree, Delivery::WholeByThreads);
            drop(target);
            // A directory stays where the second tree has a file.
            assert!(skipped.iter().all(|one| one.to_string().contains("directory")), "{skipped:?}");
            judge(&path);
            if expected.0.is_empty() {
                expected = Summary::in_hand(&tree).kept(&kept);
                expected.0.remove(r"\");
                let mut found = summary(&path).kept(&kept);
                found.0.remove(r"\");
                assert_same(&found, &expected);
            }
        }
    }
}

#[test]
fn what_has_no_counterpart_stays() {
    let folder = scratch();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 32);
    let mut before = Tree::new(directory());
    add(&mut before, "folder/stays", file(b"stays"));
    let old = add(&mut before, "folder/replaced", file(&noise(50_000, 1)));
    let linked = before.name(old).unwrap().file();
    before.link(NameId::ROOT, "another name".into(), linked).unwrap();
    add(&mut before, "is a folder/with", file(b"something"));
    secure(&mut before);
    assert_eq!(apply(&mut layer(&path), &before, Delivery::Whole), []);
    let mut after = Tree::new(directory());
    add(&mut after, "FOLDER/Replaced", file(&noise(70_000, 2)));
    add(&mut after, "folder/new", file(b"new"));
    add(&mut after, "is a folder", file(b"a file in its place"));
    secure(&mut after);
    let skipped = apply(&mut layer(&path), &after, Delivery::Whole);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(skipped[0].to_string().contains("it is a directory"), "{skipped:?}");
    judge(&path);
    let found = summary(&path);
    let names: Vec<&str> = found.0.keys().map(String::as_str).collect();
    assert!(names.contains(&r"\folder\stays"), "{names:?}");
    assert!(names.contains(&r"\folder\new") && names.contains(&r"\folder\Replaced"), "{names:?}");
    assert!(names.contains(&r"\is a folder\with"), "{names:?}");
    // The old data has its other name.
    let expected = Summary::in_hand(&before);
    assert_eq!(found.0[r"\another name"].streams, expected.0[r"\another name"].streams);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let folder = scratch();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 8);
    let bytes = fs_err::read(&path).unwrap();
    let mut tree = Tree::new(directory());
    add(&mut tree, "large", file(&noise(9_000_000, 1)));
    let (name, file) = (NameId(1), imprint_winvalues::tree::FileId(1));
    let uses = [BlobUse { file, name, stream: 0 }];
    let coming = [Coming { uses: &uses, size: 9_000_000 }];
    let progress = imprint_progress::Progress::new();
    let error = layer(&path).begin(&tree, &coming, &progress).unwrap_err();
    assert!(error.to_string().starts_with("failed to change the volume"), "{error}");
    assert!(fs_err::read(&path).unwrap() == bytes);
}
