//! What a tree has no place for.

use super::{LIST, REPARSE, image, named, only};
use crate::metadata::{entry, read, write};

#[test]
fn what_a_tree_has_no_place_for_is_kept_beside_it() {
    let mut entry = named("file");
    entry.attributes = REPARSE;
    entry.union = [0x0c, 0, 0, 0xa0, 7, 0, 5, 0x80];
    entry.tail = vec![9, 0, 0, 0, 2, 0, 0, 0, 1, 2, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee];
    let mut bytes = image(&[entry], &[]);
    let at = usize::try_from(LIST).unwrap();
    bytes[at + 0x54] = 0x77;
    let read_image = read(&bytes, 1).unwrap();
    let info = only(&read_image).reparse.unwrap();
    assert_eq!((info.tag, info.reserved, info.not_fixed), (0xa000_000c, 7, true));
    let details = &read_image.details;
    assert_eq!(details.unknown_54.values().collect::<Vec<_>>(), [&0x77]);
    assert_eq!(details.reparse_flags.values().collect::<Vec<_>>(), [&0x8004]);
    assert_eq!(details.tails.len(), 1, "its padding is not zero");
    let same = write(&read_image.tree, details).unwrap();
    assert_eq!(same[at + 0x54..at + 0x60], bytes[at + 0x54..at + 0x60]);
    let tail = |bytes: &[u8]| entry::parse(bytes, LIST).unwrap().unwrap().tail.to_vec();
    assert_eq!(tail(&same), tail(&bytes));

    // Once the tree says otherwise, the tree counts.
    let mut changed = read_image.tree.clone();
    let file = changed.name(changed.find("file").unwrap()).unwrap().file();
    changed.file_mut(file).unwrap().extras_mut().unknown_items[0].tag = 10;
    let other = tail(&write(&changed, details).unwrap());
    assert_eq!(other, [10, 0, 0, 0, 2, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0]);
}
