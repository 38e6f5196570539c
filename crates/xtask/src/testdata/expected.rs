//! What independent readers see in the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};

/// The entries of an image, by path.
pub(super) type Entries = BTreeMap<String, Entry>;

/// The images of a file, by index.
pub(super) type Images = BTreeMap<u32, Entries>;

/// What is known of one name in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) attributes: u32,
    pub(super) short_name: String,
    /// The same for all names of a file; 0 if it has only one.
    pub(super) link_group: u64,
    /// Bytes of the security descriptor; 0 if there is none.
    pub(super) security_len: u64,
    /// Streams with contents.
    pub(super) streams: BTreeSet<Stream>,
}

/// A stream with contents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stream {
    /// Empty for a file's main data.
    pub(super) name: String,
    pub(super) size: u64,
    /// SHA-1 in hexadecimal.
    pub(super) hash: String,
}

impl Entry {
    pub(super) const fn is_dir(&self) -> bool {
        const FILE_ATTRIBUTE_DIRECTORY: u32 = 0x10;
        self.attributes & FILE_ATTRIBUTE_DIRECTORY != 0
    }

    /// The contents of a file; none if it is empty.
    pub(super) fn data(&self) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name.is_empty())
    }
}

const HEADER: &str =
    "file\timage\tpath\tattr\tshort\treparse\tlinkgroup\tSDlen\tstreams(name:size:sha1)";

/// Reads `expected/wim.tsv`: file to images to entries.
pub(super) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Images>> {
    parse(&fs_err::read_to_string(path)?)
        .with_context(|| format!("failed to read {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Images>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some(HEADER), "the columns should be {HEADER:?}");
    let mut files: BTreeMap<String, Images> = BTreeMap::new();
    for line in lines {
        let (file, image, path, entry) =
            parse_line(line).with_context(|| format!("in line {line:?}"))?;
        files.entry(file).or_default().entry(image).or_default().insert(path, entry);
    }
    Ok(files)
}

fn parse_line(line: &str) -> anyhow::Result<(String, u32, String, Entry)> {
    let cells: Vec<_> = line.split('\t').collect();
    let cell = |index: usize| cells.get(index).copied().context("too few columns");
    let hex = |index| cell(index)?.strip_prefix("0x").context("a number should begin with 0x");
    let entry = Entry {
        attributes: u32::from_str_radix(hex(3)?, 16)?,
        short_name: cell(4)?.to_owned(),
        link_group: u64::from_str_radix(hex(6)?, 16)?,
        security_len: cell(7)?.parse()?,
        streams: parse_streams(cell(8)?)?,
    };
    Ok((cell(0)?.to_owned(), cell(1)?.parse()?, cell(2)?.to_owned(), entry))
}

/// Reads `Unnamed:size:sha1`, several separated by spaces. Streams without contents are left out: an
/// empty file and a file without a stream are the same to every reader.
fn parse_streams(text: &str) -> anyhow::Result<BTreeSet<Stream>> {
    let mut streams = BTreeSet::new();
    for stream in text.split_whitespace() {
        let (rest, hash) = stream.rsplit_once(':').context("a stream should have a hash")?;
        let (name, size) = rest.rsplit_once(':').context("a stream should have a size")?;
        let name = if name == "Unnamed" { "" } else { name };
        let stream = Stream { name: name.to_owned(), size: size.parse()?, hash: hash.to_owned() };
        if stream.size > 0 {
            streams.insert(stream);
        }
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines() {
        let text = format!(
            "{HEADER}\na.wim\t1\t/\t0x00000010\t\t\t0x0\t0\tUnnamed:0:0000\n\
             a.wim\t1\t/b c\t0x00000020\tBC~1\t\t0x7\t164\tUnnamed:3:abcd ads:2:ef01\n"
        );
        let files = parse(&text).unwrap();
        let entries = &files["a.wim"][&1];
        assert!(entries["/"].is_dir() && entries["/"].streams.is_empty());
        let file = &entries["/b c"];
        assert_eq!((file.short_name.as_str(), file.security_len), ("BC~1", 164));
        assert_eq!(file.link_group, 7);
        assert_eq!(file.data().map(|data| (data.size, data.hash.as_str())), Some((3, "abcd")));
        assert_eq!(file.streams.len(), 2);
    }

    #[test]
    fn refuses_other_columns() {
        parse("file\timage\n").unwrap_err();
        parse(&format!("{HEADER}\na.wim\tone\n")).unwrap_err();
    }
}
