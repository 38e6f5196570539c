//! Files, names and indexes, written anew by an edit from what the records say.

use std::collections::BTreeSet;

use imprint_blockio::WriteAt;
use imprint_progress::Progress;

use super::lists::Lists;
use super::{RepairError, RepairOptions, Step, adopt};
use crate::check::report::Findings;
use crate::check::rule::Rule;
use crate::check::secure::SECURE;
use crate::edit::Rebuilt;
use crate::{EditOptions, Editor, RecordNumber};

/// The first record that is not the volume's own.
const FIRST_FILE: u64 = 24;

/// Makes anew what is worn.
pub(super) fn rebuild<D: WriteAt>(
    device: &D,
    options: &RepairOptions,
    found: &Findings,
    steps: &mut Vec<Step>,
    progress: &Progress,
) -> Result<(), RepairError> {
    let worn = &found.worn;
    let nothing = worn.indexes.is_empty() && worn.records.is_empty() && worn.orphans.is_empty();
    let of_views = [Rule::Reparse, Rule::ObjectId, Rule::Security].map(|rule| found.has(rule));
    if nothing && of_views == [false; 3] {
        return Ok(());
    }
    let edit = EditOptions { now: options.now, force: true };
    let mut editor = Editor::open(device, edit)?;
    let lists = Lists::read(&editor, &BTreeSet::new(), progress)?;
    let is_broken = |record: &RecordNumber| worn.broken.contains(record);
    for &record in worn.records.iter().filter(|record| record.0 >= FIRST_FILE) {
        // What cannot be read cannot be written; the report that remains tells of it.
        if !is_broken(&record) && editor.rewrite(lists.reference(record)).is_ok() {
            steps.push(Step::File(record));
        }
    }
    let sound = |all: &BTreeSet<RecordNumber>| {
        all.iter().copied().filter(|record| !is_broken(record)).collect::<BTreeSet<_>>()
    };
    // Directories first: through them the one is found where orphans come.
    let mut lists = directories(&mut editor, found, &sound(&worn.indexes), steps, progress)?;
    let mut more = BTreeSet::new();
    adopt::adopt(&mut editor, &sound(&worn.orphans), &mut more, steps, progress)?;
    if !more.is_empty() {
        lists = directories(&mut editor, found, &sound(&more), steps, progress)?;
    }
    let mut rebuild = |record: RecordNumber, rebuilt, entries: &[Vec<u8>]| {
        if editor.rebuild_index(lists.reference(record), rebuilt, entries).is_ok() {
            steps.push(Step::Index(record));
        }
    };
    let [reparse, objects, security] = of_views;
    let worn = |by_rule: bool, record: &RecordNumber| by_rule || worn.indexes.contains(record);
    if let Some(record) = lists.reparse_file.filter(|record| worn(reparse, record)) {
        rebuild(record, Rebuilt::Reparse, &lists.reparse);
    }
    if let Some(record) = lists.objects_file.filter(|record| worn(objects, record)) {
        rebuild(record, Rebuilt::Objects, &lists.objects);
    }
    if worn(security, &SECURE) && !lists.by_id.is_empty() {
        rebuild(SECURE, Rebuilt::ByHash, &lists.by_hash);
        rebuild(SECURE, Rebuilt::ById, &lists.by_id);
    }
    editor.close()?;
    Ok(())
}

/// Makes directories anew of the names that the records have, and returns what else the records say.
fn directories<D: WriteAt>(
    editor: &mut Editor<D>,
    found: &Findings,
    indexes: &BTreeSet<RecordNumber>,
    steps: &mut Vec<Step>,
    progress: &Progress,
) -> Result<Lists, RepairError> {
    let mut lists = Lists::read(editor, indexes, progress)?;
    for (record, entry) in &found.worn.kept {
        if let Some(entries) = lists.names.get_mut(record) {
            entries.push(entry.clone());
        }
    }
    for (record, entries) in &lists.names {
        let reference = lists.reference(*record);
        if editor.rebuild_index(reference, Rebuilt::Names, entries).is_ok() {
            steps.push(Step::Index(*record));
        }
    }
    Ok(lists)
}
