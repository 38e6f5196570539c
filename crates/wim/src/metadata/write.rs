//! From a tree to bytes.

use std::collections::{BTreeMap, HashSet};

use imprint_winvalues::tree::{Extras, File, FileId, Name, NameId, Tree};
use imprint_winvalues::{Attributes, WinName, fold_case};
use zerocopy::IntoBytes;

use super::entry::{FIXED, STREAM_FIXED};
use super::read::NOT_FIXED;
use super::streams::{self, Refused, Written};
use super::{TreeDetails, align, is_link, items, pad, security, to_u64};
use crate::error::MetadataError;
use crate::layout::{DentryDisk, StreamEntryDisk};

/// Makes the uncompressed metadata of a tree, in the order and form wimlib gives it: siblings sorted
/// by name without, then with regard to case, directories in the order of their entries. Every
/// stream's content must be empty or a blob. A reparse point with several names becomes several
/// files, because the format keeps either a link group or a reparse tag.
///
/// # Errors
/// [`MetadataError`] if a stream has no hash yet or something has no place in the format.
pub fn write(tree: &Tree, details: &TreeDetails) -> Result<Vec<u8>, MetadataError> {
    let mut out = Vec::new();
    security::write(&tree.security, &mut out)?;
    let mut writer =
        Writer { tree, details, groups: link_groups(tree, details), out, subdirs: BTreeMap::new() };
    let listings = writer.plan()?;
    writer.entry(NameId::ROOT)?;
    writer.end_of_directory();
    for (_, children) in listings {
        for child in children {
            writer.entry(child)?;
        }
        writer.end_of_directory();
    }
    Ok(writer.out)
}

struct Writer<'a> {
    tree: &'a Tree,
    details: &'a TreeDetails,
    /// Link group of each file with several names.
    groups: BTreeMap<FileId, u64>,
    out: Vec<u8>,
    /// Where the children of each directory start.
    subdirs: BTreeMap<NameId, u64>,
}

type Listings = Vec<(NameId, Vec<NameId>)>;

impl<'a> Writer<'a> {
    /// Sorts all directories and gives each list of entries its place behind what is written.
    fn plan(&mut self) -> Result<Listings, MetadataError> {
        let mut at = to_u64(self.out.len()) + self.length(NameId::ROOT)? + 8;
        let mut listings = Vec::new();
        let mut pending = vec![NameId::ROOT];
        while let Some(directory) = pending.pop() {
            let children = sorted_children(self.tree, directory);
            let file = self.tree.file_of(directory);
            if file.is_some_and(|f| f.attributes.contains(Attributes::REPARSE_POINT)) {
                if children.is_empty() {
                    continue;
                }
                if file.is_some_and(is_link) {
                    let (path, what) = (self.path(directory), "entries, being a link");
                    return Err(MetadataError::Stream { path, what });
                }
            }
            self.subdirs.insert(directory, at);
            for &child in &children {
                at += self.length(child)?;
            }
            at += 8;
            let is_directory = |id: &NameId| self.tree.file_of(*id).is_some_and(File::is_directory);
            pending.extend(children.iter().copied().filter(is_directory).rev());
            listings.push((directory, children));
        }
        let more = usize::try_from(at).unwrap_or(usize::MAX).saturating_sub(self.out.len());
        self.out.try_reserve_exact(more).map_err(|_refused| MetadataError::TooLong {
            what: "metadata",
            path: "\\".to_owned(),
            limit: u64::try_from(isize::MAX).unwrap_or(u64::MAX),
            actual: at,
        })?;
        Ok(listings)
    }

    fn end_of_directory(&mut self) {
        self.out.extend_from_slice(&[0; 8]);
    }

    /// The name and the file of an entry; both exist for every id the tree gave out.
    fn parts(&self, id: NameId) -> Option<(&'a Name, FileId, &'a File)> {
        let name = self.tree.name(id)?;
        Some((name, name.file(), self.tree.file(name.file())?))
    }

    /// Bytes of an entry with its stream entries.
    fn length(&self, id: NameId) -> Result<u64, MetadataError> {
        let Some((name, file_id, file)) = self.parts(id) else { return Ok(0) };
        // The root has no name, whatever the tree says.
        let names = match id {
            NameId::ROOT => 0,
            _ => name_bytes(&name.name) + name_bytes(&name.short_name),
        };
        let tail = to_u64(self.tail(id, file_id, file)?.len());
        let streams = self.arrange(id, file)?;
        let streams = streams.entries.iter().map(|(name, _)| stream_length(name)).sum::<u64>();
        Ok(align(FIXED + names) + align(tail) + streams)
    }

    fn entry(&mut self, id: NameId) -> Result<(), MetadataError> {
        let Some((name, file_id, file)) = self.parts(id) else { return Ok(()) };
        let none = WinName::default();
        let (long, short) = match id {
            NameId::ROOT => (&none, &none),
            _ => (&name.name, &name.short_name),
        };
        let tail = self.tail(id, file_id, file)?;
        let streams = self.arrange(id, file)?;
        let names = name_bytes(long) + name_bytes(short);
        let length = align(FIXED + names) + align(to_u64(tail.len()));
        let too_long = |what, limit, actual| MetadataError::TooLong {
            what,
            path: self.path(id),
            limit,
            actual,
        };
        let name_length = |name: &WinName, what| {
            let actual = to_u64(name.len()).saturating_mul(2);
            u16::try_from(actual).map_err(|_long| too_long(what, u16::MAX.into(), actual))
        };
        let stream_count = u16::try_from(streams.entries.len()).map_err(|_many| {
            too_long("number of streams", u16::MAX.into(), to_u64(streams.entries.len()))
        })?;
        let disk = DentryDisk {
            length: length.into(),
            attributes: file.attributes.bits().into(),
            security_id: file.security.map_or(u32::MAX, |id| id.0).into(),
            subdir_offset: self.subdirs.get(&id).copied().unwrap_or(0).into(),
            reserved: [0.into(); 2],
            creation_time: file.times.creation.0.into(),
            access_time: file.times.access.0.into(),
            write_time: file.times.write.0.into(),
            main_hash: streams.main.0,
            unknown_54: self.details.unknown_54.get(&file_id).copied().unwrap_or(0).into(),
            link_or_reparse: self.link_or_reparse(file_id, file),
            stream_count: stream_count.into(),
            short_name_length: name_length(short, "short name in bytes")?.into(),
            name_length: name_length(long, "name in bytes")?.into(),
        };
        self.out.extend_from_slice(disk.as_bytes());
        push_name(&mut self.out, long.units());
        push_name(&mut self.out, short.units());
        pad(&mut self.out);
        self.out.extend_from_slice(&tail);
        pad(&mut self.out);
        for (name, hash) in streams.entries {
            self.stream_entry(id, name, hash.0)?;
        }
        Ok(())
    }

    fn stream_entry(
        &mut self,
        id: NameId,
        name: &[u16],
        hash: [u8; 20],
    ) -> Result<(), MetadataError> {
        let actual = to_u64(name.len()).saturating_mul(2);
        let name_length = u16::try_from(actual).map_err(|_long| MetadataError::TooLong {
            what: "stream name in bytes",
            path: self.path(id),
            limit: u16::MAX.into(),
            actual,
        })?;
        let disk = StreamEntryDisk {
            length: stream_length(name).into(),
            reserved: 0.into(),
            hash,
            name_length: name_length.into(),
        };
        self.out.extend_from_slice(disk.as_bytes());
        push_name(&mut self.out, name);
        pad(&mut self.out);
        Ok(())
    }

    fn arrange(&self, id: NameId, file: &'a File) -> Result<Written<'a>, MetadataError> {
        streams::arrange(file).map_err(|refused| match refused {
            Refused::Unhashed(stream) => {
                MetadataError::Unhashed { path: self.path(id), stream, name: id }
            }
            Refused::NoPlace(what) => MetadataError::Stream { path: self.path(id), what },
        })
    }

    /// The tagged items, as they were if they still say what the tree says.
    fn tail(&self, id: NameId, file_id: FileId, file: &File) -> Result<Vec<u8>, MetadataError> {
        if let Some(tail) = self.details.tails.get(&file_id) {
            let extras = items::read(tail).0;
            if file.extras.as_deref().is_some_and(|now| *now == extras)
                || file.extras.is_none() && extras == Extras::default()
            {
                return Ok(tail.to_vec());
            }
        }
        let Some(extras) = file.extras.as_deref() else { return Ok(Vec::new()) };
        items::write(extras).map_err(|(what, limit, actual)| MetadataError::TooLong {
            what,
            path: self.path(id),
            limit,
            actual,
        })
    }

    fn link_or_reparse(&self, id: FileId, file: &File) -> [u8; 8] {
        if !file.attributes.contains(Attributes::REPARSE_POINT) {
            return self.groups.get(&id).copied().unwrap_or(0).to_le_bytes();
        }
        let info = file.reparse.unwrap_or_default();
        let others = self.details.reparse_flags.get(&id).copied().unwrap_or(0) & !NOT_FIXED;
        let flags = others | if info.not_fixed { NOT_FIXED } else { 0 };
        let [a, b, c, d] = info.tag.to_le_bytes();
        let [e, f] = info.reserved.to_le_bytes();
        let [g, h] = flags.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    fn path(&self, id: NameId) -> String {
        self.tree.path_of(id).to_string()
    }
}

/// Gives each file with several names a number: the one it had, if no other file has it too.
fn link_groups(tree: &Tree, details: &TreeDetails) -> BTreeMap<FileId, u64> {
    let mut used = HashSet::new();
    let unique = details.link_groups.values().all(|&group| group != 0 && used.insert(group));
    if !unique {
        used.clear();
    }
    let known = |id: FileId| details.link_groups.get(&id).copied().filter(|_| unique);
    let linked = tree.files().filter(|(_, file)| {
        file.links() > 1 && !file.attributes.contains(Attributes::REPARSE_POINT)
    });
    let mut next = 1;
    linked
        .map(|(id, _)| {
            let group = known(id).unwrap_or_else(|| {
                while !used.insert(next) {
                    next += 1;
                }
                next
            });
            (id, group)
        })
        .collect()
}

fn sorted_children(tree: &Tree, directory: NameId) -> Vec<NameId> {
    let mut children = tree.name(directory).map(Name::children).unwrap_or_default().to_vec();
    let units = |id: &NameId| tree.name(*id).map(|n| n.name.units()).unwrap_or_default();
    let folded = |id: &NameId| units(id).iter().copied().map(fold_case).collect::<Vec<_>>();
    let key = |id: &NameId| (folded(id), units(id));
    children.sort_by_cached_key(key);
    children
}

/// Bytes of a name with its NUL, if it is not empty.
fn name_bytes(name: &WinName) -> u64 {
    if name.is_empty() { 0 } else { to_u64(name.len()).saturating_mul(2) + 2 }
}

fn stream_length(name: &[u16]) -> u64 {
    let name = if name.is_empty() { 0 } else { to_u64(name.len()).saturating_mul(2) + 2 };
    align(STREAM_FIXED + name)
}

fn push_name(out: &mut Vec<u8>, units: &[u16]) {
    if units.is_empty() {
        return;
    }
    for unit in units {
        out.extend_from_slice(&unit.to_le_bytes());
    }
    out.extend_from_slice(&[0, 0]);
}
