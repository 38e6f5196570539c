//! Putting the tree together from the names in the records.

use std::cmp::Ordering;
use std::collections::HashMap;

use imprint_blockio::ReadAt;
use imprint_ntfs::{
    BirthIds, Clusters, FileName, Namespace, Overlay, SecurityIndex, Swept, SweptLoss, SweptStream,
    SweptValue, SystemData, Volume,
};
use imprint_winvalues::security::SecurityId;
use imprint_winvalues::tree::{
    Content, Extras, File, FileId, NameId, ReparseInfo, Stream, StreamKind, Tree,
};
use imprint_winvalues::{Attributes, WinName, compare_ignoring_case};

use super::sweep::AllFiles;
use crate::outcome::chain;
use crate::{Capability, ScanOptions, Scanned, SkipReason, Skipped, SourceError};

/// The record of the root directory.
const ROOT: u64 = 5;
/// Records before this one belong to the volume's own files.
const FIRST_USER: u64 = 24;
/// File attributes that only names have, and the one of directories.
const STORED: u32 = 0x0fff_ffff;

/// Where the data of a stream is.
#[derive(Debug)]
pub(super) enum StoredData {
    /// In clusters.
    Clusters(Clusters),
    /// In a stream of the file that Windows compressed.
    System(Box<SystemData>),
}

/// Makes the tree, and the list of values that its streams refer to.
///
/// # Errors
/// [`SourceError`] if there is no root directory, or more files than can be numbered.
pub(super) fn join<D: ReadAt>(
    volume: &Volume<D>,
    all: AllFiles,
    options: &ScanOptions<'_>,
) -> Result<(Scanned, Vec<StoredData>), SourceError> {
    let failed = |operation, source| SourceError::Volume { operation, source: Box::new(source) };
    let security = volume.security_index().map_err(|error| failed("read $Secure", error))?;
    let has_ids = |file: &Swept| file.extras.as_ref().is_some_and(|e| e.object_id.is_some());
    let births = if all.files.iter().any(has_ids) {
        volume.birth_ids().map_err(|error| failed("read $ObjId", error))?
    } else {
        BirthIds::new()
    };
    let root = all.find(ROOT).ok_or(SourceError::NoRoot)?;
    let entries = Entries::new(&all);
    let mut joining = Joining {
        volume,
        security,
        births,
        options,
        known: HashMap::new(),
        lost: HashMap::new(),
        all: all.files,
        entries,
        seen: Vec::new(),
        made: HashMap::new(),
        tree: Tree::new(File::new(Attributes::DIRECTORY)),
        values: Vec::new(),
        skipped: Vec::new(),
        excluded: 0,
    };
    joining.seen = vec![false; joining.all.len()];
    for (number, error) in all.broken {
        let path = format!("file record {number}");
        let reason = SkipReason::Unreadable { operation: "read", error: chain(&error) };
        joining.skipped.push(Skipped { path, reason });
    }
    for (number, loss) in all.lost {
        joining.lost.entry(number.0).or_default().push(loss);
    }
    joining.run(root)?;
    joining.list_orphans();
    let Joining { tree, skipped, excluded, values, .. } = joining;
    Ok((Scanned { tree, skipped, excluded }, values))
}

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Index of the directory among all files.
    directory: u32,
    /// Index of the file.
    file: u32,
    /// Index among the names of the file.
    name: u32,
}

/// All names, by directory.
struct Entries {
    /// Sorted by directory, then as a directory sorts its names.
    entries: Vec<Entry>,
    /// Names whose directory is not there, is none, or is another by now: file and name.
    dangling: Vec<(u32, u32)>,
}

impl Entries {
    fn new(all: &AllFiles) -> Self {
        let index = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
        let mut entries = Vec::with_capacity(all.files.len());
        let mut dangling = Vec::new();
        for (position, file) in all.files.iter().enumerate() {
            for (number, name) in file.names.iter().enumerate() {
                let directory = all.find(name.parent.record.0);
                let parent = directory.and_then(|place| all.files.get(place as usize));
                let fits = parent
                    .is_some_and(|parent| parent.is_directory && parent.reference == name.parent);
                if name.namespace == Namespace::Dos {
                    continue;
                }
                let (file, name) = (index(position), index(number));
                match directory.filter(|_| fits) {
                    Some(directory) => entries.push(Entry { directory, file, name }),
                    None => dangling.push((file, name)),
                }
            }
        }
        let name = |entry: &Entry| {
            let file = all.files.get(entry.file as usize);
            file.and_then(|file| file.names.get(entry.name as usize))
        };
        entries.sort_by(|a, b| {
            a.directory.cmp(&b.directory).then_with(|| match (name(a), name(b)) {
                (Some(a), Some(b)) => order(&a.name, &b.name),
                _ => Ordering::Equal,
            })
        });
        Self { entries, dangling }
    }

    /// The names in a directory.
    fn of(&self, directory: u32) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.directory < directory);
        let rest = self.entries.get(start..).unwrap_or_default();
        let length = rest.partition_point(|entry| entry.directory == directory);
        rest.get(..length).unwrap_or_default()
    }
}

fn order(a: &WinName, b: &WinName) -> Ordering {
    compare_ignoring_case(a.units(), b.units()).then_with(|| a.units().cmp(b.units()))
}

struct Joining<'a, D> {
    volume: &'a Volume<D>,
    security: SecurityIndex,
    /// What belongs to object ids.
    births: BirthIds,
    options: &'a ScanOptions<'a>,
    /// By the volume's id: the tree's.
    known: HashMap<u32, Option<SecurityId>>,
    /// By record: streams that cannot be read.
    lost: HashMap<u64, Vec<SweptLoss>>,
    all: Vec<Swept>,
    entries: Entries,
    /// By file: whether it was met.
    seen: Vec<bool>,
    /// Files with several names that are in the tree, or are left out.
    made: HashMap<u32, Option<FileId>>,
    tree: Tree,
    values: Vec<StoredData>,
    skipped: Vec<Skipped>,
    excluded: u64,
}

/// A directory to be gone through.
struct Pending {
    directory: u32,
    /// `None` if what is below is left out.
    name: Option<NameId>,
    path: String,
}

impl<D: ReadAt> Joining<'_, D> {
    fn run(&mut self, root: u32) -> Result<(), SourceError> {
        self.see(root);
        if let Some(file) = self.make(root, "\\")
            && let Some(place) = self.tree.file_mut(FileId(0))
        {
            *place = file;
        }
        let mut pending =
            vec![Pending { directory: root, name: Some(NameId::ROOT), path: String::new() }];
        while let Some(next) = pending.pop() {
            let first = pending.len();
            for entry in self.entries.of(next.directory).to_vec() {
                // The root directory is its own entry.
                if entry.file != root {
                    self.add(&next, entry, &mut pending)?;
                }
            }
            // Directories are gone through in their order.
            pending.get_mut(first..).unwrap_or_default().reverse();
        }
        Ok(())
    }

    fn see(&mut self, file: u32) -> bool {
        let seen = self.seen.get_mut(file as usize);
        seen.is_some_and(|seen| !std::mem::replace(seen, true))
    }

    /// Takes a name out of its file: there are many, and each is added once.
    fn take_name(&mut self, entry: Entry) -> Option<FileName> {
        let file = self.all.get_mut(entry.file as usize)?;
        let FileName { parent, namespace, name } = file.names.get_mut(entry.name as usize)?;
        Some(FileName { parent: *parent, namespace: *namespace, name: std::mem::take(name) })
    }

    /// Adds a name of a directory.
    fn add(
        &mut self,
        parent: &Pending,
        entry: Entry,
        pending: &mut Vec<Pending>,
    ) -> Result<(), SourceError> {
        let first = self.see(entry.file);
        let Some(file) = self.all.get(entry.file as usize) else { return Ok(()) };
        let (is_directory, record) = (file.is_directory, file.reference.record.0);
        // A directory has one name; a second one would be a way in a circle.
        if is_directory && !first {
            return Ok(());
        }
        let Some(name) = self.take_name(entry) else { return Ok(()) };
        let Some(file) = self.all.get(entry.file as usize) else { return Ok(()) };
        let short = short_name(&file.names, &name);
        let path = format!("{}\\{}", parent.path, name.name);
        let mut wanted = parent.name.filter(|_| record >= FIRST_USER);
        if wanted.is_some() && (self.options.exclude)(&path, is_directory) {
            self.excluded += 1;
            wanted = None;
        }
        let added = match wanted {
            Some(directory) => self.add_file(directory, entry.file, name.name, short, &path)?,
            None => None,
        };
        if is_directory {
            pending.push(Pending { directory: entry.file, name: added, path });
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        directory: NameId,
        index: u32,
        name: WinName,
        short: WinName,
        path: &str,
    ) -> Result<Option<NameId>, SourceError> {
        let id = match self.made.get(&index) {
            Some(Some(file)) => self.tree.link(directory, name, *file)?,
            Some(None) => return Ok(None),
            None => {
                let Some(file) = self.make(index, path) else {
                    self.made.insert(index, None);
                    return Ok(None);
                };
                let id = self.tree.add(directory, name, file)?;
                let many = self.all.get(index as usize).is_some_and(|file| file.names.len() > 1);
                if many && let Some(name) = self.tree.name(id) {
                    self.made.insert(index, Some(name.file()));
                }
                id
            }
        };
        if let Some(name) = self.tree.name_mut(id) {
            name.short_name = short;
        }
        Ok(Some(id))
    }

    /// Makes a file of the tree; `None` if it cannot be captured, which is listed.
    fn make(&mut self, index: u32, path: &str) -> Option<File> {
        let swept = self.all.get_mut(index as usize)?;
        let information = swept.information;
        let is_directory = swept.is_directory;
        let overlay = swept.overlay();
        let mut streams = std::mem::take(&mut swept.streams);
        let mut extras = swept.extras.take().map(|extras| *extras).unwrap_or_default();
        for SweptLoss { stream, error } in
            self.lost.remove(&swept.reference.record.0).unwrap_or_default()
        {
            let reason = SkipReason::Unreadable { operation: "read", error: chain(&error) };
            self.skipped.push(Skipped { path: format!("{path}:{stream}"), reason });
        }
        if streams.iter().any(|stream| stream.is_encrypted) {
            let capability = Capability::EncryptedFiles;
            self.skip(path, SkipReason::NotKept { capability });
            // A directory stays: what is in it need not be encrypted.
            if !is_directory {
                return None;
            }
        }
        let mut file = File::new(attributes(information.attributes, is_directory));
        file.times = information.times;
        if !self.options.no_acls {
            file.security = self.descriptor(information.security, extras.security.as_deref(), path);
        }
        if let Overlay::Compressed(data) = overlay {
            // What programs see on Windows: the plain data, and nothing of how it is stored.
            extras.reparse = None;
            streams.retain(|one| !one.name.is_empty() && !SystemData::is_held_by(&one.name));
            file.attributes -= Attributes::SPARSE_FILE;
            file.streams.push(self.system_stream(data));
        }
        let has_reparse = extras.reparse.is_some();
        file.streams.reserve_exact(streams.len() + usize::from(has_reparse));
        for stream in streams {
            let is_empty = matches!(&stream.value, SweptValue::Resident(bytes) if bytes.is_empty());
            let is_needless = is_directory || has_reparse && is_empty;
            if !(stream.is_encrypted || is_needless && stream.name.is_empty()) {
                let stream = self.stream(stream);
                file.streams.push(stream);
            }
        }
        if let Some((tag, reserved, data)) = extras.reparse {
            file.attributes |= Attributes::REPARSE_POINT;
            file.reparse = Some(ReparseInfo { tag, reserved, not_fixed: true });
            let content = Content::inline(&data);
            file.streams.push(Stream {
                kind: StreamKind::Reparse,
                name: WinName::default(),
                content,
            });
        } else {
            file.attributes -= Attributes::REPARSE_POINT;
        }
        if extras.object_id.is_some() || !extras.extended.is_empty() {
            let own = Extras {
                object_id: extras.object_id.map(|id| self.whole_id(&id)),
                extended_attributes: extras.extended,
                ..Extras::default()
            };
            file.extras = Some(Box::new(own));
        }
        Some(file)
    }

    /// An object id with what belongs to it.
    fn whole_id(&self, id: &[u8]) -> Box<[u8]> {
        let birth = id.first_chunk().filter(|_| id.len() == 16).and_then(|id| self.births.get(id));
        birth.map_or_else(|| id.into(), |birth| [id, birth].concat().into())
    }

    fn stream(&mut self, stream: SweptStream) -> Stream {
        let content = match stream.value {
            SweptValue::Resident(bytes) => Content::inline(&bytes),
            SweptValue::Clusters(clusters) if clusters.size() == 0 => Content::Empty,
            SweptValue::Clusters(clusters) => {
                let (location, size) = (self.values.len() as u64, clusters.size());
                self.values.push(StoredData::Clusters(*clusters));
                Content::Unread { location, size }
            }
        };
        Stream { kind: StreamKind::Data, name: stream.name, content }
    }

    /// The main data of a file that Windows compressed.
    fn system_stream(&mut self, data: SystemData) -> Stream {
        let (location, size) = (self.values.len() as u64, data.size());
        let content = if size == 0 { Content::Empty } else { Content::Unread { location, size } };
        self.values.push(StoredData::System(Box::new(data)));
        Stream { kind: StreamKind::Data, name: WinName::default(), content }
    }

    /// The security descriptor of a file.
    fn descriptor(&mut self, id: u32, own: Option<&[u8]>, path: &str) -> Option<SecurityId> {
        if id == 0 {
            return own.and_then(|own| self.tree.security.insert(own));
        }
        let operation = "read security descriptor";
        if !self.known.contains_key(&id) {
            let found = match self.volume.security_descriptor(&self.security, id) {
                Ok(found) => found.and_then(|found| self.tree.security.insert(&found)),
                Err(error) => {
                    self.skip(path, SkipReason::Unreadable { operation, error: chain(&error) });
                    None
                }
            };
            self.known.insert(id, found);
        }
        let found = self.known.get(&id).copied().flatten();
        if found.is_none() {
            let error = format!("$Secure has no whole descriptor with the id {id:#x}");
            self.skip(path, SkipReason::Unreadable { operation, error });
        }
        found
    }

    fn skip(&mut self, path: &str, reason: SkipReason) {
        self.skipped.push(Skipped { path: path.to_owned(), reason });
    }

    /// Lists files that no directory leads to.
    fn list_orphans(&mut self) {
        let all = std::mem::take(&mut self.all);
        for (index, number) in std::mem::take(&mut self.entries.dangling) {
            let seen = self.seen.get(index as usize).copied().unwrap_or(false);
            let Some(file) = all.get(index as usize).filter(|_| seen) else { continue };
            let Some(name) = file.names.get(number as usize) else { continue };
            let path = format!("file record {} ({})", file.reference.record, name.name);
            let error = format!("directory {} of this name is not there", name.parent.record);
            self.skip(&path, SkipReason::Unreadable { operation: "find", error });
        }
        for (file, seen) in all.iter().zip(std::mem::take(&mut self.seen)) {
            let record = file.reference.record;
            if seen || record.0 < FIRST_USER {
                continue;
            }
            let name = file.names.first().map_or_else(String::new, |name| name.name.to_string());
            let path = format!("file record {record} ({name})");
            let error = "no directory leads to it".to_owned();
            self.skip(&path, SkipReason::Unreadable { operation: "find", error });
        }
    }
}

/// The short name that belongs to a long one.
fn short_name(names: &[FileName], long: &FileName) -> WinName {
    let dos = |name: &&FileName| name.namespace == Namespace::Dos && name.parent == long.parent;
    match long.namespace {
        Namespace::Win32 => names.iter().find(dos).map(|name| name.name.clone()),
        Namespace::Win32AndDos => Some(long.name.clone()),
        Namespace::Posix | Namespace::Dos => None,
    }
    .unwrap_or_default()
}

fn attributes(stored: u32, is_directory: bool) -> Attributes {
    let mut found = Attributes::from_bits_retain(stored & STORED) - Attributes::DIRECTORY;
    if is_directory {
        found |= Attributes::DIRECTORY;
    }
    if found.is_empty() { Attributes::NORMAL } else { found }
}
