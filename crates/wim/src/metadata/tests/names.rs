//! Names of entries: which are passed over, which cannot be written.

use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{Content, File, NameId, StreamKind, Tree};

use super::{DIRECTORY, Entry, named, stream, tree};
use crate::metadata::{TreeDetails, TreeWarning, read, write};

#[test]
fn unusable_names_are_passed_over() {
    let image = tree(&[
        named(""),
        named("."),
        named(".."),
        named("a\0b"),
        named("same"),
        Entry { main: 7, ..named("same") },
        named("Same"),
    ]);
    let names: Vec<_> =
        image.tree.walk(NameId::ROOT).skip(1).map(|(_, name)| name.name.to_string()).collect();
    assert_eq!(names, ["same", "Same"]);
    let texts: Vec<_> = image.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "entry without name in a directory was ignored (at offset 0x78)",
            "entry named . was ignored (at offset 0xe0)",
            "entry named .. was ignored (at offset 0x150)",
            "entry \"a\\0b\" was ignored: its name holds a NUL (at offset 0x1c0)",
            "second entry named same was ignored (at offset 0x2a0)",
        ]
    );
}

#[test]
fn the_name_of_a_root_is_ignored() {
    let root = Entry { attributes: DIRECTORY, name: "root", ..Entry::default() };
    let bytes = [vec![8, 0, 0, 0, 0, 0, 0, 0], root.bytes()].concat();
    let image = read(&bytes, 1).unwrap();
    assert_eq!(image.warnings, [TreeWarning::NamedRoot { offset: 8 }]);
    assert!(image.tree.name(NameId::ROOT).unwrap().name.is_empty());
}

#[test]
fn names_that_do_not_fit_are_refused() {
    let error = |name: String, stream_name: String| {
        let mut root = File::default();
        root.attributes = Attributes::DIRECTORY;
        let mut tree = Tree::new(root);
        let mut file = File::default();
        file.streams.push(stream(StreamKind::Data, &stream_name, Content::Empty));
        tree.add(NameId::ROOT, name.as_str().into(), file).unwrap();
        write(&tree, &TreeDetails::default()).map_err(|error| error.to_string())
    };
    let long = |length| "x".repeat(length);
    error(long(32_767), long(32_767)).unwrap();
    let text = error(long(32_768), "s".to_owned()).unwrap_err();
    assert!(text.starts_with("name in bytes of \\xxx"), "{text}");
    assert!(text.ends_with("should be at most 65535, but is 65536"), "{text}");
    assert_eq!(
        error("f".to_owned(), long(40_000)).unwrap_err(),
        r"stream name in bytes of \f should be at most 65535, but is 80000"
    );
}

#[test]
fn names_that_readers_pass_over_are_not_written() {
    let refused = |names: &[&str]| {
        let mut root = File::default();
        root.attributes = Attributes::DIRECTORY;
        let mut tree = Tree::new(root);
        for name in names {
            tree.add(NameId::ROOT, (*name).into(), File::default()).unwrap();
        }
        write(&tree, &TreeDetails::default()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(refused(&["a", "A", "b"]), Ok(()));
    for (names, text) in [
        (&["a", ""][..], "\\ cannot be stored: its name is empty"),
        (&[".."], r"\.. cannot be stored: its name means a directory"),
        (&["."], r"\. cannot be stored: its name means a directory"),
        (&["a\0b"], "\\a\0b cannot be stored: its name holds a NUL"),
        (&["b", "a", "A", "a"], r"\a cannot be stored: another entry has its name"),
    ] {
        assert_eq!(refused(names), Err(text.to_owned()));
    }
}
