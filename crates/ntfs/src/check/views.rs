//! The indexes in `$Extend`: reparse points, object ids, quotas; and those of other programs, whose trees are proven.

use std::collections::{BTreeMap, BTreeSet};

use imprint_blockio::ReadAt;
use imprint_progress::{Cancelled, Progress};

use super::ground::Ground;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::secure::SECURE;
use super::state::Map;
use crate::{AttributeKind, FileReference, RecordNumber, Structure};

/// Names in UTF-16LE.
pub(super) const REPARSE: (&[u8], &[u8]) = (b"$\0R\0e\0p\0a\0r\0s\0e\0", b"$\0R\0");
pub(super) const OBJECT_IDS: (&[u8], &[u8]) = (b"$\0O\0b\0j\0I\0d\0", b"$\0O\0");
const QUOTA: (&[u8], &[u8], &[u8]) = (b"$\0Q\0u\0o\0t\0a\0", b"$\0O\0", b"$\0Q\0");

impl<D: ReadAt> Ground<'_, D> {
    /// Checks all indexes that are none of names, but those of `$Secure`.
    pub(super) fn check_views(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        let views = std::mem::take(&mut map.views);
        let mut entries = BTreeMap::new();
        for number in views.into_iter().filter(|number| *number != SECURE) {
            progress.check()?;
            let known = [REPARSE.0, OBJECT_IDS.0, QUOTA.0];
            let known = known.iter().find(|name| map.extended.get(**name) == Some(&number));
            self.with_file(number, map, |file, map| {
                let roots = file.parts.iter().filter(|part| part.kind == AttributeKind::INDEX_ROOT);
                let names =
                    roots.map(|part| part.name).filter(|name| *name != super::file::INDEX_NAME);
                for name in names.collect::<BTreeSet<_>>() {
                    let mut all = BTreeMap::new();
                    self.check_index(file, name, map, found, &mut |entry, _, _| {
                        if known.is_some() {
                            all.insert(entry.key.to_vec(), (entry.data.to_vec(), entry.offset));
                        }
                    });
                    if let Some(known) = known {
                        entries.insert((*known, name.to_vec()), all);
                    }
                }
            });
        }
        let reparse = entries.remove(&(REPARSE.0, REPARSE.1.to_vec())).unwrap_or_default();
        check_reparse(reparse, map, found);
        let objects = entries.remove(&(OBJECT_IDS.0, OBJECT_IDS.1.to_vec())).unwrap_or_default();
        check_objects(objects, map, found);
        let owners = entries.remove(&(QUOTA.0, QUOTA.1.to_vec())).unwrap_or_default();
        let quotas = entries.remove(&(QUOTA.0, QUOTA.2.to_vec())).unwrap_or_default();
        check_quotas(&owners, &quotas, found);
        Ok(())
    }
}

/// The entries of an index by key: their data, and where they stand.
type Entries = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn check_reparse(mut entries: Entries, map: &Map, found: &mut Findings) {
    for (tag, reference) in &map.reparse {
        let key = [&tag.to_le_bytes()[..], &reference.to_disk().to_le_bytes()].concat();
        if entries.remove(&key).is_none() {
            missing(
                reference.record,
                AttributeKind::REPARSE_POINT,
                Rule::Reparse,
                "is not in $Reparse:$R",
                found,
            );
        }
    }
    strays(entries, "$Reparse:$R", Rule::Reparse, found);
}

fn check_objects(mut entries: Entries, map: &Map, found: &mut Findings) {
    for (id, reference) in &map.objects {
        let entry = entries.remove(id.as_slice());
        let named =
            entry.map(|(data, _)| data.first_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes)));
        let kind = AttributeKind::OBJECT_ID;
        match named.map(FileReference::from_disk) {
            None => missing(reference.record, kind, Rule::ObjectId, "is not in $ObjId:$O", found),
            Some(named) if named != *reference => {
                missing(
                    reference.record,
                    kind,
                    Rule::ObjectId,
                    "is of another file in $ObjId:$O",
                    found,
                );
            }
            Some(_) => {}
        }
    }
    strays(entries, "$ObjId:$O", Rule::ObjectId, found);
}

/// Every owner has a quota.
fn check_quotas(owners: &Entries, quotas: &Entries, found: &mut Findings) {
    for (sid, (data, offset)) in owners {
        let id = data.get(..4).unwrap_or_default();
        if !quotas.contains_key(id) {
            let subject = Subject::View("$Quota:$O", sid.as_slice().into());
            let problem = Problem::Is("is of an owner without a quota");
            found.add(Rule::Quota, subject, Some(*offset), problem);
        }
    }
}

fn missing(
    record: RecordNumber,
    kind: AttributeKind,
    rule: Rule,
    what: &'static str,
    found: &mut Findings,
) {
    let subject = Subject::Structure(Structure::Attribute(record, kind));
    found.add(rule, subject, None, Problem::Is(what));
}

fn strays(entries: Entries, index: &'static str, rule: Rule, found: &mut Findings) {
    for (key, (_, offset)) in entries {
        let subject = Subject::View(index, key.into());
        found.add(rule, subject, Some(offset), Problem::Is("is of no file"));
    }
}
