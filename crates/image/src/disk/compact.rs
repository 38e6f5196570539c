//! Writing a disk file anew without what it does not need.

use std::ops::Range;
use std::path::Path;

use imprint_blockio::{Extent, Sparse};
use imprint_progress::Progress;
use imprint_vdisk::{
    ChainBuilder, Container, Format, Kind, NewDisk, NewParent, ParentLink, PathKind, ReadError,
};
use imprint_winvalues::{FileTime, Guid};

use super::copy::{CopyOptions, copy_disk};
use super::error::DiskError;
use super::make::{Making, Naming, Shape};
use super::measure::{data_bytes, own_bytes};
use super::merge_ahead::merge_ahead;
use super::open::{Access, Fresh, open_file, open_sound};

/// Sizes of a file before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes before.
    pub before: u64,
    /// Bytes now.
    pub after: u64,
}

/// Writes a dynamic or differencing disk anew beside the old file, which it then replaces: without
/// blocks of zeros, without room that belongs to nothing and, if `used` says which ranges of the
/// disk are in use, without the others. `used` is ascending and does not overlap; bytes of the disk.
///
/// The disk keeps its identity and the file its time, so that children stay its children.
///
/// # Errors
/// [`DiskError::NothingToCompact`] for fixed disks; after any error the old file is untouched.
pub fn compact_disk(
    path: &Path,
    format: Option<Format>,
    used: Option<&[Range<u64>]>,
    naming: Naming,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<Compacted, DiskError> {
    // Nobody may write or even read it while it is replaced.
    let file = open_file(path, format, Access::Write)?;
    let metadata = file.file.metadata().map_err(DiskError::File)?;
    let disk = open_sound(path, file)?;
    if disk.kind() == Kind::Fixed {
        return Err(DiskError::NothingToCompact { path: path.to_owned() });
    }
    let making = Making::begin(path, Naming { replace: true, ..naming }, fresh)?;
    let new = same_disk(&*disk, fresh)?;
    let target = making.container(disk.format(), &new, fresh)?;
    let view = Used { disk, used };
    progress.begin("measuring", 0, 0);
    if view.kind() == Kind::Differencing {
        progress.begin("copying", own_bytes(&view, progress)?, 0);
        merge_ahead(&view, &*target, progress)?;
    } else {
        let whole: Box<dyn Container + '_> = Box::new(view);
        let whole = ChainBuilder::for_reading(whole).finish().map_err(DiskError::Link)?;
        progress.begin("copying", data_bytes(&whole, progress)?, 0);
        copy_disk(&whole, &*target, CopyOptions::default(), progress)?;
    }
    progress.begin("finishing", 0, 0);
    target.close()?;
    let modified = metadata.modified().map_err(DiskError::File)?;
    let after = making.finish_dated(modified)?;
    Ok(Compacted { before: metadata.len(), after })
}

/// The description of a disk with which it is made again.
pub(super) fn same_disk(disk: &dyn Container, fresh: &Fresh<'_>) -> Result<NewDisk, DiskError> {
    let parent = disk.parent().map(same_parent);
    let mut new = Shape::of(disk).new_disk(disk.size(), parent, fresh)?;
    new.identity = disk.identity().unwrap_or(new.identity);
    new.disk_id = disk.disk_id().unwrap_or(new.disk_id);
    Ok(new)
}

fn same_parent(link: &ParentLink) -> NewParent {
    let path = |kind| link.paths.iter().find(|path| path.kind == kind).map(|path| &*path.text);
    let name = link.file_names().first().map(|name| format!(".\\{name}"));
    NewParent {
        identity: link.identity,
        modified: link.modified.unwrap_or(FileTime(0)),
        relative: path(PathKind::Relative).map(str::to_owned).or(name).unwrap_or_default(),
        absolute: path(PathKind::Absolute).map(str::to_owned),
    }
}

/// A disk of which only some ranges count.
struct Used<'a> {
    disk: Box<dyn Container>,
    used: Option<&'a [Range<u64>]>,
}

impl Used<'_> {
    /// What lies at `offset`: how far it goes, and whether it counts.
    fn look(&self, offset: u64, len: u64) -> (u64, bool) {
        let Some(used) = self.used else { return (len, true) };
        let next = used.partition_point(|range| range.end <= offset);
        match used.get(next) {
            Some(range) if range.start <= offset => (len.min(range.end - offset), true),
            Some(range) => (len.min(range.start - offset), false),
            None => (len, false),
        }
    }
}

impl Container for Used<'_> {
    fn format(&self) -> Format {
        self.disk.format()
    }

    fn kind(&self) -> Kind {
        self.disk.kind()
    }

    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn block_size(&self) -> u32 {
        self.disk.block_size()
    }

    fn identity(&self) -> Option<Guid> {
        self.disk.identity()
    }

    fn parent(&self) -> Option<&ParentLink> {
        self.disk.parent()
    }

    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        let (len, counts) = self.look(offset, len);
        if counts {
            return self.disk.resolve(offset, len);
        }
        let differs = self.kind() == Kind::Differencing;
        Ok(if differs { Extent::Parent { len } } else { Extent::Zero { len } })
    }

    fn storage(&self) -> &dyn Sparse {
        self.disk.storage()
    }
}
