//! Paths in images, as they are printed.

use std::io::{self, Write};

use imprint_winvalues::tree::TreePath;
use serde::Serialize;

use crate::cli::Dialect;

/// How paths are printed as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathStyle {
    /// Between the parts and in front.
    pub(crate) separator: u8,
    /// Show control characters as question marks, so that names cannot command a terminal.
    pub(crate) hide_controls: bool,
}

impl PathStyle {
    /// The style of a dialect; `terminal` tells whether a person is reading.
    pub(crate) const fn new(dialect: Dialect, terminal: bool) -> Self {
        let separator = match dialect {
            Dialect::Wimlib => b'/',
            Dialect::Imagex => b'\\',
        };
        Self { separator, hide_controls: terminal }
    }

    /// Prints a path: the bytes its names have on Linux.
    pub(crate) fn write(self, out: &mut dyn Write, path: &TreePath<'_>) -> io::Result<()> {
        if path.0.is_empty() {
            return out.write_all(&[self.separator]);
        }
        path.0.iter().try_for_each(|name| {
            out.write_all(&[self.separator])?;
            out.write_all(&self.shown(name.to_wtf8()))
        })
    }

    /// The bytes of a name as they are shown.
    pub(crate) fn shown(self, mut name: Vec<u8>) -> Vec<u8> {
        if self.hide_controls {
            let controls = name.iter_mut().filter(|byte| byte.is_ascii_control());
            controls.for_each(|byte| *byte = b'?');
        }
        name
    }
}

/// A path in a JSON document.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PathFacts {
    /// With slashes.
    path: String,
    /// The path in UTF-16 units, if it is not well formed and `path` shows replacement characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_utf16: Option<Vec<u16>>,
}

impl From<&TreePath<'_>> for PathFacts {
    fn from(path: &TreePath<'_>) -> Self {
        const SLASH: u16 = 0x2f;
        let mut units = Vec::new();
        for name in &path.0 {
            units.push(SLASH);
            units.extend_from_slice(name.units());
        }
        if units.is_empty() {
            units.push(SLASH);
        }
        match String::from_utf16(&units) {
            Ok(path) => Self { path, path_utf16: None },
            Err(_unpaired) => {
                Self { path: String::from_utf16_lossy(&units), path_utf16: Some(units) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use imprint_winvalues::WinName;

    use super::*;

    fn printed(names: &[WinName], style: PathStyle) -> Vec<u8> {
        let mut out = Vec::new();
        style.write(&mut out, &TreePath(names.iter().collect())).unwrap();
        out
    }

    #[test]
    fn paths_keep_their_bytes_except_on_terminals() {
        let plain = PathStyle::new(Dialect::Wimlib, false);
        let names = [WinName::from("a b"), WinName::from("\u{1b}[2Jx")];
        assert_eq!(printed(&names, plain), b"/a b/\x1b[2Jx");
        assert_eq!(printed(&names, PathStyle::new(Dialect::Imagex, true)), b"\\a b\\?[2Jx");
        assert_eq!(printed(&[], plain), b"/");
        assert_eq!(printed(&[WinName::from_units(&[0xd800])], plain), b"/\xed\xa0\x80");
    }

    #[test]
    fn json_paths_that_are_not_well_formed_come_in_units_too() {
        let facts = |names: &[WinName]| PathFacts::from(&TreePath(names.iter().collect()));
        let plain = PathFacts { path: "/a/b".to_owned(), path_utf16: None };
        assert_eq!(facts(&["a".into(), "b".into()]), plain);
        let broken = facts(&[WinName::from_units(&[0x61, 0xd800])]);
        let expected =
            PathFacts { path: "/a\u{fffd}".to_owned(), path_utf16: Some(vec![0x2f, 0x61, 0xd800]) };
        assert_eq!(broken, expected);
    }
}
