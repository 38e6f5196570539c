//! Everything the fuzz target of the log was fed or has found, run through what it demands.

#[expect(clippy::redundant_pub_crate, reason = "the oracle is shared with the fuzz target")]
#[path = "../../../../fuzz/oracles/vhdx_log.rs"]
mod vhdx_log;

#[test]
fn logs_are_shown_as_they_are_replayed() {
    imprint_testkit::replay("vhdx_log", vhdx_log::check);
}
