//! The engine: everything that holds files is a [`Source`], everything that can receive files is a
//! [`Target`], and capture, apply, export and verify are moves between them.
//!
//! ```text
//!   Source ──scan──► Tree ──read, hash, drop duplicates, compress──► WIM         (capture)
//!   WIM ──► Tree ──decompress in stored order, check──► Target                    (apply)
//! ```
//!
//! **Contract.** What a target cannot keep and what could not be read is data in the [`Outcome`],
//! never a log line. Results do not depend on the number of threads. Memory is bounded by the tree
//! plus a fixed budget of bytes in flight ([`Threads`] gives both).
//!
//! **Limits.** Solid resources and split sets are read, not written.
#![deny(unsafe_code)]

pub mod config;
pub mod host;
mod outcome;
mod source;
mod target;

pub use outcome::{Outcome, SkipReason, Skipped};
pub use source::{ScanOptions, Scanned, Source, SourceError, StreamReader};
pub use target::{BlobUse, Capabilities, Capability, Target, TargetError};
