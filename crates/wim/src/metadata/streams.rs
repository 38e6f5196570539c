//! Which hash of an entry is which stream.
//!
//! The format does not say; this is what Microsoft's programs do (wimlib 1.14.5 has tested DISM
//! 10.0.20348). Reading: named entries are data streams. Of the unnamed ones, the entry's main hash
//! first, the first is reparse data if the file has the attribute, the next is the main data; a main
//! hash of zeros is nobody's if an unnamed stream entry exists. Writing: a single unnamed stream is
//! the main hash, anything else goes into stream entries, all of it.

use std::collections::HashSet;

use imprint_winvalues::tree::{Content, File, NameId, Stream, StreamKind};
use imprint_winvalues::{Attributes, BlobHash, WinName};

use super::TreeWarning;
use super::entry::RawEntry;

/// Sorts out the streams of an entry. `at` is the entry's offset, `name` where it will be in the
/// tree.
pub(super) fn read(
    entry: &RawEntry<'_>,
    attributes: Attributes,
    at: u64,
    name: NameId,
    warnings: &mut Vec<TreeWarning>,
) -> Vec<Stream> {
    let mut reader = Reader { streams: Vec::new(), names: HashSet::new(), name, warnings };
    let main = BlobHash(entry.disk.main_hash);
    if attributes.contains(Attributes::ENCRYPTED) {
        reader.encrypted(entry, main, at);
    } else {
        reader.plain(entry, attributes, main, at);
    }
    let mut streams = reader.streams;
    // As they are written. DISM puts named streams between two unnamed ones.
    streams.sort_by_key(|stream| !stream.name.is_empty());
    streams
}

struct Reader<'a, 'w> {
    streams: Vec<Stream>,
    names: HashSet<&'a [u8]>,
    name: NameId,
    warnings: &'w mut Vec<TreeWarning>,
}

impl<'a> Reader<'a, '_> {
    /// The first unnamed stream is the file's raw form, which holds all the others.
    fn encrypted(&mut self, entry: &RawEntry<'a>, main: BlobHash, at: u64) {
        let unnamed = std::iter::once((main, at))
            .chain(entry.streams.iter().filter(|s| s.name.is_empty()).map(|s| (s.hash, s.at)));
        for (hash, offset) in unnamed.filter(|(hash, _)| !hash.is_zero()) {
            if self.streams.is_empty() {
                self.push(StreamKind::EncryptedRaw, WinName::default(), hash);
            } else {
                self.warnings.push(TreeWarning::SurplusStream { name: self.name, offset });
            }
        }
        for stream in entry.streams.iter().filter(|s| !s.name.is_empty()) {
            let (name, offset) = (self.name, stream.at);
            self.warnings.push(TreeWarning::StreamOfEncrypted { name, offset });
        }
    }

    fn plain(&mut self, entry: &RawEntry<'a>, attributes: Attributes, main: BlobHash, at: u64) {
        let mut wants_reparse = attributes.contains(Attributes::REPARSE_POINT);
        let mut wants_data = true;
        let mut unnamed = |reader: &mut Self, hash: BlobHash, offset: u64| {
            if wants_reparse {
                wants_reparse = false;
                reader.push(StreamKind::Reparse, WinName::default(), hash);
            } else if wants_data && (hash.is_zero() || !attributes.contains(Attributes::DIRECTORY))
            {
                // Empty main data is the same as none.
                wants_data = false;
                if !hash.is_zero() {
                    reader.push(StreamKind::Data, WinName::default(), hash);
                }
            } else {
                reader.warnings.push(TreeWarning::SurplusStream { name: reader.name, offset });
            }
        };
        if !main.is_zero() {
            unnamed(self, main, at);
        }
        for stream in &entry.streams {
            if stream.name.is_empty() {
                unnamed(self, stream.hash, stream.at);
            } else if self.names.insert(stream.name) {
                self.push(StreamKind::Data, stream.win_name(), stream.hash);
            } else {
                let (stream, offset) = (stream.win_name(), stream.at);
                let warning = TreeWarning::DuplicateStream { name: self.name, stream, offset };
                self.warnings.push(warning);
            }
        }
        if wants_reparse {
            let (kind, name) = (StreamKind::Reparse, WinName::default());
            self.streams.insert(0, Stream { kind, name, content: Content::Empty });
        }
    }

    fn push(&mut self, kind: StreamKind, name: WinName, hash: BlobHash) {
        let content = if hash.is_zero() { Content::Empty } else { Content::Blob(hash) };
        self.streams.push(Stream { kind, name, content });
    }
}

/// The hash of the main data, by which hard links are joined.
pub(super) fn main_data_hash(streams: &[Stream]) -> BlobHash {
    streams.iter().find(|s| s.is_main_data()).map_or(BlobHash::ZERO, |s| match s.content {
        Content::Blob(hash) => hash,
        _ => BlobHash::ZERO,
    })
}

/// How a file's streams are written.
#[derive(Debug, Default)]
pub(super) struct Written<'a> {
    /// The entry's main hash.
    pub(super) main: BlobHash,
    /// Stream entries: name (empty if unnamed) and hash.
    pub(super) entries: Vec<(&'a [u16], BlobHash)>,
}

/// Why a file's streams cannot be written.
#[derive(Debug)]
pub(super) enum Refused {
    /// The stream of this number has no hash.
    Unhashed(usize),
    /// The format has no place for this.
    NoPlace(&'static str),
}

/// Arranges the streams of a file.
pub(super) fn arrange(file: &File) -> Result<Written<'_>, Refused> {
    let mut unnamed = [None::<BlobHash>; 3];
    let mut named = Vec::new();
    for (number, stream) in file.streams.iter().enumerate() {
        let hash = match stream.content {
            Content::Empty => BlobHash::ZERO,
            Content::Blob(hash) => hash,
            Content::Unread { .. } | Content::Inline(_) => return Err(Refused::Unhashed(number)),
        };
        let [reparse, data, raw] = &mut unnamed;
        let slot = match stream.kind {
            StreamKind::Data if !stream.name.is_empty() => {
                named.push((stream.name.units(), hash));
                continue;
            }
            StreamKind::Data => data,
            StreamKind::Reparse => reparse,
            StreamKind::EncryptedRaw => raw,
        };
        if slot.replace(hash).is_some() {
            return Err(Refused::NoPlace("two streams of the same kind without name"));
        }
    }
    check_places(file.attributes, unnamed, !named.is_empty())?;
    let [reparse, data, raw] = unnamed;
    let mut kept = Vec::with_capacity(2);
    if file.attributes.contains(Attributes::ENCRYPTED) {
        kept.push(raw);
    } else {
        if file.attributes.contains(Attributes::REPARSE_POINT) {
            kept.push(reparse);
        }
        if !file.is_directory() {
            kept.push(data);
        }
    }
    let mut unnamed = kept.into_iter().map(Option::unwrap_or_default);
    if unnamed.len() <= 1 && named.is_empty() {
        return Ok(Written { main: unnamed.next().unwrap_or_default(), entries: Vec::new() });
    }
    let entries = unnamed.map(|hash| (&[][..], hash)).chain(named).collect();
    Ok(Written { main: BlobHash::ZERO, entries })
}

/// Refuses streams that hold bytes but would not be written.
fn check_places(
    attributes: Attributes,
    [reparse, data, raw]: [Option<BlobHash>; 3],
    named: bool,
) -> Result<(), Refused> {
    let filled = |hash: Option<BlobHash>| hash.is_some_and(|hash| !hash.is_zero());
    let encrypted = attributes.contains(Attributes::ENCRYPTED);
    if encrypted && (named || filled(data) || filled(reparse)) {
        return Err(Refused::NoPlace("other streams beside its encrypted raw form"));
    }
    if !encrypted && filled(raw) {
        return Err(Refused::NoPlace("an encrypted raw form without the encrypted attribute"));
    }
    if filled(reparse) && !attributes.contains(Attributes::REPARSE_POINT) {
        return Err(Refused::NoPlace("reparse data without the reparse attribute"));
    }
    if filled(data) && attributes.contains(Attributes::DIRECTORY) {
        return Err(Refused::NoPlace("unnamed data, being a directory"));
    }
    Ok(())
}
