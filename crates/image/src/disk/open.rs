//! Opening disk files and the chains they belong to.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use fs_err::File;
use fs_err::os::unix::fs::OpenOptionsExt;
use imprint_vdisk::{
    Chain, ChainBuilder, Container, Format, OpenError, ParentLink, Raw, Reshape, Vhd, VhdWriter,
    Vhdx, VhdxWriter, WritableContainer, WriteIds, check_overlaps, detect,
};
use imprint_winvalues::{FileTime, Guid};
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use super::early::Early;
use super::error::{ChainError, DiskError, LinkFault};
use super::inspect::DiskInfo;

/// What the engine cannot know by itself: the time, and randomness.
pub struct Fresh<'a> {
    /// The time now.
    pub now: FileTime,
    /// Gives 16 random bytes.
    pub random: &'a dyn Fn() -> io::Result<[u8; 16]>,
}

impl Fresh<'_> {
    /// Makes a new GUID.
    ///
    /// # Errors
    /// Whatever the source of randomness reports.
    pub fn guid(&self) -> io::Result<Guid> {
        Ok(Guid::from_random((self.random)()?))
    }

    /// Makes the identifiers of a session of writing.
    ///
    /// # Errors
    /// As [`Self::guid`].
    pub fn write_ids(&self) -> io::Result<WriteIds> {
        Ok(WriteIds { file_write: self.guid()?, data_write: self.guid()?, log: self.guid()? })
    }
}

/// As [`Fresh::write_ids`], with the error of an operation.
pub(super) fn ids(fresh: &Fresh<'_>) -> Result<WriteIds, DiskError> {
    fresh.write_ids().map_err(DiskError::File)
}

/// How to open a disk file, and where its parents may be.
#[derive(Clone, Debug, Default)]
pub struct ChainOptions {
    /// The format of the leaf; `None` finds out. Parents have the format of their child.
    pub format: Option<Format>,
    /// Folders in which parents are looked for, after the folder of the child.
    pub folders: Vec<PathBuf>,
}

/// A locked disk file and what it claims to be.
#[derive(Debug)]
pub struct DiskFile {
    /// The file; the lock goes with it.
    pub file: File,
    /// Its format: as given, or as found.
    pub format: Format,
}

/// How a disk file is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Together with other readers.
    Read,
    /// Alone.
    Write,
    /// For a glance that disturbs nobody and needs nothing to stand still.
    Look,
}

/// Opens and locks a file and finds out its format, if none is given.
///
/// # Errors
/// [`ChainError::File`], [`ChainError::NotAFile`], [`ChainError::InUse`].
pub fn open_file(
    path: &Path,
    format: Option<Format>,
    access: Access,
) -> Result<DiskFile, ChainError> {
    let is_disk = |kind: std::fs::FileType| kind.is_file() || kind.is_block_device();
    // Opening alone does things to some devices.
    if fs_err::metadata(path).is_ok_and(|metadata| !is_disk(metadata.file_type())) {
        return Err(ChainError::NotAFile { path: path.to_owned() });
    }
    // Should it be exchanged now, a pipe in the place of a disk must not make us wait.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = fs_err::OpenOptions::new()
        .read(true)
        .write(access == Access::Write)
        .custom_flags(flags)
        .open(path)
        .map_err(ChainError::File)?;
    if !is_disk(file.metadata().map_err(ChainError::File)?.file_type()) {
        return Err(ChainError::NotAFile { path: path.to_owned() });
    }
    lock(&file, path, access)?;
    let format = match format {
        Some(format) => format,
        None => detect(&file).map_err(ChainError::File)?,
    };
    Ok(DiskFile { file, format })
}

fn lock(file: &File, path: &Path, access: Access) -> Result<(), ChainError> {
    let lock = match access {
        Access::Read => FlockOperation::NonBlockingLockShared,
        Access::Write => FlockOperation::NonBlockingLockExclusive,
        Access::Look => return Ok(()),
    };
    match rustix::fs::flock(file.file(), lock) {
        Err(Errno::WOULDBLOCK) => Err(ChainError::InUse { path: path.to_owned() }),
        // A file system without locks still holds disks.
        Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(ChainError::File(error.into())),
    }
}

/// The sector size of raw files, which do not say theirs.
const RAW_SECTOR_SIZE: u32 = 512;

/// The sector size of a raw disk: real disks say theirs.
fn raw_sector_size(file: &File) -> u32 {
    let is_device = file.metadata().is_ok_and(|metadata| metadata.file_type().is_block_device());
    let asked = is_device.then(|| rustix::fs::ioctl_blksszget(file.file()).ok()).flatten();
    asked.unwrap_or(RAW_SECTOR_SIZE)
}

/// Opens a disk file as what it is.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn reader(disk: DiskFile) -> Result<Box<dyn Container>, OpenError> {
    let DiskFile { file, format } = disk;
    let sector_size = raw_sector_size(&file);
    Ok(match format {
        Format::Raw => Box::new(Raw::open(file, sector_size)?),
        Format::Vhd => Box::new(Vhd::open(file)?),
        Format::Vhdx => Box::new(Vhdx::open(file)?),
    })
}

/// Opens a file as what it is; errors name it.
pub(super) fn open_named(path: &Path, disk: DiskFile) -> Result<Box<dyn Container>, ChainError> {
    reader(disk).map_err(|source| named(path, source))
}

/// As [`open_named`], but not if blocks overlap: then what is read is not what was written.
pub(super) fn open_sound(path: &Path, disk: DiskFile) -> Result<Box<dyn Container>, ChainError> {
    check_overlaps(&disk.file, disk.format).map_err(|source| named(path, source))?;
    open_named(path, disk)
}

/// Opens a file so that what it says of its disk can be changed, if no blocks overlap.
pub(super) fn reshaper(
    path: &Path,
    disk: DiskFile,
    ids: WriteIds,
) -> Result<Box<dyn Reshape>, ChainError> {
    let sector_size = raw_sector_size(&disk.file);
    reshaper_in(path, Early::new(disk.file), (disk.format, sector_size), ids)
}

/// As [`reshaper`], of a disk that is merged into another and then removed.
pub(super) fn used_up(
    path: &Path,
    disk: DiskFile,
    ids: WriteIds,
) -> Result<Box<dyn Reshape>, ChainError> {
    let sector_size = raw_sector_size(&disk.file);
    reshaper_in(path, Early::used_up(disk.file), (disk.format, sector_size), ids)
}

fn reshaper_in(
    path: &Path,
    file: Early<File>,
    (format, sector_size): (Format, u32),
    ids: WriteIds,
) -> Result<Box<dyn Reshape>, ChainError> {
    let opened = || -> Result<Box<dyn Reshape>, OpenError> {
        check_overlaps(&file, format)?;
        Ok(match format {
            Format::Raw => Box::new(Raw::open(file, sector_size)?),
            Format::Vhd => Box::new(VhdWriter::open(file, ids)?),
            Format::Vhdx => Box::new(VhdxWriter::open(file, ids)?),
        })
    };
    opened().map_err(|source| named(path, source))
}

/// A chain and the files it is made of.
pub struct Opened<L: Container + ?Sized> {
    /// The chain.
    pub chain: Chain<L>,
    /// Its files, leaf first.
    pub paths: Vec<PathBuf>,
}

/// Opens a disk with all its parents, for reading.
///
/// # Errors
/// Which file, and why.
pub fn open_chain(
    path: &Path,
    options: &ChainOptions,
) -> Result<Opened<dyn Container>, ChainError> {
    let leaf = open_sound(path, open_file(path, options.format, Access::Read)?)?;
    let (builder, paths, missing) = complete(ChainBuilder::for_reading(leaf), path, options);
    finish(builder, paths, missing)
}

/// What the files of a chain say of themselves.
#[derive(Debug)]
pub struct ChainLook {
    /// The files, leaf first, as far as they are there.
    pub disks: Vec<(PathBuf, DiskInfo)>,
    /// Why the chain ends too early, if it does.
    pub missing: Option<ChainError>,
}

/// Opens a disk and as many of its parents as there are.
///
/// # Errors
/// Why the leaf cannot be opened.
pub fn look_at_chain(path: &Path, options: &ChainOptions) -> Result<ChainLook, ChainError> {
    let leaf = open_named(path, open_file(path, options.format, Access::Look)?)?;
    let (builder, paths, missing) = complete(ChainBuilder::for_reading(leaf), path, options);
    let parents = builder.parents().iter().map(|disk| DiskInfo::of(&**disk));
    let infos = std::iter::once(DiskInfo::of(builder.leaf())).chain(parents);
    Ok(ChainLook { disks: paths.into_iter().zip(infos).collect(), missing })
}

/// Opens a disk for writing, and all its parents for reading.
///
/// # Errors
/// Which file, and why.
pub fn open_chain_for_writing(
    path: &Path,
    options: &ChainOptions,
    ids: WriteIds,
) -> Result<Opened<dyn WritableContainer>, ChainError> {
    let leaf: Box<dyn WritableContainer> =
        reshaper(path, open_file(path, options.format, Access::Write)?, ids)?;
    let (builder, paths, missing) = complete(ChainBuilder::for_writing(leaf), path, options);
    finish(builder, paths, missing)
}

fn named(path: &Path, source: OpenError) -> ChainError {
    ChainError::Open { path: path.to_owned(), source: Box::new(source) }
}

fn finish<L: Container + ?Sized>(
    builder: ChainBuilder<L>,
    paths: Vec<PathBuf>,
    missing: Option<ChainError>,
) -> Result<Opened<L>, ChainError> {
    if let Some(error) = missing {
        return Err(error);
    }
    let last = paths.last().cloned().unwrap_or_default();
    let chain = builder.finish().map_err(|source| ChainError::Link {
        child: last.clone(),
        parent: last,
        source: Box::new(source.into()),
    })?;
    Ok(Opened { chain, paths })
}

/// Finds the parents of a leaf, as far as they are there: the chain, its files, and why it is not
/// whole.
fn complete<L: Container + ?Sized>(
    mut chain: ChainBuilder<L>,
    path: &Path,
    options: &ChainOptions,
) -> (ChainBuilder<L>, Vec<PathBuf>, Option<ChainError>) {
    let mut paths = vec![path.to_owned()];
    let mut child = path.to_owned();
    while let Some(wanted) = chain.wanted() {
        let places = candidates(wanted, &child, &options.folders);
        let missing = not_found(wanted, &child);
        match add_parent(&mut chain, places, &child).unwrap_or(Err(missing)) {
            Ok(parent) => {
                paths.push(parent.clone());
                child = parent;
            }
            Err(error) => return (chain, paths, Some(error)),
        }
    }
    (chain, paths, None)
}

pub(super) fn not_found(wanted: &ParentLink, child: &Path) -> ChainError {
    let wanted = wanted.file_names().into_iter().map(str::to_owned).collect();
    ChainError::ParentNotFound { child: child.to_owned(), wanted }
}

/// Adds the first of some files that is the parent; `None` if there is no file.
fn add_parent<L: Container + ?Sized>(
    chain: &mut ChainBuilder<L>,
    places: Vec<PathBuf>,
    child: &Path,
) -> Option<Result<PathBuf, ChainError>> {
    let mut first_fault = None;
    for parent in places {
        let fault = match open_parent(&parent) {
            Ok(disk) => match chain.push(disk) {
                Ok(()) => return Some(Ok(parent)),
                Err(error) => LinkFault::Link(error),
            },
            Err(fault) => fault,
        };
        let source = Box::new(fault);
        first_fault.get_or_insert(ChainError::Link { child: child.to_owned(), parent, source });
    }
    first_fault.map(Err)
}

fn open_parent(path: &Path) -> Result<Box<dyn Container>, LinkFault> {
    let disk = open_file(path, None, Access::Read).map_err(|error| match error {
        ChainError::File(error) => LinkFault::File(error),
        other => LinkFault::File(io::Error::other(other)),
    })?;
    check_overlaps(&disk.file, disk.format)?;
    Ok(reader(disk)?)
}

/// The files a parent may be: its names in the folder of the child and in the allowed ones, in any case of
/// letters, since Windows' names have none.
pub(super) fn candidates(wanted: &ParentLink, child: &Path, folders: &[PathBuf]) -> Vec<PathBuf> {
    let beside = child.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = beside.unwrap_or(Path::new("."));
    let names = wanted.file_names();
    let mut found = Vec::new();
    for folder in [beside].into_iter().chain(folders.iter().map(PathBuf::as_path)) {
        for name in &names {
            let exact = folder.join(name);
            if exact.symlink_metadata().is_ok() {
                found.push(exact);
            } else {
                found.extend(ignoring_case(folder, name));
            }
        }
    }
    found
}

/// The file of a folder that has this name in other letters.
fn ignoring_case(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs_err::read_dir(folder).ok()?;
    let wanted = name.to_lowercase();
    let mut same: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().to_lowercase() == wanted)
        .map(|entry| entry.path())
        .collect();
    same.sort();
    same.into_iter().next()
}
