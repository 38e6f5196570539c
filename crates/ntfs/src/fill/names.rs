//! Which names a volume takes, and the entries of its directories in their order.

use std::cmp::Ordering;
use std::ops::Range;

use imprint_winvalues::compare_ignoring_case;
use imprint_winvalues::tree::{FileId, NameId, Tree};

use crate::layout::namespace;

/// The most UTF-16 units of a name.
const MAX_NAME: usize = 255;
/// The most units of a short name: 8, a dot and 3.
const MAX_SHORT: usize = 12;
/// Names of the root directory that are the volume's own.
const SYSTEM: [&str; 12] = [
    "$MFT", "$MFTMirr", "$LogFile", "$Volume", "$AttrDef", ".", "$Bitmap", "$Boot", "$BadClus",
    "$Secure", "$UpCase", "$Extend",
];

/// A name that the volume does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name.
    pub name: NameId,
    /// Why.
    pub reason: RefusedReason,
}

/// Why a name is not taken. Below a directory that is not taken, nothing else is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedReason {
    /// It has no units, or is `.` or `..`.
    #[error("name is empty or dots")]
    Dots,
    /// It is too long.
    #[error("name should have at most 255 UTF-16 units, but has {actual}")]
    TooLong {
        /// Its units.
        actual: usize,
    },
    /// It has a unit that no name can have.
    #[error("name has the character {unit:#06x}")]
    Character {
        /// The unit: that of `/` or 0.
        unit: u16,
    },
    /// The volume itself has a file of that name.
    #[error("name is that of a file of the volume itself")]
    System,
    /// The directory has it already.
    #[error("directory has that name twice")]
    Twice,
    /// Only its short name is not taken: it is not 8.3, is another's in the directory, or another name of
    /// the file has one.
    #[error("short name is not legal, or is used by another")]
    Short,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirectoryEntry {
    pub(super) name: NameId,
    /// Whether it is the short name.
    pub(super) short: bool,
}

/// What becomes of the names of a tree.
#[derive(Debug)]
pub(super) struct Names {
    /// By name: its namespace, or `NONE` if it is not taken.
    namespaces: Vec<u8>,
    entries: Vec<DirectoryEntry>,
    /// By file: which entries are those of the directory.
    ranges: Vec<Range<u32>>,
    pub(super) refused: Vec<Refused>,
}

const NONE: u8 = 0xff;

impl Names {
    pub(super) fn new(tree: &Tree) -> Self {
        let mut names = Self {
            namespaces: vec![NONE; tree.names().len()],
            entries: Vec::with_capacity(tree.names().len()),
            ranges: vec![0..0; tree.files().len()],
            refused: Vec::new(),
        };
        let mut has_short = vec![false; tree.files().len()];
        names.set(NameId::ROOT, namespace::WIN32_AND_DOS);
        for (id, name) in tree.names() {
            let is_directory = tree.file(name.file()).is_some_and(|file| file.is_directory());
            if is_directory && names.namespace(id).is_some() {
                names.add_directory(tree, id, name.file(), &mut has_short);
            }
        }
        names
    }

    /// The namespace of a name; `None` if it is not taken.
    pub(super) fn namespace(&self, name: NameId) -> Option<u8> {
        self.namespaces.get(name.0 as usize).copied().filter(|&found| found != NONE)
    }

    /// The entries of a directory, in their order.
    pub(super) fn entries(&self, directory: FileId) -> &[DirectoryEntry] {
        let range = self.ranges.get(directory.0 as usize).cloned().unwrap_or_default();
        self.entries.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    fn set(&mut self, name: NameId, value: u8) {
        if let Some(place) = self.namespaces.get_mut(name.0 as usize) {
            *place = value;
        }
    }

    fn refuse(&mut self, name: NameId, reason: RefusedReason) {
        self.refused.push(Refused { name, reason });
    }

    fn add_directory(&mut self, tree: &Tree, id: NameId, file: FileId, has_short: &mut [bool]) {
        let mut found: Vec<DirectoryEntry> = Vec::new();
        for &child in tree.name(id).map_or(&[][..], |name| name.children()) {
            let Some(name) = tree.name(child) else { continue };
            if let Err(reason) = check(name.name.units(), id == NameId::ROOT) {
                self.refuse(child, reason);
                continue;
            }
            found.push(DirectoryEntry { name: child, short: false });
            if name.short_name.is_empty() {
                continue;
            }
            let first = has_short.get_mut(name.file().0 as usize);
            let first = first.is_some_and(|seen| !std::mem::replace(seen, true));
            if first && is_short(name.short_name.units()) {
                found.push(DirectoryEntry { name: child, short: true });
            } else {
                self.refuse(child, RefusedReason::Short);
            }
        }
        found.sort_by(|a, b| order(units(tree, *a), units(tree, *b)).then(a.short.cmp(&b.short)));
        let start = self.entries.len();
        let same = |a: &DirectoryEntry, b: &DirectoryEntry| {
            compare_ignoring_case(units(tree, *a), units(tree, *b)).is_eq()
        };
        for group in found.chunk_by(same) {
            self.add_equal(tree, group);
        }
        let index = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
        if let Some(range) = self.ranges.get_mut(file.0 as usize) {
            *range = index(start)..index(self.entries.len());
        }
    }

    /// Adds names that differ in case only. A short name must be alone, or is that of the long one beside it.
    fn add_equal(&mut self, tree: &Tree, group: &[DirectoryEntry]) {
        let mut before: Option<DirectoryEntry> = None;
        for &entry in group.iter().filter(|entry| !entry.short) {
            if before.is_some_and(|before| units(tree, before) == units(tree, entry)) {
                self.refuse(entry.name, RefusedReason::Twice);
                self.set(entry.name, NONE);
                continue;
            }
            before = Some(entry);
            if self.namespace(entry.name).is_none() {
                self.set(entry.name, namespace::POSIX);
            }
            self.entries.push(entry);
        }
        for &entry in group.iter().filter(|entry| entry.short) {
            match group {
                [_] => {
                    self.set(entry.name, namespace::WIN32);
                    self.entries.push(entry);
                }
                [long, _] if long.name == entry.name => {
                    self.set(entry.name, namespace::WIN32_AND_DOS);
                }
                _ => self.refuse(entry.name, RefusedReason::Short),
            }
        }
    }
}

/// The units of an entry's name.
pub(super) fn units(tree: &Tree, entry: DirectoryEntry) -> &[u16] {
    let name = tree.name(entry.name);
    name.map_or(&[], |name| if entry.short { name.short_name.units() } else { name.name.units() })
}

/// The order of names in a directory.
pub(super) fn order(a: &[u16], b: &[u16]) -> Ordering {
    compare_ignoring_case(a, b).then_with(|| a.cmp(b))
}

fn check(name: &[u16], in_root: bool) -> Result<(), RefusedReason> {
    if matches!(name, [] | [0x2e] | [0x2e, 0x2e]) {
        return Err(RefusedReason::Dots);
    }
    if name.len() > MAX_NAME {
        return Err(RefusedReason::TooLong { actual: name.len() });
    }
    if let Some(&unit) = name.iter().find(|&&unit| unit == 0 || unit == 0x2f) {
        return Err(RefusedReason::Character { unit });
    }
    let is = |system: &&str| {
        let system: Vec<u16> = system.encode_utf16().collect();
        compare_ignoring_case(name, &system).is_eq()
    };
    if in_root && SYSTEM.iter().any(is) { Err(RefusedReason::System) } else { Ok(()) }
}

pub(crate) fn is_short(name: &[u16]) -> bool {
    let mut parts = name.split(|&unit| unit == 0x2e);
    let (base, extension) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let legal = |unit: &u16| *unit > 0x20 && *unit != 0x2f;
    (1..=MAX_SHORT).contains(&name.len())
        && (1..=8).contains(&base.len())
        && extension.len() <= 3
        && parts.next().is_none()
        && name.iter().all(legal)
}
