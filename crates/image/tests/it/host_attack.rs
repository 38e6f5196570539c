//! Images and targets made to lead a writer astray. Nothing may ever be written outside the target.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use imprint_image::host::{HostTarget, TargetOptions};
use imprint_image::{BlobUse, SkipReason, Skipped, Target};
use imprint_progress::Progress;
use imprint_winvalues::WinName;
use imprint_winvalues::tree::{Content, NameId, Tree};
use tempfile::TempDir;

use crate::conformance::{Delivery, add, apply, directory, everything, file, read, reparse_point};
use crate::host_apply::{junction, scratch, symbolic_link, target};

/// A target with things beside it that must stay as they are.
struct Field {
    temporary: TempDir,
}

impl Field {
    fn new() -> Self {
        let field = Self { temporary: scratch() };
        fs_err::create_dir(field.target()).unwrap();
        fs_err::create_dir(field.outside()).unwrap();
        fs_err::write(field.outside().join("file"), "outside").unwrap();
        field
    }

    fn target(&self) -> PathBuf {
        self.temporary.path().join("target")
    }

    fn outside(&self) -> PathBuf {
        self.temporary.path().join("outside")
    }

    /// Applies in every way, and checks after each that the outside is as it was.
    fn apply(&self, tree: &Tree) -> Vec<Skipped> {
        let mut results = Vec::new();
        for delivery in [Delivery::Whole, Delivery::WholeByThreads, Delivery::Pieces(3)] {
            let mut skipped = apply(&mut target(&self.target()), tree, delivery);
            skipped.sort_by_key(ToString::to_string);
            results.push(skipped);
            self.check();
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
        results.remove(0)
    }

    fn check(&self) {
        let names = |path: &Path| {
            let mut names: Vec<String> = fs_err::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(self.temporary.path()), ["outside", "target"]);
        assert_eq!(names(&self.outside()), ["file"]);
        assert_eq!(fs_err::read(self.outside().join("file")).unwrap(), b"outside");
        assert_eq!(fs_err::metadata(self.outside().join("file")).unwrap().nlink(), 1);
    }
}

fn add_raw(tree: &mut Tree, units: &[u16], file: imprint_winvalues::tree::File) -> NameId {
    tree.add(NameId::ROOT, WinName::from_units(units), file).unwrap()
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    let names =
        ["", ".", "..", "/", "../outside/file", "/etc/x", "a/b", "x\0y", "../new", "./x", "..\0"];
    for (number, name) in names.iter().enumerate() {
        let data = if number % 2 == 0 { &b"attack"[..] } else { b"" };
        let units: Vec<u16> = name.encode_utf16().collect();
        add_raw(&mut tree, &units, file(data));
        let bad = add_raw(&mut tree, &units, directory());
        tree.add(bad, "below".into(), file(b"below")).unwrap();
        add_raw(&mut tree, &units, symbolic_link("../outside", true));
    }
    let good = add(&mut tree, "good", file(b"good"));
    let good = tree.name(good).unwrap().file();
    tree.link(NameId::ROOT, "../outside/linked".into(), good).unwrap();
    let skipped = field.apply(&tree);
    assert_eq!(skipped.len(), names.len() * 3 + 1);
    assert!(skipped.iter().all(|s| matches!(s.reason, SkipReason::Name { .. })), "{skipped:?}");
    let mut left: Vec<_> =
        fs_err::read_dir(field.target()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["good"]);
}

#[test]
fn a_file_is_made_under_the_first_name_that_can_be_used() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    for (data, good) in [(&b"data"[..], "with data"), (b"", "empty")] {
        let bad = add_raw(&mut tree, &[u16::from(b'/')], file(data));
        let bad = tree.name(bad).unwrap().file();
        tree.link(NameId::ROOT, good.into(), bad).unwrap();
    }
    assert_eq!(field.apply(&tree).len(), 2);
    assert_eq!(fs_err::read(field.target().join("with data")).unwrap(), b"data");
    assert_eq!(fs_err::read(field.target().join("empty")).unwrap(), b"");
}

#[test]
fn invalid_names_can_be_written_under_similar_ones() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    for name in ["..", "../outside/file", "", "a\0b"] {
        let bad = tree.add(NameId::ROOT, name.into(), directory()).unwrap();
        tree.add(bad, "/".into(), file(name.as_bytes())).unwrap();
        tree.add(bad, "empty/".into(), file(b"")).unwrap();
    }
    let options = TargetOptions { include_invalid_names: true, ..TargetOptions::default() };
    let mut host = HostTarget::new(field.target(), options).unwrap();
    assert_eq!(apply(&mut host, &tree, Delivery::WholeByThreads), []);
    field.check();
    let source = imprint_image::host::HostSource::new(field.target()).unwrap();
    let (seen, _) = read(&source, &everything());
    assert_eq!(seen.0.len(), 1 + 4 * 3);
    assert!(seen.0.contains_key("\\.. (invalid name 1)"));
    assert!(seen.0.keys().any(|path| path.starts_with("\\a\u{fffd}b (invalid name")));
}

#[test]
fn links_in_the_target_are_not_followed() {
    let field = Field::new();
    symlink("../outside", field.target().join("directory")).unwrap();
    symlink("../outside/file", field.target().join("file")).unwrap();
    symlink("../outside/new", field.target().join("dangling")).unwrap();
    let mut tree = Tree::new(directory());
    add(&mut tree, "directory/file", file(b"attack"));
    add(&mut tree, "directory/empty", file(b""));
    add(&mut tree, "directory/sub/file", file(b"attack"));
    add(&mut tree, "directory/link", symbolic_link("x", true));
    add(&mut tree, "file", file(b"replaced"));
    add(&mut tree, "dangling", file(b"replaced too"));
    let skipped = field.apply(&tree);
    let lines: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    assert_eq!(lines, [r"\directory: failed to make directory: Not a directory (os error 20)"]);
    assert_eq!(fs_err::read(field.target().join("dangling")).unwrap(), b"replaced too");
    assert!(fs_err::symlink_metadata(field.target().join("file")).unwrap().is_file());
    assert!(fs_err::symlink_metadata(field.target().join("directory")).unwrap().is_symlink());
}

#[test]
fn links_of_the_image_are_not_written_through() {
    let field = Field::new();
    let outside = field.outside().to_str().unwrap().to_owned();
    let mut tree = Tree::new(directory());
    // A link with entries below it.
    for (name, link) in [
        ("link", symbolic_link(r"..\outside", true)),
        ("absolute", symbolic_link(&format!(r"\??\C:{}", outside.replace('/', "\\")), false)),
        ("junction", junction(&format!(r"\??\C:{}", outside.replace('/', "\\")))),
    ] {
        add(&mut tree, &format!("{name}/file"), file(b"attack"));
        add(&mut tree, &format!("{name}/empty"), file(b""));
        add(&mut tree, &format!("{name}/directory/x"), file(b"attack"));
        let id = tree.name(tree.find(name).unwrap()).unwrap().file();
        let mut link = link;
        link.attributes |= imprint_winvalues::Attributes::DIRECTORY;
        *tree.file_mut(id).unwrap() = link;
    }
    // The same name twice: a link and a directory, a link and a file.
    add_raw(&mut tree, &[u16::from(b'd')], symbolic_link(r"..\outside", true));
    let twice = add_raw(&mut tree, &[u16::from(b'd')], directory());
    tree.add(twice, "file".into(), file(b"inside")).unwrap();
    add_raw(&mut tree, &[u16::from(b'f')], symbolic_link(r"..\outside\file", true));
    add_raw(&mut tree, &[u16::from(b'f')], file(b"inside"));
    let skipped = field.apply(&tree);
    let below = SkipReason::UnsupportedKind { kind: "name below a link" };
    assert_eq!(skipped.iter().filter(|s| s.reason == below).count(), 9);
    assert_eq!(fs_err::read(field.target().join("d/file")).unwrap(), b"inside");
    assert!(fs_err::symlink_metadata(field.target().join("link")).unwrap().is_symlink());
}

#[test]
fn names_that_stand_twice_do_no_harm() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    let first = add_raw(&mut tree, &[u16::from(b'x')], file(b"three times the same name"));
    let first = tree.name(first).unwrap().file();
    tree.link(NameId::ROOT, "x".into(), first).unwrap();
    tree.link(NameId::ROOT, "x".into(), first).unwrap();
    for data in [&b"one"[..], b"two"] {
        let twice = tree.add(NameId::ROOT, "twice".into(), directory()).unwrap();
        tree.add(twice, "file".into(), file(data)).unwrap();
    }
    assert_eq!(field.apply(&tree), []);
    let data = fs_err::read(field.target().join("x")).unwrap();
    assert_eq!(data, b"three times the same name");
    assert_eq!(fs_err::metadata(field.target().join("x")).unwrap().nlink(), 1);
    let data = fs_err::read(field.target().join("twice/file")).unwrap();
    assert!(matches!(&data[..], b"one" | b"two"));
}

#[test]
fn broken_reparse_data_is_listed() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    add(&mut tree, "short", reparse_point(0xa000_000c, b"short"));
    add(&mut tree, "long", reparse_point(0xa000_000c, &[0; 20_000]));
    add(&mut tree, "names outside", reparse_point(0xa000_0003, &[0xff; 64]));
    add(&mut tree, "nul", symbolic_link("a\0b", true));
    add(&mut tree, "too long for linux", symbolic_link(&"\u{4e00}".repeat(2000), true));
    let skipped = field.apply(&tree);
    let paths: Vec<&str> = skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(paths, [r"\long", r"\names outside", r"\nul", r"\short", r"\too long for linux"]);
    assert_eq!(fs_err::read_dir(field.target()).unwrap().count(), 0);
}

#[test]
fn names_too_long_for_the_host_are_listed() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    let long = "\u{fc}".repeat(255);
    add(&mut tree, &long, file(b"data"));
    add(&mut tree, &format!("{}/below", "\u{4e00}".repeat(200)), file(b"data"));
    add(&mut tree, &"x".repeat(60_000), file(b""));
    let skipped = field.apply(&tree);
    assert_eq!(skipped.len(), 3);
    assert!(skipped.iter().all(|s| s.to_string().ends_with("File name too long (os error 36)")));
}

#[test]
fn very_deep_trees_are_written() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    let mut at = NameId::ROOT;
    // Far deeper than paths may be long, and more directories than handles are kept.
    for _ in 0..5_000 {
        at = tree.add(at, "d".into(), directory()).unwrap();
    }
    tree.add(at, "file".into(), file(b"deep")).unwrap();
    assert_eq!(apply(&mut target(&field.target()), &tree, Delivery::Whole), []);
    let source = imprint_image::host::HostSource::new(field.target()).unwrap();
    let scanned = imprint_image::Source::scan(&source, &everything(), &Progress::new()).unwrap();
    assert_eq!(scanned.tree.names().len(), tree.names().len());
    let times = |tree: &Tree, id: u32| tree.file_of(NameId(id)).unwrap().times.write;
    assert!((0..5_000).all(|id| times(&tree, id) == times(&scanned.tree, id)));
    // Deeper than the removal of scratch directories can go.
    let removed = std::process::Command::new("rm").arg("-rf").arg(field.target()).status();
    assert!(removed.unwrap().success());
}

/// Links wait for the end in memory, but not more of them than it should hold.
#[test]
fn masses_of_long_links_are_made_early() {
    let field = Field::new();
    let mut tree = Tree::new(directory());
    let links = 1100;
    for number in 0..links {
        let to = format!("{number:04}{}", "x".repeat(4080));
        add(&mut tree, &format!("link {number}"), symbolic_link(&to, true));
    }
    let last = add(&mut tree, "last", symbolic_link("link 0", true));
    let second = tree.name(last).unwrap().file();
    tree.link(NameId::ROOT, "second name of last".into(), second).unwrap();
    let progress = Progress::new();
    let mut host = target(&field.target());
    host.begin(&tree, &[], &progress).unwrap();
    let names: Vec<_> = tree.names().skip(1).map(|(id, name)| (id, name.file())).collect();
    for &(name, file) in &names[..=links] {
        let Content::Inline(data) = &tree.file(file).unwrap().streams[0].content else { panic!() };
        host.put(&tree, &[BlobUse { file, name, stream: 0 }], data).unwrap();
    }
    let made = || fs_err::read_dir(field.target()).unwrap().count();
    assert!((1000..links).contains(&made()), "{}", made());
    assert_eq!(host.finish(&tree, &progress).unwrap(), []);
    assert_eq!(made(), links + 2);
    for name in ["last", "second name of last"] {
        assert_eq!(fs_err::read_link(field.target().join(name)).unwrap(), Path::new("link 0"));
    }
}
