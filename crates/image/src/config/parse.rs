//! Reading the ini form.

use std::fmt;

use super::pattern::Pattern;
use super::{CaptureConfig, ConfigSection};

/// A line that was not, or not quite, taken as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ConfigWarningKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigWarningKind {
    /// A section of this name is not known; it was passed over.
    UnknownSection {
        /// The name, without brackets.
        name: String,
    },
    /// The line stands before the first section; it was passed over.
    OutsideSection {
        /// The line.
        text: String,
    },
    /// A drive letter was cut off the pattern.
    DriveLetter {
        /// The pattern as it stands.
        pattern: String,
    },
    /// The pattern has several names but no separator before them; it was anchored at the root.
    Anchored {
        /// The pattern as it stands.
        pattern: String,
    },
    /// The pattern holds no name; it was passed over.
    NoName {
        /// The pattern as it stands.
        pattern: String,
    },
    /// The bytes are neither UTF-8 nor UTF-16LE; what is not UTF-8 was read as Latin-1.
    Encoding,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl fmt::Display for ConfigWarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSection { name } => write!(f, "section [{name}] is not known"),
            Self::OutsideSection { text } => write!(f, "\"{text}\" stands in no section"),
            Self::DriveLetter { pattern } => {
                write!(f, "\"{pattern}\" begins with a drive letter, which is left out")
            }
            Self::Anchored { pattern } => {
                write!(f, "\"{pattern}\" should begin with a separator, and is read as if it did")
            }
            Self::NoName { pattern } => write!(f, "\"{pattern}\" names nothing"),
            Self::Encoding => f.write_str("text is neither UTF-8 nor UTF-16, read as Latin-1"),
        }
    }
}

/// Reads a configuration.
pub(super) fn parse(bytes: &[u8]) -> (CaptureConfig, Vec<ConfigWarning>) {
    let mut config = CaptureConfig::default();
    let mut warnings = Vec::new();
    let (text, certain) = decode(bytes);
    if !certain {
        warnings.push(ConfigWarning { line: 1, kind: ConfigWarningKind::Encoding });
    }
    let mut at = Place::Before;
    for (number, line) in text.lines().enumerate() {
        let mut warn = |kind| warnings.push(ConfigWarning { line: number + 1, kind });
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let known = |s: &ConfigSection| s.name().eq_ignore_ascii_case(name.trim());
            at = ConfigSection::ALL.into_iter().find(known).map_or(Place::Unknown, Place::In);
            if at == Place::Unknown {
                warn(ConfigWarningKind::UnknownSection { name: name.trim().to_owned() });
            }
            continue;
        }
        match at {
            Place::In(section) => {
                config.section_mut(section).extend(pattern(unquote(line), warn));
            }
            Place::Unknown => {}
            Place::Before => warn(ConfigWarningKind::OutsideSection { text: line.to_owned() }),
        }
    }
    (config, warnings)
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    In(ConfigSection),
    Unknown,
}

/// Reads a pattern, telling `warn` what had to be changed.
fn pattern(line: &str, mut warn: impl FnMut(ConfigWarningKind)) -> Option<Pattern> {
    let pattern = || line.to_owned();
    let separators = ['\\', '/'];
    let mut rest = line;
    if let Some((drive, path)) = line.split_once(':')
        && drive.len() == 1
        && drive.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        warn(ConfigWarningKind::DriveLetter { pattern: pattern() });
        rest = path;
    }
    let mut anchored = rest.starts_with(separators);
    if !anchored && rest.trim_end_matches(separators).contains(separators) {
        warn(ConfigWarningKind::Anchored { pattern: pattern() });
        anchored = true;
    }
    let read = Pattern::new(rest, anchored);
    if read.is_none() {
        warn(ConfigWarningKind::NoName { pattern: pattern() });
    }
    read
}

/// Takes off a pair of equal quotes.
fn unquote(line: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| line.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(line)
}

/// Turns bytes into text; the flag says whether the encoding is certain.
fn decode(bytes: &[u8]) -> (String, bool) {
    // A first character in ASCII with a zero byte behind it is UTF-16 without its mark.
    let utf16 = bytes.strip_prefix(b"\xff\xfe");
    let utf16 = utf16.or(matches!(bytes, [1..=0x7f, 0, ..]).then_some(bytes));
    if let Some(utf16) = utf16 {
        let units = utf16.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        return (text.collect(), true);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(_other_encoding) => (bytes.iter().map(|&byte| char::from(byte)).collect(), false),
    }
}
