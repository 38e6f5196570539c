//! Tests that can run longer.
//!
//! A test with a count of rounds asks [`rounds`] for it: `cargo test` gets the short count, and
//! `cargo xtask soak NAME` (which sets `IMPRINT_SOAK=1`) the long one.

/// The variable that asks for long runs.
pub const VARIABLE: &str = "IMPRINT_SOAK";

/// Whether long runs are asked for.
#[must_use]
pub fn is_on() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

/// Returns `long` when long runs are asked for, else `short`.
#[must_use]
pub fn rounds(short: u32, long: u32) -> u32 {
    if is_on() { long } else { short }
}
