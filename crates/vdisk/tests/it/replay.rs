//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/vhd_open.rs"]
mod vhd_open;
#[path = "../../../../fuzz/oracles/vhdx_open.rs"]
mod vhdx_open;

#[test]
fn whole_vhd_files() {
    replay("vhd_open", vhd_open::check);
}

#[test]
fn whole_vhdx_files() {
    replay("vhdx_open", vhdx_open::check);
}
