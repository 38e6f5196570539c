//! What cargo and git know of the project.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use crate::process;

/// The project: where it is, and cargo's description of it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Cargo's build folder.
    pub(crate) target: PathBuf,
    /// All packages: ours and everything they depend on.
    pub(crate) packages: Vec<Package>,
}

/// A package as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where it comes from; none for our own.
    pub(crate) source: Option<String>,
    /// Its SPDX licence expression.
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    /// `[package.metadata]`.
    #[serde(default)]
    pub(crate) metadata: serde_json::Value,
}

/// One dependency of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// None (an ordinary one), `dev` or `build`.
    pub(crate) kind: Option<String>,
}

/// One thing cargo builds of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo about the workspace around the current folder.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let mut command = process::cargo();
        command.args(["metadata", "--format-version=1", "--locked"]);
        let Metadata { packages, workspace_root, target_directory } = metadata(&mut command)?;
        Ok(Self { root: workspace_root, target: target_directory, packages })
    }

    /// The packages of the workspace itself.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.source.is_none())
    }

    /// The folder of the fuzz targets, a package outside the workspace.
    pub(crate) fn fuzz_dir(&self) -> PathBuf {
        self.root.join("fuzz")
    }

    /// Asks cargo about the fuzz package and everything it depends on; nothing if there is none.
    pub(crate) fn fuzz_packages(&self) -> anyhow::Result<Vec<Package>> {
        let manifest = self.fuzz_dir().join("Cargo.toml");
        if !manifest.exists() {
            return Ok(Vec::new());
        }
        let mut command = process::cargo();
        command.args(["metadata", "--format-version=1", "--manifest-path"]).arg(manifest);
        Ok(metadata(&mut command)?.packages)
    }

    /// The files of the project, relative to its root: what git tracks or would offer to track.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut command = Command::new("git");
        command.current_dir(&self.root);
        command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let list = String::from_utf8(process::output(&mut command)?)
            .context("git names a file that is not UTF-8")?;
        let files = list.split_terminator('\0').map(PathBuf::from);
        // A file deleted but not yet committed is still listed.
        Ok(files.filter(|file| self.root.join(file).exists()).collect())
    }

    /// Reads a file of the project.
    pub(crate) fn read(&self, file: impl AsRef<Path>) -> anyhow::Result<String> {
        Ok(fs_err::read_to_string(self.root.join(file))?)
    }

    /// A path as a reader of the project knows it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

fn metadata(command: &mut Command) -> anyhow::Result<Metadata> {
    let output = process::output(command)?;
    serde_json::from_slice(&output).context("cargo metadata prints something unexpected")
}
