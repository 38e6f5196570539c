//! What the metadata resource of an image holds.

use std::io::{self, Write};

use imprint_wim::ImageTree;
use serde::Serialize;

use super::blob::BlobFacts;
use super::write_facts;

/// Facts about the metadata of an image.
#[derive(Debug, Serialize)]
pub(crate) struct MetadataFacts {
    index: u32,
    #[serde(flatten)]
    resource: BlobFacts,
    /// Names of files and directories, the root included.
    names: usize,
    /// Files and directories, each counted once.
    files: usize,
    security_descriptors: usize,
    hard_link_groups: usize,
    /// What was passed over or put right when it was read.
    warnings: Vec<String>,
}

impl MetadataFacts {
    /// Collects the facts about an image, counted from 1.
    pub(crate) fn new(index: u32, resource: BlobFacts, image: &ImageTree) -> Self {
        let ImageTree { tree, details: _, warnings } = image;
        Self {
            index,
            resource,
            names: tree.names().len(),
            files: tree.files().len(),
            security_descriptors: tree.security.len(),
            hard_link_groups: tree.files().filter(|(_, file)| file.links() > 1).count(),
            warnings: warnings.iter().map(ToString::to_string).collect(),
        }
    }

    /// Prints the facts.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_facts(
            out,
            21,
            &[
                ("Image", format!("= {}", self.index)),
                ("Names", format!("= {}", self.names)),
                ("Files", format!("= {}", self.files)),
                ("Security Descriptors", format!("= {}", self.security_descriptors)),
                ("Hard Link Groups", format!("= {}", self.hard_link_groups)),
            ],
        )?;
        for warning in &self.warnings {
            writeln!(out, "Warning: {warning}")?;
        }
        self.resource.write_text(out)
    }
}
