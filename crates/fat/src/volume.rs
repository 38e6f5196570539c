//! An opened volume, and reading it.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::WinName;
use zerocopy::FromBytes as _;

use crate::entry::{Entry, Listing};
use crate::geometry::Geometry;
use crate::layout::{BootDisk, EntryDisk, InfoDisk};
use crate::name::short_text;
use crate::table::{Run, Table};
use crate::{Corruption, ReadError, Structure};

/// A directory has at most this many entries of 32 bytes.
pub(crate) const MAX_ENTRIES: u64 = 65_536;

/// A FAT32 volume on any device.
///
/// All methods may be called from many threads at once; what changes the volume waits for each other.
#[derive(Debug)]
pub struct Volume<D> {
    pub(crate) device: D,
    pub(crate) geometry: Geometry,
    serial: u32,
    boot_label: WinName,
    state: Mutex<State>,
}

/// What changes while a volume is used.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) table: Table,
    /// Where to look for a free cluster.
    pub(crate) next: u32,
    /// Free clusters, if somebody counted.
    pub(crate) free: Option<u32>,
    /// Whether anything was written since the volume was opened or closed.
    pub(crate) changed: bool,
    /// Whether the volume was closed before that.
    pub(crate) was_closed: bool,
}

/// A directory of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Directory {
    pub(crate) first: u32,
    pub(crate) is_root: bool,
}

/// The data of a file, resolved: it can be read without asking the table again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Where each run begins in the file, clusters, and the run.
    runs: Vec<(u32, Run)>,
    size: u32,
}

impl Data {
    pub(crate) fn new(runs: &[Run], size: u32) -> Self {
        let mut start = 0;
        let runs = runs.iter().map(|&run| {
            let here = start;
            start += run.count;
            (here, run)
        });
        Self { runs: runs.collect(), size }
    }

    /// How many bytes.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// Where the byte at `offset` is on the volume, and how many bytes follow in one piece.
    pub(crate) fn place(&self, geometry: &Geometry, offset: u64) -> Option<(u64, u64)> {
        let left = u64::from(self.size).checked_sub(offset).filter(|&left| left > 0)?;
        let size = u64::from(geometry.cluster_size);
        let cluster = offset / size;
        let index = self.runs.partition_point(|(start, _)| u64::from(*start) <= cluster);
        let (start, run) = self.runs.get(index.checked_sub(1)?)?;
        let inside = offset - u64::from(*start) * size;
        let in_run = (u64::from(run.count) * size).checked_sub(inside)?;
        Some((geometry.byte(run.first) + inside, in_run.min(left)))
    }
}

impl<D: ReadAt> Volume<D> {
    /// Opens a volume.
    ///
    /// # Errors
    /// [`ReadError`]: it is no FAT32 volume, or larger than the device.
    pub fn open(device: D) -> Result<Self, ReadError> {
        let failed = |structure, offset, length| {
            move |source| ReadError::Io { structure, offset, length, source }
        };
        let len = device.len().map_err(failed(Structure::BootSector, 0, 0))?;
        let mut bytes = [0; 512];
        let length = bytes.len() as u64;
        device.read_exact_at(&mut bytes, 0).map_err(failed(Structure::BootSector, 0, length))?;
        let boot: BootDisk = zerocopy::transmute!(bytes);
        let geometry = Geometry::new(&boot, len)?;
        let mut state = State {
            table: Table::default(),
            next: 0,
            free: None,
            changed: false,
            was_closed: true,
        };
        if let Some(info) = geometry.info {
            let mut bytes = [0; 512];
            let failed = failed(Structure::Information, info, length);
            device.read_exact_at(&mut bytes, info).map_err(failed)?;
            let info: InfoDisk = zerocopy::transmute!(bytes);
            if info.first_mark.get() == InfoDisk::FIRST_MARK
                && info.second_mark.get() == InfoDisk::SECOND_MARK
            {
                state.next = info.next.get();
                state.free = Some(info.free.get()).filter(|&free| free <= geometry.clusters);
            }
        }
        state.was_closed = state.table.is_closed(&device, &geometry)?;
        let has_label = boot.extended == 0x29 && boot.label != *b"NO NAME    ";
        let boot_label = if has_label { short_text(&boot.label, 0) } else { WinName::default() };
        let (serial, state) = (boot.serial.get(), Mutex::new(state));
        Ok(Self { device, geometry, serial, boot_label, state })
    }

    /// Returns the device. What was written is there once it was flushed.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// By which the volume is told apart.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// Bytes of a cluster.
    #[must_use]
    pub const fn cluster_size(&self) -> u32 {
        self.geometry.cluster_size
    }

    /// How many clusters there are.
    #[must_use]
    pub const fn clusters(&self) -> u32 {
        self.geometry.clusters
    }

    /// Whether the volume was closed when it was written last, or else may be damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.state().was_closed
    }

    /// The label: that of the root directory, or of the boot sector; empty if there is none.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn label(&self) -> Result<WinName, ReadError> {
        let listing = self.list(self.root())?;
        Ok(listing.label.map_or_else(|| self.boot_label.clone(), |label| short_text(&label, 0)))
    }

    /// The directory at the top.
    #[must_use]
    pub const fn root(&self) -> Directory {
        Directory { first: self.geometry.root, is_root: true }
    }

    /// The directory an entry stands for.
    ///
    /// # Errors
    /// [`ReadError::Corruption`] if it has no cluster. Not being a directory is corruption of what refers
    /// to it, too.
    pub fn directory(&self, entry: &Entry) -> Result<Directory, ReadError> {
        self.check_first(entry)?;
        Ok(Directory { first: entry.first, is_root: false })
    }

    fn check_first(&self, entry: &Entry) -> Result<(), Corruption> {
        if self.geometry.has(entry.first) {
            return Ok(());
        }
        let (legal, at) = (self.geometry.legal(), entry.place.byte + 20);
        Err(Corruption::number(
            Structure::Directory,
            at,
            "first cluster",
            legal,
            entry.first.into(),
        ))
    }

    /// Reads a directory.
    ///
    /// # Errors
    /// [`ReadError`]: its chain of clusters is broken, longer than a directory can be, or cannot be read.
    pub fn list(&self, directory: Directory) -> Result<Listing, ReadError> {
        let runs = self.directory_runs(&mut self.state(), directory)?;
        self.list_runs(&runs)
    }

    /// The clusters a directory lies in, so that whoever walks a tree can see that none is in two.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn directory_clusters(&self, directory: Directory) -> Result<Vec<u32>, ReadError> {
        let runs = self.directory_runs(&mut self.state(), directory)?;
        Ok(runs.iter().flat_map(|run| run.first..run.first + run.count).collect())
    }

    pub(crate) fn directory_runs(
        &self,
        state: &mut State,
        directory: Directory,
    ) -> Result<Vec<Run>, ReadError> {
        let geometry = &self.geometry;
        let most = geometry.clusters_for(MAX_ENTRIES * EntryDisk::LEN as u64);
        let chain = state.table.chain(&self.device, geometry, directory.first, most)?;
        if !chain.ends {
            let at = geometry.entry(directory.first);
            let expected = Expected::AtMost(most);
            let fault = Corruption::number(
                Structure::Fat,
                at,
                "clusters of a directory",
                expected,
                most + 1,
            );
            return Err(fault.into());
        }
        Ok(chain.runs)
    }

    pub(crate) fn list_runs(&self, runs: &[Run]) -> Result<Listing, ReadError> {
        let bytes = self.read_runs(runs)?;
        let data = Data::new(runs, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let byte = |slot: u32| {
            let offset = u64::from(slot) * EntryDisk::LEN as u64;
            data.place(&self.geometry, offset).map_or(0, |(byte, _)| byte)
        };
        Ok(Listing::new(&bytes, byte))
    }

    /// All bytes of the clusters of a directory, 2 MiB and a cluster at most.
    fn read_runs(&self, runs: &[Run]) -> Result<Vec<u8>, ReadError> {
        let size = u64::from(self.geometry.cluster_size);
        let mut bytes = Vec::new();
        for run in runs {
            let length = u64::from(run.count) * size;
            let offset = self.geometry.byte(run.first);
            let start = bytes.len();
            bytes.resize(start + usize::try_from(length).unwrap_or(0), 0);
            let piece = bytes.get_mut(start..).unwrap_or_default();
            self.device.read_exact_at(piece, offset).map_err(|source| ReadError::Io {
                structure: Structure::Directory,
                offset,
                length,
                source,
            })?;
        }
        Ok(bytes)
    }

    /// Finds the data of a file.
    ///
    /// # Errors
    /// [`ReadError::Corruption`] if its chain of clusters is broken or too short.
    pub fn data(&self, entry: &Entry) -> Result<Data, ReadError> {
        if entry.size == 0 {
            return Ok(Data::new(&[], 0));
        }
        self.check_first(entry)?;
        let geometry = &self.geometry;
        let wanted = geometry.clusters_for(entry.size.into());
        let chain = self.state().table.chain(&self.device, geometry, entry.first, wanted)?;
        if chain.count < wanted {
            let (at, limit) =
                (entry.place.byte + 28, chain.count * u64::from(geometry.cluster_size));
            let fault =
                Corruption::past_end(Structure::Directory, at, "file", limit, entry.size.into());
            return Err(fault.into());
        }
        Ok(Data::new(&chain.runs, entry.size))
    }

    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the data.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn read_at(&self, data: &Data, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some((byte, len)) = data.place(&self.geometry, offset + done as u64) else { break };
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            self.device.read_exact_at(rest.get_mut(..len).unwrap_or_default(), byte)?;
            done += len;
        }
        Ok(done)
    }

    /// Looks a path up; slashes and backslashes both separate, and case does not matter. `None`: there is
    /// nothing of that name. The root has no entry.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn find(&self, path: &str) -> Result<Option<Entry>, ReadError> {
        let mut directory = self.root();
        let mut found: Option<Entry> = None;
        for part in path.split(['/', '\\']).filter(|part| !part.is_empty()) {
            if let Some(entry) = &found {
                if !entry.is_directory() {
                    return Ok(None);
                }
                directory = self.directory(entry)?;
            }
            let name = WinName::from(part);
            let entries = self.list(directory)?.entries;
            found = entries.into_iter().find(|entry| {
                entry.name.eq_ignoring_case(&name) || entry.short_name.eq_ignoring_case(&name)
            });
            if found.is_none() {
                return Ok(None);
            }
        }
        Ok(found)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the entry at a byte.
    pub(crate) fn entry_at(&self, offset: u64) -> Result<EntryDisk, ReadError> {
        let mut bytes = [0; EntryDisk::LEN];
        self.device.read_exact_at(&mut bytes, offset).map_err(|source| ReadError::Io {
            structure: Structure::Directory,
            offset,
            length: EntryDisk::LEN as u64,
            source,
        })?;
        let disk = EntryDisk::read_from_bytes(&bytes);
        // As long as an entry is, so it can be read.
        disk.map_err(|_never| {
            let expected = Expected::Exactly(EntryDisk::LEN as u64);
            Corruption::number(Structure::Directory, offset, "entry", expected, 0).into()
        })
    }
}
