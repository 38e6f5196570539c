//! What programs see on a volume, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::Command;

use super::known;
use crate::Mount;
use crate::tools::{self, require};

/// Who says what is on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// ntfs-3g, which mounts it.
    Ntfs3g,
    /// `fls`, `istat` and `icat` of The Sleuth Kit.
    Sleuthkit,
    /// 7-Zip.
    SevenZip,
    /// The Python package dissect.ntfs.
    Dissect,
    /// We.
    Imprint,
    /// A table that was written down.
    Expected,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntfs3g => "ntfs-3g",
            Self::Sleuthkit => "The Sleuth Kit",
            Self::SevenZip => "7-Zip",
            Self::Dissect => "dissect.ntfs",
            Self::Imprint => "imprint",
            Self::Expected => "the expectation",
        })
    }
}

/// What is known of one path. Fields are `kind`, `attributes` (all) and `flags` (read only, hidden, system, archive),
/// `created`, `written`, `changed`, `accessed` (100 ns since 1601), `security` (SHA-1 of the descriptor), `short`
/// (the short name), `tag` and `reparse` (SHA-1 of the data behind it), `object_id`, `extended` (names, flags and sizes of
/// the extended attributes), `links` (how many paths the file has, and a hash of them all),
/// `streams` (their names, each behind a colon), and of each stream `size:NAME`, `sha1:NAME` and `sha256:NAME` (its
/// first half). What a program does not know is not there.
pub type Row = BTreeMap<String, String>;

/// What one program sees on a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Who says it.
    pub program: Program,
    /// By path, with slashes; the root directory is `/`. Units that are no characters are written as `<d800>`.
    pub rows: BTreeMap<String, Row>,
}

/// A difference that one volume has, and why.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// The path.
    pub path: &'static str,
    /// The field; empty for the path itself.
    pub field: &'static str,
    /// Who says something else, or has not got the path.
    pub programs: &'static [Program],
    /// Why.
    pub reason: &'static str,
}

impl Listing {
    /// Asks every independent program what is on a volume, which is left as it is. Mounting needs root and a FUSE
    /// device.
    ///
    /// # Panics
    /// If one of them fails.
    #[must_use]
    #[track_caller]
    pub fn by_others(volume: &Path) -> Vec<Self> {
        let all = [Program::Ntfs3g, Program::Sleuthkit, Program::SevenZip, Program::Dissect];
        let able = all.into_iter().filter(|program| known::refuses(*program, volume).is_none());
        able.map(|program| Self::by(program, volume)).collect()
    }

    /// Asks one of the independent programs.
    ///
    /// # Panics
    /// If it fails, or is none.
    #[must_use]
    #[track_caller]
    pub fn by(program: Program, volume: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        match program {
            Program::Ntfs3g => {
                let options = "ro,streams_interface=windows,noatime";
                let mount = Mount::ntfs(volume, &scratch.path().join("mount"), options);
                Self::read(program, "mount", &[mount.path()])
            }
            Program::Sleuthkit => {
                for name in ["fls", "istat", "icat"] {
                    let _path = require(name);
                }
                Self::read(program, "sleuthkit", &[volume])
            }
            Program::SevenZip => {
                let _path = tools::require_any(&["7zz", "7z"]);
                Self::read(program, "seven", &[volume])
            }
            Program::Dissect => Self::read(program, "dissect", &[volume]),
            Program::Imprint | Program::Expected => panic!("{program} is nobody else"),
        }
    }

    /// Lets `imprint`, the program at that path, capture the volume and list the image.
    ///
    /// # Panics
    /// If it fails, or leaves something out.
    #[must_use]
    #[track_caller]
    pub fn ours(imprint: &Path, volume: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        Self::read(Program::Imprint, "imprint", &[volume, imprint, scratch.path()])
    }

    #[track_caller]
    fn read(program: Program, mode: &str, arguments: &[&Path]) -> Self {
        let python = if program == Program::Dissect { tools::python() } else { require("python3") };
        let script = ["-c", include_str!("read_ntfs.py"), mode].map(AsRef::as_ref);
        let words = script.into_iter().chain(arguments.iter().map(|path| path.as_os_str()));
        let mut command = Command::new(python);
        command.args(words);
        let output = tools::output(&mut command);
        let errors = tools::Shown(&output.stderr);
        assert!(output.status.success(), "{program}: {}: {errors}", output.status);
        Self::parse(program, &String::from_utf8_lossy(&output.stdout))
    }

    /// Reads lines of path, field and value.
    fn parse(program: Program, text: &str) -> Self {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for line in text.lines() {
            let mut cells = line.splitn(3, '\t');
            let mut cell = || cells.next().unwrap_or_default().to_owned();
            let (path, field, value) = (cell(), cell(), cell());
            rows.entry(path).or_default().insert(field, value);
        }
        Self { program, rows }
    }
}

/// Holds what several programs see against each other, field by field where at least two of them know it, and
/// returns what they disagree in: who says what. What is known to be odd about a program is left out, and what is
/// `allowed` for this volume; what is allowed and does not come is a difference too.
#[must_use]
pub fn differences(listings: &[Listing], allowed: &[Allowed]) -> Vec<String> {
    let paths: BTreeSet<&String> =
        listings.iter().flat_map(|listing| listing.rows.keys()).collect();
    let mut found = Vec::new();
    let mut met = BTreeSet::new();
    for path in paths {
        let mut here = Vec::new();
        let (with, without): (Vec<&Listing>, Vec<&Listing>) =
            listings.iter().partition(|listing| listing.rows.contains_key(path));
        let lacking = without.iter().map(|listing| listing.program);
        let lacking: Vec<_> =
            lacking.filter(|program| known::lacks(*program, path, listings).is_none()).collect();
        let strange = with.iter().all(|one| known::invents(one.program, path).is_some());
        if !lacking.is_empty() && !strange {
            here.push((
                String::new(),
                lacking.clone(),
                format!("{path}: {} lacks it", list(&lacking)),
            ));
        }
        let rows: Vec<_> = with
            .iter()
            .filter_map(|listing| Some((listing.program, listing.rows.get(path)?)))
            .collect();
        let all = Facts { path, rows: &rows };
        let fields: BTreeSet<&String> = rows.iter().flat_map(|(_, row)| row.keys()).collect();
        here.extend(fields.into_iter().filter_map(|field| disagreement(&all, field)));
        for (field, programs, text) in here {
            let fits = |one: &Allowed| {
                one.path == path
                    && one.field == field
                    && programs.iter().all(|p| one.programs.contains(p))
            };
            match allowed.iter().position(fits) {
                Some(index) => drop(met.insert(index)),
                None => found.push(text),
            }
        }
    }
    let unmet = allowed.iter().enumerate().filter(|(index, _)| !met.contains(index));
    found.extend(unmet.map(|(_, one)| {
        format!("{}: {}: there should be a difference ({})", one.path, one.field, one.reason)
    }));
    found
}

/// What everybody knows of a path.
pub(super) struct Facts<'a> {
    pub(super) path: &'a str,
    pub(super) rows: &'a [(Program, &'a Row)],
}

impl Facts<'_> {
    /// Whether anybody says this of a field.
    pub(super) fn says(&self, field: &str, is: impl Fn(&str) -> bool) -> bool {
        self.rows.iter().any(|(_, row)| row.get(field).is_some_and(|value| is(value)))
    }
}

/// Those who are in the minority about a field, and how that is told.
fn disagreement(all: &Facts<'_>, field: &str) -> Option<(String, Vec<Program>, String)> {
    let mut values: BTreeMap<&str, Vec<Program>> = BTreeMap::new();
    for (program, row) in all.rows {
        if let Some(value) = row.get(field)
            && known::differs(*program, field, value, all).is_none()
        {
            values.entry(value).or_default().push(*program);
        }
    }
    if values.len() < 2 {
        return None;
    }
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by_key(|(_, programs)| std::cmp::Reverse(programs.len()));
    let told: Vec<_> = values
        .iter()
        .map(|(value, programs)| format!("{value:?} say {}", list(programs)))
        .collect();
    let fewer = values.iter().skip(1).flat_map(|(_, programs)| programs.iter().copied());
    let text = format!("{}: {field}: {}", all.path, told.join(", "));
    Some((field.to_owned(), fewer.collect(), text))
}

fn list(programs: &[Program]) -> String {
    programs.iter().map(Program::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(program: Program, text: &str) -> Listing {
        Listing::parse(program, text)
    }

    #[test]
    fn who_differs_and_how_is_told() {
        let one = listing(Program::Ntfs3g, "/a\tsize:\t1\n/a\tkind\tfile\n/b\tkind\tfile\n");
        let two = listing(Program::Dissect, "/a\tsize:\t1\n/a\tshort\tA\n/b\tkind\tfile\n");
        let ours = listing(Program::Imprint, "/a\tsize:\t2\n/a\tkind\tfile\n");
        let all = [one, two, ours];
        let found = differences(&all, &[]);
        let size = "/a: size:: \"1\" say ntfs-3g and dissect.ntfs, \"2\" say imprint";
        assert_eq!(found, [size, "/b: imprint lacks it"]);
        let (programs, reason) = (&[Program::Imprint][..], "so it is");
        let allow = |path, field| Allowed { path, field, programs, reason };
        assert_eq!(differences(&all, &[allow("/a", "size:"), allow("/b", "")]), [""; 0]);
        let unmet = differences(&all[..2], &[allow("/a", "size:")]);
        assert_eq!(unmet, ["/a: size:: there should be a difference (so it is)"]);
    }
}
