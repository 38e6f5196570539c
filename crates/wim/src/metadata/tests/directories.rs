//! The lists of directories: roots, circles, depth and order.

use imprint_winvalues::tree::NameId;

use super::{DIRECTORY, Entry, LIST, REPARSE, image, message, named, tree};
use crate::metadata::{TreeWarning, read, write};

#[test]
fn an_image_without_entries_is_empty() {
    let image = read(&[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1).unwrap();
    assert_eq!(image.warnings, [TreeWarning::NoRoot { offset: 8 }]);
    assert_eq!(image.tree.names().len(), 1);
}

#[test]
fn a_root_that_is_no_directory_is_refused() {
    let root = Entry { attributes: 0x20, ..Entry::default() };
    let bytes = [vec![8, 0, 0, 0, 0, 0, 0, 0], root.bytes()].concat();
    assert_eq!(
        message(&bytes),
        "metadata of image 3: root should be a directory, but has attributes 0x00000020 \
         (at offset 0x10 of the uncompressed metadata)"
    );
}

#[test]
fn directories_in_a_circle_end() {
    let circle = Entry { attributes: DIRECTORY, subdir: LIST, ..named("again") };
    assert_eq!(
        message(&image(&[circle], &[])),
        "metadata of image 3: directories contain each other or share their entries \
         (at offset 0x78 of the uncompressed metadata)"
    );
}

#[test]
fn shared_entries_do_not_multiply() {
    // Twenty directories, each with two entries that both hold the next one's entries.
    let mut lists = Vec::new();
    let mut bytes = image(&[], &[]);
    bytes.truncate(bytes.len() - 8);
    for level in 0..20_u64 {
        let next = bytes.len() as u64 + 2 * 104 + 16 + 8;
        for name in ["a", "b"] {
            let subdir = if level == 19 { 0 } else { next };
            lists.push(Entry { attributes: DIRECTORY, subdir, ..named(name) }.bytes());
        }
        lists.drain(..).for_each(|entry| bytes.extend(entry));
        bytes.extend([0; 8]);
    }
    assert!(message(&bytes).contains("share their entries"));
}

#[test]
fn deep_trees_are_read_up_to_the_limit() {
    let deep = |depth: u64| {
        let mut bytes = image(&[], &[]);
        bytes.truncate(bytes.len() - 8);
        for level in 1..=depth {
            let subdir = if level == depth { 0 } else { bytes.len() as u64 + 112 + 8 };
            bytes.extend(Entry { attributes: DIRECTORY, subdir, ..named("d") }.bytes());
            bytes.extend([0; 8]);
        }
        read(&bytes, 1)
    };
    let image = deep(16_384).unwrap();
    assert_eq!(image.tree.names().len(), 16_385);
    write(&image.tree, &image.details).unwrap();
    assert!(
        deep(16_386).unwrap_err().to_string().contains("depth of directories should be at most")
    );
}

#[test]
fn children_of_files_and_links_are_ignored() {
    let behind = Entry { subdir: LIST, ..named("file") };
    let mut link = Entry { attributes: DIRECTORY | REPARSE, subdir: LIST, ..named("link") };
    link.union = [3, 0, 0, 0xa0, 0, 0, 0, 0];
    let image = tree(&[behind, link]);
    assert_eq!(image.tree.names().len(), 3);
    assert!(matches!(
        image.warnings[..],
        [TreeWarning::ChildrenOfFile { .. }, TreeWarning::ChildrenOfFile { .. }]
    ));
    // Other reparse points (files kept in a cloud) do have children of their own.
    let mut cloud = Entry { attributes: DIRECTORY | REPARSE, ..named("cloud") };
    cloud.union = [0x1a, 0, 0, 0x90, 0, 0, 0, 0];
    let end = LIST + cloud.bytes().len() as u64 + 8;
    cloud.subdir = end;
    let inside = [named("inside").bytes(), vec![0; 8]].concat();
    let image = read(&super::image(&[cloud], &inside), 1).unwrap();
    assert!(image.tree.find("/cloud/inside").is_some());
    let again = read(&write(&image.tree, &image.details).unwrap(), 1).unwrap();
    assert!(again.tree.find("/cloud/inside").is_some());
}

#[test]
fn lists_of_entries_may_lie_in_any_order() {
    // The deepest list first, the root's last; a gap of garbage between them.
    let mut bytes = [vec![8, 0, 0, 0, 0, 0, 0, 0], vec![0; 104 + 8]].concat();
    let mut list = |entries: &[Entry]| {
        bytes.extend([0xff; 16]);
        let at = bytes.len() as u64;
        entries.iter().for_each(|entry| bytes.extend(entry.bytes()));
        bytes.extend([0; 8]);
        at
    };
    let deepest = list(&[named("file"), named("other")]);
    let inner = list(&[Entry { attributes: DIRECTORY, subdir: deepest, ..named("b") }]);
    let empty = list(&[]);
    let top = list(&[
        Entry { attributes: DIRECTORY, subdir: inner, ..named("a") },
        Entry { attributes: DIRECTORY, subdir: empty, ..named("empty") },
        // Empty directories may share one end.
        Entry { attributes: DIRECTORY, subdir: empty, ..named("too") },
    ]);
    let root = Entry { attributes: DIRECTORY, subdir: top, ..Entry::default() };
    bytes[8..112].copy_from_slice(&root.bytes());
    let image = read(&bytes, 1).unwrap();
    assert_eq!(image.warnings, []);
    let paths: Vec<_> =
        image.tree.walk(NameId::ROOT).map(|(id, _)| image.tree.path_of(id).to_string()).collect();
    assert_eq!(paths, ["\\", r"\a", r"\a\b", r"\a\b\file", r"\a\b\other", r"\empty", r"\too"]);
    let again = read(&write(&image.tree, &image.details).unwrap(), 1).unwrap();
    assert_eq!(again.tree.names().len(), 7);
}
