//! Directories of the machine we run on, as a source and as a target.
//!
//! ```text
//!  HostSource ──scan──► Tree        open(location): name number ─► directory handle ─► file
//!  HostTarget ◄─begin── Tree        directories, empty files
//!             ◄─put──── blob        create, write, set times, close: four calls for a small file
//!             ◄─finish─             hard links, symbolic links, directory metadata (children first)
//! ```
//!
//! Both walk by *handle and one name*, never by path: no component can be a symbolic link that was
//! put there in between, and paths may be longer than the system's limit for one call.
//!
//! **What Linux file systems keep** is decided once, when the source or target is opened: an ntfs-3g
//! mount shows what NTFS keeps through `system.ntfs_*` extended attributes; everything
//! else keeps data, times of access and change, links and, if asked, owner, mode and extended
//! attributes.
//!
//! **Choices of the source**, all but the first as wimlib makes them (Source: wimlib 1.14.5,
//! `unix_capture.c`):
//! - creation time is the birth time the file system knows, but never later than the last write:
//!   a copied file keeps the time of its data, so that applying and capturing again gives the same;
//! - a file is `SPARSE_FILE` if fewer blocks are allocated than its size needs, `NORMAL` otherwise;
//! - symbolic links become reparse points, with `DIRECTORY` set if they lead to a directory now;
//! - mounted file systems below the root are entered;
//! - sockets, pipes and devices are kept with owner and mode only, otherwise listed as skipped.
//!
//! **Limits.** A named stream above 64 KiB cannot be moved through ntfs-3g's extended attributes
//! (its `streams_interface=windows` can); data behind a reparse point that is not a link cannot be
//! read through a mount. Both are listed, not dropped.

mod directories;
mod ea;
mod link;
mod ntfs;
mod reader;
mod scan;
mod source;
mod sys;
mod target;
mod xattr;

pub use source::HostSource;
pub use target::{HostTarget, OpenBlob, TargetOptions};
