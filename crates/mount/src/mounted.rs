//! Mounting, serving and unmounting.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;
use std::{fmt, io, thread};

use fuser::{Config, MountOption, Session};
use imprint_partition::Partition;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use crate::buffers::Buffers;
use crate::files::{DiskFiles, FileSet, Node, ROOT};
use crate::filesystem::{Adapter, Listener};
use crate::{Failure, MountError, ServeError, Served, UnmountError};

/// How to serve.
pub struct Options {
    /// How many requests are worked on at once; at least 1. Each thread takes some MiB at most.
    pub threads: usize,
    /// The time all files show.
    pub modified: SystemTime,
    /// What the list of mounts calls it; no commas. [`crate::Reporter::source`] makes one by which the
    /// mount is found again.
    pub source: String,
    /// Gets everything that fails while files are served, at once, from any thread. It must not touch
    /// the mounted files.
    pub on_failure: Box<dyn Fn(&Failure) + Send + Sync>,
}

impl Default for Options {
    /// Four threads, the first day of Unix, and nobody who listens.
    fn default() -> Self {
        Self {
            threads: 4,
            modified: SystemTime::UNIX_EPOCH,
            source: "imprint".to_owned(),
            on_failure: Box::new(|_| ()),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, modified, source, on_failure: _ } = self;
        f.debug_struct("Options")
            .field("threads", threads)
            .field("modified", modified)
            .field("source", source)
            .finish_non_exhaustive()
    }
}

/// Mounts a device at a directory: as the file `disk`, and each of `partitions` that is not extended
/// as a file `p` and its number. Serving goes on in threads of its own.
///
/// # Errors
/// If the partitions are not on the device, or the mount is refused.
pub fn serve_disk(
    device: impl Served,
    partitions: &[Partition],
    at: &Path,
    options: Options,
) -> Result<Mounted, MountError> {
    serve(DiskFiles::new(device, partitions)?, at, options)
}

fn serve(files: impl FileSet, at: &Path, options: Options) -> Result<Mounted, MountError> {
    let no_directory = |source| MountError::Directory { at: at.to_owned(), source };
    let at = &std::path::absolute(at).map_err(no_directory)?;
    if !at.metadata().map_err(no_directory)?.is_dir() {
        return Err(no_directory(io::ErrorKind::NotADirectory.into()));
    }
    check_fuse().map_err(MountError::NoFuse)?;
    let files = Arc::new(files);
    let listener: Listener = Arc::from(options.on_failure);
    let adapter = Adapter {
        files: Arc::clone(&files),
        listener: Arc::clone(&listener),
        modified: options.modified,
        owner: (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()),
        buffers: Buffers::default(),
    };
    let mut config = Config::default();
    let write = if files.is_writable() { MountOption::RW } else { MountOption::RO };
    config.mount_options = vec![MountOption::FSName(options.source), MountOption::NoExec, write];
    config.n_threads = Some(options.threads.max(1));
    let session = Session::new(adapter, at, &config).map_err(|source| match source.kind() {
        // The directory and the device are there, so it is the program that is not.
        io::ErrorKind::NotFound => MountError::NoHelper(source),
        _ => MountError::Mount { at: at.clone(), source },
    })?;
    let shown = shown(&*files);
    let ended = Arc::new(AtomicBool::new(false));
    let unmounter = Unmounter { at: at.as_path().into(), ended: Arc::clone(&ended) };
    let thread = thread::Builder::new()
        .name("mount".to_owned())
        .spawn(move || {
            // Unmounting may meet a thread that waits for requests in the middle of its call: the kernel
            // then says this instead of that the device is gone.
            let served = session.run().or_else(|error| match error.kind() {
                io::ErrorKind::ConnectionAborted => Ok(()),
                _ => Err(error),
            });
            ended.store(true, Ordering::Release);
            let flushed = files.flush().inspect_err(|failure| listener(failure));
            match (flushed, served) {
                (Err(Failure::Flush { source } | Failure::Access { source, .. }), _) => {
                    Err(ServeError::Flush(source))
                }
                (Ok(()), served) => served.map_err(ServeError::Session),
            }
        })
        .map_err(MountError::Thread)?;
    Ok(Mounted { thread: Some(thread), unmounter, files: shown })
}

/// Whether this process may speak FUSE with the kernel. Root mounts with the device itself, and so
/// must be able to open it; others have a program that does.
fn check_fuse() -> io::Result<()> {
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    device.map(drop)
}

/// Names and sizes of the files at the top.
fn shown(files: &impl FileSet) -> Vec<(String, u64)> {
    let entries = (0..).map_while(|index| files.entry(ROOT, index));
    let sizes = entries.map(|(node, name)| match files.node(node) {
        Some(Node::File { size, .. }) => (name.to_string_lossy().into_owned(), size),
        Some(Node::Directory) | None => (name.to_string_lossy().into_owned(), 0),
    });
    sizes.collect()
}

/// A mounted device, served until it is unmounted.
///
/// Dropping it unmounts. If a file is still open then, the directory goes at once, and serving ends
/// when the last file is closed; what fails from then on is only told to [`Options::on_failure`].
#[derive(Debug)]
pub struct Mounted {
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    unmounter: Unmounter,
    files: Vec<(String, u64)>,
}

impl Mounted {
    /// Where it is mounted, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.unmounter.at
    }

    /// The names of the files, and how many bytes each has.
    #[must_use]
    pub fn files(&self) -> &[(String, u64)] {
        &self.files
    }

    /// What unmounts it from elsewhere, such as the thread that waits for signals.
    #[must_use]
    pub fn unmounter(&self) -> Unmounter {
        self.unmounter.clone()
    }

    /// Unmounts; [`Self::wait`] then says how it ended.
    ///
    /// # Errors
    /// [`UnmountError::Busy`] if a file is open; it goes on serving then.
    pub fn unmount(&self) -> Result<(), UnmountError> {
        self.unmounter.unmount(Unmount::WhenUnused)
    }

    /// Waits until it is unmounted, by whomever, and the device is flushed.
    ///
    /// # Errors
    /// [`ServeError::Flush`] if writes may be lost.
    pub fn wait(mut self) -> Result<(), ServeError> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or(Err(ServeError::Died)),
            None => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.unmount().is_ok() {
            // Whoever wants the result calls `wait`.
            let _told_to_the_listener = thread.join();
        } else {
            let _nothing_left_to_do = self.unmounter.unmount(Unmount::Detach);
        }
    }
}

/// How to unmount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmount {
    /// Only if no program uses it.
    WhenUnused,
    /// The directory goes at once. Open files are served until they are closed.
    Detach,
}

/// Unmounts a [`Mounted`] from any thread.
#[derive(Clone, Debug)]
pub struct Unmounter {
    at: Arc<Path>,
    /// The mount is gone, and its directory may be somebody else's.
    ended: Arc<AtomicBool>,
}

impl Unmounter {
    /// Unmounts. If that was done already, this does nothing.
    ///
    /// # Errors
    /// [`UnmountError::Busy`] if a program uses it, unless it is to be detached.
    pub fn unmount(&self, how: Unmount) -> Result<(), UnmountError> {
        if self.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        unmount_at(&self.at, how, &|| self.ended.load(Ordering::Acquire))
    }
}

/// Unmounts whatever is mounted at a directory; `has_ended` says whether that was done by another
/// meanwhile.
pub(crate) fn unmount_at(
    at: &Path,
    how: Unmount,
    has_ended: &dyn Fn() -> bool,
) -> Result<(), UnmountError> {
    let flags = match how {
        Unmount::WhenUnused => UnmountFlags::empty(),
        Unmount::Detach => UnmountFlags::DETACH,
    };
    match rustix::mount::unmount(at, flags) {
        // Not a mount point: somebody was faster.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(Errno::BUSY) => Err(UnmountError::Busy { at: at.to_owned() }),
        // Only root may; others have a program for it.
        Err(Errno::PERM) => ask_fusermount(at, how, has_ended),
        Err(errno) => Err(UnmountError::Refused { at: at.to_owned(), source: errno.into() }),
    }
}

fn ask_fusermount(
    at: &Path,
    how: Unmount,
    has_ended: &dyn Fn() -> bool,
) -> Result<(), UnmountError> {
    let refused = |source| UnmountError::Refused { at: at.to_owned(), source };
    let mut command = Command::new("fusermount3");
    command.arg("-u").args((how == Unmount::Detach).then_some("-z")).arg("--").arg(at);
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let output = output.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => UnmountError::NoHelper(source),
        _ => refused(source),
    })?;
    if output.status.success() || has_ended() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("busy") {
        return Err(UnmountError::Busy { at: at.to_owned() });
    }
    Err(refused(io::Error::other(said.trim().to_owned())))
}
