//! The capture configuration: what is left out, and what is not worth compressing.
//!
//! The form is the ini file of ImageX and DISM (`WimScript.ini`):
//!
//! ```text
//! [ExclusionList]               ; left out
//! \pagefile.sys
//! "\System Volume Information"
//! *.tmp
//! [ExclusionException]          ; kept all the same
//! \keep\*.tmp
//! [CompressionExclusionList]    ; stored without compression
//! *.zip
//! ```
//!
//! UTF-8 or UTF-16LE, with or without byte order mark; comments begin with `#` or `;`; a pattern may
//! stand in quotes. What is not understood is data in the warnings, never an error: a capture must
//! not fail for a line that other tools pass over.
//!
//! **Matching.** A pattern that begins with a separator is anchored at the root of the capture and
//! covers all below what it matches; any other pattern is one name, and matches that name anywhere.
//! `*` and `?` stay inside one name. Case never matters. An exception wins over an exclusion, and
//! keeps the directories on the way to what it names. Source: Microsoft, "DISM Configuration List and
//! WimScript.ini Files"; wimlib 1.14.5, `scan.c` and `pattern.c`.
//!
//! A list given by the user replaces the default one.

mod parse;
mod pattern;

pub use parse::{ConfigWarning, ConfigWarningKind};

use pattern::{PathParts, Pattern};

/// The list DISM and wimlib use when none is given.
///
/// Source: Microsoft, "DISM Configuration List and WimScript.ini Files"; the two spellings of the
/// recycle bin and `\swapfile.sys` as in wimlib 1.14.5, `wimlib-imagex.1` (case is ignored anyway).
const DEFAULT: &str = r#"
[ExclusionList]
\$ntfs.log
\hiberfil.sys
\pagefile.sys
\swapfile.sys
"\System Volume Information"
\RECYCLER
\$RECYCLE.BIN
\Windows\CSC
[CompressionExclusionList]
*.mp3
*.zip
*.cab
\WINDOWS\inf\*.pnf
"#;

/// A capture configuration.
#[derive(Clone, Debug, Default)]
pub struct CaptureConfig {
    exclusions: Vec<Pattern>,
    exceptions: Vec<Pattern>,
    compression_exclusions: Vec<Pattern>,
    compression_folders: Vec<Pattern>,
    alignment: Vec<Pattern>,
    prepopulate: Vec<Pattern>,
}

/// A section of a capture configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfigSection {
    /// Left out.
    Exclusion,
    /// Kept although left out by the list.
    ExclusionException,
    /// Stored without compression.
    CompressionExclusion,
    /// Folders whose files are compressed together; old, without effect.
    CompressionFolder,
    /// Files aligned in the WIM so that they can be run in place; old, without effect.
    Alignment,
    /// Files whose data is written even when others stay in the WIM (WIMBoot).
    Prepopulate,
}

impl ConfigSection {
    /// All sections.
    pub const ALL: [Self; 6] = [
        Self::Exclusion,
        Self::ExclusionException,
        Self::CompressionExclusion,
        Self::CompressionFolder,
        Self::Alignment,
        Self::Prepopulate,
    ];

    /// The name in brackets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exclusion => "ExclusionList",
            Self::ExclusionException => "ExclusionException",
            Self::CompressionExclusion => "CompressionExclusionList",
            Self::CompressionFolder => "CompressionFolderList",
            Self::Alignment => "AlignmentList",
            Self::Prepopulate => "PrepopulateList",
        }
    }
}

impl CaptureConfig {
    /// Reads a configuration. It holds what the bytes say, not the default list as well.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> (Self, Vec<ConfigWarning>) {
        parse::parse(bytes)
    }

    /// The list that applies when none is given.
    #[must_use]
    pub fn default_list() -> Self {
        parse::parse(DEFAULT.as_bytes()).0
    }

    /// Whether a file or directory is left out. `path` begins at the root of the capture; `\` and `/`
    /// both separate. The root itself is never left out.
    #[must_use]
    pub fn excludes(&self, path: &str, is_directory: bool) -> bool {
        let path = PathParts::new(path);
        if path.is_root() || !self.exclusions.iter().any(|pattern| pattern.covers(&path)) {
            return false;
        }
        !self.exceptions.iter().any(|exception| {
            exception.covers_by_last_name(&path) || (is_directory && exception.lies_below(&path))
        })
    }

    /// Whether a file's data is to be stored without compression.
    #[must_use]
    pub fn compression_excluded(&self, path: &str) -> bool {
        self.matches(ConfigSection::CompressionExclusion, path)
    }

    /// Whether a section's patterns cover a path.
    #[must_use]
    pub fn matches(&self, section: ConfigSection, path: &str) -> bool {
        let path = PathParts::new(path);
        !path.is_root() && self.section(section).iter().any(|pattern| pattern.covers(&path))
    }

    /// The patterns of a section as they are understood, with `\` between names.
    pub fn patterns(&self, section: ConfigSection) -> impl Iterator<Item = String> {
        self.section(section).iter().map(ToString::to_string)
    }

    fn section(&self, section: ConfigSection) -> &[Pattern] {
        match section {
            ConfigSection::Exclusion => &self.exclusions,
            ConfigSection::ExclusionException => &self.exceptions,
            ConfigSection::CompressionExclusion => &self.compression_exclusions,
            ConfigSection::CompressionFolder => &self.compression_folders,
            ConfigSection::Alignment => &self.alignment,
            ConfigSection::Prepopulate => &self.prepopulate,
        }
    }

    fn section_mut(&mut self, section: ConfigSection) -> &mut Vec<Pattern> {
        match section {
            ConfigSection::Exclusion => &mut self.exclusions,
            ConfigSection::ExclusionException => &mut self.exceptions,
            ConfigSection::CompressionExclusion => &mut self.compression_exclusions,
            ConfigSection::CompressionFolder => &mut self.compression_folders,
            ConfigSection::Alignment => &mut self.alignment,
            ConfigSection::Prepopulate => &mut self.prepopulate,
        }
    }
}
