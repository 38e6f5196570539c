//! Tests of the crate as its users see it.

#[cfg(test)]
mod vhd_files;
#[cfg(test)]
mod vhd_support;
