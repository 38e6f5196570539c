//! What fuzzing found once stays right.

use std::path::Path;

use imprint_codec::Format;

#[path = "../../../../fuzz/oracles/decompress.rs"]
mod decompress;
#[path = "../../../../fuzz/oracles/decompress_lzms.rs"]
mod decompress_lzms;
#[path = "../../../../fuzz/oracles/roundtrip.rs"]
mod roundtrip;

fn replay(target: &str, oracle: impl Fn(&[u8])) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let count = imprint_testkit::replay(&workspace, target, oracle);
    assert!(count > 0, "no input for {target}");
}

#[test]
fn lzms() {
    replay("decompress_lzms", decompress_lzms::check);
}

#[test]
fn lzx() {
    replay("decompress_lzx", |bytes| decompress::check(Format::Lzx, 32768, bytes));
}

#[test]
fn xpress() {
    replay("decompress_xpress", |bytes| decompress::check(Format::Xpress, 65536, bytes));
}

#[test]
fn lzx_there_and_back() {
    replay("roundtrip_lzx", |bytes| roundtrip::check(Format::Lzx, 32768, bytes));
}

#[test]
fn xpress_there_and_back() {
    replay("roundtrip_xpress", |bytes| roundtrip::check(Format::Xpress, 65536, bytes));
}
