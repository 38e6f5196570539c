//! `imprint ntfs cp --out`: copies files of a volume to this computer.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err::os::unix::fs::FileExt as _;
use imprint_ntfs::{AttributeKind, FileReference, FileValue};
use imprint_progress::Progress;
use imprint_winvalues::WinName;

use super::{Opened, names, shown};
use crate::cli::ntfs_edit::CpArgs;
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;
use crate::watch::watch;

/// Bytes that are copied at once.
const PIECE: u64 = 1 << 20;

/// Copies files out of a volume.
pub(super) fn run(args: &CpArgs, console: &mut Console) -> anyhow::Result<Status> {
    let opened = Opened::new(&args.edit.volume)?;
    let (files, bytes) = watch(console.progress(), |progress| copy_all(&opened, args, progress))?;
    super::tell_changed(console, &args.edit, ("copied", "file"), files, bytes)
}

fn copy_all(
    opened: &Opened<'_>,
    args: &CpArgs,
    progress: &Progress,
) -> anyhow::Result<(usize, u64)> {
    progress.begin("copying", 0, 0);
    let destination = Path::new(&args.destination);
    let into = fs_err::metadata(destination).is_ok_and(|there| there.is_dir());
    if !into && args.sources.len() > 1 {
        return Err(CommandError::NoHostDirectory { path: destination.to_owned() }.into());
    }
    let (mut files, mut bytes) = (0, 0);
    for source in &args.sources {
        let names = names(source)?;
        let found = opened.find(&names)?.ok_or_else(|| opened.no_such_file(&names))?;
        let target = match names.last() {
            Some(own) if into => destination.join(host_name(own, &shown(&names))?),
            _ => destination.to_owned(),
        };
        let mut stack: Vec<(FileReference, PathBuf, String)> = vec![(found, target, shown(&names))];
        while let Some((at, target, path)) = stack.pop() {
            progress.check()?;
            let file = opened.volume.file(at.record).with_context(|| opened.reading(&path))?;
            let file = file.ok_or_else(|| opened.no_such_file(&names))?;
            if !file.is_directory {
                bytes += copy_file(opened, &file, (&target, &path), progress)?;
                files += 1;
                progress.add_files(1);
                continue;
            }
            if !args.recursive {
                return Err(
                    CommandError::NotCopied { path: path.into(), why: "is a directory" }.into()
                );
            }
            fs_err::create_dir_all(&target)?;
            for (name, reference) in list(opened, at, &path)? {
                let path = format!("{path}/{name}");
                let target = target.join(host_name(&name, &path)?);
                stack.push((reference, target, path));
            }
        }
    }
    Ok((files, bytes))
}

/// A name as this computer has it: it must not lead elsewhere.
fn host_name(name: &WinName, path: &str) -> Result<std::ffi::OsString, CommandError> {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = name.to_wtf8();
    if name.is_dots() || bytes.is_empty() || bytes.iter().any(|byte| matches!(byte, 0 | b'/')) {
        return Err(CommandError::NotCopied { path: path.into(), why: "has a name of no file" });
    }
    Ok(std::ffi::OsString::from_vec(bytes))
}

/// What is in a directory, without the volume's own files and short names.
fn list(
    opened: &Opened<'_>,
    at: FileReference,
    path: &str,
) -> anyhow::Result<Vec<(WinName, FileReference)>> {
    const DOS: u8 = 2;
    const FIRST_FILE: u64 = 24;
    let read = || -> Result<_, imprint_ntfs::ReadError> {
        let Some(directory) = opened.volume.directory(at.record)? else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for entry in directory.entries()? {
            let entry = entry?;
            if entry.namespace != DOS && entry.reference.record.0 >= FIRST_FILE {
                all.push((WinName::from_units(&entry.name), entry.reference));
            }
        }
        Ok(all)
    };
    read().with_context(|| opened.reading(path))
}

fn copy_file(
    opened: &Opened<'_>,
    file: &imprint_ntfs::File,
    (target, path): (&Path, &str),
    progress: &Progress,
) -> anyhow::Result<u64> {
    let mut data = file.attributes.iter().filter(|found| found.kind == AttributeKind::DATA);
    let Some(data) = data.find(|found| found.name.is_empty()) else {
        return Err(CommandError::NotCopied { path: path.into(), why: "has no data" }.into());
    };
    if data.is_encrypted() {
        return Err(CommandError::NotCopied { path: path.into(), why: "is encrypted" }.into());
    }
    let to = fs_err::File::create(target)?;
    let clusters = match &data.value {
        FileValue::Resident(bytes) => {
            to.write_all_at(bytes, 0)?;
            return Ok(bytes.len() as u64);
        }
        FileValue::Clusters(clusters) => clusters,
    };
    let mut buffer = vec![0; usize::try_from(PIECE).unwrap_or(0)];
    let mut offset = 0;
    while offset < clusters.size() {
        progress.check()?;
        let length = usize::try_from(PIECE.min(clusters.size() - offset)).unwrap_or(0);
        let piece = buffer.get_mut(..length).unwrap_or_default();
        let read = opened.volume.read_value(clusters, piece, offset);
        read.with_context(|| opened.reading(path))?;
        to.write_all_at(piece, offset)?;
        progress.add_bytes(length as u64);
        offset += length as u64;
    }
    Ok(clusters.size())
}
