//! The files of `tests/fixtures`.

use std::path::PathBuf;

use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::{Content, NameId, Tree};

/// Files that hold one complete set, with the lists of their images' regular files.
pub(crate) const WHOLE: [(&str, &[&str]); 21] = [
    ("7zip.wim", &[]),
    ("delta.wim", &["tree2.list"]),
    ("empty.wim", &[]),
    ("lzms.wim", &["tree.list"]),
    ("lzx-2m.wim", &["big.list"]),
    ("lzx-64k.wim", &["tree.list"]),
    ("lzx.wim", &["tree.list", "tree2.list"]),
    ("none.wim", &["small.list"]),
    ("ntfs-dirs.wim", &[]),
    ("ntfs.wim", &[]),
    ("solid-lzms.wim", &["tree.list", "tree2.list"]),
    ("solid-lzx.wim", &["tree.list"]),
    ("solid-xpress.wim", &["tree.list"]),
    ("split.swm", &["tree.list", "tree2.list"]),
    ("split2.swm", &[]),
    ("tiny-solid.wim", &[]),
    ("tiny-xpress.wim", &[]),
    ("tiny.wim", &[]),
    ("unix.wim", &["unix.list"]),
    ("xpress-4k.wim", &["tree.list"]),
    ("xpress.wim", &["tree.list", "tree2.list"]),
];

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs_err::read(path(name)).unwrap()
}

/// A line of a list: hash, size and path of a regular file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) hash: String,
}

pub(crate) fn list(name: &str) -> Vec<Listed> {
    let text = String::from_utf8(bytes(name)).unwrap();
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, ' ').map(str::to_owned);
            let hash = parts.next().unwrap();
            let size = parts.next().unwrap().parse().unwrap();
            Listed { path: parts.next().unwrap(), size, hash }
        })
        .collect();
    lines.sort();
    lines
}

/// SHA-1 of no bytes: lists have it where a WIM has no blob.
pub(crate) const EMPTY: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// All regular files of a tree, with the hash of their main data; empty files have none.
pub(crate) fn files(tree: &Tree) -> Vec<(String, Option<BlobHash>)> {
    let mut files: Vec<_> = tree
        .walk(NameId::ROOT)
        .filter(|(id, _)| {
            let file = tree.file_of(*id).unwrap();
            let special = file.extras.as_ref().and_then(|e| e.unix).map_or(0o100_000, |u| u.mode);
            !file.is_directory() && file.reparse.is_none() && special & 0o170_000 == 0o100_000
        })
        .map(|(id, _)| {
            let path = tree.path_of(id).to_string().replace('\\', "/");
            let hash = match tree.file_of(id).unwrap().main_data().map(|s| &s.content) {
                Some(Content::Blob(hash)) => Some(*hash),
                _ => None,
            };
            (path.trim_start_matches('/').to_owned(), hash)
        })
        .collect();
    files.sort();
    files
}
