//! NTFS volumes, read and made without a driver.
//!
//! Specification: there is none; the documentation of libfsntfs and the headers of ntfs-3g describe what
//! Windows does.
//!
//! ```text
//!  boot sector ─► Geometry ─► `$MFT` ─► FileRecord ─► Attribute ─► Value: in the record
//!                                                                      or Run, Run, Run
//!  sweep: every record in order ─► Swept: names, times, streams; the caller joins them to a tree
//! ```
//!
//! **Contract.** Everything on a volume is hostile: counts and places are held against what holds them before
//! they are used. An error names the record, the attribute, the field, what it should be and is, and the byte
//! of the volume where it stands.
//!
//! **Filling.** [`Plan`] lays out a volume for a tree of files before the first byte of data comes; [`Filling`] takes
//! the data from any number of threads and makes the volume whole at the end.
//!
//! **Compressed files.** [`Volume::read_value`] decompresses LZNT1; what Windows itself compressed beside a file is read
//! by [`Volume::system_reader`], which [`Swept::overlay`] leads to.
//!
//! **State.** [`Volume::state`] says whether a volume was left in order; one that was not must not be changed.
//!
//! **Limits.** NTFS 3.0 and 3.1, sectors of 256 to 4096 bytes, clusters of up to 2 MiB, file records of up to
//! 4 KiB.
#![forbid(unsafe_code)]

mod attribute;
mod boot;
mod check;
mod clusters;
mod crc;
mod directory;
mod edit;
mod encode;
mod error;
mod facts;
mod file;
mod fill;
mod information;
mod layout;
mod list;
mod node;
mod objects;
mod record;
mod runs;
mod secure;
mod sweep;
mod units;
mod upcase;
mod used;
mod value;
mod volume;
mod wof;

pub use attribute::{Attribute, Attributes, NonResident, Value};
pub use boot::Geometry;
pub use check::{
    CheckError, Finding, Problem, RepairError, RepairOptions, Repaired, Report, Rule, Severity,
    Step, Subject, Summary, check, repair,
};
pub use clusters::{Clusters, Piece};
pub use directory::{Directory, Entries};
pub use edit::{
    EditError, EditOptions, Editor, NameError, NewFile, Reasons, Reserved, Staged, is_interrupted,
    mark_clean, recover,
};
pub use error::{AttributeKind, Corruption, ReadError, Structure};
pub use facts::{FileName, Namespace, StandardInformation};
pub use file::{File, FileAttribute, FileValue};
pub use fill::{
    FillError, FillOptions, Filling, Plan, PlanError, Refused, RefusedReason, StreamSize,
};
pub use information::{
    Hibernation, LogState, Unclean, VolumeFlags, VolumeInformation, VolumeState,
};
pub use node::DirectoryEntry;
pub use objects::BirthIds;
pub use record::{FileRecord, FileReference};
pub use runs::{Run, write_runs};
pub use secure::SecurityIndex;
pub use sweep::{Swept, SweptExtras, SweptLoss, SweptStream, SweptValue};
pub use units::{Lcn, RecordNumber, Vcn};
pub use upcase::UpCase;
pub use used::{Bits, UsedRange, UsedRanges};
pub use volume::Volume;
pub use wof::{Overlay, SystemData, SystemFormat, SystemReader};
