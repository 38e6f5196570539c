//! A temporary directory with trees and WIM files in it, and the programs that work on them.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use imprint_testkit::tools::Shown;
use imprint_testkit::{Kind, tools};
use tempfile::TempDir;

/// A directory that is gone after the test.
pub(crate) struct World {
    directory: TempDir,
}

/// What a program did.
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) bytes: Vec<u8>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// A world with the directory `src` in it, see [`Self::make_tree`].
    pub(crate) fn with_tree() -> Self {
        let world = Self::new();
        world.make_tree("src");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, data: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, data).unwrap();
    }

    /// Makes a small tree with all kinds of files Linux has: empty, duplicate, hard-linked,
    /// executable, links to files, directories and nowhere, names that Windows would not like.
    pub(crate) fn make_tree(&self, name: &str) {
        let file = |path: &str, data: &[u8]| self.write(&format!("{name}/{path}"), data);
        file("empty", b"");
        file("hello.txt", b"hello\n");
        file("docs/hello again.txt", b"hello\n");
        file("docs/gr\u{fc}n \u{1f600}.txt", b"green\n");
        file("docs/odd:name?", b"odd\n");
        file("bin/tool", &Kind::X86.bytes(70_000, 1));
        file("bin/zeros", &Kind::Zeros.bytes(200_000, 2));
        file("log/text.log", &Kind::Text.bytes(150_000, 3));
        file("log/noise", &Kind::Random.bytes(40_000, 4));
        fs_err::create_dir_all(self.path(&format!("{name}/empty dir/inner"))).unwrap();
        let path = |path: &str| self.path(&format!("{name}/{path}"));
        fs_err::hard_link(path("hello.txt"), path("bin/hard link")).unwrap();
        let link = |target: &str, at: &str| {
            std::os::unix::fs::symlink(target, path(at)).unwrap();
        };
        link("../hello.txt", "docs/to file");
        link("docs", "to directory");
        link("nowhere", "dangling");
        let executable = std::fs::Permissions::from_mode(0o750);
        fs_err::set_permissions(path("bin/tool"), executable).unwrap();
        self.shell(&format!(
            "cd '{}' && find . -exec touch -h -d '2024-02-29 12:34:56.1234567 UTC' {{}} +",
            self.path(name).display()
        ));
    }

    /// Runs `imprint` in this directory.
    pub(crate) fn imprint(&self, words: &[&str]) -> Ran {
        self.imprint_with_input(words, Stdio::null())
    }

    pub(crate) fn imprint_with_input(&self, words: &[&str], input: Stdio) -> Ran {
        Ran::new(&self.imprint_command(words).stdin(input).output().unwrap())
    }

    pub(crate) fn imprint_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imprint"));
        command.current_dir(self.directory.path()).args(words);
        command
    }

    /// Runs `imprint`, which must succeed.
    #[track_caller]
    pub(crate) fn done(&self, words: &[&str]) -> Ran {
        let ran = self.imprint(words);
        assert_eq!(ran.status, Some(0), "imprint {words:?}: {ran:?}");
        ran
    }

    /// Runs `wimlib-imagex`, which must succeed, with times in UTC.
    #[track_caller]
    pub(crate) fn wimlib(&self, words: &[&str]) -> String {
        let ran = self.try_wimlib(words);
        assert_eq!(ran.status, Some(0), "wimlib-imagex {words:?}: {ran:?}");
        ran.out
    }

    #[track_caller]
    pub(crate) fn try_wimlib(&self, words: &[&str]) -> Ran {
        let mut command = Command::new(tools::require("wimlib-imagex"));
        command.current_dir(self.directory.path()).env("TZ", "UTC").args(words);
        Ran::new(&tools::output(&mut command))
    }

    #[track_caller]
    pub(crate) fn shell(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        command.current_dir(self.directory.path()).args(["-ec", script]);
        let ran = Ran::new(&tools::output(&mut command));
        assert_eq!(ran.status, Some(0), "{script}: {ran:?}");
        String::from_utf8(ran.bytes).unwrap()
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        fs_err::symlink_metadata(self.path(name)).is_ok()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.path(name)).unwrap()
    }

    /// Names of the files directly in this directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What a directory holds: per path its kind, permissions, time of change, number of names and
    /// data or target.
    pub(crate) fn snapshot(&self, name: &str, modes: Modes) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let root = self.path(name);
        collect(&root, &root, modes, &mut found);
        found
    }
}

/// Whether permissions count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modes {
    Compare,
    Ignore,
}

fn collect(root: &Path, path: &Path, modes: Modes, found: &mut BTreeMap<PathBuf, String>) {
    let metadata = fs_err::symlink_metadata(path).unwrap();
    let mode = if modes == Modes::Compare { metadata.mode() } else { metadata.mode() & 0o17_0000 };
    let data = match metadata.file_type() {
        kind if kind.is_symlink() => format!("-> {}", fs_err::read_link(path).unwrap().display()),
        kind if kind.is_file() => {
            format!("{:x?} x{}", fs_err::read(path).unwrap(), metadata.nlink())
        }
        _ => String::new(),
    };
    // wimlib and we keep 100 ns.
    let time = (metadata.mtime(), metadata.mtime_nsec() / 100);
    found.insert(path.strip_prefix(root).unwrap().to_owned(), format!("{mode:o} {time:?} {data}"));
    if metadata.is_dir() {
        for entry in fs_err::read_dir(path).unwrap() {
            collect(root, &entry.unwrap().path(), modes, found);
        }
    }
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (out, err) = (Shown(&self.bytes), Shown(self.err.as_bytes()));
        write!(f, "status {:?}, out {out:?}, err {err:?}", self.status)
    }
}

impl Ran {
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout.clone(),
        }
    }

    /// What was printed on standard output, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
