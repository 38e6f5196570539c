//! The contents of the volume's own files.

use imprint_winvalues::{FileTime, fold_case};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use super::secure::administrators;
use crate::AttributeKind;
use crate::crc::crc64;
use crate::encode::view_entry;
use crate::layout::{AttributeDefinitionDisk, UpCaseInfoDisk};

/// What `$AttrDef` says of each type: name, type, flags, least and most bytes.
///
/// Source: a volume made by mkntfs; Windows makes the same since NTFS 3.0.
const DEFINITIONS: [(&str, AttributeKind, u32, u64, u64); 15] = {
    use AttributeKind as K;
    const ANY: u64 = u64::MAX;
    [
        ("$STANDARD_INFORMATION", K::STANDARD_INFORMATION, 0x40, 48, 72),
        ("$ATTRIBUTE_LIST", K::ATTRIBUTE_LIST, 0x80, 0, ANY),
        ("$FILE_NAME", K::FILE_NAME, 0x42, 68, 578),
        ("$OBJECT_ID", K::OBJECT_ID, 0x40, 0, 256),
        ("$SECURITY_DESCRIPTOR", K::SECURITY_DESCRIPTOR, 0x80, 0, ANY),
        ("$VOLUME_NAME", K::VOLUME_NAME, 0x40, 2, 256),
        ("$VOLUME_INFORMATION", K::VOLUME_INFORMATION, 0x40, 12, 12),
        ("$DATA", K::DATA, 0, 0, ANY),
        ("$INDEX_ROOT", K::INDEX_ROOT, 0x40, 0, ANY),
        ("$INDEX_ALLOCATION", K::INDEX_ALLOCATION, 0x80, 0, ANY),
        ("$BITMAP", K::BITMAP, 0x80, 0, ANY),
        ("$REPARSE_POINT", K::REPARSE_POINT, 0x80, 0, 16384),
        ("$EA_INFORMATION", K::EA_INFORMATION, 0x40, 8, 8),
        ("$EA", K::EA, 0, 0, 65536),
        ("$LOGGED_UTILITY_STREAM", K::LOGGED_UTILITY_STREAM, 0x80, 0, 65536),
    ]
};

/// The data of `$AttrDef`.
pub(crate) fn attribute_definitions() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, flags, least, most) in DEFINITIONS {
        let mut units = [U16::ZERO; 64];
        units.iter_mut().zip(name.encode_utf16()).for_each(|(place, unit)| *place = unit.into());
        let definition = AttributeDefinitionDisk {
            name: units,
            kind: kind.0.into(),
            display_rule: 0.into(),
            collation: 0.into(),
            flags: flags.into(),
            least: least.into(),
            most: most.into(),
        };
        bytes.extend_from_slice(definition.as_bytes());
    }
    // One of zeros ends it.
    bytes.resize(bytes.len() + size_of::<AttributeDefinitionDisk>(), 0);
    bytes
}

/// The data of `$UpCase`, and of its stream `$Info`.
pub(super) fn upper_case() -> (Vec<u8>, [u8; 32]) {
    let table: Vec<u8> = (0..=u16::MAX).flat_map(|unit| fold_case(unit).to_le_bytes()).collect();
    let info = UpCaseInfoDisk {
        size: 32.into(),
        reserved: 0.into(),
        crc: crc64(&table).into(),
        version: [0.into(); 3],
        service_pack: [0.into(); 2],
    };
    (table, zerocopy::transmute!(info))
}

/// The entries of `$Quota`: `$O`, then `$Q`. Quotas are off; without these entries Windows makes them.
pub(super) fn quota(now: FileTime) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let control = |sid: &[u8]| {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&2_u32.to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        for value in [0, now.0, u64::MAX, u64::MAX, 0] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(sid);
        bytes
    };
    let owner = administrators();
    let by_sid = view_entry(&owner, &0x100_u32.to_le_bytes());
    let defaults = view_entry(&1_u32.to_le_bytes(), &control(&[]));
    let administrators = view_entry(&0x100_u32.to_le_bytes(), &control(&owner));
    (vec![by_sid], vec![defaults, administrators])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_whole() {
        assert_eq!(attribute_definitions().len(), 2560);
    }
}
