//! Tests of the crate as its users see it.
#![expect(clippy::tests_outside_test_module, reason = "this whole binary is tests")]

mod crash;
mod fixtures;
mod hostile;
mod interop;
mod metadata;
mod read;
mod sample;
mod writer;
