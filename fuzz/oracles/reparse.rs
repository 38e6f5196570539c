//! Reparse data: any bytes are refused or read as a link; a link that can be written is read again as
//! the same link.
//!
//! The first byte chooses the tag; the rest is the data.

use imprint_winvalues::reparse::{Link, TAG_JUNCTION, TAG_SYMBOLIC_LINK};

pub(crate) fn check(bytes: &[u8]) {
    let Some((&choice, data)) = bytes.split_first() else { return };
    let tag = [TAG_SYMBOLIC_LINK, TAG_JUNCTION][usize::from(choice) % 2];
    let Ok(link) = Link::parse(tag, data) else { return };
    assert_eq!(link.tag(), tag);
    // Two long names that share their bytes may not fit when each is written by itself.
    let Ok(written) = link.to_data() else { return };
    assert_eq!(Link::parse(tag, &written), Ok(link));
}
