//! Children of disks: making one, finding them.

use std::path::{Path, PathBuf};

use imprint_vdisk::{Container, Format, Kind, LinkError, MAX_DEPTH, NewParent};
use imprint_winvalues::FileTime;

use super::error::{ChainError, DiskError, LinkFault};
use super::inspect::DiskInfo;
use super::make::{Making, Naming, Shape};
use super::open::{Access, ChainOptions, Fresh, open_chain, open_file, reader};

/// Makes an empty differencing disk on top of `parent`, with the parent's size and sectors. The path it
/// keeps is relative to the child's folder, so that both can be moved together.
///
/// # Errors
/// [`DiskError::Chain`] if the parent, or one of its own, cannot be opened.
pub fn create_child(
    parent: &Path,
    child: &Path,
    block_size: Option<u32>,
    options: &ChainOptions,
    naming: Naming,
    fresh: &Fresh<'_>,
) -> Result<DiskInfo, DiskError> {
    let chain = open_chain(parent, options)?.chain;
    // With the child it must still be a chain that opens.
    if chain.parents().len() + 2 > MAX_DEPTH {
        let source = Box::new(LinkFault::Link(LinkError::TooDeep));
        let (child, parent) = (child.to_owned(), parent.to_owned());
        return Err(ChainError::Link { child, parent, source }.into());
    }
    let leaf = chain.leaf();
    let shape = Shape { kind: Kind::Differencing, block_size, ..Shape::of(leaf) };
    let link = describe(parent, child, leaf)?;
    let mut new = shape.new_disk(leaf.size(), Some(link), fresh)?;
    // All disks of a chain are one disk to the system that starts from it.
    new.disk_id = leaf.disk_id().unwrap_or(new.disk_id);
    let making = Making::begin(child, naming, fresh)?;
    let disk = making.container(shape.format, &new, fresh)?;
    let info = DiskInfo::of(&*disk);
    disk.close()?;
    making.finish()?;
    Ok(info)
}

/// What a child at `child` writes down of a parent.
pub(super) fn describe(
    parent: &Path,
    child: &Path,
    disk: &dyn Container,
) -> Result<NewParent, DiskError> {
    let Some(identity) = disk.identity() else {
        return Err(DiskError::NoChildren { path: parent.to_owned(), format: disk.format() });
    };
    let modified = fs_err::metadata(parent)
        .and_then(|metadata| metadata.modified())
        .map_err(DiskError::File)?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let relative = relative_path(child, parent).map_err(DiskError::File)?;
    // Observed: libvhdi 20210425 takes the parent's name from this path only. Windows looks there last,
    // and takes no disk of another identity. Where it will have the file nobody knows yet: the
    // drive letter is made up, as in the links of images.
    let name = parent.file_name().unwrap_or_default().to_string_lossy();
    let absolute = (disk.format() == Format::Vhdx).then(|| format!(r"C:\{name}"));
    Ok(NewParent {
        identity,
        modified: FileTime::from_unix(seconds, since.subsec_nanos()),
        relative,
        absolute,
    })
}

/// The path from the folder of `child` to `parent`, as Windows writes it.
fn relative_path(child: &Path, parent: &Path) -> std::io::Result<String> {
    let absolute = |path: &Path| -> std::io::Result<PathBuf> {
        let path = std::path::absolute(path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        // Two ways to write a folder are one folder.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Ok(folder.join(path.file_name().unwrap_or_default()))
    };
    let (child, parent) = (absolute(child)?, absolute(parent)?);
    let folder: Vec<_> = child.parent().unwrap_or(Path::new("/")).components().collect();
    let target: Vec<_> = parent.components().collect();
    let common = folder.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let ups = folder.len() - common;
    let mut text = if ups == 0 { ".\\".to_owned() } else { "..\\".repeat(ups) };
    let names = target.iter().skip(common).map(|part| part.as_os_str().to_string_lossy());
    text.push_str(&names.collect::<Vec<_>>().join("\\"));
    Ok(text)
}

/// The disk files in some folders that are children of the disk with this name and identity. Files that
/// cannot be read are no children that could be harmed.
///
/// # Errors
/// Whatever the system reports when it lists a folder.
pub fn children_of(
    parent: &Path,
    disk: &dyn Container,
    folders: &[PathBuf],
) -> Result<Vec<PathBuf>, DiskError> {
    let Some(identity) = disk.identity() else { return Ok(Vec::new()) };
    let beside = parent.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut found = Vec::new();
    for folder in [beside.unwrap_or(Path::new("."))].into_iter().chain(folders.iter().map(|f| &**f))
    {
        for entry in fs_err::read_dir(folder).map_err(DiskError::File)? {
            let path = entry.map_err(DiskError::File)?.path();
            let is_disk = path.extension().is_some_and(|ending| {
                ["vhd", "vhdx", "avhd", "avhdx"]
                    .iter()
                    .any(|known| ending.eq_ignore_ascii_case(known))
            });
            if is_disk && path.file_name() != parent.file_name() && is_child(&path, identity) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_child(path: &Path, identity: imprint_winvalues::Guid) -> bool {
    // A child that is in use is still a child: the lock is not asked for.
    let Ok(file) = open_file(path, None, Access::Look) else { return false };
    reader(file).is_ok_and(|disk| disk.parent().is_some_and(|link| link.accepts(identity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(child: &str, parent: &str, expected: &str) {
        assert_eq!(relative_path(Path::new(child), Path::new(parent)).unwrap(), expected);
    }

    #[test]
    fn parents_are_named_from_the_childs_folder() {
        check("/nowhere/c.vhdx", "/nowhere/base.vhdx", r".\base.vhdx");
        check("/nowhere/a/c.vhdx", "/nowhere/base.vhdx", r"..\base.vhdx");
        check("/nowhere/c.vhdx", "/nowhere/bases/b.vhdx", r".\bases\b.vhdx");
        check("/nowhere/a/b/c.vhdx", "/nowhere/d/e.vhdx", r"..\..\d\e.vhdx");
    }
}
