//! Security descriptors and the ids that refer to them.

use imprint_winvalues::Attributes;
use imprint_winvalues::security::SecurityId;
use imprint_winvalues::tree::{File, NameId, Tree};

use super::{Entry, named, only, padded, tree};
use crate::metadata::{TreeDetails, read, security, write};

#[test]
fn security_ids_without_descriptor_are_dropped() {
    let image = tree(&[Entry { security: Some(0), ..named("a") }]);
    assert_eq!(only(&image).security, None);
    assert_eq!(
        image.warnings[0].to_string(),
        "security id 0 was ignored: there are 0 descriptors (at offset 0x78)"
    );
}

#[test]
fn security_descriptors_keep_their_numbers() {
    let mut bytes = Vec::new();
    for word in [48_u32, 3] {
        bytes.extend(word.to_le_bytes());
    }
    for size in [4_u64, 0, 8] {
        bytes.extend(size.to_le_bytes());
    }
    bytes.extend(b"onetthird   ");
    let bytes = padded(bytes);
    let (table, end) = security::read(&bytes).unwrap();
    assert_eq!(table.iter().collect::<Vec<_>>(), [&b"onet"[..], b"", b"third   "]);
    assert_eq!(end, 48);
    let mut again = Vec::new();
    security::write(&table, &mut again).unwrap();
    assert_eq!(again, bytes);
    let mut damaged = bytes;
    damaged[24] = 13;
    let (at, fault) = security::read(&damaged).unwrap_err();
    assert_eq!(
        (at, fault.to_string().as_str()),
        (24, "size of a security descriptor should be at most 12, but is 13")
    );
}

#[test]
fn a_descriptor_that_is_not_there_is_left_out() {
    let mut root = File::default();
    root.attributes = Attributes::DIRECTORY;
    root.security = Some(SecurityId(3));
    let bytes = write(&Tree::new(root), &TreeDetails::default()).unwrap();
    let image = read(&bytes, 1).unwrap();
    assert_eq!(image.warnings, []);
    assert_eq!(image.tree.file_of(NameId::ROOT).unwrap().security, None);
}
