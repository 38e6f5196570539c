//! The trees that are captured.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::process;
use crate::workspace::Workspace;

const SCRIPT: &str = "crates/bench/corpus/make-corpus.sh";

/// Which corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Size {
    /// 218 MB in 3,200 files.
    Small,
    /// 1.7 GB in 39,000 files; the targets are for this one.
    Large,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "small",
            Self::Large => "large",
        })
    }
}

/// Two versions of a Windows-like tree.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) size: Size,
    pub(super) tree: PathBuf,
    pub(super) second: PathBuf,
}

/// How much there is below a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) files: u64,
    dirs: u64,
    pub(super) bytes: u64,
}

/// Where corpora are kept: outside the clone, so that they outlive it.
pub(super) fn default_dir() -> anyhow::Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME is set; use --corpus")?
        .join("imprint/corpus"))
}

impl Corpus {
    /// Builds the trees below `dir` unless they are there.
    pub(super) fn build(workspace: &Workspace, dir: &Path, size: Size) -> anyhow::Result<Self> {
        fs_err::create_dir_all(dir)?;
        let mut command = Command::new(workspace.root.join(SCRIPT));
        process::run(command.arg(dir).arg(size.to_string()))
            .context("the corpus cannot be built")?;
        let second = dir.join(format!("{size}-v2"));
        Ok(Self { size, tree: dir.join(size.to_string()), second })
    }

    /// Reads every file once, so that all runs find the page cache warm.
    pub(super) fn warm(&self) -> anyhow::Result<()> {
        for tree in [&self.tree, &self.second] {
            walk(tree, &mut |path, metadata| {
                if metadata.is_file() {
                    io::copy(&mut fs_err::File::open(path)?, &mut io::sink())?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Counts what is below a folder.
pub(super) fn count(dir: &Path) -> anyhow::Result<Count> {
    let mut count = Count::default();
    walk(dir, &mut |_, metadata| {
        if metadata.is_dir() {
            count.dirs += 1;
        } else {
            count.files += 1;
            count.bytes += metadata.len();
        }
        Ok(())
    })?;
    Ok(count)
}

fn walk(
    dir: &Path,
    visit: &mut impl FnMut(&Path, &std::fs::Metadata) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        let metadata = fs_err::symlink_metadata(&path)?;
        visit(&path, &metadata)?;
        if metadata.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("a/b")).unwrap();
        fs_err::write(dir.path().join("a/one"), "12345").unwrap();
        fs_err::write(dir.path().join("two"), "").unwrap();
        assert_eq!(count(dir.path()).unwrap(), Count { files: 2, dirs: 2, bytes: 5 });
    }
}
