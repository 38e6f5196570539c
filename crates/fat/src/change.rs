//! Changing a volume.
//!
//! The volume is marked as not closed before the first change. Data goes to the device at once, then the
//! table and the entries that refer to it; [`Volume::flush`] brings out what the table still holds back
//! and marks the volume as closed. Cut in between, a check finds the mark.

use std::collections::HashSet;

use imprint_blockio::WriteAt;
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, WinName};
use zerocopy::{FromBytes as _, FromZeros as _, IntoBytes as _};

use crate::entry::{Entry, Listing, Place, describe, set_first};
use crate::layout::{EntryDisk, InfoDisk};
use crate::name::{self, ShortName};
use crate::table::Run;
use crate::volume::{Data, Directory, MAX_ENTRIES, State, Volume};
use crate::{NameFault, ReadError, Structure, WriteError};

/// A file or directory to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// Its name.
    pub name: WinName,
    /// The short name it should have, if it can be had; may be empty.
    pub short_name: WinName,
    /// Read-only, hidden, system, directory and archive are kept.
    pub attributes: Attributes,
    /// Its times, kept as far as FAT can.
    pub times: Times,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where its entry stands.
    pub place: Place,
    directory: Option<Directory>,
}

impl Made {
    /// The directory, if it is one.
    #[must_use]
    pub const fn directory(&self) -> Option<Directory> {
        self.directory
    }
}

impl<D: WriteAt> Volume<D> {
    /// Makes files, which are empty, and directories in a directory: the result says of each what became
    /// of it, in their order.
    ///
    /// # Errors
    /// [`WriteError`] if nothing more can be made: the volume or the directory is full, or the device
    /// fails. A name that cannot be is in the result.
    pub fn make(
        &self,
        directory: Directory,
        wanted: &[New],
    ) -> Result<Vec<Result<Made, NameFault>>, WriteError> {
        let mut state = self.state();
        self.begin(&mut state)?;
        let runs = self.directory_runs(&mut state, directory)?;
        let mut editor = Editor::new(self.list_runs(&runs)?);
        let mut made = Vec::with_capacity(wanted.len());
        let mut clusters = Clusters { runs, directory };
        for new in wanted {
            made.push(match editor.names(new) {
                Err(fault) => Err(fault),
                Ok(names) => {
                    let place = self.add(&mut state, &mut editor, &mut clusters, new, &names)?;
                    editor.keep(new, &names);
                    Ok(place)
                }
            });
        }
        Ok(made)
    }

    /// Adds one entry.
    fn add(
        &self,
        state: &mut State,
        editor: &mut Editor,
        clusters: &mut Clusters,
        new: &New,
        names: &Names,
    ) -> Result<Made, WriteError> {
        let long = names.long.as_ref().map_or(&[][..], |name| name.units());
        let pieces = name::pieces(long, name::checksum(&names.short));
        let count = pieces.len() + 1;
        let slot = editor.room(count).ok_or(WriteError::DirectoryFull)?;
        self.grow(state, clusters, slot + count)?;
        let mut disk = EntryDisk::new_zeroed();
        disk.name = names.short;
        describe(&mut disk, new.attributes, &new.times);
        let mut made = None;
        if new.attributes.contains(Attributes::DIRECTORY) {
            let first = self.new_directory(state, clusters.directory, &disk)?;
            set_first(&mut disk, first);
            made = Some(Directory { first, is_root: false });
        }
        let mut bytes: Vec<u8> =
            pieces.iter().flat_map(|piece| piece.as_bytes()).copied().collect();
        bytes.extend_from_slice(disk.as_bytes());
        let data = clusters.data(self.geometry.cluster_size);
        self.put_slots(&data, slot, &bytes)?;
        editor.take(slot, count);
        let slots = (index(slot), index(slot + count - 1));
        let byte = data.place(&self.geometry, slots.1 * EntryDisk::LEN as u64);
        let byte = byte.map_or(0, |(byte, _)| byte);
        let slots = (narrow(slots.0), narrow(slots.1));
        Ok(Made { place: Place { byte, slots }, directory: made })
    }

    /// Writes entries from number `slot` on.
    fn put_slots(&self, data: &Data, slot: usize, bytes: &[u8]) -> Result<(), WriteError> {
        let mut rest = bytes;
        let mut offset = slot as u64 * EntryDisk::LEN as u64;
        while !rest.is_empty() {
            let (byte, len) =
                data.place(&self.geometry, offset).ok_or(WriteError::DirectoryFull)?;
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let (piece, more) = rest.split_at(len);
            self.put(Structure::Directory, byte, piece)?;
            offset += len as u64;
            rest = more;
        }
        Ok(())
    }

    /// Makes a directory long enough for so many entries.
    fn grow(
        &self,
        state: &mut State,
        clusters: &mut Clusters,
        entries: usize,
    ) -> Result<(), WriteError> {
        let wanted = self.geometry.clusters_for((entries * EntryDisk::LEN) as u64);
        let now: u64 = clusters.runs.iter().map(|run| u64::from(run.count)).sum();
        let Some(more) = wanted.checked_sub(now).filter(|&more| more > 0) else { return Ok(()) };
        let runs = self.take(state, more)?;
        for run in &runs {
            for cluster in run.first..run.first + run.count {
                self.clear(cluster)?;
            }
        }
        if let (Some(last), Some(first)) = (clusters.runs.last(), runs.first()) {
            let last = last.first + last.count - 1;
            state.table.append(&self.device, &self.geometry, last, first.first)?;
        }
        clusters.runs.extend(runs);
        Ok(())
    }

    /// Makes the first cluster of a directory, whose own entry is `disk`.
    fn new_directory(
        &self,
        state: &mut State,
        parent: Directory,
        disk: &EntryDisk,
    ) -> Result<u32, WriteError> {
        let runs = self.take(state, 1)?;
        let first = runs.first().map_or(0, |run| run.first);
        self.clear(first)?;
        let mut dots = [*disk, *disk];
        for (entry, (name, cluster)) in dots.iter_mut().zip([
            (b".          ", first),
            (b"..         ", if parent.is_root { 0 } else { parent.first }),
        ]) {
            entry.name = *name;
            entry.attributes = u8::try_from(Attributes::DIRECTORY.bits()).unwrap_or(0);
            set_first(entry, cluster);
        }
        self.put(Structure::Directory, self.geometry.byte(first), dots.as_bytes())?;
        Ok(first)
    }

    fn clear(&self, cluster: u32) -> Result<(), WriteError> {
        let zeros = vec![0; usize::try_from(self.geometry.cluster_size).unwrap_or(0)];
        self.put(Structure::Directory, self.geometry.byte(cluster), &zeros)
    }

    fn take(&self, state: &mut State, count: u64) -> Result<Vec<Run>, WriteError> {
        let runs = state.table.take(&self.device, &self.geometry, state.next, count)?;
        if let Some(last) = runs.last() {
            state.next = last.first + last.count;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        state.free = state.free.and_then(|free| free.checked_sub(count));
        Ok(runs)
    }

    /// Gives a file room for `size` bytes, which then have any contents until they are written; what it
    /// had is given back.
    ///
    /// # Errors
    /// [`WriteError::FileTooLarge`], [`WriteError::Full`], or the device fails.
    pub fn allocate(&self, place: Place, size: u64) -> Result<Data, WriteError> {
        let Ok(bytes) = u32::try_from(size) else { return Err(WriteError::FileTooLarge { size }) };
        let mut state = self.state();
        self.begin(&mut state)?;
        let mut disk = self.entry_at(place.byte)?;
        let old = u32::from(disk.first_high.get()) << 16 | u32::from(disk.first_low.get());
        let runs = match self.geometry.clusters_for(size) {
            0 => Vec::new(),
            count => self.take(&mut state, count)?,
        };
        set_first(&mut disk, runs.first().map_or(0, |run| run.first));
        disk.size = bytes.into();
        self.put(Structure::Directory, place.byte, disk.as_bytes())?;
        self.give_back(&mut state, old)?;
        Ok(Data::new(&runs, bytes))
    }

    fn give_back(&self, state: &mut State, first: u32) -> Result<(), WriteError> {
        if !self.geometry.has(first) {
            return Ok(());
        }
        let count = state.table.give_back(&self.device, &self.geometry, first)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let most = self.geometry.clusters;
        state.free = state.free.map(|free| free.saturating_add(count).min(most));
        Ok(())
    }

    /// Writes data of a file; what is behind its end is left out.
    ///
    /// # Errors
    /// The device fails.
    pub fn write_at(&self, data: &Data, bytes: &[u8], offset: u64) -> Result<(), WriteError> {
        let (mut rest, mut offset) = (bytes, offset);
        while !rest.is_empty() {
            let Some((byte, len)) = data.place(&self.geometry, offset) else { break };
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let (piece, more) = rest.split_at(len);
            self.put(Structure::Data, byte, piece)?;
            offset += len as u64;
            rest = more;
        }
        Ok(())
    }

    /// Sets attributes and times of a file or directory; what it is does not change.
    ///
    /// # Errors
    /// The device fails.
    pub fn describe(
        &self,
        place: Place,
        attributes: Attributes,
        times: &Times,
    ) -> Result<(), WriteError> {
        let mut state = self.state();
        self.begin(&mut state)?;
        let mut disk = self.entry_at(place.byte)?;
        let kind = Attributes::from_bits_retain(disk.attributes.into()) & Attributes::DIRECTORY;
        describe(&mut disk, (attributes - Attributes::DIRECTORY) | kind, times);
        self.put(Structure::Directory, place.byte, disk.as_bytes())
    }

    /// Removes a file or an empty directory.
    ///
    /// # Errors
    /// [`WriteError::NotEmpty`], or the device fails.
    pub fn remove(&self, directory: Directory, entry: &Entry) -> Result<(), WriteError> {
        if entry.is_directory() && !self.list(self.directory(entry)?)?.entries.is_empty() {
            return Err(WriteError::NotEmpty);
        }
        let mut state = self.state();
        self.begin(&mut state)?;
        let runs = self.directory_runs(&mut state, directory)?;
        let data = Clusters { runs, directory }.data(self.geometry.cluster_size);
        let (first, last) = entry.place.slots;
        for slot in first..=last {
            let offset = u64::from(slot) * EntryDisk::LEN as u64;
            if let Some((byte, _)) = data.place(&self.geometry, offset) {
                self.put(Structure::Directory, byte, &[EntryDisk::FREE])?;
            }
        }
        self.give_back(&mut state, entry.first)
    }

    /// Marks the volume as being changed, before the first change.
    fn begin(&self, state: &mut State) -> Result<(), WriteError> {
        if state.changed {
            return Ok(());
        }
        state.table.mark(&self.device, &self.geometry, false)?;
        self.device.flush().map_err(WriteError::Flush)?;
        state.changed = true;
        Ok(())
    }

    /// Returns when everything is on stable storage and the volume is marked as closed, unless it was not
    /// when it was opened.
    ///
    /// # Errors
    /// The device fails.
    pub fn flush(&self) -> Result<(), WriteError> {
        let mut state = self.state();
        if !state.changed {
            return self.device.flush().map_err(WriteError::Flush);
        }
        state.table.write(&self.device, &self.geometry)?;
        if let Some(info) = self.geometry.info {
            self.put_info(&state, info)?;
        }
        self.device.flush().map_err(WriteError::Flush)?;
        if state.was_closed {
            state.table.mark(&self.device, &self.geometry, true)?;
            self.device.flush().map_err(WriteError::Flush)?;
        }
        state.changed = false;
        Ok(())
    }

    fn put_info(&self, state: &State, offset: u64) -> Result<(), WriteError> {
        let mut bytes = [0; 512];
        self.device.read_exact_at(&mut bytes, offset).map_err(|source| ReadError::Io {
            structure: Structure::Information,
            offset,
            length: bytes.len() as u64,
            source,
        })?;
        let Ok(info) = InfoDisk::mut_from_bytes(&mut bytes) else { return Ok(()) };
        if info.first_mark.get() == InfoDisk::FIRST_MARK
            && info.second_mark.get() == InfoDisk::SECOND_MARK
        {
            info.free = state.free.unwrap_or(InfoDisk::UNKNOWN).into();
            let next = Some(state.next).filter(|&next| self.geometry.has(next));
            info.next = next.unwrap_or(InfoDisk::UNKNOWN).into();
            self.put(Structure::Information, offset, &bytes)?;
        }
        Ok(())
    }

    pub(crate) fn put(
        &self,
        structure: Structure,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        self.device.write_all_at(bytes, offset).map_err(|source| WriteError::Io {
            structure,
            offset,
            length: bytes.len() as u64,
            source,
        })
    }
}

/// Where a directory lies while entries are added.
struct Clusters {
    runs: Vec<Run>,
    directory: Directory,
}

impl Clusters {
    fn data(&self, cluster_size: u32) -> Data {
        let count: u32 = self.runs.iter().map(|run| run.count).sum();
        Data::new(&self.runs, count.saturating_mul(cluster_size))
    }
}

/// The names an entry gets.
struct Names {
    /// None if the short one says it all.
    long: Option<WinName>,
    short: ShortName,
}

/// What is known of a directory while entries are added.
struct Editor {
    /// All names in upper case, long and short.
    names: HashSet<WinName>,
    shorts: HashSet<ShortName>,
    /// The slots before the end, and whether they are in use.
    used: Vec<bool>,
    /// No run of free slots is wanted before this one any more.
    from: usize,
}

impl Editor {
    fn new(listing: Listing) -> Self {
        let entries = &listing.entries;
        let names = entries.iter().flat_map(|entry| [&entry.name, &entry.short_name]);
        let names = names.filter(|name| !name.is_empty()).map(|name| name::folded(name.units()));
        Self {
            names: names.collect(),
            shorts: entries.iter().map(|entry| entry.stored_name).collect(),
            used: listing.used,
            from: 0,
        }
    }

    fn names(&self, new: &New) -> Result<Names, NameFault> {
        let units = new.name.units();
        name::check(units)?;
        if self.names.contains(&name::folded(units)) {
            return Err(NameFault::Taken);
        }
        if let Some(short) = name::exact(units) {
            return Ok(Names { long: None, short });
        }
        let wished = name::exact(new.short_name.units());
        let is_free = |short: &ShortName| {
            !self.shorts.contains(short)
                && !self.names.contains(&name::folded(name::short_text(short, 0).units()))
        };
        let short = match wished.filter(&is_free) {
            Some(short) => short,
            None => name::invented(units, is_free)?,
        };
        Ok(Names { long: Some(new.name.clone()), short })
    }

    fn keep(&mut self, new: &New, names: &Names) {
        self.names.insert(name::folded(new.name.units()));
        self.names.insert(name::folded(name::short_text(&names.short, 0).units()));
        self.shorts.insert(names.short);
    }

    /// Where `count` free slots follow each other, if the directory may be so long.
    fn room(&mut self, count: usize) -> Option<usize> {
        let mut start = self.from;
        for (slot, &used) in self.used.iter().enumerate().skip(self.from) {
            if used {
                start = slot + 1;
            } else if slot + 1 - start >= count {
                return Some(start);
            }
        }
        // Windows refuses to read a directory that has not an entry left.
        ((start + count) as u64 <= MAX_ENTRIES).then_some(start)
    }

    fn take(&mut self, slot: usize, count: usize) {
        if self.used.len() < slot + count {
            self.used.resize(slot + count, false);
        }
        self.used.iter_mut().skip(slot).take(count).for_each(|used| *used = true);
        // What is full from the beginning need not be looked at again.
        let full = self.used.iter().skip(self.from).take_while(|&&used| used).count();
        self.from += full;
    }
}

fn index(slot: usize) -> u64 {
    slot as u64
}

fn narrow(slot: u64) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}
