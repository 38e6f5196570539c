//! File attributes.

use bitflags::bitflags;

bitflags! {
    /// Win32 file attributes, \[MS-FSCC\] 2.6. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Attributes: u32 {
        /// Must not be written.
        const READONLY = 0x1;
        /// Not shown.
        const HIDDEN = 0x2;
        /// Part of the operating system.
        const SYSTEM = 0x4;
        /// A directory.
        const DIRECTORY = 0x10;
        /// Changed since the last backup.
        const ARCHIVE = 0x20;
        /// A device; reserved.
        const DEVICE = 0x40;
        /// None of the others.
        const NORMAL = 0x80;
        /// Short-lived.
        const TEMPORARY = 0x100;
        /// Holes are not allocated.
        const SPARSE_FILE = 0x200;
        /// Has reparse data.
        const REPARSE_POINT = 0x400;
        /// Stored compressed by NTFS.
        const COMPRESSED = 0x800;
        /// Data is not at hand.
        const OFFLINE = 0x1000;
        /// Not to be indexed.
        const NOT_CONTENT_INDEXED = 0x2000;
        /// Encrypted by EFS.
        const ENCRYPTED = 0x4000;
        /// Integrity stream (ReFS).
        const INTEGRITY_STREAM = 0x8000;
        /// Virtual.
        const VIRTUAL = 0x1_0000;
        /// Not to be scrubbed (ReFS).
        const NO_SCRUB_DATA = 0x2_0000;
        /// Recalled on open.
        const RECALL_ON_OPEN = 0x4_0000;
        /// Kept at hand.
        const PINNED = 0x8_0000;
        /// Need not be kept at hand.
        const UNPINNED = 0x10_0000;
        /// Recalled on data access.
        const RECALL_ON_DATA_ACCESS = 0x40_0000;
        // Other bits: kept as they are.
        const _ = !0;
    }
}
