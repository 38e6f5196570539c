//! Export: images from one WIM to another.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use imprint_blockio::{ReadAt, Resize, WriteAt};
use imprint_progress::{Cancelled, Progress};
use imprint_wim::{
    Blob, ChunkMap, Coding, Copied, Location, ReadError, ResourceDecoder, Wim, WimWriter,
    WriteError,
};
use imprint_winvalues::tree::{Content, File, NameId, Stream, StreamKind, Tree};
use imprint_winvalues::{Attributes, BlobHash, WinName};

use crate::blobs::Damage;
use crate::capture::{CaptureError, StoreOptions, store_streams};
use crate::outcome::chain;
use crate::{ScanOptions, Scanned, Source, SourceError, StreamReader};

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Index of the image in the file it was exported to, counted from 1.
    pub image: u32,
    /// Blobs copied as they were stored.
    pub copied: u64,
    /// Blobs compressed anew.
    pub recompressed: u64,
}

/// An image cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The source cannot be read.
    #[error("failed to read the image to export")]
    Read(#[from] ReadError),
    /// Data of the image cannot be read from where it is stored.
    #[error("failed to read data {hash}")]
    Data {
        /// The data's hash.
        hash: BlobHash,
        /// Why not.
        source: ReadError,
    },
    /// The destination cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Data cannot be compressed anew.
    #[error(transparent)]
    Store(#[from] CaptureError),
    /// Data the image refers to is in none of the files given.
    #[error("data {hash} of {path} is in none of the files given")]
    Missing {
        /// The data's hash.
        hash: BlobHash,
        /// A file that refers to it.
        path: String,
    },
    /// Data of the image is damaged.
    #[error("data {hash} is damaged: {fault}")]
    Damaged {
        /// The data's hash.
        hash: BlobHash,
        /// What is wrong.
        fault: String,
    },
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The image to export and its new name.
#[derive(Clone, Copy, Debug)]
pub struct ExportImage<'a> {
    /// Index of its file among those given.
    pub wim: usize,
    /// Its index in that file, counted from 1.
    pub image: u32,
    /// Its new name; the old one if `None`.
    pub name: Option<&'a str>,
    /// Its new description; the old one if `None`.
    pub description: Option<&'a str>,
}

/// How to export.
#[derive(Clone, Copy)]
pub struct ExportOptions<'a> {
    /// How to compress what has to be compressed anew.
    pub store: StoreOptions<'a>,
    /// Compress everything anew, even what could be copied.
    pub recompress: bool,
}

/// Copies an image with all its data into another WIM.
///
/// Data is copied as it is stored where both files compress alike; otherwise it is decompressed,
/// checked and compressed anew.
///
/// # Errors
/// [`ExportError`]; an image is exported whole or not at all.
pub fn export<R: ReadAt, F: WriteAt + Resize>(
    wims: &[Wim<R>],
    which: &ExportImage<'_>,
    writer: &mut WimWriter<F>,
    options: &ExportOptions<'_>,
    progress: &Progress,
) -> Result<Exported, ExportError> {
    let missing = ReadError::NoSuchImage { index: which.image, count: 0 };
    let from = wims.get(which.wim).ok_or(missing)?;
    let tree = from.read_tree(which.image)?.tree;
    let needed = needed_blobs(wims, &tree, writer)?;
    let (copied, mut anew): (Vec<_>, Vec<_>) = needed.into_iter().partition(|&(wim, blob)| {
        !options.recompress && can_copy(wims, wim, blob, writer.coding())
    });
    let bytes = copied.iter().map(|(_, blob)| blob.size).sum();
    progress.begin("copying", bytes, copied.len() as u64);
    for &(index, blob) in &copied {
        progress.check()?;
        let Some(wim) = wims.get(index) else { continue };
        let copied = writer.copy_blob(wim, blob).map_err(|error| match error {
            WriteError::Read(source) => ExportError::Data { hash: blob.hash, source },
            other => ExportError::Write(other),
        })?;
        if copied == Copied::NeedsRecoding {
            anew.push((index, blob));
        }
        progress.add_bytes(blob.size);
        progress.add_files(1);
    }
    recompress(wims, &anew, writer, options, progress)?;
    let image = writer.copy_image(from, which.image, which.name, which.description)?;
    Ok(Exported { image, copied: copied.len() as u64, recompressed: anew.len() as u64 })
}

/// The blobs of the tree that the writer does not have, in stored order.
fn needed_blobs<'a, R: ReadAt, F: WriteAt + Resize>(
    wims: &'a [Wim<R>],
    tree: &Tree,
    writer: &WimWriter<F>,
) -> Result<Vec<(usize, &'a Blob)>, ExportError> {
    let mut seen = HashSet::new();
    let mut needed = Vec::new();
    for (file, name) in crate::apply::first_names(tree) {
        for stream in tree.file(file).map_or(&[][..], |f| &f.streams) {
            let Content::Blob(hash) = stream.content else { continue };
            if writer.has_blob(&hash) || !seen.insert(hash) {
                continue;
            }
            let find = |(index, wim): (usize, &'a Wim<R>)| Some((index, wim.blobs().find(&hash)?));
            let found = wims.iter().enumerate().find_map(find);
            needed.push(found.ok_or_else(|| ExportError::Missing {
                hash,
                path: tree.path_of(name).to_string(),
            })?);
        }
    }
    needed.sort_by_key(|(wim, blob)| match blob.location {
        Location::Resource(header) => (*wim, 0, header.offset),
        Location::Solid { resource, offset } => (*wim, resource + 1, offset),
    });
    Ok(needed)
}

fn can_copy<R: ReadAt>(wims: &[Wim<R>], wim: usize, blob: &Blob, coding: Option<Coding>) -> bool {
    match blob.location {
        Location::Resource(header) => {
            wims.get(wim).is_some_and(|w| w.coding() == coding)
                || (!header.is_compressed() && coding.is_none())
        }
        Location::Solid { .. } => false,
    }
}

/// Stores blobs through the capture pipeline: they are the streams of one entry.
fn recompress<R: ReadAt, F: WriteAt + Resize>(
    wims: &[Wim<R>],
    blobs: &[(usize, &Blob)],
    writer: &mut WimWriter<F>,
    options: &ExportOptions<'_>,
    progress: &Progress,
) -> Result<(), ExportError> {
    if blobs.is_empty() {
        return Ok(());
    }
    let stream = |(location, (_, blob)): (u64, &(usize, &Blob))| Stream {
        kind: StreamKind::Data,
        name: WinName::default(),
        content: Content::Unread { location, size: blob.size },
    };
    let streams = (0..).zip(blobs).map(stream).collect();
    let mut root = File::new(Attributes::DIRECTORY);
    root.streams = streams;
    let mut tree = Tree::new(root);
    let source = BlobSource { wims, blobs, solid: Mutex::default() };
    let books = store_streams(&source, &mut tree, writer, &options.store, progress)?;
    if let Some((stream, reason)) = books.first_fault() {
        let blob = usize::try_from(stream).ok().and_then(|index| blobs.get(index));
        let hash = blob.map_or(BlobHash::ZERO, |(_, blob)| blob.hash);
        return Err(ExportError::Damaged { hash, fault: reason.to_string() });
    }
    let streams = tree.file_of(NameId::ROOT).map_or(&[][..], |file| &file.streams);
    for (stream, (_, blob)) in streams.iter().zip(blobs) {
        if stream.content != Content::Blob(blob.hash) {
            let actual = match stream.content {
                Content::Blob(actual) => actual,
                _ => BlobHash::ZERO,
            };
            let fault = Damage::Hash { actual, location: blob.location }.to_string();
            return Err(ExportError::Damaged { hash: blob.hash, fault });
        }
    }
    Ok(())
}

/// Blobs as a source: `location` is the index into the list.
struct BlobSource<'a, R> {
    wims: &'a [Wim<R>],
    blobs: &'a [(usize, &'a Blob)],
    /// The chunk of a solid resource that was decompressed last: file, resource, number, bytes.
    solid: Mutex<Option<SolidChunk>>,
}

#[derive(Clone)]
struct SolidChunk {
    place: (usize, usize, u64),
    data: Arc<Vec<u8>>,
}

impl<R: ReadAt> Source for BlobSource<'_, R> {
    fn scan(&self, _: &ScanOptions<'_>, _: &Progress) -> Result<Scanned, SourceError> {
        let root = File::new(Attributes::DIRECTORY);
        Ok(Scanned { tree: Tree::new(root), skipped: Vec::new(), excluded: 0 })
    }

    fn open(&self, _: &Tree, location: u64) -> io::Result<Box<dyn StreamReader + '_>> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let entry = usize::try_from(location).ok().and_then(|index| self.blobs.get(index));
        let &(index, blob) = entry.ok_or_else(gone)?;
        let wim = self.wims.get(index).ok_or_else(gone)?;
        let map = match blob.location {
            Location::Resource(header) if header.is_compressed() => {
                Some(wim.chunk_map(&header).map_err(|error| other(&error))?)
            }
            Location::Resource(_) => None,
            Location::Solid { resource, .. } => {
                Some(wim.solid_chunk_map(resource).map_err(|error| other(&error))?)
            }
        };
        Ok(Box::new(BlobStream { source: self, index, wim, blob, map }))
    }
}

fn other(error: &ReadError) -> io::Error {
    io::Error::other(chain(error))
}

/// One blob, read at any offset.
struct BlobStream<'a, R> {
    source: &'a BlobSource<'a, R>,
    index: usize,
    wim: &'a Wim<R>,
    blob: &'a Blob,
    map: Option<ChunkMap>,
}

impl<R: ReadAt> StreamReader for BlobStream<'_, R> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.blob.size.saturating_sub(offset);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        match (&self.map, self.blob.location) {
            (None, Location::Resource(header)) => {
                self.wim.file().read_exact_at(buf, header.offset + offset)?;
            }
            (Some(map), Location::Resource(_)) => self.read_chunks(map, buf, offset, None)?,
            (Some(map), Location::Solid { resource, offset: start }) => {
                self.read_chunks(map, buf, start + offset, Some(resource))?;
            }
            (None, Location::Solid { .. }) => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(len)
    }
}

impl<R: ReadAt> BlobStream<'_, R> {
    /// Fills `buf` from the resource's uncompressed data at `offset`.
    fn read_chunks(
        &self,
        map: &ChunkMap,
        buf: &mut [u8],
        offset: u64,
        solid: Option<usize>,
    ) -> io::Result<()> {
        let chunk_size = u64::from(map.chunk_size()).max(1);
        let (mut rest, mut offset) = (buf, offset);
        let mut decoder = ResourceDecoder::new();
        while !rest.is_empty() {
            let number = offset / chunk_size;
            let data = match solid {
                Some(resource) => self.solid_chunk(&mut decoder, map, resource, number)?,
                None => Arc::new(self.chunk(&mut decoder, map, self.wim.coding(), number)?),
            };
            let skip = usize::try_from(offset % chunk_size).unwrap_or(usize::MAX);
            let bytes = data.get(skip..).unwrap_or_default();
            let len = bytes.len().min(rest.len());
            if len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (target, left) = rest.split_at_mut(len);
            target.copy_from_slice(bytes.get(..len).unwrap_or_default());
            rest = left;
            offset += len as u64;
        }
        Ok(())
    }

    /// Solid chunks are large and hold many blobs: the last one is kept for all threads.
    fn solid_chunk(
        &self,
        decoder: &mut ResourceDecoder,
        map: &ChunkMap,
        resource: usize,
        number: u64,
    ) -> io::Result<Arc<Vec<u8>>> {
        let place = (self.index, resource, number);
        let mut kept = self.source.solid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chunk) = kept.as_ref().filter(|chunk| chunk.place == place) {
            return Ok(Arc::clone(&chunk.data));
        }
        let solid = self.wim.blobs().solid_resources().get(resource);
        let data = Arc::new(self.chunk(decoder, map, solid.map(|s| s.coding), number)?);
        *kept = Some(SolidChunk { place, data: Arc::clone(&data) });
        Ok(data)
    }

    fn chunk(
        &self,
        decoder: &mut ResourceDecoder,
        map: &ChunkMap,
        coding: Option<Coding>,
        number: u64,
    ) -> io::Result<Vec<u8>> {
        let (Some(chunk), Some(coding)) = (map.chunk(number), coding) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let mut stored = vec![0; usize::try_from(chunk.stored).unwrap_or_default()];
        self.wim.file().read_exact_at(&mut stored, chunk.offset)?;
        let mut data = vec![0; usize::try_from(chunk.size).unwrap_or_default()];
        decoder.decode_chunk(coding, &chunk, &stored, &mut data).map_err(|error| other(&error))?;
        Ok(data)
    }
}
