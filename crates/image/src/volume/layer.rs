//! An NTFS volume whose files stay, as a target: what is applied is laid over them.
//!
//! Data goes to clusters that are free. Nothing refers to it before all of it is there: then files are made one after
//! the other, in place of those that have their names.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use imprint_blockio::WriteAt;
use imprint_ntfs::{EditError, Editor, FileReference, NewFile, Reserved};
use imprint_progress::Progress;
use imprint_winvalues::tree::{Content, File, FileId, NameId, Stream, StreamKind, Tree};
use imprint_winvalues::{Attributes, WinName};

use super::target::capabilities;
use crate::outcome::chain;
use crate::{BlobUse, Capabilities, Capability, Coming, SkipReason, Skipped, Target, TargetError};

/// Streams of at most this many bytes are kept in memory until their file is made: most fit into its record.
const SMALL: u64 = 700;

/// What is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerOptions {
    /// Leave out security descriptors: new files get what Windows gives them.
    pub no_acls: bool,
    /// Leave out file attributes.
    pub no_attributes: bool,
}

/// A volume on which files are laid.
#[derive(Debug)]
pub struct NtfsLayer<D> {
    editor: Editor<D>,
    /// What its errors call it.
    path: String,
    options: LayerOptions,
    slots: HashMap<(FileId, u32), Slot>,
    skipped: Vec<Skipped>,
}

/// A stream that is to come.
#[derive(Debug)]
struct Slot {
    place: Place,
    state: Mutex<State>,
}

/// What came of a stream.
#[derive(Debug, Default)]
struct State {
    /// Its bytes, if they are few.
    data: Vec<u8>,
    /// Whether all of it came.
    whole: bool,
}

#[derive(Debug)]
enum Place {
    Memory,
    Clusters(Reserved),
}

impl Slot {
    fn complete(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).whole = true;
    }

    /// Keeps a piece in memory.
    fn keep(&self, offset: u64, data: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(data.len());
        if state.data.len() < end {
            state.data.resize(end, 0);
        }
        if let Some(place) = state.data.get_mut(start..end) {
            place.copy_from_slice(data);
        }
    }
}

impl<D: WriteAt> NtfsLayer<D> {
    /// A volume that was opened to be changed. `path` is what errors call it.
    #[must_use]
    pub fn new(editor: Editor<D>, path: String, options: LayerOptions) -> Self {
        Self { editor, path, options, slots: HashMap::new(), skipped: Vec::new() }
    }

    /// The volume.
    pub const fn editor(&self) -> &Editor<D> {
        &self.editor
    }

    fn failed(&self, source: EditError) -> TargetError {
        TargetError::Edit { path: self.path.clone(), source }
    }

    /// Makes sure that everything fits before anything is written.
    fn check_room(&self, tree: &Tree, coming: &[Coming<'_>]) -> Result<(), TargetError> {
        let geometry = self.editor.volume().geometry();
        let cluster = u64::from(geometry.cluster_size);
        let large = coming.iter().filter(|blob| blob.size > SMALL);
        let data: u64 = large
            .map(|blob| blob.size.next_multiple_of(cluster).saturating_mul(blob.uses.len() as u64))
            .fold(0, u64::saturating_add);
        // A record each, and names in directories that are half full.
        let files = tree.files().len() as u64 * u64::from(geometry.record_size);
        let names: u64 =
            tree.names().map(|(_, name)| 2 * (0x58 + 2 * name.name.len() as u64)).sum();
        let needed = data.saturating_add(files).saturating_add(names);
        let free = self.editor.free_bytes().map_err(|error| self.failed(error))?;
        if needed > free {
            return Err(self.failed(EditError::NoRoom { needed, free }));
        }
        Ok(())
    }

    fn each(
        &self,
        uses: &[BlobUse],
        mut act: impl FnMut(&Slot) -> Result<(), EditError>,
    ) -> Result<(), TargetError> {
        let slots = uses.iter().filter_map(|one| self.slots.get(&(one.file, one.stream)));
        slots.into_iter().try_for_each(&mut act).map_err(|error| self.failed(error))
    }

    /// Writes a piece to where it belongs, if that is in clusters.
    fn bring(&self, slot: &Slot, offset: u64, data: &[u8]) -> Result<(), EditError> {
        match &slot.place {
            Place::Clusters(reserved) => self.editor.write_reserved(reserved, offset, data),
            Place::Memory => {
                slot.keep(offset, data);
                Ok(())
            }
        }
    }

    /// The data of a stream that came whole; `None` if it did not.
    fn take(&mut self, file: FileId, stream: u32) -> Option<Came> {
        let slot = self.slots.remove(&(file, stream))?;
        let State { data, whole } = slot.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (whole, slot.place) {
            (true, Place::Memory) => Some(Came::Bytes(data)),
            (true, Place::Clusters(reserved)) => Some(Came::Clusters(reserved)),
            (false, Place::Clusters(reserved)) => {
                self.editor.give_up(&reserved);
                None
            }
            (false, Place::Memory) => None,
        }
    }
}

/// Data of a stream.
enum Came {
    Bytes(Vec<u8>),
    Clusters(Reserved),
}

/// Makes the files of a tree.
struct Laying<'a, D> {
    layer: &'a mut NtfsLayer<D>,
    tree: &'a Tree,
    /// By name: the directory it became.
    directories: HashMap<NameId, FileReference>,
    /// By file: what it became.
    files: HashMap<FileId, FileReference>,
    /// All that was made, or was there and is the image's now.
    made: HashSet<FileReference>,
}

/// What has a name already.
enum There {
    Nothing,
    /// A directory that stays.
    Directory(FileReference),
    /// A file of the image: its name differs in case.
    Ours,
}

impl<D: WriteAt> Laying<'_, D> {
    /// Makes the file of a name, or gives it one more name. What cannot be made is listed, unless nothing can.
    fn lay(&mut self, id: NameId) -> Result<(), TargetError> {
        let tree = self.tree;
        let (Some(name), Some(file)) = (tree.name(id), tree.file_of(id)) else { return Ok(()) };
        // Below what could not be made, nothing can be.
        let parent = name.parent().and_then(|parent| self.directories.get(&parent).copied());
        let Some(parent) = parent else { return Ok(()) };
        let short = &name.short_name;
        let laid = match self.files.get(&name.file()) {
            Some(&made) => self.link(parent, &name.name, made),
            None => self.make(parent, (id, &name.name, short), file),
        };
        match laid {
            Ok(()) => Ok(()),
            Err(error) if is_fatal(&error) => Err(self.layer.failed(error)),
            Err(EditError::Name(fault)) => {
                self.skip(id, SkipReason::Name { fault: fault.to_string() });
                Ok(())
            }
            Err(error) => {
                self.skip(id, SkipReason::Unwritable { operation: "write", error: chain(&error) });
                Ok(())
            }
        }
    }

    /// Sets what the image says of the root directory.
    fn lay_root(&mut self, root: FileReference) -> Result<(), TargetError> {
        let Some(file) = self.tree.file(FileId(0)) else { return Ok(()) };
        let came = self.come(FileId(0), file).unwrap_or_default();
        let laid = self.describe(root, file).and_then(|()| self.give(root, file, came));
        laid.map_err(|error| self.layer.failed(error))
    }

    fn skip(&mut self, id: NameId, reason: SkipReason) {
        let path = self.tree.path_of(id).to_string();
        self.layer.skipped.push(Skipped { path, reason });
    }

    fn link(
        &mut self,
        parent: FileReference,
        name: &WinName,
        made: FileReference,
    ) -> Result<(), EditError> {
        let posix = match self.clear(parent, name, false)? {
            There::Nothing => false,
            There::Ours => true,
            There::Directory(_) => return Err(EditError::IsDirectory),
        };
        self.layer.editor.link(made, parent, name, posix)
    }

    /// Makes room for a name: a file that has it goes, unless it came from the image as well.
    fn clear(
        &mut self,
        parent: FileReference,
        name: &WinName,
        is_directory: bool,
    ) -> Result<There, EditError> {
        let editor = &mut self.layer.editor;
        let Some(found) = editor.lookup(parent, name)? else { return Ok(There::Nothing) };
        if self.made.contains(&found.reference) {
            return Ok(There::Ours);
        }
        match (found.is_directory(), is_directory) {
            (true, true) => Ok(There::Directory(found.reference)),
            (true, false) => Err(EditError::IsDirectory),
            (false, _) => editor.remove(parent, name).map(|()| There::Nothing),
        }
    }

    fn make(
        &mut self,
        parent: FileReference,
        (id, name, short): (NameId, &WinName, &WinName),
        file: &File,
    ) -> Result<(), EditError> {
        let number = self.tree.name(id).map_or(FileId(0), imprint_winvalues::tree::Name::file);
        let came = self.come(number, file);
        let Some(came) = came else { return Ok(()) };
        let reference = match self.clear(parent, name, file.is_directory())? {
            There::Directory(there) => {
                self.describe(there, file)?;
                there
            }
            There::Nothing => self.create(parent, (name, short), file, false)?,
            There::Ours => self.create(parent, (name, short), file, true)?,
        };
        self.made.insert(reference);
        self.give(reference, file, came)?;
        self.files.insert(number, reference);
        if file.is_directory() {
            self.directories.insert(id, reference);
        }
        Ok(())
    }

    /// Takes the data of a file that came; `None` if what makes it did not.
    fn come(&mut self, number: FileId, file: &File) -> Option<Vec<(u32, Came)>> {
        let mut all = Vec::new();
        let mut whole = true;
        for (stream, index) in file.streams.iter().zip(0..) {
            let expected = self.layer.slots.contains_key(&(number, index));
            match self.layer.take(number, index) {
                Some(came) => all.push((index, came)),
                None if !expected && !matches!(stream.content, Content::Empty) => {
                    // Its blob is missing altogether.
                    whole &= !is_needed(stream);
                }
                None if expected => whole &= !is_needed(stream),
                None => {}
            }
        }
        if whole || file.is_directory() {
            return Some(all);
        }
        for (_, came) in all {
            if let Came::Clusters(reserved) = came {
                self.layer.editor.give_up(&reserved);
            }
        }
        None
    }

    fn new_file(&self, file: &File) -> NewFile {
        let options = self.layer.options;
        let security = file.security.filter(|_| !options.no_acls);
        let security = security.and_then(|id| self.tree.security.get(id)).map(<[u8]>::to_vec);
        NewFile {
            is_directory: file.is_directory(),
            times: Some(file.times),
            attributes: if options.no_attributes { Attributes::empty() } else { file.attributes },
            // One that is damaged is as good as none.
            security: security.filter(|bytes| imprint_winvalues::security::check(bytes).is_ok()),
            ..NewFile::default()
        }
    }

    fn create(
        &mut self,
        parent: FileReference,
        (name, short): (&WinName, &WinName),
        file: &File,
        posix: bool,
    ) -> Result<FileReference, EditError> {
        let (name, short_name) = (name.clone(), short.clone());
        let new = NewFile { name, short_name, posix, ..self.new_file(file) };
        let editor = &mut self.layer.editor;
        match editor.create(parent, &new) {
            // Another file's name; the long one is what counts.
            Err(EditError::Exists | EditError::Name(imprint_ntfs::NameError::Short))
                if !short.is_empty() =>
            {
                editor.create(parent, &NewFile { short_name: WinName::default(), ..new })
            }
            created => created,
        }
    }

    /// Sets what is known of a directory that was there before.
    fn describe(&mut self, there: FileReference, file: &File) -> Result<(), EditError> {
        let new = self.new_file(file);
        let editor = &mut self.layer.editor;
        if let Some(security) = &new.security {
            editor.set_security(there, security)?;
        }
        if !self.layer.options.no_attributes {
            editor.set_attributes(there, file.attributes)?;
        }
        Ok(())
    }

    /// Gives a file its streams and the rest.
    fn give(
        &mut self,
        reference: FileReference,
        file: &File,
        came: Vec<(u32, Came)>,
    ) -> Result<(), EditError> {
        let mut came: HashMap<u32, Came> = came.into_iter().collect();
        let editor = &mut self.layer.editor;
        for (stream, index) in file.streams.iter().zip(0..) {
            let data = came.remove(&index);
            match stream.kind {
                StreamKind::Data => {
                    // A directory's main data is nothing, and a file has its own from the beginning.
                    let named = !stream.name.is_empty();
                    match data {
                        Some(Came::Clusters(data)) => {
                            editor.attach(reference, &stream.name, data)?;
                        }
                        Some(Came::Bytes(bytes)) => put(editor, reference, &stream.name, &bytes)?,
                        None if named => put(editor, reference, &stream.name, &[])?,
                        None => {}
                    }
                }
                StreamKind::Reparse => {
                    let (Some(Came::Bytes(bytes)), Some(info)) = (data, &file.reparse) else {
                        continue;
                    };
                    editor.set_reparse(reference, Some((info.tag, info.reserved, &bytes)))?;
                }
                StreamKind::EncryptedRaw => {}
            }
        }
        if let Some(extras) = &file.extras {
            if let Some(object) = &extras.object_id {
                match editor.set_object_id(reference, Some(object)) {
                    // Another file has it: an object id names one.
                    Err(EditError::Exists) => {}
                    set => set?,
                }
            }
            if !extras.extended_attributes.is_empty() {
                editor.set_extended(reference, &extras.extended_attributes)?;
            }
        }
        if file.is_directory() { Ok(()) } else { editor.set_times(reference, &file.times) }
    }

    /// Sets the times of directories, which making entries changed.
    fn set_directory_times(&mut self) -> Result<(), TargetError> {
        let layer = &mut *self.layer;
        for (id, &reference) in &self.directories {
            let Some(file) = self.tree.file_of(*id) else { continue };
            let set = layer.editor.set_times(reference, &file.times);
            set.map_err(|source| TargetError::Edit { path: layer.path.clone(), source })?;
        }
        Ok(())
    }
}

fn put<D: WriteAt>(
    editor: &mut Editor<D>,
    file: FileReference,
    name: &WinName,
    data: &[u8],
) -> Result<(), EditError> {
    editor.write_stream(file, name, data.len() as u64, |buf, offset| {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = data.get(start..start.saturating_add(buf.len()));
        buf.copy_from_slice(found.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    })
}

/// Whether a file is nothing without a stream.
fn is_needed(stream: &Stream) -> bool {
    stream.is_main_data() || stream.kind == StreamKind::Reparse
}

/// Whether no file can be made any more.
const fn is_fatal(error: &EditError) -> bool {
    matches!(
        error,
        EditError::Write { .. }
            | EditError::Read(_)
            | EditError::NoRoom { .. }
            | EditError::Broken
            | EditError::Gone(_)
    )
}

impl<D: WriteAt> Target for NtfsLayer<D> {
    type Open = Vec<BlobUse>;

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn begin(
        &mut self,
        tree: &Tree,
        coming: &[Coming<'_>],
        progress: &Progress,
    ) -> Result<(), TargetError> {
        progress.check()?;
        self.check_room(tree, coming)?;
        for blob in coming {
            for one in blob.uses {
                let file = tree.file(one.file);
                let stream = file.and_then(|file| file.streams.get(one.stream as usize));
                let Some(stream) = stream else { continue };
                // Reparse points are at most 16 KiB long.
                let small = blob.size <= SMALL || stream.kind == StreamKind::Reparse;
                let place = if small {
                    Place::Memory
                } else {
                    let reserved = self.editor.reserve(blob.size);
                    Place::Clusters(reserved.map_err(|error| self.failed(error))?)
                };
                let slot = Slot { place, state: Mutex::default() };
                self.slots.insert((one.file, one.stream), slot);
            }
        }
        let encrypted = tree.names().filter(|(_, name)| {
            let streams = tree.file(name.file()).map_or(&[][..], |file| &file.streams);
            streams.iter().any(|stream| stream.kind == StreamKind::EncryptedRaw)
        });
        let capability = Capability::EncryptedFiles;
        for (id, _) in encrypted {
            let path = tree.path_of(id).to_string();
            self.skipped.push(Skipped { path, reason: SkipReason::NotKept { capability } });
        }
        Ok(())
    }

    fn put(&self, _: &Tree, uses: &[BlobUse], data: &[u8]) -> Result<(), TargetError> {
        self.each(uses, |slot| {
            self.bring(slot, 0, data)?;
            slot.complete();
            Ok(())
        })
    }

    fn open(&self, _: &Tree, uses: &[BlobUse], _: u64) -> Result<Self::Open, TargetError> {
        Ok(uses.to_vec())
    }

    fn write(&self, open: &Self::Open, offset: u64, data: &[u8]) -> Result<(), TargetError> {
        self.each(open, |slot| self.bring(slot, offset, data))
    }

    fn close(&self, _: &Tree, open: Self::Open, whole: bool) -> Result<(), TargetError> {
        if !whole {
            return Ok(());
        }
        self.each(&open, |slot| {
            slot.complete();
            Ok(())
        })
    }

    fn finish(&mut self, tree: &Tree, progress: &Progress) -> Result<Vec<Skipped>, TargetError> {
        progress.check()?;
        let root = self.editor.find("").map_err(|error| self.failed(error))?;
        let root = root.ok_or_else(|| self.failed(EditError::NotFound))?;
        let mut laying = Laying {
            layer: self,
            tree,
            directories: HashMap::from([(NameId::ROOT, root)]),
            files: HashMap::new(),
            made: HashSet::new(),
        };
        laying.lay_root(root)?;
        for (id, _) in tree.names().skip(1) {
            laying.lay(id)?;
        }
        laying.set_directory_times()?;
        self.editor.commit().map_err(|error| self.failed(error))?;
        Ok(std::mem::take(&mut self.skipped))
    }
}
