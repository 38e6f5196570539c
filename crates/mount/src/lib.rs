//! Disks as files: mounts a directory over FUSE in which a whole device and each of its partitions is
//! a file.
//!
//! Specification: the FUSE protocol as Linux documents it in `fuse.h`, spoken by the crate `fuser`
//! without libfuse.
//!
//! ```text
//!   dd, mount -o loop, ntfs-3g, qemu ...             serve_disk(device, partitions, directory)
//!        │ read, write, fsync, lseek                        │
//!     kernel ── /dev/fuse ──► Filesystem ──► DiskFiles ─────┤  disk   the whole device
//!              threads        (protocol)     (what is there)│  p1     a window of it
//!                                                           └  p2     ...
//! ```
//!
//! **Lifecycle.** [`serve_disk`] mounts and returns at once; [`Mounted`] serves until somebody unmounts:
//! the caller ([`Mounted::unmount`], or an [`Unmounter`] from a signal handler's thread), or a user
//! (`fusermount3 -u`, `umount`). Then the device is flushed, and [`Mounted::wait`] returns what that
//! gave. A process that is killed leaves a mount whose files answer "Transport endpoint is not
//! connected", until `fusermount3 -u` or `umount` removes it; what was not flushed is then as after a
//! crash. FUSE's own remedy (`auto_unmount`) would open the files to other users, so it is not used.
//!
//! Another process unmounts with [`find_mount`] and [`FoundMount::unmount`], and learns from the
//! [`Reporter`] of the one that served whether everything was kept.
//!
//! **Contract.**
//! - Files are read-only unless the device is given as [`Writable`]; sizes never change.
//! - Every read and write of any place and length goes to the device; what was written through one
//!   file is at once seen through all others. Files of a read-only mount are kept by the kernel, so
//!   the device must not change under it.
//! - `fsync` flushes the device. A failed flush at the end is an error of [`Mounted::wait`].
//! - Writable files behave as block devices do: opening them to be emptied (`>`, `dd of=`) empties
//!   nothing, writing past the end gives `ENOSPC`, another size is refused with `EINVAL`.
//! - Holes of the device are holes of the files (`SEEK_DATA`, `SEEK_HOLE`): tools that look for them
//!   never read them.
//! - When [`Mounted::wait`] has returned, nothing holds the device any more: one given in an `Arc` is
//!   the caller's alone again.
//! - A program sees `EIO` (or `ENOSPC` if the storage is full); the caller gets the [`Failure`] with all
//!   detail.
//!
//! **Limits.** Only the user who mounts can look inside. Each read of a writable file is a question to
//! this process, so programs that read 512 bytes at a time are slow there; large reads are not.
//! Extended partitions have no file: they only hold others. The files are those of the table at the
//! time of mounting. Writable files can only be mapped into shared memory from Linux 6.6 on. What the
//! files hold, a file system or not, is no matter of this crate; trees of files (images of a WIM) can
//! be served by another `FileSet`.
#![forbid(unsafe_code)]

mod buffers;
mod error;
mod files;
mod filesystem;
mod leave;
mod mounted;
mod report;
mod served;

pub use error::{Action, Failure, FindError, MountError, ServeError, UnmountError};
pub use leave::{Ended, FoundMount, Leaving, find_mount};
pub use mounted::{Mounted, Options, Unmount, Unmounter, serve_disk};
pub use report::{Report, Reporter};
pub use served::{ReadOnly, Served, Writable};
