//! Writing to a host directory.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use imprint_image::host::{HostSource, HostTarget, TargetOptions};
use imprint_image::{Capability, SkipReason, Skipped, Target};
use imprint_progress::Progress;
use imprint_winvalues::reparse::{Link, LinkKind, TAG_JUNCTION, TAG_SYMBOLIC_LINK};
use imprint_winvalues::tree::{
    Content, ExtendedAttribute, File, NameId, StreamKind, Tree, UnixData,
};
use imprint_winvalues::{Attributes, WinName};
use tempfile::TempDir;

use crate::conformance::{
    Delivery, Summary, add, apply, assert_same, check_target, directory, everything, file, read,
    reparse_point, set_times, stream,
};

/// A directory on the file system of the build, not on a temporary one in memory.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Bytes that neither repeat nor compress.
pub(crate) fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}

pub(crate) fn symbolic_link(target: &str, relative: bool) -> File {
    let kind = LinkKind::SymbolicLink { relative };
    let link = Link { kind, substitute: target.into(), print: target.into() };
    reparse_point(TAG_SYMBOLIC_LINK, &link.to_data().unwrap())
}

pub(crate) fn junction(target: &str) -> File {
    let link = Link { kind: LinkKind::Junction, substitute: target.into(), print: "".into() };
    let mut file = reparse_point(TAG_JUNCTION, &link.to_data().unwrap());
    file.attributes |= Attributes::DIRECTORY;
    file
}

pub(crate) fn target(path: &Path) -> HostTarget {
    HostTarget::new(path, TargetOptions::default()).unwrap()
}

fn summary(path: &Path) -> Summary {
    let (summary, skipped) = read(&HostSource::new(path).unwrap(), &everything());
    assert_eq!(skipped, []);
    summary
}

/// A tree with a bit of all that a Linux file system keeps.
fn sample() -> Tree {
    let mut tree = Tree::new(directory());
    add(&mut tree, "empty", file(b""));
    add(&mut tree, "small", file(b"data"));
    add(&mut tree, "copy of small", file(b"data"));
    add(&mut tree, "deep/er/still/same", file(b"data"));
    add(&mut tree, "large", file(&noise(300_000, 1)));
    add(&mut tree, "deep/copy of large", file(&noise(300_000, 1)));
    add(&mut tree, "gr\u{fc}n \u{1f600}/back\\slash: *?", file(b"odd"));
    let surrogate = WinName::from_units(&[0x61, 0xd800, 0x62]);
    tree.add(NameId::ROOT, surrogate, file(b"not quite UTF-16")).unwrap();
    let linked = add(&mut tree, "deep/linked", file(b"three names"));
    let linked = tree.name(linked).unwrap().file();
    let deep = tree.find("deep").unwrap();
    tree.link(deep, "second".into(), linked).unwrap();
    tree.link(NameId::ROOT, "third".into(), linked).unwrap();
    let empty = add(&mut tree, "e1", file(b""));
    let empty = tree.name(empty).unwrap().file();
    tree.link(deep, "e2".into(), empty).unwrap();
    add(&mut tree, "link", symbolic_link("small", true));
    add(&mut tree, "deep/up", symbolic_link(r"..\link", true));
    add(&mut tree, "deep/nowhere", symbolic_link("no/where", true));
    add(&mut tree, "empty directory", directory());
    let mut sparse = file(&[&[0; 100_000][..], b"end"].concat());
    sparse.attributes = Attributes::SPARSE_FILE;
    add(&mut tree, "sparse", sparse);
    for (id, file) in tree.files_mut() {
        set_times(file, u64::from(id.0) + 1);
    }
    tree
}

#[test]
fn a_tree_comes_back_however_it_is_brought() {
    let temporary = scratch();
    let mut number = 0;
    check_target(&sample(), || {
        number += 1;
        let path: PathBuf = temporary.path().join(number.to_string());
        (target(&path), Box::new(move || summary(&path)))
    });
}

#[test]
fn sparse_files_get_holes_in_each_way() {
    let temporary = scratch();
    let mut tree = Tree::new(directory());
    let mut data = vec![0; 3 << 20];
    data[1 << 20] = 1;
    for name in ["a", "b"] {
        let mut sparse = file(&data);
        sparse.attributes = Attributes::SPARSE_FILE;
        add(&mut tree, name, sparse);
    }
    add(&mut tree, "not sparse", file(&data));
    for (number, delivery) in [Delivery::Whole, Delivery::Pieces(100_000)].into_iter().enumerate() {
        let path = temporary.path().join(number.to_string());
        assert_eq!(apply(&mut target(&path), &tree, delivery), []);
        for name in ["a", "b"] {
            let facts = fs_err::metadata(path.join(name)).unwrap();
            assert_eq!(facts.len(), 3 << 20);
            assert!(facts.blocks() * 512 <= 64 << 10, "{} blocks", facts.blocks());
        }
        if delivery == Delivery::Whole {
            let facts = fs_err::metadata(path.join("not sparse")).unwrap();
            assert!(facts.blocks() * 512 >= 3 << 20);
        }
    }
}

#[test]
fn what_is_there_stays_or_is_replaced_whole() {
    let temporary = scratch();
    let path = temporary.path().join("target");
    fs_err::create_dir(&path).unwrap();
    let at = |name: &str| path.join(name);
    fs_err::create_dir_all(at("directory/below")).unwrap();
    fs_err::write(at("directory/below/kept"), "kept").unwrap();
    fs_err::write(at("file"), "old and longer").unwrap();
    fs_err::hard_link(at("file"), at("other name of file")).unwrap();
    fs_err::write(temporary.path().join("outside"), "outside").unwrap();
    for name in ["was a link", "becomes a link", "becomes empty"] {
        std::os::unix::fs::symlink("../outside", at(name)).unwrap();
    }

    let mut tree = Tree::new(directory());
    add(&mut tree, "directory/below/new", file(b"new"));
    add(&mut tree, "file", file(b"new"));
    add(&mut tree, "was a link", file(b"new"));
    add(&mut tree, "becomes empty", file(b""));
    add(&mut tree, "becomes a link", symbolic_link("file", true));
    let linked = add(&mut tree, "linked", file(b"linked"));
    let linked = tree.name(linked).unwrap().file();
    fs_err::write(at("linked too"), "old").unwrap();
    tree.link(NameId::ROOT, "linked too".into(), linked).unwrap();
    // Twice: the second time all is there already.
    for _ in 0..2 {
        for delivery in [Delivery::Whole, Delivery::Pieces(2)] {
            assert_eq!(apply(&mut target(&path), &tree, delivery), []);
            assert_eq!(fs_err::read(at("directory/below/kept")).unwrap(), b"kept");
            assert_eq!(fs_err::read(at("other name of file")).unwrap(), b"old and longer");
            assert_eq!(fs_err::read(temporary.path().join("outside")).unwrap(), b"outside");
            for name in ["file", "was a link", "directory/below/new", "becomes a link"] {
                assert_eq!(fs_err::read(at(name)).unwrap(), b"new");
            }
            assert_eq!(fs_err::read(at("linked too")).unwrap(), b"linked");
            assert_eq!(fs_err::read(at("becomes empty")).unwrap(), b"");
            assert!(fs_err::symlink_metadata(at("was a link")).unwrap().is_file());
            assert_eq!(fs_err::metadata(at("linked")).unwrap().nlink(), 2);
        }
    }
}

#[test]
fn broken_data_leaves_no_file_behind() {
    let temporary = scratch();
    let path = temporary.path().join("target");
    let mut tree = Tree::new(directory());
    for name in ["a", "b", "linked"] {
        add(&mut tree, name, file(b"12345678"));
    }
    let linked = tree.name(tree.find("linked").unwrap()).unwrap().file();
    tree.link(NameId::ROOT, "second name".into(), linked).unwrap();
    fs_err::create_dir(&path).unwrap();
    fs_err::write(path.join("linked"), "old").unwrap();

    let progress = Progress::new();
    let mut host = target(&path);
    host.begin(&tree, &[], &progress).unwrap();
    let uses: Vec<_> = ["a", "b", "linked"]
        .map(|name| {
            let name = tree.find(name).unwrap();
            let file = tree.name(name).unwrap().file();
            imprint_image::BlobUse { file, name, stream: 0 }
        })
        .into();
    let open = host.open(&tree, &uses[..2], 8).unwrap();
    host.write(&open, 4, b"5678").unwrap();
    host.close(&tree, open, false).unwrap();
    // Who brought the data knows what is wrong with it, and lists it.
    assert_eq!(host.finish(&tree, &progress).unwrap(), []);
    // The blob of "linked" never came: what was there before is neither replaced nor linked.
    let mut names: Vec<_> =
        fs_err::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["linked"]);
    assert_eq!(fs_err::read(path.join("linked")).unwrap(), b"old");
}

#[test]
fn what_linux_cannot_keep_is_listed() {
    let temporary = scratch();
    let path = temporary.path().join("target");
    let mut tree = Tree::new(directory());
    let mut streams = file(b"main");
    streams.streams.push(stream(StreamKind::Data, "Zone.Identifier", b"named"));
    add(&mut tree, "streams", streams);
    let mut overlay = reparse_point(0x8000_0017, b"overlay");
    overlay.streams.push(stream(StreamKind::Data, "", b"main of overlay"));
    add(&mut tree, "overlay", overlay);
    let mut cloud = directory();
    cloud.attributes |= Attributes::REPARSE_POINT;
    cloud.reparse = Some(imprint_winvalues::tree::ReparseInfo {
        tag: 0x9000_001a,
        reserved: 0,
        not_fixed: true,
    });
    cloud.streams.push(stream(StreamKind::Reparse, "", b"cloud"));
    add(&mut tree, "cloud/below", file(b"below"));
    let below_cloud = tree.name(tree.find("cloud").unwrap()).unwrap().file();
    *tree.file_mut(below_cloud).unwrap() = cloud;
    let mut encrypted = File::default();
    encrypted.attributes = Attributes::ENCRYPTED;
    encrypted.streams.push(stream(StreamKind::EncryptedRaw, "", b"raw"));
    add(&mut tree, "encrypted", encrypted);
    let mut link = symbolic_link("streams", true);
    link.streams.push(stream(StreamKind::Data, "", b"main of link"));
    add(&mut tree, "link", link);

    for delivery in [Delivery::Whole, Delivery::Pieces(3)] {
        let mut host = target(&path);
        assert!(!host.capabilities().keeps(Capability::NamedStreams));
        let mut skipped = apply(&mut host, &tree, delivery);
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        let expected = [
            (r"\cloud", Capability::ReparsePoints),
            (r"\encrypted", Capability::EncryptedFiles),
            (r"\link", Capability::NamedStreams),
            (r"\overlay", Capability::ReparsePoints),
            (r"\streams", Capability::NamedStreams),
        ]
        .map(|(path, capability)| Skipped {
            path: path.into(),
            reason: SkipReason::NotKept { capability },
        });
        assert_eq!(skipped, expected);
        assert_eq!(fs_err::read(path.join("streams")).unwrap(), b"main");
        assert_eq!(fs_err::read(path.join("overlay")).unwrap(), b"main of overlay");
        assert_eq!(fs_err::read(path.join("cloud/below")).unwrap(), b"below");
        assert_eq!(fs_err::read(path.join("link")).unwrap(), b"main");
        assert!(!path.join("encrypted").exists());
    }
}

#[test]
fn absolute_links_point_into_the_target_if_asked() {
    let temporary = scratch();
    let mut tree = Tree::new(directory());
    let fixed = |mut file: File| {
        file.reparse.as_mut().unwrap().not_fixed = false;
        file
    };
    add(&mut tree, "fixed", fixed(symbolic_link(r"\??\C:\Users\x", false)));
    add(&mut tree, "root", fixed(symbolic_link(r"\??\C:", false)));
    add(&mut tree, "junction", fixed(junction(r"\??\C:\Users")));
    add(&mut tree, "not fixed", symbolic_link(r"\??\C:\Users\x", false));
    add(&mut tree, "relative", fixed(symbolic_link(r"Users\x", true)));

    let real = temporary.path().join("real");
    fs_err::create_dir(&real).unwrap();
    let path = temporary.path().join("way");
    std::os::unix::fs::symlink("real", &path).unwrap();
    for (fix_reparse, root) in [(true, real.to_str().unwrap()), (false, "")] {
        let options = TargetOptions { fix_reparse, ..TargetOptions::default() };
        let mut host = HostTarget::new(&path, options).unwrap();
        assert_eq!(apply(&mut host, &tree, Delivery::Whole), []);
        let leads = |name: &str| {
            fs_err::read_link(path.join(name)).unwrap().into_os_string().into_string().unwrap()
        };
        assert_eq!(leads("fixed"), format!("{root}/Users/x"));
        assert_eq!(leads("root"), if fix_reparse { root } else { "/" });
        assert_eq!(leads("junction"), format!("{root}/Users"));
        assert_eq!(leads("not fixed"), "/Users/x");
        assert_eq!(leads("relative"), "Users/x");
    }
}

fn with_unix(mut file: File, mode: u32, rdev: u32) -> File {
    let (uid, gid) = if is_root() { (1234, 5678) } else { own_ids() };
    let extras = file.extras_mut();
    extras.unix = Some(UnixData { uid, gid, mode, rdev });
    let value: Box<[u8]> = noise(3000, mode).into();
    extras.extended_attributes = vec![
        ExtendedAttribute { name: (*b"user.empty").into(), flags: 0, value: Box::default() },
        ExtendedAttribute { name: (*b"user.noise").into(), flags: 0, value },
    ];
    file
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn own_ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

#[test]
fn owner_mode_and_extended_attributes_come_back() {
    let temporary = scratch();
    let path = temporary.path().join("target");
    let mut tree = Tree::new(with_unix(directory(), 0o040_751, 0));
    add(&mut tree, "set-uid", with_unix(file(b"program"), 0o104_755, 0));
    add(&mut tree, "read only", with_unix(file(b"secret"), 0o100_400, 0));
    add(&mut tree, "empty", with_unix(file(b""), 0o100_600, 0));
    add(&mut tree, "sticky", with_unix(directory(), 0o041_777, 0));
    add(&mut tree, "closed/below", with_unix(file(b"below"), 0o100_644, 0));
    let closed = tree.name(tree.find("closed").unwrap()).unwrap().file();
    *tree.file_mut(closed).unwrap() = with_unix(directory(), 0o040_000, 0);
    let mut link = with_unix(symbolic_link("read only", true), 0o120_777, 0);
    link.extras_mut().extended_attributes.clear();
    add(&mut tree, "link", link);
    let mut kinds = vec![("pipe", 0o010_640, 0), ("socket", 0o140_604, 0)];
    if is_root() {
        kinds.extend([("null", 0o020_666, 0x0103), ("disk", 0o060_660, 0x0010_0802)]);
    }
    for (name, mode, rdev) in kinds {
        let mut special = with_unix(file(b""), mode, rdev);
        special.attributes = Attributes::empty();
        special.streams.clear();
        // Only files and directories may have attributes of users.
        special.extras_mut().extended_attributes.clear();
        add(&mut tree, name, special);
    }

    let options = TargetOptions { unix_data: true, strict_acls: true, ..TargetOptions::default() };
    let mut host = HostTarget::new(&path, options).unwrap();
    let kept = host.capabilities();
    assert_eq!(apply(&mut host, &tree, Delivery::WholeByThreads), []);
    assert!(fs_err::symlink_metadata(path.join("pipe")).unwrap().file_type().is_fifo());

    let scan = imprint_image::ScanOptions { unix_data: true, ..everything() };
    let (back, skipped) = read(&HostSource::new(&path).unwrap(), &scan);
    assert_eq!(skipped, []);
    let mut expected = Summary::in_hand(&tree).kept(&kept);
    for special in ["pipe", "socket", "null", "disk"] {
        if let Some(entry) = expected.0.get_mut(&format!("\\{special}")) {
            entry.streams.insert((StreamKind::Data, String::new()), Vec::new());
        }
    }
    assert_same(&back.kept(&kept), &expected);

    // Without being asked, nothing of that is set, and special files are plain empty ones.
    let plain = temporary.path().join("plain");
    assert_eq!(apply(&mut target(&plain), &tree, Delivery::Whole), []);
    let facts = fs_err::metadata(plain.join("set-uid")).unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o7000), (own_ids().0, 0));
    assert!(fs_err::symlink_metadata(plain.join("pipe")).unwrap().is_file());
}

#[test]
fn contents_may_be_missing_from_the_streams() {
    let temporary = scratch();
    let path = temporary.path().join("target");
    let mut tree = Tree::new(directory());
    let mut without_stream = file(b"");
    without_stream.streams.clear();
    add(&mut tree, "no stream", without_stream);
    let mut empty_link = symbolic_link("x", true);
    empty_link.streams[0].content = Content::Empty;
    add(&mut tree, "no target", empty_link);
    let skipped = apply(&mut target(&path), &tree, Delivery::Whole);
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].path, r"\no target");
    assert!(fs_err::symlink_metadata(path.join("no stream")).unwrap().is_file());
    fs_err::symlink_metadata(path.join("no target")).unwrap_err();
}
