//! Disk files as the engine handles them: opening chains, and the operations on whole disks.
//!
//! ```text
//!   path ── open_file: detect, lock ──► Container ── open_chain: parents beside it ──► Chain
//!   Chain ── copy: read, leave zeros out ──► writer of any format ── flush, name ──► path
//! ```
//!
//! **Contract.** Nothing a file says is followed: a parent is looked for under its bare name, beside its
//! child and in the folders the caller names. A file is locked while it is open: any number of readers or
//! one writer. New files get their name when they are whole and durable.

mod check;
mod child;
mod compact;
mod convert;
mod copy;
mod early;
mod error;
mod in_use;
mod inspect;
mod make;
mod measure;
mod merge;
mod merge_ahead;
mod open;
mod partition;
mod reshape;
mod room;

pub use check::{Checked, LostRange, check_disk, repair_disk};
pub use child::{children_of, create_child};
pub use compact::{Compacted, compact_disk};
pub use convert::{ConvertTo, Converted, convert_disk};
pub use copy::{CopyOptions, copy_disk};
pub use error::{ChainError, DiskError, LinkFault};
pub use inspect::{DiskInfo, file_room, map_disk};
pub use make::{Naming, Shape, create_disk};
pub use merge::{Merged, merge_disk};
pub use open::{
    Access, ChainLook, ChainOptions, DiskFile, Fresh, Opened, look_at_chain, open_chain,
    open_chain_for_writing, open_file,
};
pub use partition::{
    DiskPartitions, PartitionError, PartitionOptions, Partitioned, disk_partitions, partition_disk,
};
pub use reshape::{rebase_disk, resize_disk};
pub use room::Room;
