//! Virtual disks: raw, VHD and VHDX, fixed, dynamic and differencing, and chains of them.
//!
//! Specifications: \[MS-VHDX\]; Microsoft, *Virtual Hard Disk Image Format Specification* 1.0.
//!
//! ```text
//!   Chain ── leaf ─► parent ─► ... ─► base          a BlockDevice: read, write to the leaf
//!              │        │              │
//!              └── Container::resolve ─┘             Data{offset} | Zero | Parent
//!                       │
//!         Raw      Vhd / VhdWriter      Vhdx / VhdxWriter
//!                       │                     │
//!                    Pages: the metadata kept in memory, what is changed and not yet written
//! ```
//!
//! **Lifecycle.** [`detect`] says what a file is. A reader ([`Raw`]) serves any number of threads. A writer is given the identifiers it
//! may need; it first changes the disk's identity, so that children notice; `allocate` makes room and
//! says where the caller writes the bytes; `commit` makes them durable and then says so in the
//! metadata.
//!
//! **Contract.** Containers resolve ranges, callers move bytes; [`Chain`] does both for whoever just
//! wants a device. After a crash at any moment a disk opens, everything committed is there, and
//! sectors nobody wrote have their old contents. Nothing in a file is followed: a parent's name is
//! only ever the name of a file, without folders, and it is the caller who looks for it.
//!
//! **Limits.** Memory per open file is a few MiB whatever the file says. No threads, no clock, no
//! randomness, no opening of files: they are handed in.
#![forbid(unsafe_code)]

mod chain;
mod check;
mod container;
mod create;
mod detect;
mod error;
mod merge;
mod pages;
mod parent;
mod raw;
mod recall;
mod reshape;
mod vhd;
mod vhdx;

pub use chain::{Chain, ChainBuilder, LinkError, MAX_DEPTH, check_link};
pub use check::{Finding, Severity, check_overlaps};
pub use container::{Container, Format, Kind, Placed, WritableContainer, WriteIds};
pub use create::{NewDisk, NewParent};
pub use detect::detect;
pub use error::{
    Corruption, CreateError, OpenError, ReadError, RefusedWrite, ReshapeError, Structure,
    WriteError,
};
pub use merge::{
    MERGE_PIECE, MergeError, MergeStep, begin_merge, finish_merge, merge, merge_steps, read_merged,
};
pub use parent::{ParentLink, ParentPath, PathKind};
pub use raw::Raw;
pub use reshape::Reshape;
pub use vhd::{Vhd, VhdWriter, check_vhd, create_vhd};
pub use vhdx::{Vhdx, VhdxWriter, check_vhdx, create_vhdx};
