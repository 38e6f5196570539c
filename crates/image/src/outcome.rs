//! What was done and what was not.

use std::collections::HashMap;
use std::fmt;

use imprint_winvalues::tree::{FileId, NameId, Tree};

/// The result of long work that may be incomplete.
#[derive(Debug, Default)]
#[must_use = "an outcome may list what was left out"]
pub struct Outcome<T> {
    /// What was made.
    pub done: T,
    /// What was left out, each with its reason. Empty means complete.
    pub skipped: Vec<Skipped>,
}

/// One thing that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path inside the image, with backslashes, or on the host where the image has none.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why something was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// The source could not read it.
    Unreadable {
        /// What was tried ("open", "read", "list", "read security descriptor").
        operation: &'static str,
        /// What the system said.
        error: String,
    },
    /// It changed while it was read.
    Changed {
        /// Bytes there were when the tree was read.
        expected: u64,
        /// Bytes there were when the data was read.
        actual: u64,
    },
    /// It was written to while it was read: what was kept may be a mixture of old and new.
    Overwritten,
    /// Its name cannot be kept without loss.
    Name {
        /// What is wrong with the name.
        fault: String,
    },
    /// The target cannot keep this property of it.
    NotKept {
        /// The property.
        capability: crate::Capability,
    },
    /// The target could not write it.
    Unwritable {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        error: String,
    },
    /// Its data is not in the WIM nor in any that was given along with it.
    BlobMissing {
        /// The data's hash.
        hash: imprint_winvalues::BlobHash,
    },
    /// Its data is in the WIM, but damaged.
    Damaged {
        /// The data's hash.
        hash: imprint_winvalues::BlobHash,
        /// What is wrong with it.
        fault: String,
    },
    /// A link leads back to a directory it is in, and links are followed.
    Cycle,
    /// A kind of file that images do not hold (socket, pipe).
    UnsupportedKind {
        /// The kind.
        kind: &'static str,
    },
}

/// A fault of a file: the file, one of its names, and what is wrong.
pub(crate) type Fault = (FileId, NameId, SkipReason);

/// Says what is wrong with each file, the first thing under all of its names: each of them is lost.
pub(crate) fn under_all_names(tree: &Tree, faults: Vec<Fault>) -> Vec<Skipped> {
    let is_linked = |id| tree.file(id).is_some_and(|file| file.links() > 1);
    let linked = faults.iter().filter(|(file, ..)| is_linked(*file));
    let mut names: HashMap<FileId, Vec<NameId>> =
        linked.map(|(file, ..)| (*file, Vec::new())).collect();
    if !names.is_empty() {
        for (id, name) in tree.names() {
            if let Some(list) = names.get_mut(&name.file()) {
                list.push(id);
            }
        }
    }
    let mut skipped = Vec::with_capacity(faults.len());
    for (file, name, reason) in faults {
        for name in names.remove(&file).unwrap_or_else(|| vec![name]) {
            let path = tree.path_of(name).to_string();
            skipped.push(Skipped { path, reason: reason.clone() });
        }
    }
    skipped
}

/// Writes an error and its causes, joined by `: `.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { operation, error } | Self::Unwritable { operation, error } => {
                write!(f, "failed to {operation}: {error}")
            }
            Self::Changed { expected, actual } => {
                write!(f, "changed while it was read: should be {expected} bytes, but is {actual}")
            }
            Self::Overwritten => f.write_str("was written to while it was read"),
            Self::Name { fault } => f.write_str(fault),
            Self::NotKept { capability } => write!(f, "the target cannot keep {capability}"),
            Self::BlobMissing { hash } => write!(f, "data {hash} is in none of the files given"),
            Self::Damaged { hash, fault } => write!(f, "data {hash} is damaged: {fault}"),
            Self::Cycle => f.write_str("leads back to a directory it is in"),
            Self::UnsupportedKind { kind } => write!(f, "images cannot hold a {kind}"),
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}
