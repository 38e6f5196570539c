//! Directories: every name has one entry, every entry is of a name, and every directory is below the root.

use imprint_blockio::{Expected, ReadAt};
use imprint_progress::{Cancelled, Progress};
use imprint_winvalues::WinName;

use super::file::{FileName, INDEX_NAME, NAME_FLAGS, REPARSE_POINT, facts, kind_flags};
use super::gather::Gathered;
use super::ground::Ground;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::{Facts, Map, flag, name_digest};
use super::tree::Entry;
use crate::encode::name_entry;
use crate::{FileReference, RecordNumber, Structure};

/// The directory that holds all others.
const ROOT: RecordNumber = RecordNumber(5);

impl<D: ReadAt> Ground<'_, D> {
    /// Goes over all directories, then looks which names had no entry.
    pub(super) fn check_names(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        map.names.sort();
        for number in 0..self.volume.records() {
            let number = RecordNumber(number);
            if !map.state(number).is(flag::INDEX) {
                continue;
            }
            progress.check()?;
            self.with_file(number, map, |file, map| self.check_directory(file, map, found));
            progress.add_files(1);
        }
        for record in map.names.missing() {
            progress.check()?;
            let record = RecordNumber(record.into());
            self.with_file(record, map, |file, map| tell_missing(file, map, found));
        }
        self.check_parents(map, found);
        Ok(())
    }

    fn check_directory(&self, file: &Gathered<'_>, map: &mut Map, found: &mut Findings) {
        let directory = file.reference;
        self.check_index(file, INDEX_NAME, map, found, &mut |entry, map, found| {
            let Some(name) = FileName::read(entry.key, entry.offset) else {
                let subject = Subject::Entry(directory.record, WinName::default());
                let problem = Problem::Is("is no name");
                return found.add(Rule::Name, subject, Some(entry.offset), problem);
            };
            self.check_entry(directory, &entry, &name, map, found);
        });
    }

    fn check_entry(
        &self,
        directory: FileReference,
        entry: &Entry<'_>,
        name: &FileName<'_>,
        map: &mut Map,
        found: &mut Findings,
    ) {
        let mut wrong = |rule, problem| {
            let subject = Subject::Entry(directory.record, name.name());
            found.add(rule, subject, Some(entry.offset), problem);
        };
        let reference = FileReference::from_disk(entry.reference);
        let now = map.reference(reference.record);
        if name.parent() != directory {
            let (expected, actual) = (directory.to_disk(), name.disk.parent.get());
            let field = "directory in its key";
            wrong(Rule::EntryReference, Problem::code(field, Expected::Exactly(expected), actual));
        }
        let state = map.state(reference.record);
        if !map.names.find(name_digest(directory.record, now, name.key)) {
            let (rule, what) = if state.is(flag::BROKEN) {
                (Rule::DamagedEntry, "leads to a record that is damaged")
            } else if state.is_file() {
                (Rule::StrayEntry, "leads to a file that has no such name, or only once")
            } else {
                (Rule::StrayEntry, "leads to a record that is not in use")
            };
            wrong(rule, Problem::Is(what));
            if rule == Rule::DamagedEntry {
                // The only trace of the file: it is kept when the index is made anew.
                let mut bytes = Vec::new();
                name_entry(reference, entry.key, &mut bytes);
                found.worn.kept.push((directory.record, bytes));
            }
            return;
        }
        if now != reference {
            let field = "use count of its reference";
            let expected = Expected::Exactly(now.use_count.into());
            let problem = Problem::number(field, expected, reference.use_count.into());
            wrong(Rule::EntryReference, problem);
        }
        let attributes = name.disk.attributes.get();
        let (kind, says) = (kind_flags(&state), attributes & NAME_FLAGS);
        if kind != says {
            let problem =
                Problem::code("kind of file", Expected::Exactly(kind.into()), says.into());
            wrong(Rule::EntryKind, problem);
        }
        // Windows lets the entries of its own files get old.
        if reference.record.0 < 24 || map.is_extended(directory.record) {
            return;
        }
        let times = &name.disk.times;
        let says = Facts {
            times: [times.creation.get(), times.write.get(), times.change.get()],
            attributes: attributes & !NAME_FLAGS,
            allocated: name.disk.allocated.get(),
            size: name.disk.size.get(),
            tag: if attributes & REPARSE_POINT != 0 { name.disk.extra.get() } else { 0 },
        };
        if says.digest() != state.facts {
            self.tell_stale(directory, reference.record, (name, &says), map, found);
        }
    }

    /// Tells which of the things that an entry repeats are not as they are now.
    fn tell_stale(
        &self,
        directory: FileReference,
        number: RecordNumber,
        (name, says): (&FileName<'_>, &Facts),
        map: &mut Map,
        found: &mut Findings,
    ) {
        let is_directory = map.state(number).is(flag::DIRECTORY);
        let tag = map.reparse.iter().find(|(_, reference)| reference.record == number);
        let tag = tag.map_or(0, |(tag, _)| *tag);
        let is = self.with_file(number, map, |file, _| facts(file, tag, is_directory)).flatten();
        let Some(is) = is else { return };
        let mut tell = |rule, problem| {
            let subject = Subject::Entry(directory.record, name.name());
            found.add(rule, subject, Some(name.offset), problem);
        };
        let mut code = |rule, field, expected: u64, actual: u64| {
            if expected != actual {
                tell(rule, Problem::code(field, Expected::Exactly(expected), actual));
            }
        };
        code(
            Rule::EntryAttributes,
            "file attributes",
            is.attributes.into(),
            says.attributes.into(),
        );
        code(Rule::EntryReparse, "reparse tag", is.tag.into(), says.tag.into());
        let mut number = |rule, field, expected: u64, actual: u64| {
            if expected != actual {
                tell(rule, Problem::number(field, Expected::Exactly(expected), actual));
            }
        };
        let fields = ["time of creation", "time of writing", "time of change"];
        for ((field, is), says) in fields.into_iter().zip(is.times).zip(says.times) {
            number(Rule::EntryTimes, field, is, says);
        }
        number(Rule::EntrySizes, "allocated bytes", is.allocated, says.allocated);
        number(Rule::EntrySizes, "bytes", is.size, says.size);
    }

    /// Every directory is below the root.
    fn check_parents(&self, map: &mut Map, found: &mut Findings) {
        const REACHED: u16 = 0x4000;
        const LOST: u16 = 0x8000;
        if let Some(root) = map.state_mut(ROOT) {
            root.flags |= REACHED;
        }
        let mut path = Vec::new();
        for number in 0..self.volume.records() {
            let mut at = RecordNumber(number);
            path.clear();
            while map.state(at).is_file()
                && map.state(at).is(flag::NAMED)
                && !map.state(at).is(REACHED | LOST)
            {
                // Met again on the way, it is lost unless the way leads to the root after all.
                if let Some(state) = map.state_mut(at) {
                    state.flags |= LOST;
                }
                path.push(at);
                at = RecordNumber(map.state(at).parent.into());
            }
            if !map.state(at).is(REACHED) {
                continue;
            }
            for at in &path {
                if let Some(state) = map.state_mut(*at) {
                    state.flags = state.flags & !LOST | REACHED;
                }
            }
        }
        for number in 0..self.volume.records() {
            let number = RecordNumber(number);
            if map.state(number).is(LOST) {
                let at = self.volume.place_of(number);
                let what = "is a directory that is not below the root";
                found.structure(Rule::Unreachable, Structure::FileRecord(number), at, what);
            }
        }
    }
}

/// Tells which names of a file are not in their directories, and why.
fn tell_missing(file: &Gathered<'_>, map: &Map, found: &mut Findings) {
    let number = file.reference.record;
    for (value, at) in file.names() {
        let Some(name) = FileName::read(value, at) else { continue };
        let parent = name.parent();
        if !map.names.is_missing(name_digest(parent.record, file.reference, name.key)) {
            continue;
        }
        let state = map.state(parent.record);
        let subject = Subject::Name(number, name.name());
        if state.is_file() && state.is(flag::DIRECTORY) {
            found.worn.indexes.insert(parent.record);
            let problem = Problem::Is("is not in its directory");
            found.add(Rule::MissingEntry, subject, Some(at), problem);
        } else {
            let problem = Problem::Is("is in a directory that is not there");
            found.add(Rule::Parent, subject, Some(at), problem);
        }
    }
}

impl Map {
    /// The use count of the directory a name is in is that it has now.
    pub(super) fn check_parent_reference(
        &self,
        file: RecordNumber,
        name: &FileName<'_>,
        found: &mut Findings,
    ) {
        let parent = name.parent();
        let state = self.state(parent.record);
        if state.is_file() && parent.use_count != state.use_count {
            let expected = Expected::Exactly(state.use_count.into());
            let field = "use count of its directory";
            let problem = Problem::number(field, expected, parent.use_count.into());
            found.add(Rule::Parent, Subject::Name(file, name.name()), Some(name.offset), problem);
        }
    }
}
