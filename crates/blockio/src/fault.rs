//! What can be wrong with a field of a structure on disk.

use std::fmt;

/// What a number should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// This value.
    Exactly(u64),
    /// One of two values.
    Either(u64, u64),
    /// This value or less.
    AtMost(u64),
    /// This value or more.
    AtLeast(u64),
    /// From the first to the second value, both included.
    Within(u64, u64),
    /// A multiple of this value.
    MultipleOf(u64),
}

impl fmt::Display for Expected {
    /// Prints in decimal, or in hexadecimal if the alternate form is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = f.alternate();
        let number = |f: &mut fmt::Formatter<'_>, value: u64| {
            if hex { write!(f, "{value:#x}") } else { write!(f, "{value}") }
        };
        let (before, first, rest) = match *self {
            Self::Exactly(value) => ("", value, None),
            Self::Either(a, b) => ("", a, Some((" or ", b))),
            Self::AtMost(value) => ("at most ", value, None),
            Self::AtLeast(value) => ("at least ", value, None),
            Self::Within(low, high) => ("from ", low, Some((" to ", high))),
            Self::MultipleOf(value) => ("a multiple of ", value, None),
        };
        f.write_str(before)?;
        number(f, first)?;
        match rest {
            Some((between, second)) => {
                f.write_str(between)?;
                number(f, second)
            }
            None => Ok(()),
        }
    }
}

/// The rule that a field breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldFault {
    /// A count, size or length is not what it should be (shown in decimal).
    Number {
        /// The field.
        field: &'static str,
        /// What would have been right.
        expected: Expected,
        /// What is there.
        actual: u64,
    },
    /// A magic number, version, flag word, checksum or offset is not what it should be (in
    /// hexadecimal).
    Code {
        /// The field.
        field: &'static str,
        /// What would have been right.
        expected: Expected,
        /// What is there.
        actual: u64,
    },
    /// Something reaches past the end of what holds it.
    PastEnd {
        /// What reaches out.
        field: &'static str,
        /// The first byte it must not take.
        limit: u64,
        /// Where it ends, cut to `u64::MAX`.
        end: u64,
    },
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { field, expected, actual } => {
                write!(f, "{field} should be {expected}, but is {actual}")
            }
            Self::Code { field, expected, actual } => {
                write!(f, "{field} should be {expected:#}, but is {actual:#x}")
            }
            Self::PastEnd { field, limit, end } => {
                write!(f, "{field} should end at or before {limit:#x}, but ends at {end:#x}")
            }
        }
    }
}

impl std::error::Error for FieldFault {}
