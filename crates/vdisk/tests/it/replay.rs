//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/vhdx_open.rs"]
mod vhdx_open;

#[test]
fn vhdx_files() {
    replay("vhdx_open", vhdx_open::check);
}
