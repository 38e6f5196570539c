//! `imprint ntfs ls`: the files of a directory.

use std::collections::HashSet;
use std::io::{self, Write as _};

use anyhow::Context;
use imprint_ntfs::{DirectoryEntry, FileReference, RecordNumber, Swept, SweptValue};
use imprint_winvalues::{Attributes, FileTime, WinName};
use serde::Serialize;

use super::facts::{AttributeFacts, ReparseFacts, TimeFacts};
use super::{Opened, names, path_of, shown};
use crate::cli::ntfs::LsArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::report::path::{PathFacts, PathStyle};

/// Records before this one are the volume's own files.
const FIRST_USER: u64 = 24;
/// Bit of a name's attributes: the file is a directory.
const IS_DIRECTORY: u32 = 0x1000_0000;
/// The namespace of short names.
const DOS: u8 = 2;

/// Lists a directory, or a file.
pub(super) fn run(args: &LsArgs, console: &mut Console) -> anyhow::Result<Status> {
    let opened = Opened::new(&args.volume)?;
    let path = names(args.path.as_deref().unwrap_or_default())?;
    let found = opened.find(&path)?.ok_or_else(|| opened.no_such_file(&path))?;
    let mut walk = Walk { opened: &opened, args, seen: HashSet::new(), trouble: Vec::new() };
    if console.json() {
        let mut entries = Vec::new();
        walk.list(found, &path, &mut |_, entry| {
            entries.push(entry);
            Ok(())
        })?;
        let trouble = &walk.trouble;
        let volume = args.volume.to_string_lossy().into_owned();
        console.print_json(&Document { path: volume, entries, trouble })?;
    } else {
        let style = console.path_style();
        walk.list(found, &path, &mut |names, entry| print(console, style, args, names, &entry))?;
    }
    for trouble in &walk.trouble {
        console.warn(&format_args!("warning: {trouble}\n"));
    }
    Ok(if walk.trouble.is_empty() { Status::Done } else { Status::Incomplete })
}

#[derive(Serialize)]
struct Document<'a> {
    path: String,
    entries: Vec<EntryFacts>,
    /// What could not be read.
    trouble: &'a [String],
}

/// A name in a directory. Size and attributes without `--long` are those that the directory repeats, which may be
/// old.
#[derive(Serialize)]
struct EntryFacts {
    #[serde(flatten)]
    path: PathFacts,
    record: u64,
    use_count: u16,
    namespace: &'static str,
    is_directory: bool,
    size: u64,
    #[serde(flatten)]
    attributes: AttributeFacts,
    #[serde(flatten)]
    details: Option<Details>,
}

/// What only the file's own record says.
#[derive(Serialize)]
struct Details {
    /// Bytes of the clusters of the main data.
    allocated: u64,
    #[serde(flatten)]
    times: TimeFacts,
    /// Long names.
    link_count: usize,
    /// Names of its named streams.
    named_streams: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reparse_point: Option<ReparseFacts>,
}

/// Takes a path and what is said of its last name.
type Each<'a> = &'a mut dyn FnMut(&[WinName], EntryFacts) -> io::Result<()>;

struct Walk<'a> {
    opened: &'a Opened<'a>,
    args: &'a LsArgs,
    /// Directories that were listed.
    seen: HashSet<RecordNumber>,
    trouble: Vec<String>,
}

impl Walk<'_> {
    /// Lists what is in a directory, or the file itself.
    fn list(
        &mut self,
        found: FileReference,
        path: &[WinName],
        each: Each<'_>,
    ) -> anyhow::Result<()> {
        let opened = self.opened;
        let is_directory = opened.volume.directory(found.record);
        if is_directory.with_context(|| opened.reading(shown(path)))?.is_none() {
            let entry = self.entry_of(found, path)?;
            if let Some(entry) = entry {
                each(path, self.describe(path, &entry))?;
            }
            return Ok(());
        }
        let mut path = path.to_vec();
        let mut stack = vec![self.entries(found, &path)];
        while let Some(level) = stack.last_mut() {
            let Some(entry) = level.next() else {
                stack.pop();
                if !stack.is_empty() {
                    path.pop();
                }
                continue;
            };
            path.push(WinName::from_units(&entry.name));
            each(&path, self.describe(&path, &entry))?;
            let is_way_down = self.args.recursive
                && entry.attributes & IS_DIRECTORY != 0
                && entry.namespace != DOS;
            if is_way_down && !self.seen.contains(&entry.reference.record) {
                stack.push(self.entries(entry.reference, &path));
            } else {
                path.pop();
            }
        }
        Ok(())
    }

    /// The names in a directory that are wanted; what cannot be read is trouble.
    fn entries(
        &mut self,
        directory: FileReference,
        path: &[WinName],
    ) -> std::vec::IntoIter<DirectoryEntry> {
        self.seen.insert(directory.record);
        let mut entries = Vec::new();
        let mut read = || -> Result<bool, imprint_ntfs::ReadError> {
            let found = self.opened.volume.directory(directory.record)?;
            let Some(found) = found.filter(|found| found.reference() == directory) else {
                return Ok(false);
            };
            for entry in found.entries()? {
                entries.push(entry?);
            }
            Ok(true)
        };
        match read() {
            Ok(true) => {}
            Ok(false) => self.trouble.push(format!("directory {} is not there", shown(path))),
            Err(error) => {
                let error = anyhow::Error::from(error);
                self.trouble.push(format!("{}: {error:#}", self.opened.reading(shown(path))));
            }
        }
        let all = self.args.all;
        entries.retain(|entry| {
            all || entry.namespace != DOS && entry.reference.record.0 >= FIRST_USER
        });
        entries.into_iter()
    }

    /// The entry of a file in its directory.
    fn entry_of(
        &self,
        found: FileReference,
        path: &[WinName],
    ) -> anyhow::Result<Option<DirectoryEntry>> {
        let Some((name, parents)) = path.split_last() else { return Ok(None) };
        let Some(parent) = self.opened.find(parents)? else { return Ok(None) };
        let look = || {
            let parent = self.opened.volume.directory(parent.record)?;
            let entry = parent.map(|parent| parent.lookup(name.units(), &self.opened.upcase));
            entry.transpose().map(Option::flatten)
        };
        let entry = look().with_context(|| self.opened.reading(shown(path)))?;
        Ok(entry.filter(|entry| entry.reference == found))
    }

    fn describe(&mut self, path: &[WinName], entry: &DirectoryEntry) -> EntryFacts {
        let is_directory = entry.attributes & IS_DIRECTORY != 0;
        let mut facts = EntryFacts {
            path: PathFacts::from(&path_of(path)),
            record: entry.reference.record.0,
            use_count: entry.reference.use_count,
            namespace: match entry.namespace {
                1 => "win32",
                2 => "dos",
                3 => "win32_and_dos",
                _ => "posix",
            },
            is_directory,
            size: entry.size,
            attributes: AttributeFacts::new(entry.attributes, is_directory),
            details: None,
        };
        if !self.args.long {
            return facts;
        }
        let error = match self.opened.volume.look(entry.reference.record) {
            Ok(Some(file)) if file.reference == entry.reference => {
                facts.complete(&file);
                return facts;
            }
            Ok(_) => format!("{} leads to no file", shown(path)),
            Err(error) => {
                let error = anyhow::Error::from(error);
                format!("{}: {error:#}", self.opened.reading(shown(path)))
            }
        };
        self.trouble.push(error);
        facts
    }
}

impl EntryFacts {
    /// Puts in what the file itself says.
    fn complete(&mut self, file: &Swept) {
        let main = file.streams.first().filter(|stream| stream.name.is_empty());
        let (size, allocated) = match main.map(|stream| &stream.value) {
            None => (0, 0),
            Some(SweptValue::Resident(bytes)) => (<[u8]>::len(bytes) as u64, 0),
            Some(SweptValue::Clusters(clusters)) => (clusters.size(), clusters.allocated()),
        };
        let long = |name: &&imprint_ntfs::FileName| name.namespace != imprint_ntfs::Namespace::Dos;
        self.is_directory = file.is_directory;
        self.size = size;
        self.attributes = AttributeFacts::new(file.information.attributes, file.is_directory);
        let named = file.streams.iter().filter(|stream| !stream.name.is_empty());
        self.details = Some(Details {
            allocated,
            times: TimeFacts::from(&file.information.times),
            link_count: file.names.iter().filter(long).count(),
            named_streams: named.map(|stream| stream.name.to_string()).collect(),
            reparse_point: ReparseFacts::of(file),
        });
    }

    /// What it is, and the attributes that matter, a letter each.
    fn letters(&self) -> String {
        let has_link = self.details.as_ref().and_then(|details| details.reparse_point.as_ref());
        let kind = match (has_link.and_then(ReparseFacts::shown), self.is_directory) {
            (Some(_), _) => 'l',
            (None, true) => 'd',
            (None, false) => '-',
        };
        let letters = [
            (Attributes::READONLY, 'r'),
            (Attributes::HIDDEN, 'h'),
            (Attributes::SYSTEM, 's'),
            (Attributes::ARCHIVE, 'a'),
            (Attributes::COMPRESSED, 'c'),
            (Attributes::ENCRYPTED, 'e'),
            (Attributes::SPARSE_FILE, 'p'),
            (Attributes::REPARSE_POINT, 't'),
        ];
        let set = self.attributes.set;
        let letter = |(flag, letter)| if set.contains(flag) { letter } else { '-' };
        std::iter::once(kind).chain(letters.map(letter)).collect()
    }
}

/// Prints an entry on its line.
fn print(
    out: &mut Console,
    style: PathStyle,
    args: &LsArgs,
    path: &[WinName],
    entry: &EntryFacts,
) -> io::Result<()> {
    if args.long {
        let (links, time) = match &entry.details {
            Some(details) => (details.link_count, seconds(details.times.last_write_time)),
            None => (0, "?".to_owned()),
        };
        let size = if entry.is_directory { "-".to_owned() } else { entry.size.to_string() };
        write!(out, "{} {links:>3} {size:>14} {time:20} ", entry.letters())?;
    }
    match path.last().filter(|_| !args.recursive) {
        Some(name) => out.write_all(&style.shown(name.to_wtf8()))?,
        None => style.write(out, &path_of(path))?,
    }
    let target = entry.details.as_ref().and_then(|details| details.reparse_point.as_ref());
    if let Some(target) = target.and_then(ReparseFacts::shown) {
        out.write_all(b" -> ")?;
        out.write_all(&style.shown(target.as_bytes().to_vec()))?;
    }
    out.write_all(b"\n")
}

/// A time without what is finer than a second.
fn seconds(time: FileTime) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
}
