//! Values of the Windows world that every format shares: GUIDs, file times, names, attributes,
//! security descriptors, reparse data, and the neutral file tree built from them.
//!
//! ```text
//!   wim ──┐                     ┌── wim
//!  ntfs ──┼──►  tree::Tree  ────┼── ntfs          read into, written from: one type, no conversion
//!  host ──┘  (names, files,     └── host directory
//!             streams, security)
//! ```
//!
//! **Contract.** Everything here is plain data: no I/O, no clock, no allocation that an input's
//! length does not bound. Parsers of foreign bytes return errors with the byte offset.
//!
//! Specifications: \[MS-DTYP\] (GUID, FILETIME, security descriptors), \[MS-FSCC\] (attributes,
//! reparse data).
#![forbid(unsafe_code)]

mod attributes;
mod guid;
mod hash;
mod name;
pub mod reparse;
pub mod security;
mod time;
pub mod tree;
mod upcase;

pub use attributes::Attributes;
pub use guid::{Guid, ParseGuidError};
pub use hash::BlobHash;
pub use name::{NameError, WinName, compare_ignoring_case, fold_case};
pub use time::FileTime;
