//! The independent programs that judge our output.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Output, Stdio};

/// Which Debian package a program comes from. `./test` installs them all.
const PACKAGES: [(&str, &str); 48] = [
    ("wimlib-imagex", "wimtools"),
    ("7z", "7zip"),
    ("7zz", "7zip"),
    ("7zr", "7zip"),
    ("mkntfs", "ntfs-3g"),
    ("ntfs-3g", "ntfs-3g"),
    ("ntfscat", "ntfs-3g"),
    ("ntfscp", "ntfs-3g"),
    ("ntfsinfo", "ntfs-3g"),
    ("ntfsfix", "ntfs-3g"),
    ("ntfsresize", "ntfs-3g"),
    ("ntfslabel", "ntfs-3g"),
    ("ntfsls", "ntfs-3g"),
    ("fusermount3", "fuse3"),
    ("getfattr", "attr"),
    ("setfattr", "attr"),
    ("getfacl", "acl"),
    ("setfacl", "acl"),
    ("python3", "python3"),
    ("mkfs.ext4", "e2fsprogs"),
    ("debugfs", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("sfdisk", "fdisk"),
    ("sgdisk", "gdisk"),
    ("fdisk", "fdisk"),
    ("parted", "parted"),
    ("fsck.vfat", "dosfstools"),
    ("mkfs.vfat", "dosfstools"),
    ("mdir", "mtools"),
    ("mcopy", "mtools"),
    ("mtype", "mtools"),
    ("strace", "strace"),
    ("qemu-img", "qemu-utils"),
    ("qemu-io", "qemu-utils"),
    ("vhdiinfo", "libvhdi-utils"),
    ("vhdimount", "libvhdi-utils"),
    ("bzip2", "bzip2"),
    ("xz", "xz-utils"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("setpriv", "util-linux"),
    ("grub-mkimage", "grub-common"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("dd", "coreutils"),
    ("fls", "sleuthkit"),
    ("istat", "sleuthkit"),
    ("icat", "sleuthkit"),
    ("fsstat", "sleuthkit"),
];

/// Returns the path of an installed program.
///
/// # Panics
/// If it is not installed, with the command that installs it: a test without its judge proves
/// nothing, so it fails.
#[must_use]
#[track_caller]
pub fn require(program: &str) -> PathBuf {
    require_any(&[program])
}

/// Returns the path of the first of `programs` that is installed, for those that go by several names
/// (`7zz` and `7z`).
///
/// # Panics
/// If none is, with the command that installs the first.
#[must_use]
#[track_caller]
pub fn require_any(programs: &[&str]) -> PathBuf {
    programs.iter().find_map(|program| find(program)).unwrap_or_else(|| {
        let wanted = programs.first().copied().unwrap_or_default();
        let package = PACKAGES.iter().find(|(name, _)| *name == wanted);
        let package = package.map_or(wanted, |(_, package)| package);
        panic!("{wanted} is needed by this test; install it: apt-get install {package}")
    })
}

/// Returns the Python that has the packages of `scripts/requirements.txt`. `./test` puts it into
/// `imprint/python` in the user's cache (`XDG_CACHE_HOME`, else `.cache` in `HOME`).
///
/// # Panics
/// If it is not there, with what puts it there.
#[must_use]
#[track_caller]
pub fn python() -> PathBuf {
    let home = env::var_os("HOME").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let python = cache.join("imprint/python/bin/python3");
    assert!(
        python.is_file(),
        "the Python of scripts/requirements.txt is needed by this test, and is not {}; ./test \
         installs it, or alone: bash -c '. scripts/setup.sh && setup_python'",
        python.display()
    );
    python
}

/// Looks a program up in `PATH` and in the directories of system programs, which the `PATH` of an
/// ordinary user may lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Runs a program that must succeed and returns what it printed on standard output.
///
/// Programs run with `LC_ALL=C`, so that their words are those the tests compare.
///
/// # Panics
/// If it cannot be started or does not exit with 0; the message holds the command, its status and
/// the beginning of what it printed.
#[track_caller]
pub fn run<I, S>(program: &Path, arguments: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(arguments);
    let output = output(&mut command);
    if !output.status.success() {
        let (printed, errors) = (Shown(&output.stdout), Shown(&output.stderr));
        panic!("{command:?} failed: {}\n{printed}{errors}", output.status);
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a program to its end and returns its status and all it printed, whether it succeeded or not.
///
/// # Panics
/// If it cannot be started.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    let result = command.env("LC_ALL", "C").output();
    result.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

/// Runs a program that must succeed and gives what it prints on standard output to `take` as it comes, which
/// takes all of it.
///
/// # Panics
/// If it cannot be started, does not exit with 0, or `take` fails; the message holds the beginning of
/// what it printed on standard error.
#[track_caller]
pub fn stream<R>(command: &mut Command, take: impl FnOnce(&mut ChildStdout) -> io::Result<R>) -> R {
    let fail = |command: &Command, error: io::Error| -> ! { panic!("{command:?}: {error}") };
    // A file, so that a program that complains much need not wait for a reader.
    let errors = tempfile::NamedTempFile::new().unwrap_or_else(|error| fail(command, error));
    let writer = errors.reopen().unwrap_or_else(|error| fail(command, error));
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(writer);
    let mut child = command.spawn().unwrap_or_else(|error| fail(command, error));
    // Taken out, so that it is closed and the program can end if `take` gives up.
    let mut stdout = child.stdout.take().unwrap_or_else(|| panic!("there is no standard output"));
    let taken = take(&mut stdout);
    drop(stdout);
    let status = child.wait().unwrap_or_else(|error| fail(command, error));
    let said = fs_err::read(errors.path()).unwrap_or_default();
    assert!(status.success(), "{command:?} failed: {status}\n{}", Shown(&said));
    taken.unwrap_or_else(|error| fail(command, error))
}

/// What a program printed, for messages: its beginning and its length, because a program may print
/// a whole file.
pub struct Shown<'a>(pub &'a [u8]);

impl Shown<'_> {
    /// Bytes that are shown.
    const MOST: usize = 2048;

    fn beginning(&self) -> (String, bool) {
        let shown = self.0.get(..Self::MOST).unwrap_or(self.0);
        (String::from_utf8_lossy(shown).into_owned(), shown.len() < self.0.len())
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (beginning, cut) = self.beginning();
        let more = if cut { "..." } else { "" };
        write!(f, "{beginning:?}{more} ({} bytes)", self.0.len())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (beginning, cut) = self.beginning();
        f.write_str(&beginning)?;
        if cut { writeln!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_program_and_runs_it() {
        assert_eq!(run(&require("echo"), ["one", "two"]), "one two\n");
        assert!(require_any(&["no-such-program", "sh"]).ends_with("sh"));
    }

    #[test]
    #[should_panic(expected = "apt-get install no-such-program")]
    fn a_missing_program_fails() {
        let _path = require("no-such-program");
    }

    #[test]
    #[should_panic(expected = "something went wrong")]
    fn a_failing_program_shows_what_it_said() {
        run(&require("sh"), ["-c", "echo something went wrong >&2; exit 3"]);
    }

    #[test]
    fn much_output_is_shown_in_part() {
        assert_eq!(format!("{0:?} {0}", Shown(b"a\n")), "\"a\\n\" (2 bytes) a\n");
        let beginning = "x".repeat(2048);
        let much = vec![b'x'; 2049];
        assert_eq!(format!("{:?}", Shown(&much)), format!("\"{beginning}\"... (2049 bytes)"));
        assert_eq!(Shown(&much).to_string(), format!("{beginning}... (2049 bytes)\n"));
        assert_eq!(Shown(&much[1..]).to_string(), beginning);
    }
}
