//! `imprint ntfs rm`: removes files, directories and streams.

use std::ffi::OsStr;

use anyhow::Context;
use imprint_blockio::WriteAt;
use imprint_ntfs::FileReference;
use imprint_winvalues::WinName;

use super::cat::{name, split};
use super::edit::{self, Edit};
use super::{names, shown};
use crate::cli::ntfs_edit::RmArgs;
use crate::console::Console;
use crate::exit::Status;

/// Removes files.
pub(super) fn run(args: &RmArgs, console: &mut Console) -> anyhow::Result<Status> {
    let volume = edit::open(&args.edit)?;
    let mut edit = Edit::new(&args.edit, volume.device()?)?;
    let mut removed = 0;
    for path in &args.paths {
        removed += remove(&mut edit, path, args.recursive)?;
    }
    edit.close()?;
    volume.close()?;
    super::tell_changed(console, &args.edit, ("removed", "file"), removed, 0)
}

/// Removes what a path names; returns how many names went.
fn remove<D: WriteAt>(
    edit: &mut Edit<'_, D>,
    path: &OsStr,
    recursive: bool,
) -> anyhow::Result<usize> {
    let whole = names(path)?;
    if edit.find(&whole)?.is_none()
        && let Some((path, stream)) = split(path)
    {
        let (file, stream) = (edit.find_there(&names(path)?)?, name(stream)?);
        let gone = edit.editor.remove_stream(file, &stream);
        gone.with_context(|| edit.failed("remove", shown(&whole)))?;
        return Ok(1);
    }
    let found = edit.find_there(&whole)?;
    let (parent, last) = edit.place(&whole)?;
    let mut removed = 0;
    if recursive && edit.is_directory(found)? {
        removed += empty(edit, found, &shown(&whole))?;
    }
    let gone = edit.editor.remove(parent, last);
    gone.with_context(|| edit.failed("remove", shown(&whole)))?;
    Ok(removed + 1)
}

/// Removes all that is in a directory, the deepest first.
fn empty<D: WriteAt>(
    edit: &mut Edit<'_, D>,
    directory: FileReference,
    shown: &str,
) -> anyhow::Result<usize> {
    let mut removed = 0;
    /// A directory, its own place, and whether it was emptied.
    type Met = (FileReference, Option<(FileReference, WinName)>, bool);
    // Directories to be emptied, and removed behind what is in them.
    let mut stack: Vec<Met> = vec![(directory, None, false)];
    while let Some((at, own, done)) = stack.pop() {
        if done {
            if let Some((parent, name)) = own {
                let gone = edit.editor.remove(parent, &name);
                gone.with_context(|| edit.failed("remove", format_args!("{name} in {shown}")))?;
                removed += 1;
            }
            continue;
        }
        stack.push((at, own, true));
        for (name, reference, is_directory) in list(edit, at, shown)? {
            if is_directory {
                stack.push((reference, Some((at, name)), false));
                continue;
            }
            let gone = edit.editor.remove(at, &name);
            gone.with_context(|| edit.failed("remove", format_args!("{name} in {shown}")))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// What is in a directory: names, but short ones beside them.
fn list<D: WriteAt>(
    edit: &Edit<'_, D>,
    at: FileReference,
    shown: &str,
) -> anyhow::Result<Vec<(WinName, FileReference, bool)>> {
    const DOS: u8 = 2;
    let read = || -> Result<_, imprint_ntfs::ReadError> {
        let Some(directory) = edit.editor.volume().directory(at.record)? else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for entry in directory.entries()? {
            let entry = entry?;
            if entry.namespace != DOS {
                let name = WinName::from_units(&entry.name);
                all.push((name, entry.reference, entry.is_directory()));
            }
        }
        Ok(all)
    };
    read().with_context(|| edit.failed("list", shown))
}
