//! Names that files can have.

use crate::layout::namespace;

/// The most UTF-16 units of a name.
const MAX_NAME: usize = 255;

/// A name no file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It has no units, or is `.` or `..`.
    #[error("name is empty or dots")]
    Dots,
    /// It is too long.
    #[error("name should have at most 255 UTF-16 units, but has {actual}")]
    TooLong {
        /// Its units.
        actual: usize,
    },
    /// It has a unit that no name can have.
    #[error("name has the character {unit:#06x}")]
    Character {
        /// The unit: that of `/` or 0.
        unit: u16,
    },
    /// A short name that is none.
    #[error("short name should have up to 8 units, a dot and up to 3")]
    Short,
}

/// Checks a name.
pub(super) fn check(name: &[u16]) -> Result<(), NameError> {
    if matches!(name, [] | [0x2e] | [0x2e, 0x2e]) {
        return Err(NameError::Dots);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong { actual: name.len() });
    }
    match name.iter().find(|&&unit| unit == 0 || unit == 0x2f) {
        Some(&unit) => Err(NameError::Character { unit }),
        None => Ok(()),
    }
}

/// Checks a short name.
pub(super) fn check_short(name: &[u16]) -> Result<(), NameError> {
    if crate::fill::is_short(name) { Ok(()) } else { Err(NameError::Short) }
}

/// The namespace of a long name, given the short one beside it.
pub(super) const fn of_long(short: Option<&[u16]>, same: bool) -> u8 {
    match short {
        Some(_) if same => namespace::WIN32_AND_DOS,
        Some(_) => namespace::WIN32,
        None => namespace::POSIX,
    }
}
