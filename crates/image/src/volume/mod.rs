//! Volumes inside of disks: opened by path and partition, filled, read.

mod error;
mod join;
mod layer;
mod open;
mod source;
mod sweep;
mod target;

pub use error::VolumeError;
pub use layer::{LayerOptions, NtfsLayer};
pub use open::{ReadableVolume, VolumePath, WritableVolume, open_for_writing, open_volume};
pub use source::NtfsSource;
pub use target::{FormatOptions, NtfsTarget};
