//! Files whose directories are not there come into one where they are found.

use std::collections::{BTreeSet, HashSet};

use imprint_blockio::WriteAt;
use imprint_progress::Progress;
use imprint_winvalues::{Attributes, WinName, fold_case};

use super::lists::Lists;
use super::{RepairError, Step};
use crate::check::CheckError;
use crate::check::file::FileName;
use crate::check::ground::Ground;
use crate::check::report::Findings;
use crate::check::state::{Map, flag};
use crate::layout::namespace;
use crate::{Editor, FileReference, NewFile, RecordNumber};

/// The root directory.
const ROOT: RecordNumber = RecordNumber(5);
/// Where names come whose directory is not there any more. As chkdsk calls it.
const FOUND: &str = "found.000";
/// UTF-16 units of the longest name.
const MAX_NAME: usize = 255;

/// Gives orphans a directory, and notes which indexes have to be made anew for it.
pub(super) fn adopt<D: WriteAt>(
    editor: &mut Editor<D>,
    orphans: &BTreeSet<RecordNumber>,
    indexes: &mut BTreeSet<RecordNumber>,
    steps: &mut Vec<Step>,
    progress: &Progress,
) -> Result<(), RepairError> {
    if orphans.is_empty() {
        return Ok(());
    }
    let lists = Lists::read(editor, &BTreeSet::new(), progress)?;
    let mut taken = HashSet::new();
    let mut found = None;
    for (record, names) in homeless(editor, orphans, &lists.map)? {
        let file = lists.reference(record);
        for (parent, name) in names {
            let now = lists.reference(parent.record);
            let is_there = lists.map.state(parent.record).is(flag::DIRECTORY);
            // Only the use count is wrong: the name is not.
            if is_there && parent != now && !is_on_loop(&lists.map, record) {
                indexes.insert(parent.record);
                editor.readdress(file, parent.record, now, None)?;
                steps.push(Step::Found(record));
                continue;
            }
            let to = match found {
                Some(to) => to,
                None => *found.insert(place(editor, &lists, &mut taken)?),
            };
            let name = free_name(&name, record, &mut taken);
            editor.readdress(file, parent.record, to, Some(&name))?;
            indexes.extend([to.record, parent.record]);
            steps.push(Step::Found(record));
        }
    }
    Ok(())
}

/// Files, and those of their names, but short ones, whose directories are not there, or are below the file itself.
type Homeless = Vec<(RecordNumber, Vec<(FileReference, WinName)>)>;

fn homeless<D: WriteAt>(
    editor: &Editor<D>,
    orphans: &BTreeSet<RecordNumber>,
    map: &Map,
) -> Result<Homeless, RepairError> {
    let quiet = &mut Findings::quiet();
    let ground = Ground::open(editor.volume().device(), quiet).map_err(CheckError::from)?;
    let mut copy = Map::new(0, 0, 1);
    copy.budget = u64::MAX;
    copy.states.clone_from(&map.states);
    let mut all = Homeless::new();
    for &record in orphans {
        let looped = is_on_loop(map, record);
        let names = ground.with_file(record, &mut copy, |file, map| {
            let names = file.names().filter_map(|(value, at)| FileName::read(value, at));
            let names = names.filter(|name| name.disk.namespace != namespace::DOS);
            let lost = |name: &FileName<'_>| {
                let parent = name.parent();
                let there = map.state(parent.record).is(flag::DIRECTORY);
                looped || !there || parent != map.reference(parent.record)
            };
            let mut met = BTreeSet::new();
            let names = names.filter(lost).filter(|name| met.insert(name.parent().record));
            names.map(|name| (name.parent(), name.name())).collect::<Vec<_>>()
        });
        all.push((record, names.unwrap_or_default()));
    }
    Ok(all)
}

/// Whether the way up from a directory leads back to it.
fn is_on_loop(map: &Map, record: RecordNumber) -> bool {
    let mut at = record;
    for _ in 0..map.states.len() {
        let state = map.state(at);
        if at == ROOT || !state.is(flag::NAMED) {
            return false;
        }
        at = RecordNumber(state.parent.into());
        if at == record {
            return true;
        }
    }
    false
}

/// The directory, which is made if need be, and the names it has.
fn place<D: WriteAt>(
    editor: &mut Editor<D>,
    lists: &Lists,
    taken: &mut HashSet<Vec<u16>>,
) -> Result<FileReference, RepairError> {
    if let Some(found) = editor.find(FOUND)? {
        let directory = editor.volume().directory(found.record).map_err(CheckError::from)?;
        let entries = directory.iter().filter_map(|directory| directory.entries().ok());
        taken.extend(entries.flatten().filter_map(Result::ok).map(|entry| folded(&entry.name)));
        return Ok(found);
    }
    let new = NewFile {
        name: FOUND.into(),
        is_directory: true,
        attributes: Attributes::HIDDEN | Attributes::SYSTEM,
        ..NewFile::default()
    };
    Ok(editor.create(lists.reference(ROOT), &new)?)
}

fn folded(name: &[u16]) -> Vec<u16> {
    name.iter().map(|&unit| fold_case(unit)).collect()
}

/// The name, or one with the number of the record if it is taken.
fn free_name(name: &WinName, record: RecordNumber, taken: &mut HashSet<Vec<u16>>) -> WinName {
    if taken.insert(folded(name.units())) {
        return name.clone();
    }
    let number: Vec<u16> = format!(" ({record})").encode_utf16().collect();
    let kept = name.units().len().min(MAX_NAME - number.len());
    let units = [name.units().get(..kept).unwrap_or_default(), &number].concat();
    taken.insert(folded(&units));
    WinName::from_units(&units)
}
