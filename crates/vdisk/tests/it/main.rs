//! Tests of the crate as its users see it.

#[cfg(test)]
mod replay;
#[cfg(test)]
mod vhd_crash;
#[cfg(test)]
mod vhd_files;
#[cfg(test)]
mod vhd_judges;
#[cfg(test)]
mod vhd_support;
