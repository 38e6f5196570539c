//! The files of an image.

use imprint_blockio::ReadAt;
use imprint_wim::{BlobSet, TreeDetails};
use imprint_winvalues::tree::{
    Content, ExtendedAttribute, File, FileId, Name, NameId, Stream, StreamKind, Tree, UnixData,
};
use imprint_winvalues::{Attributes, BlobHash, FileTime, WinName, compare_ignoring_case};
use serde::{Serialize, Serializer};

use super::blob::BlobFacts;
use super::path::PathFacts;
use super::{as_text, hex};

/// An image with all it takes to list it.
pub(crate) struct Listed<'a, R> {
    pub(crate) tree: &'a Tree,
    pub(crate) details: &'a TreeDetails,
    pub(crate) blobs: &'a BlobSet<R>,
    /// The names to list.
    pub(crate) names: &'a [NameId],
}

/// The listing of an image in a JSON document.
#[derive(Serialize)]
#[serde(bound = "")]
pub(crate) struct ListingFacts<'a, R: ReadAt> {
    pub(crate) index: u32,
    pub(crate) name: String,
    #[serde(serialize_with = "serialize_entries")]
    pub(crate) entries: (&'a Listed<'a, R>, bool),
}

/// Serializes names one after the other: an image may have a million.
fn serialize_entries<R: ReadAt, S: Serializer>(
    &(listed, detailed): &(&Listed<'_, R>, bool),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(listed.names.iter().map(|&id| EntryFacts {
        path: PathFacts::from(&listed.tree.path_of(id)),
        details: if detailed { listed.details_of(id) } else { None },
    }))
}

#[derive(Serialize)]
struct EntryFacts {
    #[serde(flatten)]
    path: PathFacts,
    #[serde(flatten)]
    details: Option<EntryDetails>,
}

/// All that is known of a file under one of its names.
#[derive(Debug, Serialize)]
pub(super) struct EntryDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) short_name: Option<String>,
    #[serde(serialize_with = "attribute_bits")]
    pub(super) attributes: Attributes,
    attribute_names: Vec<String>,
    /// Self-relative, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_descriptor: Option<String>,
    #[serde(serialize_with = "as_text")]
    pub(super) creation_time: FileTime,
    #[serde(serialize_with = "as_text")]
    pub(super) last_write_time: FileTime,
    #[serde(serialize_with = "as_text")]
    pub(super) last_access_time: FileTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reparse_tag: Option<u32>,
    pub(super) link_group_id: u64,
    pub(super) link_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unix_data: Option<UnixFacts>,
    /// In hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extended_attributes: Vec<ExtendedAttributeFacts>,
    pub(super) streams: Vec<StreamFacts>,
}

#[derive(Debug, Serialize)]
pub(super) struct UnixFacts {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) rdev: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct ExtendedAttributeFacts {
    pub(super) name: String,
    flags: u8,
    pub(super) size: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct StreamFacts {
    pub(super) kind: &'static str,
    /// Empty for the main data and reparse data.
    pub(super) name: String,
    /// Absent for a stream without bytes.
    pub(super) blob: Option<BlobFacts>,
}

impl<R: ReadAt> Listed<'_, R> {
    /// All that is known of the file a name stands for.
    pub(super) fn details_of(&self, id: NameId) -> Option<EntryDetails> {
        let name = self.tree.name(id)?;
        let file = self.tree.file(name.file())?;
        let extras = file.extras.as_deref();
        Some(EntryDetails {
            short_name: Some(name.short_name.to_string()).filter(|name| !name.is_empty()),
            attributes: file.attributes,
            attribute_names: attribute_names(file.attributes)
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            security_descriptor: file.security.and_then(|id| self.tree.security.get(id)).map(hex),
            creation_time: file.times.creation,
            last_write_time: file.times.write,
            last_access_time: file.times.access,
            reparse_tag: file.reparse.map(|reparse| reparse.tag),
            link_group_id: self.link_group(name.file(), file),
            link_count: file.links(),
            unix_data: extras.and_then(|extras| extras.unix).map(UnixFacts::from),
            object_id: extras.and_then(|extras| extras.object_id.as_deref()).map(hex),
            extended_attributes: extras.map_or_else(Vec::new, |extras| {
                extras.extended_attributes.iter().map(ExtendedAttributeFacts::from).collect()
            }),
            streams: file.streams.iter().map(|stream| self.stream(stream)).collect(),
        })
    }

    fn link_group(&self, id: FileId, file: &File) -> u64 {
        let kept = self.details.link_groups.get(&id).copied();
        kept.filter(|_| file.links() > 1).unwrap_or(0)
    }

    fn stream(&self, stream: &Stream) -> StreamFacts {
        let kind = match stream.kind {
            StreamKind::Data => "data",
            StreamKind::Reparse => "reparse",
            StreamKind::EncryptedRaw => "encrypted",
        };
        let blob = match &stream.content {
            Content::Blob(hash) => Some(self.blob(hash)),
            // Trees read from a WIM refer to blobs only.
            Content::Empty | Content::Unread { .. } | Content::Inline(_) => None,
        };
        StreamFacts { kind, name: stream.name.to_string(), blob }
    }

    fn blob(&self, hash: &BlobHash) -> BlobFacts {
        let found = self.blobs.find(hash);
        found.map_or(BlobFacts::missing(*hash), |(_, wim, blob)| BlobFacts::new(wim, blob))
    }
}

impl From<UnixData> for UnixFacts {
    fn from(data: UnixData) -> Self {
        Self { uid: data.uid, gid: data.gid, mode: data.mode, rdev: data.rdev }
    }
}

impl From<&ExtendedAttribute> for ExtendedAttributeFacts {
    fn from(attribute: &ExtendedAttribute) -> Self {
        Self {
            name: String::from_utf8_lossy(&attribute.name).into_owned(),
            flags: attribute.flags,
            size: <[u8]>::len(&attribute.value),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn attribute_bits<S: Serializer>(
    attributes: &Attributes,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(attributes.bits())
}

/// Names of the attributes that are set and known.
pub(super) fn attribute_names(attributes: Attributes) -> impl Iterator<Item = &'static str> {
    attributes.iter_names().map(|(name, _)| name)
}

/// The names that make a listing: `start` and all under it, or only `start`. Names of a directory come
/// in alphabetical order, any case, whatever order they are stored in.
pub(crate) fn select(tree: &Tree, start: NameId, only_start: bool) -> Vec<NameId> {
    if only_start {
        return vec![start];
    }
    let mut found = Vec::new();
    let mut next = vec![start];
    while let Some(id) = next.pop() {
        found.push(id);
        let mut children: Vec<(&WinName, NameId)> = tree
            .name(id)
            .map_or(&[][..], Name::children)
            .iter()
            .filter_map(|&child| Some((&tree.name(child)?.name, child)))
            .collect();
        children.sort_by(|(a, _), (b, _)| {
            compare_ignoring_case(a.units(), b.units()).then_with(|| a.cmp(b))
        });
        next.extend(children.iter().rev().map(|(_, child)| child));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_in_alphabetical_order_below_their_directory() {
        let mut tree = Tree::new(File::new(Attributes::DIRECTORY));
        let add = |tree: &mut Tree, parent, name: &str, attributes| {
            tree.add(parent, name.into(), File::new(attributes)).unwrap()
        };
        let last = add(&mut tree, NameId::ROOT, "z", Attributes::DIRECTORY);
        add(&mut tree, last, "y", Attributes::NORMAL);
        add(&mut tree, last, "X", Attributes::NORMAL);
        add(&mut tree, NameId::ROOT, "b", Attributes::NORMAL);
        add(&mut tree, NameId::ROOT, "B", Attributes::NORMAL);
        add(&mut tree, NameId::ROOT, "a", Attributes::NORMAL);
        let paths = |ids: Vec<NameId>| {
            ids.into_iter().map(|id| tree.path_of(id).to_string()).collect::<Vec<_>>()
        };
        let all = paths(select(&tree, NameId::ROOT, false));
        assert_eq!(all, ["\\", "\\a", "\\B", "\\b", "\\z", "\\z\\X", "\\z\\y"]);
        assert_eq!(paths(select(&tree, last, true)), ["\\z"]);
    }
}
