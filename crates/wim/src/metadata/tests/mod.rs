//! Metadata made by hand, with what is odd or wrong in it.

mod details;
mod directories;
mod lengths;
mod links;
mod names;
mod security;
mod streams;

use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::{Content, File, NameId, Stream, StreamKind};
use zerocopy::IntoBytes;

use super::{ImageTree, read};
use crate::layout::{DentryDisk, StreamEntryDisk};

const DIRECTORY: u32 = 0x10;
const REPARSE: u32 = 0x400;
const ENCRYPTED: u32 = 0x4000;

/// An entry to be made.
#[derive(Clone, Default)]
struct Entry {
    attributes: u32,
    name: &'static str,
    short: &'static str,
    security: Option<u32>,
    subdir: u64,
    main: u8,
    union: [u8; 8],
    /// Name and first byte of the hash.
    streams: Vec<(&'static str, u8)>,
    tail: Vec<u8>,
}

fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn with_nul(name: &str) -> Vec<u8> {
    if name.is_empty() { Vec::new() } else { [utf16(name), vec![0, 0]].concat() }
}

fn hash(byte: u8) -> [u8; 20] {
    [byte; 20]
}

fn blob(byte: u8) -> Content {
    Content::Blob(BlobHash(hash(byte)))
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let names = padded([vec![0; 102], with_nul(self.name), with_nul(self.short)].concat());
        let disk = DentryDisk {
            length: (names.len() as u64 + self.tail.len() as u64).into(),
            attributes: self.attributes.into(),
            security_id: self.security.unwrap_or(u32::MAX).into(),
            subdir_offset: self.subdir.into(),
            reserved: [0.into(); 2],
            creation_time: 1.into(),
            access_time: 2.into(),
            write_time: 3.into(),
            main_hash: hash(self.main),
            unknown_54: 0.into(),
            link_or_reparse: self.union,
            stream_count: u16::try_from(self.streams.len()).unwrap().into(),
            short_name_length: u16::try_from(utf16(self.short).len()).unwrap().into(),
            name_length: u16::try_from(utf16(self.name).len()).unwrap().into(),
        };
        let mut bytes = [disk.as_bytes(), &names[102..], &self.tail].concat();
        for (name, byte) in &self.streams {
            let entry = padded([vec![0; 38], with_nul(name)].concat());
            let disk = StreamEntryDisk {
                length: (entry.len() as u64).into(),
                reserved: 0.into(),
                hash: hash(*byte),
                name_length: u16::try_from(utf16(name).len()).unwrap().into(),
            };
            bytes.extend_from_slice(disk.as_bytes());
            bytes.extend_from_slice(&entry[38..]);
        }
        bytes
    }
}

/// Offset of the root's entries: security data, root entry and end.
const LIST: u64 = 8 + 104 + 8;

/// Metadata of a root with these entries, and more bytes behind them.
fn image(entries: &[Entry], more: &[u8]) -> Vec<u8> {
    let root = Entry { attributes: DIRECTORY, subdir: LIST, ..Entry::default() };
    let mut bytes = [vec![8, 0, 0, 0, 0, 0, 0, 0], root.bytes(), vec![0; 8]].concat();
    entries.iter().for_each(|entry| bytes.extend(entry.bytes()));
    bytes.extend([0; 8]);
    bytes.extend(more);
    bytes
}

fn named(name: &'static str) -> Entry {
    Entry { name, ..Entry::default() }
}

fn tree(entries: &[Entry]) -> ImageTree {
    read(&image(entries, &[]), 1).unwrap()
}

fn only(image: &ImageTree) -> &File {
    let children = image.tree.name(NameId::ROOT).unwrap().children();
    assert_eq!(children.len(), 1);
    image.tree.file_of(children[0]).unwrap()
}

fn message(bytes: &[u8]) -> String {
    read(bytes, 3).unwrap_err().to_string()
}

fn stream(kind: StreamKind, name: &str, content: Content) -> Stream {
    Stream { kind, name: name.into(), content }
}
