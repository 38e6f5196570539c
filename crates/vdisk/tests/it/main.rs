//! Tests of the crate as its users see it.

#[cfg(test)]
mod vhdx_crash;
#[cfg(test)]
mod vhdx_model;
#[cfg(test)]
mod vhdx_write;
