//! What every disk file can be asked, whatever its format.

use std::fmt;

use imprint_blockio::{Extent, Sparse, Stored, WriteAt};
use imprint_winvalues::Guid;

use crate::{ParentLink, ReadError, Structure, WriteError};

/// The format of a disk file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// The sectors and nothing else.
    Raw,
    /// VHD, version 1.
    Vhd,
    /// VHDX, version 2.
    Vhdx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Vhd => "VHD",
            Self::Vhdx => "VHDX",
        })
    }
}

/// How a disk file gets its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// All of it from the start.
    Fixed,
    /// Block by block, when it is written.
    Dynamic,
    /// Like dynamic; what is not here is in the parent.
    Differencing,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "fixed",
            Self::Dynamic => "dynamic",
            Self::Differencing => "differencing",
        })
    }
}

/// One disk file, open for reading.
///
/// **Contract.** Offsets and lengths are bytes. All methods may be called from many threads at once
/// and return whatever the input; none panics. What cannot change while the file is open costs
/// nothing to ask for.
pub trait Container: Send + Sync {
    /// The format.
    fn format(&self) -> Format;

    /// How it gets its room.
    fn kind(&self) -> Kind;

    /// The size of the disk it describes, bytes: a multiple of the logical sector size, except for
    /// raw files of odd length.
    fn size(&self) -> u64;

    /// The logical sector size, 512 or 4096 bytes.
    fn sector_size(&self) -> u32;

    /// The physical sector size, 512 or 4096 bytes.
    fn physical_sector_size(&self) -> u32 {
        self.sector_size()
    }

    /// The unit of allocation in bytes; 0 if there is none.
    fn block_size(&self) -> u32;

    /// What a child remembers of this disk: the unique id of a VHD, the data write GUID of a VHDX.
    /// `None` for raw files, which cannot have children.
    fn identity(&self) -> Option<Guid>;

    /// VHDX: the id the disk shows to the system that uses it (page 83 data), the same in all disks of
    /// a chain.
    fn disk_id(&self) -> Option<Guid> {
        None
    }

    /// What a differencing disk says of its parent.
    fn parent(&self) -> Option<&ParentLink>;

    /// Says where the bytes at `offset` are: the extent that begins there, cut to `len` bytes, with
    /// `file` 0. [`Extent::Parent`] only for differencing disks. `Data` always lies inside
    /// [`Self::storage`]; holes of the file count as data.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] if the range is empty or reaches past the disk's end, otherwise what
    /// is wrong with the metadata.
    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError>;

    /// As [`Self::resolve`], but larger holes of the file are zeros.
    ///
    /// # Errors
    /// As [`Self::resolve`], and whatever the file reports.
    fn resolve_stored(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        skip_hole(self.resolve(offset, len)?, self.storage())
    }

    /// The file in which the offsets of [`Extent::Data`] count.
    fn storage(&self) -> &dyn Sparse;
}

/// In shorter ranges nobody looks for holes of the file: asking costs about what reading does.
const WORTH_ASKING: u64 = 64 << 10;

/// An extent found by [`Container::resolve`], or the zeros that are a hole of the `storage` at its start.
///
/// # Errors
/// [`ReadError::Io`].
pub(crate) fn skip_hole(extent: Extent, storage: &dyn Sparse) -> Result<Extent, ReadError> {
    let Extent::Data { file, offset, len } = extent else { return Ok(extent) };
    if len <= WORTH_ASKING {
        return Ok(extent);
    }
    let structure = Structure::Payload;
    let failed = |source| ReadError::Io { structure, offset, length: len, source };
    Ok(match storage.stored(offset, len).map_err(failed)? {
        Stored::Data(len) => Extent::Data { file, offset, len },
        Stored::Hole(len) => Extent::Zero { len },
    })
}

/// Room in a file for bytes of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where the caller writes the bytes, from the start of the file.
    pub offset: u64,
    /// How many bytes have room there, in one piece.
    pub len: u64,
}

/// One disk file, open for writing by one owner.
///
/// **Contract.** The caller first asks [`allocate`](Self::allocate) for room, then writes the bytes
/// into [`target`](Self::target), then may call [`commit`](Self::commit); no commit may run between
/// the first two, so one thread at a time does all three. Reading goes on at any time and sees what
/// was written. Without a commit nothing is durable; after a crash the disk has the contents of the
/// last commit, and sectors written since have either contents. An error from `commit` leaves the
/// file as after a crash: from then on every call of the three fails.
pub trait WritableContainer: Container {
    /// Makes room for `len` bytes at `offset`, both multiples of the logical sector size, and
    /// returns the first piece of it; from then on the sectors of that piece are present. What else
    /// a new block holds keeps reading as before.
    ///
    /// # Errors
    /// [`WriteError::OutOfRange`] also if the range is not made of sectors.
    fn allocate(&self, offset: u64, len: u64) -> Result<Placed, WriteError>;

    /// Writes whole sectors: makes room for them and puts them there.
    ///
    /// # Errors
    /// As [`Self::allocate`], and whatever the file reports.
    fn write(&self, mut bytes: &[u8], mut offset: u64) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let placed = self.allocate(offset, bytes.len() as u64)?;
            let len = usize::try_from(placed.len).unwrap_or(bytes.len()).clamp(1, bytes.len());
            let (piece, rest) = bytes.split_at(len);
            self.target().write_all_at(piece, placed.offset).map_err(|source| WriteError::Io {
                structure: Structure::Payload,
                offset: placed.offset,
                length: piece.len() as u64,
                source,
            })?;
            offset += piece.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Makes `len` bytes at `offset` read as zeros, without storing them where the format can.
    ///
    /// # Errors
    /// As [`Self::allocate`].
    fn write_zeroes(&self, offset: u64, len: u64) -> Result<(), WriteError>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn commit(&self) -> Result<(), WriteError>;

    /// The file into which the caller writes at the offsets of [`Placed`].
    fn target(&self) -> &dyn WriteAt;

    /// Commits and leaves the file as one that nobody has open. A writer that is just dropped leaves
    /// a file as after a crash.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn close(self: Box<Self>) -> Result<(), WriteError>;
}

/// Fresh random identifiers for one session of writing. Each is used for this only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteIds {
    /// VHDX: changes whenever the file is opened for writing.
    pub file_write: Guid,
    /// The disk's new identity, given to it before its contents first change. VHD: the unique id.
    pub data_write: Guid,
    /// VHDX: names the log of this session.
    pub log: Guid,
}

/// Refuses a range that is empty or not on the disk.
pub(crate) fn check_read(
    disk: &(impl Container + ?Sized),
    offset: u64,
    length: u64,
) -> Result<(), ReadError> {
    let size = disk.size();
    if length > 0 && offset.checked_add(length).is_some_and(|end| end <= size) {
        return Ok(());
    }
    Err(ReadError::OutOfRange { offset, length, size })
}

/// Refuses a range that is empty, not on the disk or not made of sectors. The disk's last sector may be
/// shorter than the others.
pub(crate) fn check_write(
    disk: &(impl Container + ?Sized),
    offset: u64,
    length: u64,
) -> Result<(), WriteError> {
    let (size, sector_size) = (disk.size(), disk.sector_size());
    let sector = u64::from(sector_size);
    let end = offset.checked_add(length).filter(|&end| length > 0 && end <= size);
    if end.is_some_and(|end| {
        offset.is_multiple_of(sector) && (end.is_multiple_of(sector) || end == size)
    }) {
        return Ok(());
    }
    Err(WriteError::OutOfRange { offset, length, size, sector_size })
}
