//! A source and a target in memory, for tests of the engine.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use imprint_progress::Progress;
use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{Content, File, NameId, Stream, StreamKind, Tree};

use crate::{
    BlobUse, Capabilities, ScanOptions, Scanned, Skipped, Source, SourceError, StreamReader,
    Target, TargetError,
};

/// How a file behaves when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Sound,
    /// Cannot be opened.
    Unreadable,
    /// Fails at this byte.
    FailsAt(u64),
    /// Has this many bytes by the time it is read.
    Resized(usize),
}

/// Files by path (one level of directories at most), in order.
#[derive(Default)]
pub(crate) struct MemorySource {
    files: Vec<(String, Vec<u8>, Behaviour)>,
}

impl MemorySource {
    pub(crate) fn file(self, path: &str, data: Vec<u8>) -> Self {
        self.odd_file(path, data, Behaviour::Sound)
    }

    pub(crate) fn odd_file(mut self, path: &str, data: Vec<u8>, behaviour: Behaviour) -> Self {
        self.files.push((path.to_owned(), data, behaviour));
        self
    }

    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new(File::new(Attributes::DIRECTORY));
        for (location, (path, data, _)) in (0..).zip(&self.files) {
            let (parent, name) = match path.split_once('/') {
                None => (NameId::ROOT, path.as_str()),
                Some((directory, name)) => {
                    let parent = tree.find(directory).unwrap_or_else(|| {
                        let file = File::new(Attributes::DIRECTORY);
                        tree.add(NameId::ROOT, directory.into(), file).unwrap()
                    });
                    (parent, name)
                }
            };
            let mut file = File::new(Attributes::ARCHIVE);
            if !data.is_empty() {
                file.streams.push(Stream {
                    kind: StreamKind::Data,
                    name: "".into(),
                    content: Content::Unread { location, size: data.len() as u64 },
                });
            }
            tree.add(parent, name.into(), file).unwrap();
        }
        tree
    }

    /// What a target should hold after everything sound was applied to it.
    pub(crate) fn expected(&self) -> BTreeMap<String, Vec<u8>> {
        let sound = self.files.iter().filter(|(_, d, b)| *b == Behaviour::Sound && !d.is_empty());
        sound
            .map(|(path, data, _)| (format!("\\{}", path.replace('/', "\\")), data.clone()))
            .collect()
    }
}

impl Source for MemorySource {
    fn scan(&self, _: &ScanOptions<'_>, _: &Progress) -> Result<Scanned, SourceError> {
        Ok(Scanned { tree: self.tree(), skipped: Vec::new(), excluded: 0 })
    }

    fn open(&self, _: &Tree, location: u64) -> io::Result<Box<dyn StreamReader + '_>> {
        let (_, data, behaviour) = &self.files[usize::try_from(location).unwrap()];
        if *behaviour == Behaviour::Unreadable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut data = data.clone();
        if let Behaviour::Resized(len) = behaviour {
            data.resize(*len, 0x77);
        }
        Ok(Box::new(MemoryStream { data, behaviour: *behaviour }))
    }
}

struct MemoryStream {
    data: Vec<u8>,
    behaviour: Behaviour,
}

impl StreamReader for MemoryStream {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap().min(self.data.len());
        // Never more than 300,000 bytes at once, as some file systems do.
        let len = buf.len().min(self.data.len() - start).min(300_000);
        if let Behaviour::FailsAt(at) = self.behaviour
            && offset + len as u64 > at
        {
            return Err(io::Error::other("bad sector"));
        }
        buf[..len].copy_from_slice(&self.data[start..start + len]);
        Ok(len)
    }
}

/// Keeps what it is given, by path of the file.
#[derive(Default)]
pub(crate) struct MemoryTarget {
    pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryTarget {
    fn keep(&self, tree: &Tree, uses: &[BlobUse], data: &[u8]) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for blob_use in uses {
            files.insert(tree.path_of(blob_use.name).to_string(), data.to_vec());
        }
    }

    pub(crate) fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files.into_inner().unwrap()
    }
}

impl Target for MemoryTarget {
    type Open = (Vec<BlobUse>, Mutex<Vec<u8>>);

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn begin(
        &mut self,
        _: &Tree,
        _: &[crate::Coming<'_>],
        _: &Progress,
    ) -> Result<(), TargetError> {
        Ok(())
    }

    fn put(&self, tree: &Tree, uses: &[BlobUse], data: &[u8]) -> Result<(), TargetError> {
        self.keep(tree, uses, data);
        Ok(())
    }

    fn open(&self, _: &Tree, uses: &[BlobUse], size: u64) -> Result<Self::Open, TargetError> {
        Ok((uses.to_vec(), Mutex::new(vec![0; usize::try_from(size).unwrap()])))
    }

    fn write(&self, open: &Self::Open, offset: u64, data: &[u8]) -> Result<(), TargetError> {
        let start = usize::try_from(offset).unwrap();
        open.1.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn close(&self, tree: &Tree, open: Self::Open, whole: bool) -> Result<(), TargetError> {
        if whole {
            self.keep(tree, &open.0, &open.1.into_inner().unwrap());
        }
        Ok(())
    }

    fn finish(&mut self, _: &Tree, _: &Progress) -> Result<Vec<Skipped>, TargetError> {
        Ok(Vec::new())
    }
}
