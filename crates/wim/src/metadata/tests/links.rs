//! Hard links: which names are one file.

use super::{DIRECTORY, Entry, named, tree};
use crate::metadata::{ImageTree, TreeWarning, read, write};

#[test]
fn names_of_one_group_with_the_same_data_are_one_file() {
    let linked = |name, main, group| Entry {
        main,
        union: u64::to_le_bytes(group),
        attributes: 0x20,
        ..named(name)
    };
    let image = tree(&[
        linked("a", 1, 5),
        linked("b", 1, 5),
        linked("c", 2, 5),
        linked("d", 1, 6),
        linked("e", 0, 7),
        linked("f", 0, 7),
        linked("g", 1, 0),
        linked("h", 2, 5),
    ]);
    let file = |path: &str| image.tree.name(image.tree.find(path).unwrap()).unwrap().file();
    assert_eq!(file("a"), file("b"));
    assert_eq!(file("c"), file("h"));
    assert_eq!(file("e"), file("f"));
    let different = [file("a"), file("c"), file("d"), file("e"), file("g")];
    assert!((1..5).all(|n| !different[n..].contains(&different[n - 1])));
    assert!(matches!(
        image.warnings[..],
        [TreeWarning::InconsistentLinks { group: 5, offset: 0x1c8, .. }]
            | [TreeWarning::InconsistentLinks { group: 5, .. }]
    ));
    // Both groups had number 5: they get new ones.
    let again = read(&write(&image.tree, &image.details).unwrap(), 1).unwrap();
    assert_eq!(again.warnings, []);
    let links = |image: &ImageTree| {
        ["a", "c", "d", "e"]
            .map(|p| image.tree.file_of(image.tree.find(p).unwrap()).unwrap().links())
    };
    assert_eq!((links(&image), links(&again)), ([2, 2, 1, 2], [2, 2, 1, 2]));
}

#[test]
fn directories_are_never_joined() {
    let directory =
        |name| Entry { attributes: DIRECTORY, union: u64::to_le_bytes(5), ..named(name) };
    let image = tree(&[directory("a"), directory("b")]);
    assert!(matches!(image.warnings[..], [TreeWarning::DirectoryLink { .. }]));
    assert_eq!(image.tree.files().len(), 3);
}
