//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/partition_read.rs"]
mod partition_read;

#[test]
fn tables() {
    replay("partition_read", partition_read::check);
}
