//! Changing the size of a disk, and where it looks for its parent.

use std::path::Path;

use imprint_progress::Progress;
use imprint_vdisk::{Format, Kind, check_link};

use super::child::{children_of, describe};
use super::convert::{ConvertTo, convert_disk};
use super::copy::CopyOptions;
use super::error::{ChainError, DiskError, LinkFault};
use super::make::Naming;
use super::open::{Access, ChainOptions, Fresh, ids, open_chain, open_file, open_named, reshaper};

/// Makes a disk larger. What is new reads as zeros.
///
/// # Errors
/// [`DiskError::HasChildren`] if disks differ from this one, which must have its size, and `force` is
/// not given; [`DiskError::Shrink`] if the disk is larger already; [`DiskError::SizeOfParent`] if it differs
/// from a parent, which must have its size, too.
pub fn resize_disk(
    path: &Path,
    size: u64,
    options: &ChainOptions,
    force: bool,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<(), DiskError> {
    let disk = open_named(path, open_file(path, options.format, Access::Read)?)?;
    let (now, format, kind) = (disk.size(), disk.format(), disk.kind());
    if kind == Kind::Differencing {
        return Err(DiskError::SizeOfParent { path: path.to_owned() });
    }
    if size < now {
        return Err(DiskError::Shrink { path: path.to_owned(), now, wanted: size });
    }
    let children = children_of(path, &*disk, &options.folders)?;
    if !children.is_empty() && !force {
        return Err(DiskError::HasChildren { path: path.to_owned(), children });
    }
    drop(disk);
    match (format, kind) {
        (Format::Raw, _) => {
            let file = open_file(path, Some(Format::Raw), Access::Write)?.file;
            file.set_len(size).and_then(|()| file.sync_all()).map_err(DiskError::File)
        }
        // The only footer is at the end: there is no moment at which both sizes could be right.
        (Format::Vhd, Kind::Fixed) => grow_in_copy(path, size, options, fresh, progress),
        _ => {
            let mut disk =
                reshaper(path, open_file(path, Some(format), Access::Write)?, ids(fresh)?)?;
            disk.resize(size)?;
            Ok(disk.close()?)
        }
    }
}

/// Writes a disk anew in a larger size.
fn grow_in_copy(
    path: &Path,
    size: u64,
    options: &ChainOptions,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<(), DiskError> {
    let source = open_chain(path, options)?;
    let to = ConvertTo {
        format: Format::Vhd,
        kind: Some(Kind::Fixed),
        size: Some(size),
        block_size: None,
        copy: CopyOptions::default(),
        used_only: false,
    };
    let naming = Naming { replace: true, ..Naming::default() };
    convert_disk(&source.chain, path, to, naming, fresh, progress)?;
    Ok(())
}

/// Tells a differencing disk where its parent is now. The parent must be the one it always had.
///
/// # Errors
/// [`DiskError::Chain`] with [`ChainError::Link`] if it is another.
pub fn rebase_disk(
    child: &Path,
    parent: &Path,
    options: &ChainOptions,
    fresh: &Fresh<'_>,
) -> Result<(), DiskError> {
    // Looked at first: opened as its own parent's child it would be in its own way.
    let glance = open_named(child, open_file(child, options.format, Access::Look)?)?;
    if glance.parent().is_none() {
        return Err(DiskError::NotDifferencing { path: child.to_owned() });
    }
    drop(glance);
    let above =
        open_chain(parent, &ChainOptions { format: None, folders: options.folders.clone() })?;
    let mut disk = reshaper(child, open_file(child, options.format, Access::Write)?, ids(fresh)?)?;
    check_link(&*disk, above.chain.leaf()).map_err(|source| ChainError::Link {
        child: child.to_owned(),
        parent: parent.to_owned(),
        source: Box::new(LinkFault::Link(source)),
    })?;
    disk.rebase(&describe(parent, child, above.chain.leaf())?)?;
    Ok(disk.close()?)
}
