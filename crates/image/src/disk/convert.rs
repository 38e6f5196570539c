//! One disk as another file: other format, other kind, a whole chain in one file.

use std::path::Path;

use imprint_progress::Progress;
use imprint_vdisk::{Chain, Container, Format, Kind};

use super::copy::{CopyOptions, copy_disk};
use super::error::DiskError;
use super::in_use::InUse;
use super::make::{Making, Naming, Shape};
use super::measure::data_bytes;
use super::open::Fresh;

/// What a disk is turned into; what is `None` is taken from the source where the new format has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvertTo {
    /// The format.
    pub format: Format,
    /// Fixed or dynamic; `None` is dynamic where the format can.
    pub kind: Option<Kind>,
    /// The size in bytes, at least that of the source; `None` is that of the source.
    pub size: Option<u64>,
    /// The unit of allocation in bytes.
    pub block_size: Option<u32>,
    /// How to copy.
    pub copy: CopyOptions,
    /// Leave out the clusters that NTFS volumes do not use.
    pub used_only: bool,
}

/// What a conversion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The size of the disk in bytes.
    pub size: u64,
}

/// Writes a chain into a new file that needs no parent.
///
/// # Errors
/// [`DiskError`]; the file then does not exist, or is what it was.
pub fn convert_disk(
    source: &Chain<dyn Container>,
    path: &Path,
    to: ConvertTo,
    naming: Naming,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<Converted, DiskError> {
    let leaf = source.leaf();
    let usual = if to.format == Format::Raw { Kind::Fixed } else { Kind::Dynamic };
    let shape = Shape {
        format: to.format,
        kind: to.kind.unwrap_or(usual),
        block_size: to.block_size,
        ..Shape::of(leaf)
    };
    let size = to.size.unwrap_or(source.size()).max(source.size());
    // A raw file may end within a sector; containers cannot.
    let size = match to.format {
        Format::Raw => size,
        Format::Vhd | Format::Vhdx => {
            size.checked_next_multiple_of(u64::from(shape.sector_size)).unwrap_or(size)
        }
    };
    progress.begin("measuring", 0, 0);
    let used = to.used_only.then(|| InUse::new(source)).transpose()?;
    let data = match &used {
        Some(used) => data_bytes(used, progress)?,
        None => data_bytes(source, progress)?,
    };
    progress.begin("copying", data, 0);
    let making = Making::begin(path, naming, fresh)?;
    let new = shape.new_disk(size, None, fresh)?;
    let target = making.container(to.format, &new, fresh)?;
    match &used {
        Some(used) => copy_disk(used, &*target, to.copy, progress)?,
        None => copy_disk(source, &*target, to.copy, progress)?,
    }
    progress.begin("finishing", 0, 0);
    target.close()?;
    making.finish()?;
    Ok(Converted { size })
}
