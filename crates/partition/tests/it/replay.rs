//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/partition_read.rs"]
mod partition_read;

#[path = "../../../../fuzz/oracles/layout_file.rs"]
mod layout_file;

#[test]
fn layouts() {
    replay("layout_file", layout_file::check);
}

#[test]
fn tables() {
    replay("partition_read", partition_read::check);
}
