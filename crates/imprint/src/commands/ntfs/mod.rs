//! `imprint ntfs`: one file per verb.

mod cat;
mod check;
mod cp;
mod cp_out;
mod edit;
mod facts;
mod format;
mod info;
mod ls;
mod mkdir;
mod mv;
mod rm;
mod stat;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::Context;
use imprint_image::disk::ChainOptions;
use imprint_image::volume::{ReadableVolume, VolumePath, open_volume};
use imprint_ntfs::{FileReference, RecordNumber, UpCase, Volume};
use imprint_winvalues::WinName;
use imprint_winvalues::tree::TreePath;
use serde::Serialize;

use crate::cli::ntfs::NtfsVerb;
use crate::cli::ntfs_edit::EditArgs;
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;
use crate::meter::{Bytes, counted};

/// Does what a verb says.
pub(super) fn run(verb: NtfsVerb, console: &mut Console) -> anyhow::Result<Status> {
    match verb {
        NtfsVerb::Info(args) => info::run(&args, console),
        NtfsVerb::Ls(args) => ls::run(&args, console),
        NtfsVerb::Stat(args) => stat::run(&args, console),
        NtfsVerb::Cat(args) => cat::run(&args, console),
        NtfsVerb::Cp(args) => cp::run(&args, console),
        NtfsVerb::Mkdir(args) => mkdir::run(&args, console),
        NtfsVerb::Mv(args) => mv::run(&args, console),
        NtfsVerb::Rm(args) => rm::run(&args, console),
        NtfsVerb::Check(args) => check::run(&args, console),
        NtfsVerb::Format(args) => format::run(&args, console),
    }
}

/// A volume, with what it takes to find files on it.
struct Opened<'a> {
    path: &'a Path,
    volume: Volume<ReadableVolume>,
    upcase: UpCase,
}

impl<'a> Opened<'a> {
    fn new(path: &'a Path) -> anyhow::Result<Self> {
        let volume = open(path)?;
        let context = || format!("failed to read {}", path.display());
        let upcase = volume.upcase().with_context(context)?;
        Ok(Self { path, volume, upcase })
    }

    /// Says what failed.
    fn reading(&self, what: impl std::fmt::Display) -> String {
        format!("failed to read {what} on {}", self.path.display())
    }

    /// Finds a file by its names; `None` if there is none.
    fn find(&self, names: &[WinName]) -> anyhow::Result<Option<FileReference>> {
        let units = names.iter().map(WinName::units);
        let found = self.volume.find_names(units, &self.upcase);
        found.with_context(|| self.reading(shown(names)))
    }

    /// The file that is meant: a record or a path, or else the root.
    fn choose(
        &self,
        path: Option<&OsStr>,
        record: Option<u64>,
    ) -> anyhow::Result<(RecordNumber, String)> {
        if let Some(record) = record {
            return Ok((RecordNumber(record), format!("file record {record}")));
        }
        let names = names(path.unwrap_or_default())?;
        let found = self.find(&names)?.ok_or_else(|| self.no_such_file(&names))?;
        Ok((found.record, shown(&names)))
    }

    fn no_such_file(&self, names: &[WinName]) -> CommandError {
        CommandError::NoSuchFile { volume: self.path.to_owned(), file: shown(names) }
    }

    fn no_such_record(&self, record: RecordNumber) -> CommandError {
        let file = format!("file record {record}");
        CommandError::NoSuchFile { volume: self.path.to_owned(), file }
    }
}

/// Opens a volume to read it.
pub(super) fn open(path: &Path) -> anyhow::Result<Volume<ReadableVolume>> {
    let device = open_volume(&VolumePath::parse(path), &ChainOptions::default())?;
    let context = || format!("failed to open the NTFS volume on {}", path.display());
    Volume::open(device).with_context(context)
}

/// The names that a path is made of.
fn names(path: &OsStr) -> anyhow::Result<Vec<WinName>> {
    let parts = path.as_bytes().split(|byte| matches!(byte, b'/' | b'\\'));
    let parts = parts.filter(|part| !part.is_empty() && *part != b".");
    let context = || format!("path {} is not in UTF-8", path.display());
    parts.map(WinName::from_wtf8).collect::<Result<_, _>>().with_context(context)
}

/// A path as errors show it.
fn shown(names: &[WinName]) -> String {
    if names.is_empty() {
        return "/".to_owned();
    }
    names.iter().map(|name| format!("/{name}")).collect()
}

/// A path of names that others own.
fn path_of<'a>(names: &'a [WinName]) -> TreePath<'a> {
    TreePath(names.iter().collect())
}

/// Says what was done to a volume.
fn tell_changed(
    console: &mut Console,
    args: &EditArgs,
    (done, what): (&'static str, &'static str),
    files: usize,
    bytes: u64,
) -> anyhow::Result<Status> {
    if console.json() {
        let volume = args.volume.to_string_lossy().into_owned();
        console.print_json(&Changed { volume, done, files, bytes })?;
    }
    let files = counted(files as u64, what);
    let path = args.volume.display();
    if bytes > 0 {
        let bytes = Bytes(bytes);
        console.summary(&format_args!("{done} {files}, {bytes}, on {path}"))?;
    } else {
        console.summary(&format_args!("{done} {files} on {path}"))?;
    }
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Changed {
    volume: String,
    done: &'static str,
    files: usize,
    bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_of_names() {
        let check = |path: &str, expected: &str| {
            assert_eq!(shown(&names(OsStr::new(path)).unwrap()), expected);
        };
        check("", "/");
        check("/", "/");
        check("/Windows/System32", "/Windows/System32");
        check(r"Windows\\System32\", "/Windows/System32");
        check("./a", "/a");
        names(OsStr::from_bytes(b"a\xff")).unwrap_err();
    }
}
