//! What we write, judged by wimlib-imagex and 7-Zip.

use std::path::Path;

use imprint_blockio::Resize;
use imprint_codec::Format;
use imprint_testkit::tools::{require, require_any, run};
use imprint_wim::{Coding, FinishOptions, IntegrityChange, Wim, WimWriter};
use imprint_winvalues::tree::{Content, NameId, Tree};

use super::fixtures::{self, WHOLE};
use super::sample::{self, info, options, store, tree};

const ADD: FinishOptions = FinishOptions { integrity: IntegrityChange::Add };

fn wimlib(arguments: &[&str]) -> String {
    run(&require("wimlib-imagex"), arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes two images into a file of this coding.
fn write_file(path: &Path, coding: Option<Coding>) {
    let file = fs_err::File::options().read(true).write(true).create_new(true).open(path).unwrap();
    let mut writer = WimWriter::create(file, options(coding)).unwrap();
    for seed in [1, 2] {
        let mut tree = tree(seed);
        store(&mut writer, &mut tree);
        writer.add_image(&tree, info(&format!("Image {seed}"))).unwrap();
    }
    writer.set_boot_index(2).unwrap();
    writer.finish(ADD).unwrap();
}

fn codings() -> Vec<(&'static str, Option<Coding>)> {
    let coding = |format, size| Some(Coding::new(format, size).unwrap());
    vec![
        ("none", None),
        ("xpress", coding(Format::Xpress, 32 << 10)),
        ("xpress-4k", coding(Format::Xpress, 4 << 10)),
        ("lzx", coding(Format::Lzx, 32 << 10)),
        ("lzx-2m", coding(Format::Lzx, 2 << 20)),
    ]
}

/// Bytes of all files of a tree with inline contents, as they lie under a directory.
fn expect_files(root: &Path, tree: &Tree) {
    for (id, _) in tree.walk(NameId::ROOT) {
        let file = tree.file_of(id).unwrap();
        let path =
            root.join(tree.path_of(id).to_string().trim_start_matches('\\').replace('\\', "/"));
        if file.reparse.is_some() {
            continue;
        }
        if file.is_directory() {
            assert!(path.is_dir(), "{path:?}");
            continue;
        }
        let expected = match file.main_data().map(|s| &s.content) {
            Some(Content::Inline(bytes)) => bytes.to_vec(),
            None => Vec::new(),
            other => panic!("{other:?}"),
        };
        assert!(fs_err::read(&path).unwrap() == expected, "{path:?}");
    }
}

#[test]
fn wimlib_verifies_and_applies_what_we_write() {
    let dir = tempfile::tempdir().unwrap();
    for (name, coding) in codings() {
        let path = dir.path().join(format!("{name}.wim"));
        write_file(&path, coding);
        wimlib(&["verify", text(&path)]);
        let report = wimlib(&["info", text(&path)]);
        assert!(report.contains("Boot Index:     2"), "{report}");
        assert!(report.contains("Integrity info"), "{report}");
        for index in ["1", "2"] {
            let target = dir.path().join(format!("{name}-{index}"));
            wimlib(&["apply", text(&path), index, text(&target)]);
            expect_files(&target, &tree(index.parse().unwrap()));
        }
    }
}

#[test]
fn seven_zip_tests_and_extracts_what_we_write() {
    let dir = tempfile::tempdir().unwrap();
    let seven_zip = require_any(&["7zz", "7z"]);
    for (name, coding) in codings() {
        let path = dir.path().join(format!("{name}.wim"));
        write_file(&path, coding);
        let report = run(&seven_zip, ["t", text(&path)]);
        assert!(report.contains("Everything is Ok"), "{report}");
        assert!(!report.contains("WARNING"), "{report}");
        let target = dir.path().join(name);
        run(&seven_zip, ["x", "-snld", &format!("-o{}", text(&target)), text(&path)]);
        expect_files(&target.join("1"), &tree(1));
        expect_files(&target.join("2"), &tree(2));
    }
}

/// What wimlib sees of an image, without what differs from file to file.
fn listing(path: &Path, index: &str) -> Vec<String> {
    let report = wimlib(&["dir", "--detailed", text(path), index]);
    let varies = ["Offset in WIM", "Compressed size", "Solid ", "Link Group ID", "Flags  "];
    let lines = report.lines().filter(|line| !varies.iter().any(|v| line.starts_with(v)));
    lines.map(str::to_owned).collect()
}

#[test]
fn wimlib_sees_the_same_after_we_wrote_its_trees_again() {
    let dir = tempfile::tempdir().unwrap();
    for (name, _) in WHOLE {
        if ["split.swm", "split2.swm", "delta.wim"].contains(&name) {
            continue;
        }
        let source = Wim::open(fixtures::bytes(name)).unwrap();
        let path = dir.path().join(name);
        let file = fs_err::File::options().read(true).write(true).create_new(true).open(&path);
        let mut writer = WimWriter::create(file.unwrap(), options(source.coding())).unwrap();
        for index in 1..=source.image_count() {
            let image = source.read_tree(index).unwrap();
            copy_blobs(&source, &mut writer);
            writer.add_image(&image.tree, source.info().image(index).unwrap()).unwrap();
        }
        writer.finish(ADD).unwrap();
        wimlib(&["verify", text(&path)]);
        for index in 1..=source.image_count() {
            let index = index.to_string();
            assert_eq!(listing(&path, &index), listing(&fixtures::path(name), &index), "{name}");
            let counts = |path: &Path| {
                let report = wimlib(&["info", text(path), &index]);
                let wanted = ["Directory Count", "File Count", "Total Bytes", "Hard Link Bytes"];
                let lines = report.lines().filter(|l| wanted.iter().any(|w| l.starts_with(w)));
                lines.map(str::to_owned).collect::<Vec<_>>()
            };
            if name != "7zip.wim" {
                assert_eq!(counts(&path), counts(&fixtures::path(name)), "{name}");
            }
        }
    }
}

fn copy_blobs<F: Resize>(source: &Wim<Vec<u8>>, writer: &mut WimWriter<F>) {
    for blob in source.blobs().iter() {
        if writer.copy_blob(source, blob).unwrap() == imprint_wim::Copied::NeedsRecoding {
            sample::store_blob(writer, &source.read_blob(blob, u64::MAX).unwrap());
        }
    }
}

#[test]
fn appended_images_are_read_by_wimlib_and_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["none.wim", "xpress.wim", "lzx.wim", "solid-lzms.wim"] {
        let path = dir.path().join(name);
        fs_err::copy(fixtures::path(name), &path).unwrap();
        let open = || {
            let file = fs_err::File::options().read(true).write(true).open(&path).unwrap();
            Wim::open(file).unwrap()
        };
        let first = open().image_count() + 1;
        let mut writer = WimWriter::append(open()).unwrap();
        let mut ours = tree(9);
        store(&mut writer, &mut ours);
        assert_eq!(writer.add_image(&ours, info("ours")).unwrap(), first);
        writer.finish(FinishOptions::default()).unwrap();
        wimlib(&["verify", text(&path)]);

        let target = dir.path().join(format!("{name}-applied"));
        wimlib(&["apply", text(&path), &first.to_string(), text(&target)]);
        expect_files(&target, &tree(9));

        wimlib(&["append", text(&target), text(&path), "theirs"]);
        let wim = open();
        assert_eq!(wim.image_count(), first + 1);
        let theirs = wim.read_tree(first + 1).unwrap().tree;
        let text_txt = theirs.find("/Windows/text.txt").unwrap();
        let stream = theirs.file_of(text_txt).unwrap().main_data().unwrap().clone();
        let expected = sample::hash(&imprint_testkit::Kind::Text.bytes(100_000, 9));
        assert_eq!(stream.content, Content::Blob(expected));
        for blob in wim.blobs().iter() {
            wim.verify_blob(blob).unwrap();
        }
        let again = WimWriter::append(open()).unwrap();
        drop(again);
    }
}

#[test]
fn wimlib_reads_a_file_of_which_images_were_removed() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["xpress.wim", "solid-lzms.wim"] {
        let path = dir.path().join(name);
        fs_err::copy(fixtures::path(name), &path).unwrap();
        let file = fs_err::File::options().read(true).write(true).open(&path).unwrap();
        let mut writer = WimWriter::append(Wim::open(file).unwrap()).unwrap();
        writer.remove_image(1).unwrap();
        writer.finish(FinishOptions::default()).unwrap();
        wimlib(&["verify", text(&path)]);
        let target = dir.path().join(format!("{name}-applied"));
        wimlib(&["apply", text(&path), "1", text(&target)]);
        for line in fixtures::list("tree2.list") {
            let bytes = fs_err::read(target.join(&line.path)).unwrap();
            let hash = sample::hash(&bytes).to_string();
            assert_eq!((hash, bytes.len() as u64), (line.hash, line.size), "{}", line.path);
        }
    }
}

#[test]
fn properties_set_by_either_side_are_read_by_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("info.wim");
    fs_err::copy(fixtures::path("lzx.wim"), &path).unwrap();
    let open = || {
        let file = fs_err::File::options().read(true).write(true).open(&path).unwrap();
        Wim::open(file).unwrap()
    };
    let mut writer = WimWriter::append(open()).unwrap();
    let mut image = writer.info().image(2).unwrap();
    let windows = image.windows.as_mut().unwrap();
    assert_eq!(windows.languages, ["de-DE", "en-US"]);
    windows.languages.push("fr-FR".to_owned());
    windows.edition_id = Some("Education".to_owned());
    image.description = Some("grün & <größer>".to_owned());
    writer.info_mut().set_image(2, &image).unwrap();
    writer.finish(FinishOptions::default()).unwrap();

    let report = wimlib(&["info", text(&path), "2"]);
    for line in [
        "Description:            grün & <größer>",
        "Edition ID:             Education",
        "Languages:              de-DE en-US fr-FR ",
        "Architecture:           x86_64",
        "Build:                  26100",
    ] {
        assert!(report.contains(line), "{line} is missing in {report}");
    }
    wimlib(&["info", text(&path), "2", "--image-property", "WINDOWS/LANGUAGES/LANGUAGE[3]=it-IT"]);
    let wim = open();
    let languages = wim.info().image(2).unwrap().windows.unwrap().languages;
    assert_eq!(languages, ["de-DE", "en-US", "it-IT"]);
    let note = wim.info().property(2, "VENDOR/NOTE").unwrap();
    assert_eq!(note.as_deref(), Some("kept & <unknown>"));
}

#[test]
fn wimlib_writes_the_same_metadata_byte_for_byte() {
    // wimlib rewrites an image's metadata when it changes the image: it takes a file away, we write
    // the tree without it. Streams of directories are left out, wimlib 1.13 writes them otherwise.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ours.wim");
    let tree_without = |extra: Option<&str>| {
        let full = tree(1);
        let mut small = Tree::new(full.file_of(NameId::ROOT).unwrap().clone());
        small.security = full.security.clone();
        for (id, name) in full.walk(NameId::ROOT).skip(1) {
            let mut file = full.file_of(id).unwrap().clone();
            if file.is_directory() && !file.streams.is_empty() {
                continue;
            }
            let parent = full.path_of(name.parent().unwrap()).to_string();
            let parent = small.find(&parent).unwrap();
            if file.links() == 1 {
                file.security = file.security.or(full.file_of(NameId::ROOT).unwrap().security);
                let added = small.add(parent, name.name.clone(), file).unwrap();
                small.name_mut(added).unwrap().short_name = name.short_name.clone();
            }
        }
        let linked = small.add(NameId::ROOT, "Zz".into(), sample::data(b"linked")).unwrap();
        let linked = small.name(linked).unwrap().file();
        small.link(NameId::ROOT, "aa".into(), linked).unwrap();
        extra.map(|extra| small.add(NameId::ROOT, extra.into(), sample::data(b"x")).unwrap());
        small
    };
    let file = fs_err::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let mut writer = WimWriter::create(file, options(None)).unwrap();
    for (mut tree, name) in [(tree_without(Some("more")), "more"), (tree_without(None), "less")] {
        store(&mut writer, &mut tree);
        writer.add_image(&tree, info(name)).unwrap();
    }
    writer.finish(ADD).unwrap();
    wimlib(&["update", text(&path), "1", "--command=delete /more"]);
    let wim = Wim::open(fs_err::read(&path).unwrap()).unwrap();
    let (theirs, ours) = (wim.metadata_bytes(1).unwrap(), wim.metadata_bytes(2).unwrap());
    assert_eq!(theirs.len(), ours.len());
    assert!(theirs == ours);
}

#[test]
fn wimlib_rebuilds_splits_and_joins_what_we_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let ours = path("ours.wim");
    write_file(&ours, Some(Coding::with_default_chunks(Format::Xpress)));
    let export = |target: &Path, options: &[&str]| {
        wimlib(&[&["export", text(&ours), "all", text(target)], options].concat());
    };
    export(&path("lzx.wim"), &["--compress=lzx", "--chunk-size=65536"]);
    export(&path("solid.wim"), &["--solid", "--solid-compress=lzx"]);
    export(&path("lzms.wim"), &["--compress=lzms"]);
    wimlib(&["split", text(&ours), text(&path("part.swm")), "0.05"]);
    let parts: Vec<_> = (1..)
        .map(|n| path(&if n == 1 { "part.swm".to_owned() } else { format!("part{n}.swm") }))
        .take_while(|part| part.exists())
        .collect();
    assert!(parts.len() > 1);
    let mut join = vec!["join", text(dir.path())];
    join.pop();
    let joined = path("joined.wim");
    join.push(text(&joined));
    join.extend(parts.iter().map(|part| text(part)));
    wimlib(&join);
    fs_err::copy(&ours, path("optimized.wim")).unwrap();
    wimlib(&["optimize", text(&path("optimized.wim")), "--recompress"]);
    for name in ["lzx.wim", "solid.wim", "lzms.wim", "joined.wim", "optimized.wim"] {
        let wim = sample::verify(fs_err::read(path(name)).unwrap());
        assert_eq!(wim.image_count(), 2, "{name}");
        for (index, seed) in [(1, 1), (2, 2)] {
            sample::assert_same(&wim.read_tree(index).unwrap().tree, &tree(seed));
        }
    }
    let open = |part: &Path| Wim::open(fs_err::read(part).unwrap()).unwrap();
    let mut set = imprint_wim::BlobSet::new(open(&parts[0]));
    parts[1..].iter().for_each(|part| set.push(open(part)));
    set.check_parts().unwrap();
    sample::assert_same(&set.primary().unwrap().read_tree(2).unwrap().tree, &tree(2));
}

#[test]
fn solid_files_are_edited_without_losing_a_blob() {
    // Twice appended to by wimlib: two runs of solid resources with other entries between them.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("solid.wim");
    fs_err::copy(fixtures::path("solid-lzms.wim"), &path).unwrap();
    let open = || {
        let file = fs_err::File::options().read(true).write(true).open(&path).unwrap();
        Wim::open(file).unwrap()
    };
    let before: Vec<_> = open().blobs().iter().map(|b| (b.hash, b.size, b.references)).collect();
    for round in 0..3 {
        let mut writer = WimWriter::append(open()).unwrap();
        let mut extra = Tree::new(sample::directory());
        let contents = format!("round {round}");
        extra.add(NameId::ROOT, "f".into(), sample::data(contents.as_bytes())).unwrap();
        store(&mut writer, &mut extra);
        writer.add_image(&extra, info(&contents)).unwrap();
        writer.finish(FinishOptions::default()).unwrap();
    }
    let wim = open();
    for (hash, size, references) in before {
        let blob = wim.blobs().find(&hash).unwrap();
        assert_eq!((blob.size, blob.references), (size, references));
        wim.verify_blob(blob).unwrap();
    }
    assert_eq!(wim.image_count(), 5);
    wimlib(&["verify", text(&path)]);
}
