//! Files made to do harm, given to every verb: a clear error with its place, little memory, an end in
//! time, and nothing written outside the target.

mod crafted;
mod data;
mod fields;
pub(crate) mod meter;
mod sample;
mod trial;
