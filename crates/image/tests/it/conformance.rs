//! What every source and every target must do, as functions that each adapter's tests call.
//!
//! A target is fed by hand, in the ways the contract of [`Target`] allows; what arrived is described
//! by a [`Summary`] of a tree that was read back, and compared as far as the target's
//! [`Capabilities`] go.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use imprint_image::{
    BlobUse, Capabilities, Capability, Coming, ScanOptions, Scanned, Skipped, Source, Target,
};
use imprint_progress::Progress;
use imprint_winvalues::tree::{
    Content, Extras, File, NameId, ReparseInfo, Stream, StreamKind, Tree,
};
use imprint_winvalues::{Attributes, FileTime, WinName};

/// A moment with a fraction, so that rounding shows.
pub(crate) const MOMENT: FileTime = FileTime(132_000_000_012_345_678);

/// Options that leave nothing out.
pub(crate) fn everything() -> ScanOptions<'static> {
    ScanOptions {
        exclude: &|_, _| false,
        unix_data: false,
        dereference: false,
        no_acls: false,
        strict_acls: false,
        fix_reparse: true,
    }
}

/// An empty directory.
pub(crate) fn directory() -> File {
    let mut file = File::default();
    file.attributes = Attributes::DIRECTORY;
    set_times(&mut file, 1);
    file
}

/// A file with data.
pub(crate) fn file(data: &[u8]) -> File {
    let mut file = File::default();
    file.attributes = Attributes::NORMAL;
    file.streams.push(stream(StreamKind::Data, "", data));
    set_times(&mut file, 2);
    file
}

/// A reparse point with data.
pub(crate) fn reparse_point(tag: u32, data: &[u8]) -> File {
    let mut file = File::default();
    file.attributes = Attributes::REPARSE_POINT;
    file.reparse = Some(ReparseInfo { tag, reserved: 0, not_fixed: true });
    file.streams.push(stream(StreamKind::Reparse, "", data));
    set_times(&mut file, 3);
    file
}

pub(crate) fn stream(kind: StreamKind, name: &str, data: &[u8]) -> Stream {
    Stream { kind, name: name.into(), content: Content::inline(data) }
}

/// Gives a file times that tell the three apart, and files with another `seed`.
pub(crate) fn set_times(file: &mut File, seed: u64) {
    file.times.creation = FileTime(MOMENT.0 + seed * 10_000_000);
    file.times.access = FileTime(MOMENT.0 + seed * 30_000_000);
    file.times.write = FileTime(MOMENT.0 + seed * 20_000_000);
}

/// Adds a path of names, making directories on the way.
pub(crate) fn add(tree: &mut Tree, path: &str, file: File) -> NameId {
    let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent =
        parents.split('/').filter(|part| !part.is_empty()).fold(NameId::ROOT, |at, part| {
            let name = WinName::from(part);
            match tree.child(at, &name) {
                Some(found) => found,
                None => tree.add(at, name, directory()).unwrap(),
            }
        });
    tree.add(parent, name.into(), file).unwrap()
}

/// How [`apply`] brings the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Each blob at once.
    Whole,
    /// Each blob at once, from several threads.
    WholeByThreads,
    /// Each blob in pieces of this many bytes, backwards, from several threads.
    Pieces(usize),
}

/// Feeds a tree whose contents are all in hand to a target, each blob once with all its uses.
pub(crate) fn apply<T: Target>(target: &mut T, tree: &Tree, delivery: Delivery) -> Vec<Skipped> {
    let progress = Progress::new();
    let mut blobs: Vec<(&[u8], Vec<BlobUse>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let mut seen = vec![false; tree.files().len()];
    for (id, name) in tree.names() {
        let number = usize::try_from(name.file().0).unwrap();
        if std::mem::replace(&mut seen[number], true) {
            continue;
        }
        for (position, stream) in tree.file(name.file()).unwrap().streams.iter().enumerate() {
            if let Content::Inline(data) = &stream.content {
                let place = *places.entry(data).or_insert_with(|| {
                    blobs.push((data, Vec::new()));
                    blobs.len() - 1
                });
                let stream = u32::try_from(position).unwrap();
                blobs[place].1.push(BlobUse { file: name.file(), name: id, stream });
            }
        }
    }
    let coming: Vec<Coming<'_>> =
        blobs.iter().map(|(data, uses)| Coming { uses, size: data.len() as u64 }).collect();
    target.begin(tree, &coming, &progress).unwrap();
    let threads = if delivery == Delivery::Whole { 1 } else { 3 };
    let shared = &*target;
    match delivery {
        Delivery::Whole | Delivery::WholeByThreads => by_threads(threads, blobs.len(), |n| {
            let (data, uses) = &blobs[n];
            shared.put(tree, uses, data).unwrap();
        }),
        Delivery::Pieces(size) => {
            for (data, uses) in &blobs {
                let open = shared.open(tree, uses, data.len() as u64).unwrap();
                let count = data.len().div_ceil(size);
                by_threads(threads, count, |n| {
                    let start = (count - 1 - n) * size;
                    let piece = &data[start..data.len().min(start + size)];
                    shared.write(&open, start as u64, piece).unwrap();
                });
                shared.close(tree, open, true).unwrap();
            }
        }
    }
    target.finish(tree, &progress).unwrap()
}

/// Does pieces of work 0 to `count - 1` on several threads.
fn by_threads(threads: usize, count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    work(n);
                }
            });
        }
    });
}

/// All there is to say about a tree, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary(pub(crate) BTreeMap<String, Entry>);

/// All there is to say about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) attributes: Attributes,
    pub(crate) creation: FileTime,
    pub(crate) access: FileTime,
    pub(crate) write: FileTime,
    /// In the order of their kinds and names. Main data is there even if empty.
    pub(crate) streams: BTreeMap<(StreamKind, String), Vec<u8>>,
    pub(crate) reparse: Option<ReparseInfo>,
    pub(crate) short_name: String,
    pub(crate) security: Option<Vec<u8>>,
    pub(crate) extras: Extras,
    /// All paths of the file.
    pub(crate) links: Vec<String>,
}

impl Summary {
    /// Describes a tree; `read` gets the data that is not in hand.
    pub(crate) fn of(tree: &Tree, read: impl Fn(u64, u64) -> Vec<u8>) -> Self {
        let mut links: HashMap<_, Vec<String>> = HashMap::new();
        for (id, name) in tree.names() {
            links.entry(name.file()).or_default().push(tree.path_of(id).to_string());
        }
        links.values_mut().for_each(|paths| paths.sort());
        let entries = tree.names().map(|(id, name)| {
            let file = tree.file(name.file()).unwrap();
            let mut streams = BTreeMap::new();
            if !file.is_directory() && file.reparse.is_none() {
                streams.insert((StreamKind::Data, String::new()), Vec::new());
            }
            for stream in &file.streams {
                let data = match &stream.content {
                    Content::Empty => Vec::new(),
                    Content::Inline(data) => data.to_vec(),
                    Content::Unread { location, size } => read(*location, *size),
                    Content::Blob(hash) => panic!("{hash} is not in hand"),
                };
                streams.insert((stream.kind, stream.name.to_string()), data);
            }
            let entry = Entry {
                attributes: file.attributes,
                creation: file.times.creation,
                access: file.times.access,
                write: file.times.write,
                streams,
                reparse: file.reparse,
                short_name: name.short_name.to_string(),
                security: file.security.and_then(|id| tree.security.get(id)).map(Into::into),
                extras: file.extras.as_deref().cloned().unwrap_or_default(),
                links: links[&name.file()].clone(),
            };
            (tree.path_of(id).to_string(), entry)
        });
        Self(entries.collect())
    }

    /// Describes a tree whose data is all in hand.
    pub(crate) fn in_hand(tree: &Tree) -> Self {
        Self::of(tree, |location, _| panic!("data at {location} is not in hand"))
    }

    /// Leaves out what a target does not keep, and what reading changes (the access time of links).
    pub(crate) fn kept(mut self, kept: &Capabilities) -> Self {
        for entry in self.0.values_mut() {
            let link = entry.reparse.is_some();
            if !kept.keeps(Capability::Attributes) {
                entry.attributes &= Attributes::DIRECTORY | Attributes::REPARSE_POINT;
                if link {
                    entry.attributes -= Attributes::DIRECTORY;
                }
            }
            if !kept.keeps(Capability::CreationTime) {
                entry.creation = FileTime(0);
            }
            if !kept.keeps(Capability::ShortNames) {
                entry.short_name.clear();
            }
            if !kept.keeps(Capability::SecurityDescriptors) {
                entry.security = None;
            }
            if !kept.keeps(Capability::NamedStreams) {
                entry.streams.retain(|(_, name), _| name.is_empty());
            }
            if !kept.keeps(Capability::ObjectIds) {
                entry.extras.object_id = None;
            }
            if !kept.keeps(Capability::ExtendedAttributes) {
                entry.extras.extended_attributes.clear();
            }
            if !kept.keeps(Capability::UnixData) {
                entry.extras.unix = None;
            }
            entry.extras.extended_attributes.sort();
            if link {
                entry.access = FileTime(0);
            }
        }
        self
    }
}

/// Fails with the first difference.
#[track_caller]
pub(crate) fn assert_same(actual: &Summary, expected: &Summary) {
    for (path, entry) in &expected.0 {
        assert_eq!(actual.0.get(path), Some(entry), "{path}");
    }
    let more: Vec<_> = actual.0.keys().filter(|path| !expected.0.contains_key(*path)).collect();
    assert!(more.is_empty(), "there is more than expected: {more:?}");
}

/// Scans a source, reads all its data by several threads, and describes both.
pub(crate) fn read(source: &impl Source, options: &ScanOptions<'_>) -> (Summary, Vec<Skipped>) {
    let progress = Progress::new();
    let Scanned { tree, skipped, .. } = source.scan(options, &progress).unwrap();
    let wanted: Vec<(u64, u64)> = tree
        .files()
        .flat_map(|(_, file)| &file.streams)
        .filter_map(|stream| match stream.content {
            Content::Unread { location, size } => Some((location, size)),
            _ => None,
        })
        .collect();
    let found = std::sync::Mutex::new(HashMap::new());
    by_threads(3, wanted.len(), |n| {
        let (location, size) = wanted[n];
        let data = read_stream(source, &tree, location, size);
        assert!(found.lock().unwrap().insert(location, data).is_none(), "{location} stands twice");
    });
    let found = found.into_inner().unwrap();
    (Summary::of(&tree, |location, _| found[&location].clone()), skipped)
}

/// Reads a stream in uneven pieces, some of them twice, as the contract of `StreamReader` allows.
fn read_stream(source: &impl Source, tree: &Tree, location: u64, size: u64) -> Vec<u8> {
    let reader = source.open(tree, location).unwrap();
    let size = usize::try_from(size).unwrap();
    let mut data = vec![0xaa; size];
    let piece = (size / 3).max(1);
    for start in (0..size).step_by(piece).rev() {
        let end = size.min(start + piece + 7);
        let read = reader.read_at(&mut data[start..end], start as u64).unwrap();
        assert_eq!(read, end - start);
    }
    assert_eq!(reader.read_at(&mut [0; 16], size as u64).unwrap(), 0);
    data
}

/// A source must give the same tree each time, in parents-first order, and data to many readers.
pub(crate) fn check_source(source: &impl Source, options: &ScanOptions<'_>) -> Summary {
    let links_change = Capabilities([Capability::Attributes, Capability::CreationTime].into());
    let (first, skipped) = read(source, options);
    let (second, skipped_again) = read(source, options);
    assert_same(&second.kept(&links_change), &first.clone().kept(&links_change));
    assert_eq!(skipped, skipped_again);
    assert!(source.open(&Tree::new(directory()), u64::MAX).is_err());

    let progress = Progress::new();
    progress.cancel();
    source.scan(options, &progress).unwrap_err();
    first
}

/// A target must keep a tree however its data is brought. `make` gives a fresh target each time and
/// a way to read it back; the tree must hold nothing the target does not keep but metadata.
pub(crate) fn check_target<T: Target>(
    tree: &Tree,
    mut make: impl FnMut() -> (T, Box<dyn FnOnce() -> Summary>),
) {
    for delivery in [
        Delivery::Whole,
        Delivery::WholeByThreads,
        Delivery::Pieces(1 << 20),
        Delivery::Pieces(4096),
        Delivery::Pieces(777),
    ] {
        let (mut target, read_back) = make();
        let kept = target.capabilities();
        let skipped = apply(&mut target, tree, delivery);
        assert_eq!(skipped, [], "{delivery:?}");
        drop(target);
        assert_same(&read_back().kept(&kept), &Summary::in_hand(tree).kept(&kept));
    }
    let (mut target, read_back) = make();
    let progress = Progress::new();
    progress.cancel();
    target.begin(tree, &[], &progress).unwrap_err();
    drop(target);
    drop(read_back);
}
