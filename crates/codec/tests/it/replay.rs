//! What fuzzing found once stays right.

use imprint_codec::Format;
use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/decompress.rs"]
mod decompress;
#[path = "../../../../fuzz/oracles/decompress_lzms.rs"]
mod decompress_lzms;
#[path = "../../../../fuzz/oracles/decompress_lznt1.rs"]
mod decompress_lznt1;
#[path = "../../../../fuzz/oracles/roundtrip.rs"]
mod roundtrip;

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

#[test]
fn lznt1() {
    replay("decompress_lznt1", decompress_lznt1::check);
}
