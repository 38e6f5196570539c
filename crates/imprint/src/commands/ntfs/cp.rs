//! `imprint ntfs cp`: copies files of this computer to a volume, or out of it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use imprint_blockio::{ReadAt, WriteAt};
use imprint_ntfs::{FileReference, NewFile};
use imprint_progress::Progress;
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, FileTime, WinName};

use super::edit::{self, Edit};
use super::shown;
use crate::cli::ntfs_edit::CpArgs;
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;
use crate::watch::watch;

/// What was copied.
#[derive(Clone, Copy, Debug, Default)]
struct Copied {
    files: usize,
    bytes: u64,
}

/// Copies files.
pub(super) fn run(args: &CpArgs, console: &mut Console) -> anyhow::Result<Status> {
    if args.out {
        return super::cp_out::run(args, console);
    }
    let volume = edit::open(&args.edit)?;
    let mut edit = Edit::new(&args.edit, volume.device()?)?;
    let copied = watch(console.progress(), |progress| copy_all(&mut edit, args, progress))?;
    edit.close()?;
    volume.close()?;
    super::tell_changed(console, &args.edit, ("copied", "file"), copied.files, copied.bytes)
}

fn copy_all<D: WriteAt>(
    edit: &mut Edit<'_, D>,
    args: &CpArgs,
    progress: &Progress,
) -> anyhow::Result<Copied> {
    progress.begin("copying", 0, 0);
    let mut copied = Copied::default();
    for source in &args.sources {
        let source = Path::new(source);
        let own = own_name(source)?;
        let target = edit.target(&args.destination, &own, args.sources.len() > 1)?;
        copy(edit, (source, &target), args.recursive, progress, &mut copied)?;
    }
    Ok(copied)
}

/// The name a file of this computer has.
fn own_name(path: &Path) -> anyhow::Result<WinName> {
    let whole = std::path::absolute(path)?;
    let name = whole.file_name().unwrap_or_default();
    let context = || format!("name {} is not in UTF-8", path.display());
    WinName::from_wtf8(name.as_bytes()).with_context(context)
}

/// Copies a file, or a directory with all that is in it.
fn copy<D: WriteAt>(
    edit: &mut Edit<'_, D>,
    (source, target): (&Path, &[WinName]),
    recursive: bool,
    progress: &Progress,
    copied: &mut Copied,
) -> anyhow::Result<()> {
    let mut stack: Vec<(PathBuf, Vec<WinName>)> = vec![(source.to_owned(), target.to_vec())];
    while let Some((source, target)) = stack.pop() {
        progress.check()?;
        // Links are followed.
        let metadata = fs_err::metadata(&source)?;
        if metadata.is_file() {
            copied.bytes += copy_file(edit, &source, &target, progress)?;
            copied.files += 1;
            progress.add_files(1);
            continue;
        }
        if !metadata.is_dir() || !recursive {
            let why = if metadata.is_dir() { "is a directory" } else { "is no file" };
            return Err(CommandError::NotCopied { path: source, why }.into());
        }
        if !target.is_empty() {
            let (parent, name) = edit.place(&target)?;
            edit.make_directory(parent, name)?;
        }
        for entry in fs_err::read_dir(&source)? {
            let path = entry?.path();
            let mut inside = target.clone();
            inside.push(own_name(&path)?);
            stack.push((path, inside));
        }
    }
    Ok(())
}

/// Copies a file: one that is there keeps everything but its data.
fn copy_file<D: WriteAt>(
    edit: &mut Edit<'_, D>,
    source: &Path,
    target: &[WinName],
    progress: &Progress,
) -> anyhow::Result<u64> {
    let from = fs_err::File::open(source)?;
    let metadata = from.metadata()?;
    let file = match edit.find(target)? {
        Some(there) => there,
        None => create(edit, target, &metadata)?,
    };
    let context = |edit: &Edit<'_, D>| edit.failed("write", shown(target));
    let written = edit.editor.write_stream(file, &WinName::default(), metadata.len(), |buf, at| {
        from.read_exact_at(buf, at)?;
        progress.add_bytes(buf.len() as u64);
        if progress.check().is_err() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        Ok(())
    });
    written.with_context(|| context(edit))?;
    let set = edit.editor.set_times(file, &times(&metadata));
    set.with_context(|| context(edit))?;
    Ok(metadata.len())
}

fn create<D: WriteAt>(
    edit: &mut Edit<'_, D>,
    target: &[WinName],
    metadata: &std::fs::Metadata,
) -> anyhow::Result<FileReference> {
    let (parent, name) = edit.place(target)?;
    let new = NewFile {
        name: name.clone(),
        times: Some(times(metadata)),
        attributes: Attributes::ARCHIVE,
        ..NewFile::default()
    };
    let made = edit.editor.create(parent, &new);
    made.with_context(|| edit.failed("make", shown(target)))
}

/// The times a file of this computer has; it has no better time of making than that of its data.
fn times(metadata: &std::fs::Metadata) -> Times {
    use std::os::unix::fs::MetadataExt as _;
    let time = |seconds, nanoseconds: i64| {
        FileTime::from_unix(seconds, u32::try_from(nanoseconds).unwrap_or(0))
    };
    let write = time(metadata.mtime(), metadata.mtime_nsec());
    let access = time(metadata.atime(), metadata.atime_nsec());
    Times { creation: write, access, write, change: None }
}
