//! Partition tables of any device: GPT, MBR with logical partitions, and hybrids of both.
//!
//! Specifications: UEFI 2.10, chapter 5 (GPT, protective MBR, MBR); the chain of extended boot records
//! has none: what Linux and sfdisk do holds.
//!
//! ```text
//!  sector 0 ── no 55 AA ───────────────────────► no table       (unless a whole GPT is there)
//!     │ ────── boot sector of a volume ────────► no table
//!     │ ────── an entry's flag not 00 or 80 ───► no table
//!     │ ────── an entry of type EE ─► GPT: primary ─ damaged? ─► backup
//!     └─────── MBR: 1 to 4 ─► extended boot records: 5, 6, ...
//! ```
//!
//! **Lifecycle.** [`PartitionTable::read`] reads and checks everything once; the table then is plain
//! data. A partition's contents are an [`imprint_blockio::Slice`] of the device.
//!
//! **A volume without a table** has `55 AA` at the end of its first sector as an MBR has. It is told by
//! its beginning: a jump instruction, then the mark of NTFS, exFAT, `ReFS` or BitLocker, or the
//! parameter block of FAT with legal values. No boot program of an MBR begins like that. What else ends
//! with `55 AA` but has a flag other than 00 and 80 in one of its entries is code, as Linux sees it
//! too.
//!
//! **Contract.** Every partition of a table lies inside the device and none overlaps another, except
//! that logical partitions lie inside extended ones. Numbers are those of Linux. What is wrong with a
//! table but can be read around is a [`Warning`]; everything else is an error.
//!
//! **Writing.** What is wished for becomes places, and those become bytes:
//!
//! ```text
//!  Layout (built in, or a file) ─ device size, identifiers ─► Plan ── erase: old table, old volumes
//!                                                               │ ── (the caller fills partitions)
//!  Occupied::look: what would be lost                           └─── write: backup, primary, sector 0
//! ```
//!
//! Cut anywhere in `erase` the device has its old table or none, anywhere in `write` none or the new one.
//!
//! **Limits.** 4 MiB of GPT entries (the usual array has 16 KiB), 256 extended boot records. Logical
//! partitions and boot programs are not written; BSD labels and LDM are not understood.
#![forbid(unsafe_code)]

mod error;
mod file;
mod gpt;
mod kind;
mod layout;
mod mbr;
mod occupied;
mod plan;
mod reader;
mod table;
mod volume;
mod wanted;
mod writer;

pub use error::{
    Corruption, LayoutError, LayoutFault, PlanError, ReadError, Structure, WriteError,
};
pub use kind::PartitionType;
pub use occupied::Occupied;
pub use plan::{Plan, Planned};
pub use table::{GptAttributes, Partition, PartitionTable, TableId, Warning};
pub use wanted::{Contents, Layout, Size, TableKind, Wanted};
