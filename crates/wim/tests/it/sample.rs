//! Trees and files made in memory.

use imprint_blockio::{MemoryFile, Resize};
use imprint_codec::{Compressor, Level};
use imprint_testkit::Kind;
use imprint_wim::{ChunkMap, Coding, CreateOptions, FinishOptions, ImageInfo, Wim, WimWriter};
use imprint_winvalues::tree::{
    Content, ExtendedAttribute, File, NameId, ReparseInfo, Stream, StreamKind, Times, Tree,
    UnixData,
};
use imprint_winvalues::{Attributes, BlobHash, FileTime, Guid, WinName, reparse};
use sha1::{Digest, Sha1};

pub(crate) const TIME: FileTime = FileTime(0x01dd_7aa0_0000_0000);

pub(crate) fn hash(bytes: &[u8]) -> BlobHash {
    BlobHash(Sha1::digest(bytes).into())
}

pub(crate) fn file(attributes: Attributes) -> File {
    let mut file = File::default();
    file.attributes = attributes;
    file.times = Times { creation: TIME, access: TIME, write: FileTime(TIME.0 + 1), change: None };
    file
}

pub(crate) fn directory() -> File {
    file(Attributes::DIRECTORY)
}

pub(crate) fn stream(kind: StreamKind, name: &str, bytes: &[u8]) -> Stream {
    Stream { kind, name: name.into(), content: Content::inline(bytes) }
}

pub(crate) fn data(bytes: &[u8]) -> File {
    let mut file = file(Attributes::ARCHIVE);
    if !bytes.is_empty() {
        file.streams.push(stream(StreamKind::Data, "", bytes));
    }
    file
}

/// A tree with a bit of everything that a WIM can keep; contents are inline.
pub(crate) fn tree(seed: u64) -> Tree {
    let mut root = directory();
    let mut tree = Tree::new(directory());
    root.security = tree.security.insert(b"\x01\0\x04\x80 descriptor of the root");
    let other = tree.security.insert(b"\x01\0\x04\x80 another");
    *tree.file_mut(tree.name(NameId::ROOT).unwrap().file()).unwrap() = root;

    let mut add = |parent, name: &str, file| tree.add(parent, name.into(), file).unwrap();
    let windows = add(NameId::ROOT, "Windows", directory());
    add(windows, "empty", data(b""));
    add(windows, "text.txt", data(&Kind::Text.bytes(100_000, seed)));
    add(windows, "noise.bin", data(&Kind::Random.bytes(70_000, seed)));
    add(windows, "small.txt", data(b"one line\r\n"));
    add(NameId::ROOT, "copy.txt", data(b"one line\r\n"));
    add(NameId::ROOT, "empty directory", directory());

    let mut with_streams = data(b"main data");
    with_streams.security = other;
    with_streams.streams.push(stream(StreamKind::Data, "first", b"first stream"));
    with_streams.streams.push(stream(StreamKind::Data, "empty", b""));
    with_streams.extras_mut().object_id = Some((0..16).collect());
    with_streams.extras_mut().extended_attributes.push(ExtendedAttribute {
        name: (*b"NAME").into(),
        flags: 0x80,
        value: (*b"value").into(),
    });
    add(NameId::ROOT, "streams.txt", with_streams);

    let mut directory_streams = directory();
    directory_streams.streams.push(stream(StreamKind::Data, "note", b"of a directory"));
    add(NameId::ROOT, "noted", directory_streams);

    let mut junction = file(Attributes::DIRECTORY | Attributes::REPARSE_POINT);
    let link = reparse::Link {
        kind: reparse::LinkKind::Junction,
        substitute: r"\??\C:\Windows".into(),
        print: r"C:\Windows".into(),
    };
    junction.streams.push(stream(StreamKind::Reparse, "", &link.to_data().unwrap()));
    junction.reparse = Some(ReparseInfo { tag: link.tag(), reserved: 0, not_fixed: true });
    add(NameId::ROOT, "junction", junction);

    let mut unix = data(b"owned");
    unix.extras_mut().unix = Some(UnixData { uid: 1000, gid: 100, mode: 0o100_640, rdev: 0 });
    let first = add(NameId::ROOT, "link-a", unix);
    let linked = tree.name(first).unwrap().file();
    tree.link(windows, "link-b".into(), linked).unwrap();
    tree.name_mut(windows).unwrap().short_name = WinName::from("WINDOW~1");
    tree
}

/// Writes inline contents as blobs, compressed if the file is.
pub(crate) fn store<F: Resize>(writer: &mut WimWriter<F>, tree: &mut Tree) {
    for (_, file) in tree.files_mut() {
        for stream in &mut file.streams {
            if let Content::Inline(bytes) = &stream.content {
                let hash = store_blob(writer, bytes);
                stream.content = Content::Blob(hash);
            }
        }
    }
}

pub(crate) fn store_blob<F: Resize>(writer: &mut WimWriter<F>, bytes: &[u8]) -> BlobHash {
    let hash = hash(bytes);
    let size = bytes.len() as u64;
    match writer.coding().and_then(|coding| compress(coding, bytes)) {
        Some(stored) => writer.write_stored(hash, size, true, &[&stored]).unwrap(),
        None => writer.write_stored(hash, size, false, &[bytes]).unwrap(),
    }
    hash
}

/// The stored form of a resource, `None` if it is not smaller (or LZMS, which cannot be written).
pub(crate) fn compress(coding: Coding, bytes: &[u8]) -> Option<Vec<u8>> {
    let compressor = Compressor::new(coding.format, coding.chunk_size, Level::default());
    let mut compressor = match compressor {
        Err(imprint_codec::NewCodecError::CompressUnsupported { .. }) => return None,
        other => other.unwrap(),
    };
    let chunks: Vec<Vec<u8>> = bytes
        .chunks(coding.chunk_size as usize)
        .map(|chunk| {
            let mut out = vec![0; chunk.len()];
            match compressor.compress(chunk, &mut out) {
                Some(length) => out[..length].to_vec(),
                None => chunk.to_vec(),
            }
        })
        .collect();
    let sizes = chunks.iter().map(|chunk| u32::try_from(chunk.len()).unwrap());
    let mut stored = ChunkMap::encode_table(bytes.len() as u64, sizes);
    stored.extend(chunks.concat());
    (stored.len() < bytes.len()).then_some(stored)
}

pub(crate) fn options(coding: Option<Coding>) -> CreateOptions {
    CreateOptions { coding, guid: Guid::from_random([7; 16]), rp_fix: true }
}

pub(crate) fn info(name: &str) -> ImageInfo {
    ImageInfo {
        name: name.to_owned(),
        creation_time: Some(TIME),
        last_modification_time: Some(TIME),
        ..ImageInfo::default()
    }
}

/// A finished file of images made by [`tree`], one for each seed.
pub(crate) fn wim(coding: Option<Coding>, seeds: &[u64], finish: FinishOptions) -> Vec<u8> {
    let mut writer = WimWriter::create(MemoryFile::default(), options(coding)).unwrap();
    for (&seed, number) in seeds.iter().zip(1..) {
        let mut tree = tree(seed);
        store(&mut writer, &mut tree);
        writer.add_image(&tree, info(&format!("Image {number}"))).unwrap();
    }
    writer.finish(finish).unwrap().into_bytes()
}

/// Reads and verifies everything a file holds.
pub(crate) fn verify(bytes: Vec<u8>) -> Wim<Vec<u8>> {
    let wim = Wim::open(bytes).unwrap();
    for index in 1..=wim.image_count() {
        let image = wim.read_tree(index).unwrap();
        assert_eq!(image.warnings, []);
        for (_, file) in image.tree.files() {
            for stream in &file.streams {
                if let Content::Blob(hash) = &stream.content {
                    assert!(wim.blobs().find(hash).is_some(), "{hash}");
                }
            }
        }
    }
    for blob in wim.blobs().iter() {
        wim.verify_blob(blob).unwrap();
    }
    assert!(wim.verify_integrity(|_, _| {}).unwrap().is_none_or(|result| result.is_ok()));
    assert!(wim.blobs().notes().is_empty());
    wim
}

/// All a tree holds, with inline contents replaced by their hashes, in an order that does not depend
/// on how it was built: path, short name, file, and the first path of the same file.
pub(crate) fn snapshot(tree: &Tree) -> Vec<String> {
    let mut first_paths = std::collections::HashMap::new();
    let mut names: Vec<_> =
        tree.walk(NameId::ROOT).map(|(id, name)| (tree.path_of(id), name)).collect();
    names.sort_by(|a, b| a.0.0.cmp(&b.0.0));
    names
        .into_iter()
        .map(|(path, name)| {
            let first = first_paths.entry(name.file()).or_insert_with(|| path.to_string()).clone();
            let mut file = tree.file(name.file()).unwrap().clone();
            for stream in &mut file.streams {
                if let Content::Inline(bytes) = &stream.content {
                    stream.content = Content::Blob(hash(bytes));
                }
            }
            let security = file.security.take().map(|id| tree.security.get(id).unwrap().to_vec());
            format!("{path} {:?} ={first} {security:?} {file:?}", name.short_name)
        })
        .collect()
}

/// Compares two trees and shows the first entry that differs.
#[track_caller]
pub(crate) fn assert_same(found: &Tree, expected: &Tree) {
    let (found, expected) = (snapshot(found), snapshot(expected));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}
