//! New disk files.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use imprint_blockio::{ReadAt, Resize, Sparse, Stored, WriteAt};

use imprint_vdisk::{
    Container, Format, Kind, NewDisk, NewParent, Raw, VhdxWriter, WritableContainer, create_vhd,
};
use imprint_winvalues::Guid;

use super::early::Early;
use super::error::DiskError;
use super::open::Fresh;
use super::room::{Room, fill_holes, reserve};
use crate::pending::PendingFile;

/// What a new disk file is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The format.
    pub format: Format,
    /// How it gets its room.
    pub kind: Kind,
    /// The unit of allocation in bytes; `None` is the format's usual one.
    pub block_size: Option<u32>,
    /// The logical sector size in bytes.
    pub sector_size: u32,
    /// The physical sector size in bytes, where the format keeps it.
    pub physical_sector_size: u32,
}

/// How a new file comes to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Whether a file that has the name is replaced.
    pub replace: bool,
    /// How it takes its room.
    pub room: Room,
    /// Whether to wait until everything is on stable storage.
    pub durable: bool,
}

impl Default for Naming {
    fn default() -> Self {
        Self { replace: false, room: Room::Sparse, durable: true }
    }
}

/// A disk file being made: it has no name before [`Self::finish`].
pub(super) struct Making {
    pending: PendingFile,
    unique: u64,
    naming: Naming,
}

impl Shape {
    /// The shape of a disk that is there.
    #[must_use]
    pub fn of(disk: &(impl Container + ?Sized)) -> Self {
        Self {
            format: disk.format(),
            kind: disk.kind(),
            block_size: Some(disk.block_size()).filter(|&size| size > 0),
            sector_size: disk.sector_size(),
            physical_sector_size: disk.physical_sector_size(),
        }
    }

    /// A new disk of this shape, with an identity of its own.
    pub(super) fn new_disk(
        self,
        size: u64,
        parent: Option<NewParent>,
        fresh: &Fresh<'_>,
    ) -> Result<NewDisk, DiskError> {
        let guid = || -> Result<Guid, DiskError> { fresh.guid().map_err(DiskError::File) };
        Ok(NewDisk {
            kind: self.kind,
            size,
            block_size: self.block_size,
            sector_size: self.sector_size,
            physical_sector_size: self.physical_sector_size,
            identity: guid()?,
            file_write: guid()?,
            disk_id: guid()?,
            created: fresh.now,
            parent,
        })
    }
}

impl Making {
    pub(super) fn begin(path: &Path, naming: Naming, fresh: &Fresh<'_>) -> Result<Self, DiskError> {
        let exists = path.symlink_metadata().is_ok();
        if exists && !naming.replace {
            return Err(DiskError::Exists { path: path.to_owned() });
        }
        let random = fresh.guid().map_err(DiskError::File)?.0;
        let unique = u64::from_le_bytes(random.first_chunk().copied().unwrap_or_default());
        let pending = PendingFile::create(path, unique).map_err(DiskError::File)?;
        Ok(Self { pending, unique, naming })
    }

    /// Makes an empty disk in the file.
    pub(super) fn container(
        &self,
        format: Format,
        new: &NewDisk,
        fresh: &Fresh<'_>,
    ) -> Result<Box<dyn WritableContainer + '_>, DiskError> {
        let file = self.pending.file();
        if self.naming.durable {
            empty(Unsynced(Early::new(file)), format, new, fresh)
        } else {
            empty(Unsynced(file), format, new, fresh)
        }
    }

    /// Names the file, which is whole, and gives it a time; returns its length.
    pub(super) fn finish_dated(self, modified: SystemTime) -> Result<u64, DiskError> {
        let file = self.pending.file();
        self.fill()?;
        file.file().set_modified(modified).map_err(DiskError::File)?;
        let len = ReadAt::len(file).map_err(DiskError::File)?;
        self.name()?;
        Ok(len)
    }

    /// Names the file, which is whole.
    pub(super) fn finish(self) -> Result<(), DiskError> {
        self.fill()?;
        self.name()
    }

    fn fill(&self) -> Result<(), DiskError> {
        let file = self.pending.file();
        let filled = match self.naming.room {
            Room::Sparse => Ok(()),
            Room::Reserved => reserve(file),
            Room::Written => fill_holes(file),
        };
        filled.map_err(DiskError::File)
    }

    fn name(self) -> Result<(), DiskError> {
        let file = self.pending.file();
        if self.naming.durable {
            file.sync_all().map_err(DiskError::File)?;
        }
        self.pending.commit(self.unique).map_err(DiskError::File)
    }
}

fn empty<'a>(
    file: impl Sparse + Resize + 'a,
    format: Format,
    new: &NewDisk,
    fresh: &Fresh<'_>,
) -> Result<Box<dyn WritableContainer + 'a>, DiskError> {
    Ok(match format {
        Format::Raw => {
            file.set_len(new.size).map_err(DiskError::File)?;
            Box::new(Raw::open(file, new.sector_size).map_err(DiskError::Open)?)
        }
        Format::Vhd => Box::new(create_vhd(file, new)?),
        Format::Vhdx => {
            let ids = fresh.write_ids().map_err(DiskError::File)?;
            Box::new(VhdxWriter::create(file, new, ids)?)
        }
    })
}

/// A file without a name, which nobody relies on: what is written becomes durable once, at the end.
struct Unsynced<T>(T);

impl<T: ReadAt> ReadAt for Unsynced<T> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}

impl<T: WriteAt> WriteAt for Unsynced<T> {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(buf, offset)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl<T: Resize> Resize for Unsynced<T> {
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

impl<T: Sparse> Sparse for Unsynced<T> {
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        self.0.stored(offset, len)
    }
}

/// Makes an empty disk: fixed or dynamic.
///
/// # Errors
/// [`DiskError::Exists`], [`DiskError::Create`], [`DiskError::File`].
pub fn create_disk(
    path: &Path,
    shape: Shape,
    size: u64,
    naming: Naming,
    fresh: &Fresh<'_>,
) -> Result<(), DiskError> {
    let making = Making::begin(path, naming, fresh)?;
    let new = shape.new_disk(size, None, fresh)?;
    making.container(shape.format, &new, fresh)?.close()?;
    making.finish()
}
