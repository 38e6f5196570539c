//! XML data: any bytes are refused or read; what was read is written and read again as the same
//! document, and setting what it says of an image changes nothing.

use imprint_wim::WimInfo;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(mut info) = WimInfo::parse(bytes, 208) else { return };
    let written = info.to_bytes();
    let again = WimInfo::parse(&written, 208).expect("what was written can be read");
    assert!(again.to_bytes() == written, "the second writing differs from the first");
    assert_eq!(again.image_count(), info.image_count());
    for index in 1..=info.image_count() {
        let image = info.image(index).expect("images are numbered");
        assert_eq!(again.image(index).as_ref(), Some(&image));
        // A value may hold characters that XML forbids and other parsers let pass.
        if info.set_image(index, &image).is_ok() {
            assert_eq!(info.image(index), Some(image));
        }
        let _refused = info.set_property(index, "WINDOWS/LANGUAGES/LANGUAGE[2]", "x");
    }
}
