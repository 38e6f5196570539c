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
//! plus a fixed budget of bytes in flight (the threads' codecs).
//!
//! **Limits.** Solid resources and split sets are read, not written.
#![deny(unsafe_code)]

mod apply;
mod blobs;
mod buffers;
mod capture;
mod chain;
pub mod config;
pub mod disk;
mod encode;
mod export;
mod files;
pub mod host;
mod outcome;
mod pending;
mod pipeline;
mod source;
mod target;
mod verify;
pub mod volume;

pub use apply::{Applied, ApplyError, apply};
pub use capture::{
    CaptureError, CaptureRequest, Captured, Earlier, StoreOptions, Stored, capture,
    reuse_unchanged, store,
};
pub use export::{ExportError, ExportImage, ExportOptions, Exported, export};
pub use files::{
    Entropy, FileError, NewWim, Rebuild, append_to, change_wim, default_threads, open_wim, rebuild,
};
pub use outcome::{Outcome, SkipReason, Skipped};
pub use pending::PendingFile;
pub use source::{ScanOptions, Scanned, Source, SourceError, StreamReader};
pub use target::{BlobUse, Capabilities, Capability, Coming, Target, TargetError};
pub use verify::{VerifyFault, VerifyReport, verify};

#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod memory;
