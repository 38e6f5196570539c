//! The independent programs that judge our output.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Which Debian package a program comes from. `./test` installs them all.
const PACKAGES: [(&str, &str); 20] = [
    ("wimlib-imagex", "wimtools"),
    ("7z", "7zip"),
    ("7zz", "7zip"),
    ("7zr", "7zip"),
    ("mkntfs", "ntfs-3g"),
    ("ntfs-3g", "ntfs-3g"),
    ("ntfscat", "ntfs-3g"),
    ("ntfscp", "ntfs-3g"),
    ("ntfsinfo", "ntfs-3g"),
    ("ntfsls", "ntfs-3g"),
    ("fusermount3", "fuse3"),
    ("getfattr", "attr"),
    ("setfattr", "attr"),
    ("getfacl", "acl"),
    ("setfacl", "acl"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("setpriv", "util-linux"),
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
/// all it printed.
#[track_caller]
pub fn run<I, S>(program: &Path, arguments: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(arguments);
    let output = output(&mut command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{command:?} failed: {}\n{printed}{errors}", output.status);
    }
    printed
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
}
