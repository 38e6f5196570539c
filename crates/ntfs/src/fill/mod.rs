//! A volume made and filled in one go.
//!
//! ```text
//!  Tree, sizes ─► Plan: names, records, the place of every value ─► Filling: data, in any order
//!                                                                      └─► finish: directories, records,
//!                                                                          bitmap, at last the boot sectors
//! ```
//!
//! ```text
//!  boot │ mirror │ definitions, $UpCase, $Secure, indexes │ $Bitmap │ $LogFile │ $MFT, room to grow │ data │ free
//! ```
//!
//! The boot sectors are erased first and written last: in between there is no volume.

mod error;
mod file;
mod finish;
mod names;
mod own;
mod place;
mod plan;
mod secure;
mod sparse;
mod system;
mod write;

pub use error::{FillError, PlanError};
pub(crate) use names::is_short;
pub use names::{Refused, RefusedReason};
pub use plan::{FillOptions, Plan, StreamSize};
pub(crate) use secure::{
    default as default_descriptor, entry_by_hash, entry_by_id, hash as descriptor_hash,
};
pub(crate) use system::attribute_definitions;
pub use write::Filling;
