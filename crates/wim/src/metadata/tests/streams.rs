//! Which hash belongs to which stream.

use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{Content, File, NameId, Stream, StreamKind, Tree};

use super::{DIRECTORY, ENCRYPTED, Entry, LIST, REPARSE, blob, named, only, stream, tree};
use crate::metadata::{TreeDetails, entry, write};

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
    let raw = entry::parse(&bytes, LIST).unwrap().unwrap();
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
