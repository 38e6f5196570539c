//! Metadata made by hand, with what is odd or wrong in it.

use imprint_winvalues::tree::{Content, File, NameId, Stream, StreamKind, Tree};
use imprint_winvalues::{Attributes, BlobHash};
use zerocopy::IntoBytes;

use super::{ImageTree, TreeDetails, TreeWarning, read, write};
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
fn an_image_without_entries_is_empty() {
    let image = read(&[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1).unwrap();
    assert_eq!(image.warnings, [TreeWarning::NoRoot { offset: 8 }]);
    assert_eq!(image.tree.names().len(), 1);
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
    let image = read(&super::tests::image(&[cloud], &inside), 1).unwrap();
    assert!(image.tree.find("/cloud/inside").is_some());
    let again = read(&write(&image.tree, &image.details).unwrap(), 1).unwrap();
    assert!(again.tree.find("/cloud/inside").is_some());
}

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

#[test]
fn security_ids_without_descriptor_are_dropped() {
    let image = tree(&[Entry { security: Some(0), ..named("a") }]);
    assert_eq!(only(&image).security, None);
    assert_eq!(
        image.warnings[0].to_string(),
        "security id 0 was ignored: there are 0 descriptors (at offset 0x78)"
    );
}

/// The streams of an entry, and how many warnings there were.
fn streams(attributes: u32, main: u8, entries: &[(&'static str, u8)]) -> (Vec<Stream>, usize) {
    let entry = Entry { attributes, main, streams: entries.to_vec(), ..named("file") };
    let image = tree(&[entry]);
    (only(&image).streams.clone(), image.warnings.len())
}

#[test]
fn hashes_are_given_to_streams_as_other_programs_do() {
    use StreamKind::{Data, EncryptedRaw, Reparse};
    let check =
        |attributes, main, entries: &[(&'static str, u8)], expected: &[Stream], warnings| {
            assert_eq!(streams(attributes, main, entries), (expected.to_vec(), warnings));
        };
    let data = |byte| stream(Data, "", blob(byte));
    let alternate = |name, byte| stream(Data, name, blob(byte));
    let reparse = |byte| stream(Reparse, "", blob(byte));
    let empty = |kind, name| stream(kind, name, Content::Empty);
    check(0, 0, &[], &[], 0);
    check(0, 1, &[], &[data(1)], 0);
    check(0, 0, &[("", 1), ("s", 2)], &[data(1), alternate("s", 2)], 0);
    check(0, 1, &[("s", 2), ("t", 0)], &[data(1), alternate("s", 2), empty(Data, "t")], 0);
    check(0, 1, &[("", 2)], &[data(1)], 1);
    check(0, 0, &[("s", 1), ("s", 2)], &[alternate("s", 1)], 1);
    check(REPARSE, 0, &[], &[empty(Reparse, "")], 0);
    check(REPARSE, 1, &[], &[reparse(1)], 0);
    check(REPARSE, 0, &[("", 1), ("", 2)], &[reparse(1), data(2)], 0);
    check(REPARSE, 1, &[("", 2)], &[reparse(1), data(2)], 0);
    check(REPARSE, 0, &[("", 1), ("s", 3), ("", 2)], &[reparse(1), data(2), alternate("s", 3)], 0);
    check(REPARSE, 0, &[("", 1), ("", 2), ("", 3)], &[reparse(1), data(2)], 1);
    check(REPARSE, 0, &[("", 0), ("s", 1)], &[empty(Reparse, ""), alternate("s", 1)], 0);
    check(DIRECTORY, 0, &[("", 0), ("s", 1)], &[alternate("s", 1)], 0);
    check(DIRECTORY, 1, &[], &[], 1);
    check(DIRECTORY | REPARSE, 0, &[("", 1), ("", 0)], &[reparse(1)], 0);
    check(ENCRYPTED, 1, &[], &[stream(EncryptedRaw, "", blob(1))], 0);
    check(ENCRYPTED, 0, &[("", 1), ("s", 2)], &[stream(EncryptedRaw, "", blob(1))], 1);
    check(ENCRYPTED, 1, &[("", 2)], &[stream(EncryptedRaw, "", blob(1))], 1);
    check(ENCRYPTED | DIRECTORY, 0, &[], &[], 0);
}

/// The main hash and the stream entries that a file is written with.
fn written(attributes: u32, streams: &[Stream]) -> Result<(u8, Vec<(String, u8)>), String> {
    let mut root = File::default();
    root.attributes = Attributes::DIRECTORY;
    let mut tree = Tree::new(root);
    let mut file = File::default();
    file.attributes = Attributes::from_bits_retain(attributes);
    file.streams = streams.to_vec();
    tree.add(NameId::ROOT, "f".into(), file).unwrap();
    let bytes = write(&tree, &TreeDetails::default()).map_err(|error| error.to_string())?;
    let raw = super::entry::parse(&bytes, LIST).unwrap().unwrap();
    let entries =
        raw.streams.iter().map(|s| (s.win_name().to_string(), s.hash.0[0])).collect::<Vec<_>>();
    Ok((raw.disk.main_hash[0], entries))
}

#[test]
fn streams_are_written_where_dism_expects_them() {
    use StreamKind::{Data, EncryptedRaw, Reparse};
    let check = |attributes, streams: &[Stream], main, entries: &[(&str, u8)]| {
        let entries = entries.iter().map(|(name, byte)| ((*name).to_owned(), *byte)).collect();
        assert_eq!(written(attributes, streams), Ok((main, entries)));
    };
    let data = stream(Data, "", blob(1));
    let alternate = stream(Data, "s", blob(2));
    let reparse = stream(Reparse, "", blob(3));
    let raw = stream(EncryptedRaw, "", blob(4));
    check(0, &[], 0, &[]);
    check(0, std::slice::from_ref(&data), 1, &[]);
    check(0, &[alternate.clone(), data.clone()], 0, &[("", 1), ("s", 2)]);
    check(0, std::slice::from_ref(&alternate), 0, &[("", 0), ("s", 2)]);
    check(REPARSE, std::slice::from_ref(&reparse), 0, &[("", 3), ("", 0)]);
    check(REPARSE, &[data.clone(), reparse.clone()], 0, &[("", 3), ("", 1)]);
    check(DIRECTORY | REPARSE, std::slice::from_ref(&reparse), 3, &[]);
    check(DIRECTORY | REPARSE, &[reparse.clone(), alternate.clone()], 0, &[("", 3), ("s", 2)]);
    check(DIRECTORY, std::slice::from_ref(&alternate), 0, &[("s", 2)]);
    check(DIRECTORY, &[], 0, &[]);
    check(ENCRYPTED, std::slice::from_ref(&raw), 4, &[]);
    check(ENCRYPTED, &[], 0, &[]);
}

#[test]
fn streams_without_a_place_are_refused() {
    use StreamKind::{Data, EncryptedRaw, Reparse};
    let check = |attributes, streams: &[Stream], text: &str| {
        assert_eq!(written(attributes, streams), Err(format!(r"\f {text}")));
    };
    let data = stream(Data, "", blob(1));
    let alternate = stream(Data, "s", blob(2));
    let reparse = stream(Reparse, "", blob(3));
    let raw = stream(EncryptedRaw, "", blob(4));
    check(DIRECTORY, std::slice::from_ref(&data), "cannot hold unnamed data, being a directory");
    check(0, &[reparse], "cannot hold reparse data without the reparse attribute");
    check(0, &[raw], "cannot hold an encrypted raw form without the encrypted attribute");
    let beside = "cannot hold other streams beside its encrypted raw form";
    check(ENCRYPTED, &[alternate], beside);
    check(ENCRYPTED, std::slice::from_ref(&data), beside);
    let twice = "cannot hold two streams of the same kind without name";
    check(0, &[data.clone(), data.clone()], twice);
    let unread = stream(Data, "", Content::Unread { location: 1, size: 2 });
    assert_eq!(
        written(0, &[stream(Data, "", Content::Empty), unread]).unwrap_err(),
        r"stream 1 of \f has no hash yet"
    );
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
fn faulty_lengths_name_the_field() {
    let base = image(&[Entry { short: "SHORT", streams: vec![("s", 1)], ..named("name") }], &[]);
    let at = usize::try_from(LIST).unwrap();
    let check = |offset: usize, bytes: &[u8], text: &str| {
        let mut damaged = base.clone();
        damaged[offset..offset + bytes.len()].copy_from_slice(bytes);
        let expected = format!("metadata of image 3: {text} of the uncompressed metadata)");
        assert_eq!(message(&damaged), expected);
    };
    check(
        0,
        &[255, 255, 255, 127],
        "length of the security data should be at most 304, but is 2147483648 (at offset 0x0",
    );
    check(4, &[1], "number of security descriptors should be at most 0, but is 1 (at offset 0x4");
    check(
        at,
        &[96],
        "length of a directory entry should be from 102 to 184, but is 96 (at offset 0x78",
    );
    check(
        at,
        &[208],
        "length of a directory entry should be from 102 to 184, but is 208 (at offset 0x78",
    );
    check(
        at,
        &[255; 8],
        "length of a directory entry should be from 102 to 184, but is 18446744073709551615 (at offset 0x78",
    );
    check(
        at + 0x64,
        &[9],
        "length of a long name should be a multiple of 2, but is 9 (at offset 0xdc",
    );
    check(
        at + 0x64,
        &[40],
        "length of a long name should be at most 24, but is 40 (at offset 0xdc",
    );
    check(
        at + 0x62,
        &[20],
        "length of a short name should be at most 14, but is 20 (at offset 0xda",
    );
    check(
        at + 0x60,
        &[9],
        "number of stream entries should be at most 1, but is 9 (at offset 0xd8",
    );
    let stream_at = at + 128;
    check(
        stream_at,
        &[32],
        "length of a stream entry should be from 38 to 56, but is 32 (at offset 0xf8",
    );
    check(
        stream_at,
        &[200],
        "length of a stream entry should be from 38 to 56, but is 200 (at offset 0xf8",
    );
    check(
        stream_at + 0x24,
        &[3],
        "length of a stream name should be a multiple of 2, but is 3 (at offset 0x11c",
    );
    check(
        stream_at + 0x24,
        &[30],
        "length of a stream name should be at most 10, but is 30 (at offset 0x11c",
    );
    check(
        24,
        &[1, 0, 1],
        "directory entry should end at or before 0x130, but ends at 0x10009 (at offset 0x10001",
    );
}

#[test]
fn security_descriptors_keep_their_numbers() {
    let mut bytes = Vec::new();
    for word in [48_u32, 3] {
        bytes.extend(word.to_le_bytes());
    }
    for size in [4_u64, 0, 8] {
        bytes.extend(size.to_le_bytes());
    }
    bytes.extend(b"onetthird   ");
    let bytes = padded(bytes);
    let (table, end) = super::security::read(&bytes).unwrap();
    assert_eq!(table.iter().collect::<Vec<_>>(), [&b"onet"[..], b"", b"third   "]);
    assert_eq!(end, 48);
    let mut again = Vec::new();
    super::security::write(&table, &mut again).unwrap();
    assert_eq!(again, bytes);
    let mut damaged = bytes;
    damaged[24] = 13;
    let (at, fault) = super::security::read(&damaged).unwrap_err();
    assert_eq!(
        (at, fault.to_string().as_str()),
        (24, "size of a security descriptor should be at most 12, but is 13")
    );
}
