//! The hash that names a blob.

use std::fmt;

/// SHA-1 of a blob's uncompressed bytes: its name inside a WIM. All zero means "empty".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct BlobHash(pub [u8; 20]);

impl BlobHash {
    /// The hash that stands for "no data".
    pub const ZERO: Self = Self([0; 20]);

    /// Whether this stands for "no data".
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({self})")
    }
}
