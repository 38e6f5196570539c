//! Properties of files that a target does not keep at all, counted rather than listed.

use imprint_image::{Capabilities, Capability};
use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{File, Tree};
use serde::Serialize;

use super::as_text;
use crate::cli::hi::{Placement, Security};
use crate::console::Console;
use crate::meter::Count;

/// A property that is lost, and how many files have it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LostFacts {
    #[serde(serialize_with = "as_text")]
    property: Capability,
    files: u64,
}

/// Properties that targets leave out as a whole; of the others they list each file.
const WHOLE: [Capability; 7] = [
    Capability::Attributes,
    Capability::ShortNames,
    Capability::SecurityDescriptors,
    Capability::CreationTime,
    Capability::ObjectIds,
    Capability::ExtendedAttributes,
    Capability::UnixData,
];

/// Counts what a target with these capabilities does not keep of a tree, besides what the user does
/// not want to be kept.
pub(crate) fn lost(
    tree: &Tree,
    capabilities: &Capabilities,
    placement: &Placement,
) -> Vec<LostFacts> {
    let wanted = |property: &Capability| match property {
        Capability::Attributes => !placement.no_attributes,
        Capability::SecurityDescriptors => placement.metadata.security != Security::Ignore,
        _ => true,
    };
    let missing = WHOLE.into_iter().filter(|&property| !capabilities.keeps(property));
    let missing = missing.filter(wanted);
    let facts = missing.map(|property| LostFacts { property, files: count(tree, property) });
    facts.filter(|facts| facts.files > 0).collect()
}

fn count(tree: &Tree, property: Capability) -> u64 {
    let count = match property {
        Capability::ShortNames => {
            tree.names().filter(|(_, name)| !name.short_name.is_empty()).count()
        }
        _ => tree.files().filter(|(_, file)| has(file, property)).count(),
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Attributes that follow from what a file is, so that nothing is lost without them.
const IMPLIED: Attributes = Attributes::DIRECTORY
    .union(Attributes::NORMAL)
    .union(Attributes::ARCHIVE)
    .union(Attributes::SPARSE_FILE)
    .union(Attributes::REPARSE_POINT);

fn has(file: &File, property: Capability) -> bool {
    let extras = file.extras.as_deref();
    match property {
        Capability::Attributes => !(file.attributes - IMPLIED).is_empty(),
        Capability::SecurityDescriptors => file.security.is_some(),
        Capability::CreationTime => file.times.creation.0 != 0,
        Capability::ObjectIds => extras.is_some_and(|extras| extras.object_id.is_some()),
        Capability::ExtendedAttributes => {
            extras.is_some_and(|extras| !extras.extended_attributes.is_empty())
        }
        Capability::UnixData => extras.is_some_and(|extras| extras.unix.is_some()),
        _ => false,
    }
}

/// Says what is lost, in one line.
pub(crate) fn note(console: &mut Console, lost: &[LostFacts]) {
    let text =
        |LostFacts { property, files }: &LostFacts| format!("{property} ({})", Count(*files));
    let lost: Vec<_> = lost.iter().map(text).collect();
    if !lost.is_empty() {
        console.note(&format_args!("not kept by the target: {}", lost.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use imprint_winvalues::tree::NameId;

    use super::*;

    #[test]
    fn only_what_files_really_have_is_lost() {
        let mut tree = Tree::new(File::new(Attributes::DIRECTORY));
        let hidden = File::new(Attributes::HIDDEN | Attributes::ARCHIVE);
        tree.add(NameId::ROOT, "a".into(), hidden).unwrap();
        tree.add(NameId::ROOT, "b".into(), File::new(Attributes::NORMAL)).unwrap();
        let nothing = Capabilities::default();
        let expected = LostFacts { property: Capability::Attributes, files: 1 };
        let placement = Placement::default();
        assert_eq!(lost(&tree, &nothing, &placement), [expected]);
        let unwanted = Placement { no_attributes: true, ..placement };
        assert_eq!(lost(&tree, &nothing, &unwanted), []);
        let all = Capabilities(BTreeSet::from([Capability::Attributes]));
        assert_eq!(lost(&tree, &all, &placement), []);
    }
}
