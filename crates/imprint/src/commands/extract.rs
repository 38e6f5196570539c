//! `imprint extract`: gets single files or directories out of an image.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use imprint_wim::ImageTree;
use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::{Content, NameId, Tree};
use serde::Serialize;
use sha1::{Digest, Sha1};

use super::apply;
use super::open::{self, OpenSet};
use crate::cli::hi::{self, Placement};
use crate::cli::low::ExtractArgs;
use crate::console::Console;
use crate::environment;
use crate::error::{CommandError, UsageError};
use crate::exit::Status;
use crate::meter::{Bytes, counted};
use crate::report::placed::PlacedFacts;
use crate::report::skipped;
use crate::selection::{self, Selection};
use crate::selector::Selector;

/// What to extract, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    /// Empty: all.
    paths: Vec<Wanted>,
    to: Destination,
    no_globs: bool,
    nullglob: bool,
    check: bool,
    references: Vec<String>,
    placement: Placement,
}

/// Paths that are wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Path(String),
    /// A file with one path on each line; `-` is standard input.
    List(PathBuf),
}

/// Where what is extracted goes.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    StandardOutput,
    Directory {
        path: PathBuf,
        /// Keep the directories that paths lead through. Paths from lists always keep them.
        keep_structure: bool,
    },
}

impl Job {
    pub(super) fn new(args: ExtractArgs) -> Result<Self, UsageError> {
        let wanted = |text: String| match text.strip_prefix('@') {
            Some(list) => Wanted::List(list.into()),
            None => Wanted::Path(text),
        };
        let to = match args.to_stdout {
            true => Destination::StandardOutput,
            false => Destination::Directory {
                path: args.dest_dir,
                keep_structure: args.preserve_dir_structure,
            },
        };
        if args.to_stdout && args.paths.is_empty() {
            return Err(UsageError::Needs { option: "--to-stdout", needs: "the paths of files" });
        }
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(Some(args.image)),
            paths: args.paths.into_iter().map(wanted).collect(),
            to,
            no_globs: args.no_globs,
            nullglob: args.nullglob,
            check: args.check,
            references: args.references.references,
            placement: Placement::from(&args.placement),
        })
    }
}

/// Extracts the files.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let set = OpenSet::open_whole(&job.wim, &job.references)?;
    set.check_integrity(job.check, console)?;
    let wim = set.primary()?;
    let index = job.image.resolve_one(&job.wim, &open::image_names(wim), "extract")?;
    let context = || format!("failed to read image {index} of {}", job.wim.display());
    let image = wim.read_tree(index).with_context(context)?;
    for warning in &image.warnings {
        console.warn(&format_args!("warning: image {index}: {warning}\n"));
    }
    let chosen = choose(job, index, &image.tree, console)?;
    match &job.to {
        Destination::StandardOutput => {
            let names = chosen.iter().map(|chosen| chosen.name);
            names.into_iter().try_for_each(|id| print_data(&set, index, &image, id, console))?;
            Ok(Status::Done)
        }
        Destination::Directory { path, keep_structure } => {
            let tree = match job.paths.is_empty() {
                true => image.tree,
                false => selected(&image.tree, &chosen, *keep_structure)?,
            };
            to_directory(job, &set, (index, &tree), path, console)
        }
    }
}

/// A name that is wanted.
#[derive(Clone, Copy)]
struct Chosen {
    name: NameId,
    from_list: bool,
}

/// Finds all that is wanted before anything is written.
fn choose(
    job: &Job,
    image: u32,
    tree: &Tree,
    console: &mut Console,
) -> anyhow::Result<Vec<Chosen>> {
    let mut chosen = Vec::new();
    for wanted in &job.paths {
        let (paths, from_list) = match wanted {
            Wanted::Path(path) => (vec![path.clone()], false),
            Wanted::List(list) => (read_list(list)?, true),
        };
        for path in paths {
            let found = selection::find(tree, &path, job.no_globs);
            if found.is_empty() {
                let error = CommandError::NothingFound { image, path };
                if !job.nullglob || job.no_globs {
                    return Err(error.into());
                }
                console.warn(&format_args!("warning: {error}\n"));
            }
            chosen.extend(found.into_iter().map(|name| Chosen { name, from_list }));
        }
    }
    Ok(chosen)
}

fn read_list(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().read_to_end(&mut bytes).context("failed to read standard input")?;
    } else {
        bytes = fs_err::read(path)?;
    }
    Ok(parse_list(&bytes))
}

/// Reads a list in UTF-8 or UTF-16LE: one path on each line, `;` and `#` begin comments, blanks
/// around a path are not part of it.
fn parse_list(bytes: &[u8]) -> Vec<String> {
    let text = match bytes.strip_prefix(b"\xff\xfe") {
        Some(utf16) => {
            let units = utf16.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit));
            String::from_utf16_lossy(&units.collect::<Vec<_>>())
        }
        None => {
            let utf8 = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            String::from_utf8_lossy(utf8).into_owned()
        }
    };
    let lines = text.lines().map(str::trim);
    let is_path = |line: &&str| !line.is_empty() && !line.starts_with([';', '#']);
    lines.filter(is_path).map(str::to_owned).collect()
}

fn selected(tree: &Tree, chosen: &[Chosen], keep_structure: bool) -> anyhow::Result<Tree> {
    let mut selection = Selection::new(tree, selection::destination(environment::now()));
    for &Chosen { name, from_list } in chosen {
        selection.add(name, keep_structure || from_list)?;
    }
    Ok(selection.into_tree())
}

fn to_directory(
    job: &Job,
    set: &OpenSet,
    (index, tree): (u32, &Tree),
    path: &Path,
    console: &mut Console,
) -> anyhow::Result<Status> {
    // As in wimlib: links that are taken out of their image are left as they are.
    let options = apply::target_options(&job.placement, false);
    fs_err::create_dir_all(path)?;
    let (outcome, lost) = apply::place(set, tree, (path, options), &job.placement, console)?;
    let mut done = outcome.done;
    // The destination itself was there before.
    done.names = done.names.saturating_sub(1);
    if console.json() {
        let wim = job.wim.to_string_lossy().into_owned();
        let result = PlacedFacts::new(path, done, lost, &outcome.skipped);
        console.print_json(&Document { path: wim, image: index, result })?;
    }
    console.summary(&format_args!(
        "extracted to {}: {}, {} of data",
        path.display(),
        counted(done.names, "name"),
        Bytes(done.bytes),
    ))?;
    Ok(skipped::finish(console, &outcome.skipped))
}

/// Prints the main data of a file and checks it.
fn print_data(
    set: &OpenSet,
    index: u32,
    image: &ImageTree,
    id: NameId,
    console: &mut Console,
) -> anyhow::Result<()> {
    let path = || image.tree.path_of(id).to_string();
    let hash = match main_data(&image.tree, id) {
        Ok(hash) => hash,
        Err(is) => return Err(CommandError::NoData { image: index, path: path(), is }.into()),
    };
    let Some(hash) = hash else { return Ok(()) };
    let (_, wim, blob) =
        set.blobs.find(&hash).ok_or_else(|| CommandError::Missing { path: path(), hash })?;
    let failed = || format!("failed to read {} of image {index}", path());
    let mut reader = wim.blob_reader(blob).with_context(failed)?;
    let mut hasher = Sha1::new();
    while let Some(bytes) = reader.next_chunk().with_context(failed)? {
        hasher.update(bytes);
        console.write_all(bytes)?;
    }
    let actual = BlobHash(hasher.finalize().into());
    if actual != hash {
        let expected = hash;
        return Err(CommandError::Hash { image: index, path: path(), expected, actual }.into());
    }
    Ok(())
}

/// The blob of a file's main data, `None` if it is empty; what the file is if it has no such data.
fn main_data(tree: &Tree, id: NameId) -> Result<Option<BlobHash>, &'static str> {
    let file = tree.file_of(id).ok_or("gone")?;
    if file.reparse.is_some() {
        return Err("a link or other reparse point");
    }
    if file.is_directory() {
        return Err("a directory");
    }
    match file.main_data().map(|stream| &stream.content) {
        None | Some(Content::Empty) => Ok(None),
        Some(Content::Blob(hash)) => Ok(Some(*hash)),
        Some(Content::Unread { .. } | Content::Inline(_)) => Err("not of this image"),
    }
}

#[derive(Serialize)]
struct Document {
    path: String,
    image: u32,
    #[serde(flatten)]
    result: PlacedFacts,
}

#[cfg(test)]
mod tests {
    use super::parse_list;

    #[test]
    fn lists_have_comments_and_come_in_two_encodings() {
        let text = "; comment\n# comment\r\n\\Program Files\\A*\r\n\n  /Windows/x  \n";
        let expected = [r"\Program Files\A*", "/Windows/x"];
        assert_eq!(parse_list(text.as_bytes()), expected);
        assert_eq!(parse_list(format!("\u{feff}{text}").as_bytes()), expected);
        let utf16: Vec<u8> =
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse_list(&utf16), expected);
    }
}
