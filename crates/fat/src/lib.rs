//! FAT32 volumes without a driver: made, read and changed on any device.
//!
//! Specification: Microsoft, *FAT: General Overview of On-Disk Format* 1.03.
//!
//! ```text
//!  boot sector ─ information ─ copies ─ FAT ─ FAT ─ clusters: directories and files
//!       │                              │ a number per cluster: the next one of its chain
//!       └── measures, checked once     └── pages of 4 KiB, held while in use
//! ```
//!
//! **Lifecycle.** [`FormatPlan`] makes a volume. [`Volume::open`] checks the measures; directories are
//! listed, files read through their resolved [`Data`]. [`Volume::make`] adds entries,
//! [`Volume::allocate`] gives them room, [`Volume::flush`] ends the work.
//!
//! **Contract.** Whatever the bytes are, nothing panics or runs for ever: a chain has at most as many
//! clusters as there are, a directory at most 65,536 entries. The volume is marked as not closed before
//! anything changes, and as closed by `flush`. Times have no zone on FAT; they are taken as UTC.
//!
//! **Limits.** FAT12 and FAT16 are refused. Names that only DOS code pages other than 437 can spell are
//! misread if there is no long name. Files end below 4 GiB.
#![forbid(unsafe_code)]

mod change;
mod entry;
mod error;
mod format;
mod geometry;
mod layout;
mod name;
mod table;
mod time;
mod volume;

pub use change::{Made, New};
pub use entry::{Entry, Listing, Place};
pub use error::{Corruption, FormatError, NameFault, ReadError, Structure, WriteError};
pub use format::{FormatOptions, FormatPlan};
pub use volume::{Data, Directory, Volume};
