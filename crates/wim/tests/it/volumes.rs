//! What NTFS keeps, through wimlib and ntfs-3g: our images on a volume and back.

use std::path::Path;

use imprint_testkit::tools::{require, run};
use imprint_wim::{FinishOptions, Wim, WimWriter};
use imprint_winvalues::tree::{Content, NameId, Tree};
use imprint_winvalues::{Attributes, WinName};

use super::sample::{self, data, directory, info, options, store};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn write_image(path: &Path, mut tree: Tree) {
    let file = fs_err::File::options().read(true).write(true).create_new(true).open(path).unwrap();
    let mut writer = WimWriter::create(file, options(None)).unwrap();
    store(&mut writer, &mut tree);
    writer.add_image(&tree, info("image")).unwrap();
    writer.finish(FinishOptions::default()).unwrap();
}

/// A descriptor NTFS takes: SYSTEM owns it, Everyone may do everything.
const DESCRIPTOR: [u8; 72] = {
    let mut bytes = [0; 72];
    let header = [1, 0, 4, 0x80, 0x14, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0];
    let system = [1, 1, 0, 0, 0, 0, 0, 5, 0x12, 0, 0, 0];
    let list = [
        2, 0, 0x1c, 0, 1, 0, 0, 0, 0, 0, 0x14, 0, 0xff, 1, 0x1f, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0,
        0, 0,
    ];
    let mut at = 0;
    while at < 20 {
        bytes[at] = header[at];
        at += 1;
    }
    while at < 44 {
        bytes[at] = system[(at - 20) % 12];
        at += 1;
    }
    while at < 72 {
        bytes[at] = list[at - 44];
        at += 1;
    }
    bytes
};

/// A tree with what a volume keeps.
fn volume_tree() -> Tree {
    let mut tree = sample::tree(1);
    let security = tree.security.insert(&DESCRIPTOR).unwrap();
    for (_, file) in tree.files_mut() {
        file.security = Some(security);
        if let Some(extras) = &mut file.extras {
            // Linux data has no place on a volume, extended attributes are not applied by wimlib.
            extras.unix = None;
            extras.extended_attributes.clear();
        }
    }
    let hidden = Attributes::HIDDEN | Attributes::SYSTEM | Attributes::ARCHIVE;
    let mut file = sample::file(hidden);
    file.security = Some(security);
    tree.add(NameId::ROOT, "hidden".into(), file).unwrap();
    let mut long = data(b"short name");
    long.security = Some(security);
    let long = tree.add(NameId::ROOT, "a long file name.txt".into(), long).unwrap();
    tree.name_mut(long).unwrap().short_name = WinName::from("ALONGF~1.TXT");
    tree
}

/// What a file is, without what a volume adds to it.
fn lines(tree: &Tree) -> Vec<String> {
    let mut lines: Vec<_> = tree
        .walk(NameId::ROOT)
        .skip(1)
        .map(|(id, name)| {
            let mut file = tree.file_of(id).unwrap().clone();
            let security = file.security.take().map(|id| tree.security.get(id).unwrap().len());
            let mut streams: Vec<_> = file
                .streams
                .iter()
                .map(|stream| {
                    let hash = match &stream.content {
                        Content::Inline(bytes) => Some(sample::hash(bytes)),
                        Content::Blob(hash) => Some(*hash),
                        _ => None,
                    };
                    format!("{:?} {} {hash:?}", stream.kind, stream.name)
                })
                .collect();
            streams.sort();
            // The volume adds birth ids of zeros to an object id.
            let id_of = file.extras.as_ref().and_then(|extras| extras.object_id.clone());
            let id_of = id_of.map(|id| id[..16].to_vec());
            let attributes = file.attributes - Attributes::NORMAL - Attributes::ARCHIVE;
            format!(
                "{} {:?} {attributes:?} {:?} {streams:?} {:?} {id_of:?} {security:?} {}",
                tree.path_of(id),
                name.short_name,
                file.times,
                file.reparse.map(|info| info.tag),
                file.links(),
            )
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn an_image_survives_an_ntfs_volume() {
    let dir = tempfile::tempdir().unwrap();
    let (image, volume) = (dir.path().join("ours.wim"), dir.path().join("volume.img"));
    write_image(&image, volume_tree());
    fs_err::File::create(&volume).unwrap().set_len(8 << 20).unwrap();
    run(&require("mkntfs"), ["-q", "-F", "-L", "test", text(&volume)]);
    let wimlib = require("wimlib-imagex");
    run(&wimlib, ["apply", text(&image), "1", text(&volume)]);
    let again = dir.path().join("again.wim");
    run(&wimlib, ["capture", text(&volume), text(&again), "again", "--compress=none"]);
    let wim = sample::verify(fs_err::read(&again).unwrap());
    let found = lines(&wim.read_tree(1).unwrap().tree);
    let expected = lines(&volume_tree());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// All letters that have case, one name each.
fn letters() -> Vec<u16> {
    let has_case = |unit: &u16| {
        char::from_u32(u32::from(*unit))
            .is_some_and(|c| c.is_lowercase() || c.is_uppercase() || !c.is_alphanumeric())
    };
    let usable = |unit: &u16| *unit > 0x20 && !"\"*/:<>?\\|".encode_utf16().any(|u| u == *unit);
    (0x21..0xd800).filter(has_case).filter(usable).collect()
}

#[test]
fn names_are_sorted_as_wimlib_sorts_them() {
    let mut tree = Tree::new(directory());
    for unit in letters() {
        let name = WinName::from_units(&[0x61, unit, 0x62]);
        if !name.is_dots() {
            tree.add(NameId::ROOT, name, sample::file(Attributes::NORMAL)).unwrap();
        }
    }
    let removed = tree.clone();
    tree.add(NameId::ROOT, "removed by wimlib".into(), directory()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("names.wim");
    write_image(&path, tree);
    run(
        &require("wimlib-imagex"),
        ["update", text(&path), "1", "--command=delete --recursive '/removed by wimlib'"],
    );
    let theirs = Wim::open(fs_err::read(&path).unwrap()).unwrap().read_tree(1).unwrap().tree;
    let order = |tree: &Tree| -> Vec<WinName> {
        let children = tree.name(NameId::ROOT).unwrap().children();
        children.iter().map(|&id| tree.name(id).unwrap().name.clone()).collect()
    };
    let bytes = imprint_wim::metadata::write(&removed, &imprint_wim::TreeDetails::default());
    let ours = imprint_wim::metadata::read(&bytes.unwrap(), 1).unwrap().tree;
    let (ours, theirs) = (order(&ours), order(&theirs));
    assert_eq!(ours.len(), theirs.len());
    let moved: Vec<_> = ours.iter().zip(&theirs).filter(|(a, b)| a != b).map(|(a, _)| a).collect();
    assert_eq!(moved, Vec::<&WinName>::new());
}
