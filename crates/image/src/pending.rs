//! Files that appear under their name only when they are whole.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use fs_err::File;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

/// A file being written. Until [`Self::commit`] it has no name, or, where the file system cannot do
/// that, a hidden one ending in `.partial`; dropped before that, it is gone.
///
/// A process that is killed leaves nothing behind, or a `.partial` file: an unfinished one, or in the
/// moment before it replaces another, a whole one.
#[derive(Debug)]
pub struct PendingFile {
    file: File,
    target: PathBuf,
    /// The name it has meanwhile.
    partial: Option<PathBuf>,
}

impl PendingFile {
    /// Begins a file that is to become `target`. `unique` makes the hidden name unique: a random
    /// number.
    ///
    /// # Errors
    /// Whatever the system reports; the path is in the message.
    pub fn create(target: &Path, unique: u64) -> io::Result<Self> {
        let target = std::path::absolute(target)?;
        let directory = directory_of(&target);
        let mode = Mode::from_raw_mode(0o666);
        let nameless = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(fd) = rustix::fs::openat(CWD, directory, nameless, mode) {
            let file = File::from_parts(fd.into(), &target);
            return Ok(Self { file, target, partial: None });
        }
        let partial = hidden_name(&target, unique);
        let file = File::options().read(true).write(true).create_new(true).open(&partial)?;
        Ok(Self { file, target, partial: Some(partial) })
    }

    /// The file.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, replacing what had it, and makes that durable. The contents must
    /// have been flushed before.
    ///
    /// # Errors
    /// Whatever the system reports; what had the name before then still has it.
    pub fn commit(mut self, unique: u64) -> io::Result<()> {
        let partial = match self.partial.take() {
            Some(partial) => partial,
            None => match link_nameless(&self.file, &self.target) {
                Ok(()) => return sync_directory(directory_of(&self.target)),
                // A link cannot replace what has the name; a renamed file can.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let partial = hidden_name(&self.target, unique);
                    link_nameless(&self.file, &partial)?;
                    partial
                }
                Err(error) => return Err(error),
            },
        };
        if let Err(error) = fs_err::rename(&partial, &self.target) {
            self.partial = Some(partial);
            return Err(error);
        }
        sync_directory(directory_of(&self.target))
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // Nothing is lost if it stays: its name says what it is.
            fs_err::remove_file(partial).unwrap_or_default();
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn hidden_name(target: &Path, unique: u64) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{unique:016x}.partial"));
    target.with_file_name(name)
}

/// Names a nameless file through its entry in /proc, which needs no privilege.
fn link_nameless(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let entry = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let result = rustix::fs::linkat(CWD, entry, CWD, path, AtFlags::SYMLINK_FOLLOW);
    result.map_err(|error| {
        io::Error::new(error.kind(), format!("failed to name file `{}`: {error}", path.display()))
    })
}

/// Makes the entries of a directory durable.
///
/// # Errors
/// Whatever the system reports.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
