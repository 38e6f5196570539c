//! The rules of the project that no compiler knows.
//!
//! Each rule is a function from what it reads to its findings. A finding names the place and says
//! what to do about it.

mod documents;
mod floors;
mod licences;
mod manifests;
mod modules;
mod scan;
mod sources;
mod spdx;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::workspace::Workspace;

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Relative to the root of the project.
    file: PathBuf,
    /// Counted from 1; none if the finding is about the whole file.
    line: Option<usize>,
    message: String,
}

impl Finding {
    fn new(file: impl AsRef<Path>, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { file: file.as_ref().to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// Checks every rule and prints what breaks one.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let fuzz = workspace.fuzz_packages()?;
    let mut findings = floors::check(workspace);
    findings.extend(manifests::check(workspace)?);
    findings.extend(modules::check(workspace, &fuzz)?);
    findings.extend(sources::check(workspace)?);
    findings.extend(words::check(workspace)?);
    findings.extend(licences::check(workspace, &fuzz)?);
    findings.extend(documents::check(workspace)?);
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() { Ok(()) } else { bail!("{} findings", findings.len()) }
}
