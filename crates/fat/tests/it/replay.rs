//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/fat_open.rs"]
mod fat_open;

#[test]
fn volumes() {
    replay("fat_open", fat_open::check);
}
