//! What fuzzing found once stays right.

use std::path::Path;

#[path = "../../../../fuzz/oracles/decompress_lzms.rs"]
mod decompress_lzms;
#[path = "../../../../fuzz/oracles/decompress_lzx.rs"]
mod decompress_lzx;
#[path = "../../../../fuzz/oracles/decompress_xpress.rs"]
mod decompress_xpress;
#[path = "../../../../fuzz/oracles/roundtrip_lzx.rs"]
mod roundtrip_lzx;
#[path = "../../../../fuzz/oracles/roundtrip_xpress.rs"]
mod roundtrip_xpress;

fn replay(target: &str, oracle: fn(&[u8])) {
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
    replay("decompress_lzx", decompress_lzx::check);
}

#[test]
fn xpress() {
    replay("decompress_xpress", decompress_xpress::check);
}

#[test]
fn lzx_there_and_back() {
    replay("roundtrip_lzx", roundtrip_lzx::check);
}

#[test]
fn xpress_there_and_back() {
    replay("roundtrip_xpress", roundtrip_xpress::check);
}
