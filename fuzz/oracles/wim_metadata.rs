//! Metadata: any bytes are refused or read; what was read and can be written is read again as the same
//! tree, and written again as the same bytes.

use imprint_wim::{TreeWarning, metadata};

pub(crate) fn check(bytes: &[u8]) {
    let Ok(image) = metadata::read(bytes, 1) else { return };
    assert!(image.tree.names().len() <= bytes.len() / 100 + 1, "entries out of nowhere");
    let Ok(written) = metadata::write(&image.tree, &image.details) else { return };
    let again = metadata::read(&written, 1).expect("what was written can be read");
    // Damaged tagged items are kept as they are; everything else was put right.
    let only_items = again.warnings.iter().all(|w| matches!(w, TreeWarning::TaggedItems { .. }));
    assert!(only_items, "{:?}", again.warnings);
    assert_eq!(again.tree.names().len(), image.tree.names().len());
    let twice = metadata::write(&again.tree, &again.details).expect("it can be written again");
    assert!(twice == written, "the second writing differs from the first");
}
