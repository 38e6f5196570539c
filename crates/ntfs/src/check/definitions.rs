//! `$AttrDef`: what the volume says of the types of attributes.

use imprint_blockio::Expected;
use zerocopy::FromBytes;

use super::record::{Body, Part};
use super::report::Findings;
use super::rule::Rule;
use crate::layout::AttributeDefinitionDisk;
use crate::{AttributeKind, RecordNumber, Structure};

/// Flag: has an index.
const INDEXED: u32 = 0x02;
/// Flag: stays in the record.
const RESIDENT: u32 = 0x40;
/// Types a volume may define; Windows has 15.
const MOST: usize = 64;

/// What a volume says of a type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definition {
    kind: AttributeKind,
    flags: u32,
    least: u64,
    most: u64,
}

impl Definition {
    pub(super) const fn is_indexed(&self) -> bool {
        self.flags & INDEXED != 0
    }

    pub(super) const fn is_resident(&self) -> bool {
        self.flags & RESIDENT != 0
    }

    /// Holds a value, or the first part of one, against it.
    pub(super) fn check(&self, part: &Part<'_>, found: &mut Findings) {
        let size = part.size();
        // A volume without a label may have the attribute all the same.
        let empty_label = part.kind == AttributeKind::VOLUME_NAME && size == 0;
        if (size < self.least || size > self.most) && !empty_label {
            let at =
                part.offset + if matches!(part.body, Body::Resident { .. }) { 0x10 } else { 0x30 };
            let expected = Expected::Within(self.least, self.most);
            found.number(Rule::Length, (part.structure(), at), "bytes of value", expected, size);
        }
        let resident = matches!(part.body, Body::Resident { .. });
        if part.kind == AttributeKind::INDEX_ALLOCATION && resident {
            found.structure(Rule::Residence, part.structure(), part.offset, "stands in the record");
        }
    }
}

/// What a volume says of all types.
#[derive(Debug)]
pub(super) struct Definitions(Vec<Definition>);

impl Definitions {
    /// Those of Windows since NTFS 3.0.
    pub(super) fn usual() -> Self {
        let mut found = Findings::quiet();
        Self::read(&crate::fill::attribute_definitions(), 0, &mut found)
    }

    /// Reads the value of `$AttrDef`, which stands at `offset`; those of Windows if it defines nothing.
    pub(super) fn read(bytes: &[u8], offset: u64, found: &mut Findings) -> Self {
        let structure = Structure::Attribute(RecordNumber(4), AttributeKind::DATA);
        let mut all: Vec<Definition> = Vec::new();
        let mut rest = bytes;
        while let Ok((disk, tail)) = AttributeDefinitionDisk::read_from_prefix(rest)
            && disk.kind.get() != 0
            && all.len() < MOST
        {
            let (kind, flags) = (AttributeKind(disk.kind.get()), disk.flags.get());
            let at = offset + (bytes.len() - rest.len()) as u64 + 0x80;
            if let Some(last) = all.last()
                && last.kind >= kind
            {
                let expected = Expected::AtLeast(u64::from(last.kind.0) + 1);
                let field = "type of a definition";
                found.number(Rule::Definitions, (structure, at), field, expected, kind.0.into());
                break;
            }
            all.push(Definition { kind, flags, least: disk.least.get(), most: disk.most.get() });
            rest = tail;
        }
        let definitions = Self(all);
        for kind in
            [AttributeKind::STANDARD_INFORMATION, AttributeKind::FILE_NAME, AttributeKind::DATA]
        {
            if definitions.get(kind).is_none() {
                let problem = "does not define the types of attributes every file has";
                found.structure(Rule::Definitions, structure, offset, problem);
                return Self::usual();
            }
        }
        definitions
    }

    pub(super) fn get(&self, kind: AttributeKind) -> Option<&Definition> {
        let place = self.0.binary_search_by_key(&kind, |definition| definition.kind).ok()?;
        self.0.get(place)
    }
}
