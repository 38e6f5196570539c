//! The log: changes of the metadata that are in the file but not yet in their places.

mod overlay;

pub(crate) use overlay::Overlay;
