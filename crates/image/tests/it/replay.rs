//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/capture_config.rs"]
mod capture_config;
#[path = "../../../../fuzz/oracles/reparse.rs"]
mod reparse;

#[test]
fn capture_configurations() {
    replay("capture_config", capture_config::check);
}

#[test]
fn reparse_data() {
    replay("reparse", reparse::check);
}
