//! Merging a child into its parent.

use std::path::{Path, PathBuf};

use imprint_progress::Progress;
use imprint_vdisk::{Reshape, begin_merge, check_link, finish_merge};

use super::child::children_of;
use super::error::{ChainError, DiskError, LinkFault};
use super::measure::own_bytes;
use super::merge_ahead::merge_ahead;
use super::open::{
    Access, ChainOptions, Fresh, candidates, ids, not_found, open_file, reshaper, used_up,
};

/// What a merge did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The disk that now has the child's contents and identity.
    pub parent: PathBuf,
    /// Disks that had the child as parent, and need to be told where it is now.
    pub orphans: Vec<PathBuf>,
}

/// Writes a child into its parent and removes the child. The parent then has the child's contents and
/// identity, so that children of the child become its own.
///
/// Stopped at any point, the chain shows what it showed before, and merging again completes it: the
/// child is first told to accept the parent it is about to have, and it is the last to change.
///
/// # Errors
/// [`DiskError::HasChildren`] if other disks differ from the parent and `force` is not given: they
/// would be lost.
pub fn merge_disk(
    child: &Path,
    options: &ChainOptions,
    force: bool,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<Merged, DiskError> {
    let file = open_file(child, options.format, Access::Write)?;
    let mut leaf = used_up(child, file, ids(fresh)?)?;
    let (path, parent) = find_parent(child, &*leaf, options, fresh)?;
    let orphans = children_of(child, &*leaf, &options.folders)?;
    // After a merge that was stopped at its very end only the child is left to be removed.
    if parent.identity() != leaf.identity() {
        let mut siblings = children_of(&path, &*parent, &options.folders)?;
        siblings.retain(|sibling| sibling.file_name() != child.file_name());
        if !siblings.is_empty() && !force {
            return Err(DiskError::HasChildren { path, children: siblings });
        }
        run(&mut *leaf, &*parent, fresh, progress)?;
    }
    parent.close()?;
    drop(leaf);
    fs_err::remove_file(child).map_err(DiskError::File)?;
    let folder = child.parent().filter(|folder| !folder.as_os_str().is_empty());
    crate::pending::sync_directory(folder.unwrap_or(Path::new("."))).map_err(DiskError::File)?;
    Ok(Merged { parent: path, orphans })
}

fn run(
    leaf: &mut dyn Reshape,
    parent: &dyn Reshape,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<(), DiskError> {
    progress.begin("measuring", 0, 0);
    progress.begin("merging", own_bytes(leaf, progress)?, 0);
    begin_merge(leaf, parent, fresh.guid().map_err(DiskError::File)?)?;
    merge_ahead(leaf, parent, progress)?;
    Ok(finish_merge(leaf, parent)?)
}

/// Opens the parent of a disk for writing. A disk with the child's own identity is the parent after
/// a merge of which only the end is missing.
fn find_parent(
    child: &Path,
    leaf: &dyn Reshape,
    options: &ChainOptions,
    fresh: &Fresh<'_>,
) -> Result<(PathBuf, Box<dyn Reshape>), DiskError> {
    let Some(wanted) = leaf.parent() else {
        return Err(DiskError::NotDifferencing { path: child.to_owned() });
    };
    let mut fault = None;
    for path in candidates(wanted, child, &options.folders) {
        let disk = reshaper(&path, open_file(&path, None, Access::Write)?, ids(fresh)?)?;
        if leaf.identity().is_some() && disk.identity() == leaf.identity() {
            return Ok((path, disk));
        }
        match check_link(leaf, &*disk) {
            Ok(()) => return Ok((path, disk)),
            Err(error) => {
                fault.get_or_insert((path, error));
            }
        }
    }
    Err(match fault {
        None => not_found(wanted, child),
        Some((parent, error)) => ChainError::Link {
            child: child.to_owned(),
            parent,
            source: Box::new(LinkFault::Link(error)),
        },
    }
    .into())
}
