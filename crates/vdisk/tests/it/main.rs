//! Tests of the crate as its users see it.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod crash_support;
#[cfg(test)]
mod create_crash;
#[cfg(test)]
mod fault_crash;
#[cfg(test)]
mod merge_crash;
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
#[cfg(test)]
mod vhdx_broken;
#[cfg(test)]
mod vhdx_crash;
#[cfg(test)]
mod vhdx_create;
#[cfg(test)]
mod vhdx_differencing;
#[cfg(test)]
mod vhdx_files;
#[cfg(test)]
mod vhdx_log_replay;
#[cfg(test)]
mod vhdx_model;
#[cfg(test)]
mod vhdx_read;
#[cfg(test)]
mod vhdx_write;
