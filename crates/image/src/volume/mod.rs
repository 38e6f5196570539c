//! Volumes inside of disks: opened by path and partition, filled, read.

mod error;
mod open;
mod target;

pub use error::VolumeError;
pub use open::{VolumePath, WritableVolume, open_for_format};
pub use target::{FormatOptions, NtfsTarget};
