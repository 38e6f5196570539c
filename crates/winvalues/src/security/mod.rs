//! Security descriptors: opaque bytes, kept once each.
//!
//! Self-relative form, \[MS-DTYP\] 2.4.6. The bytes are never rewritten; [`check`] only looks
//! whether owner, group and lists lie inside.

mod sddl;

use std::collections::HashMap;
use std::sync::Arc;

pub use sddl::{owner_and_group, sddl};

/// Index of a descriptor in a [`SecurityTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecurityId(pub u32);

/// Descriptors, each kept once, numbered in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct SecurityTable {
    descriptors: Vec<Arc<[u8]>>,
    ids: HashMap<Arc<[u8]>, SecurityId>,
}

impl SecurityTable {
    /// Makes an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the id of `descriptor`, adding it if it is new. `None` if the table already holds
    /// `i32::MAX` descriptors, the most a WIM can number.
    pub fn insert(&mut self, descriptor: &[u8]) -> Option<SecurityId> {
        if let Some(&id) = self.ids.get(descriptor) {
            return Some(id);
        }
        let next = i32::try_from(self.descriptors.len()).ok()?;
        let id = SecurityId(next.unsigned_abs());
        let shared: Arc<[u8]> = descriptor.into();
        self.descriptors.push(Arc::clone(&shared));
        self.ids.insert(shared, id);
        Some(id)
    }

    /// Adds a descriptor as the next id even if it is known, so that foreign ids keep their meaning.
    pub fn push(&mut self, descriptor: &[u8]) -> Option<SecurityId> {
        let id = SecurityId(u32::try_from(self.descriptors.len()).ok()?);
        let shared: Arc<[u8]> = descriptor.into();
        self.descriptors.push(Arc::clone(&shared));
        self.ids.entry(shared).or_insert(id);
        Some(id)
    }

    /// Returns a descriptor's bytes.
    #[must_use]
    pub fn get(&self, id: SecurityId) -> Option<&[u8]> {
        self.descriptors.get(usize::try_from(id.0).ok()?).map(|d| &**d)
    }

    /// All descriptors in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.descriptors.iter().map(|d| &**d)
    }

    /// The number of descriptors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.descriptors.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.descriptors.is_empty()
    }
}

/// A security descriptor is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// Shorter than its fixed part.
    #[error("security descriptor should have at least 20 bytes, but has {actual}")]
    TooShort {
        /// Bytes there are.
        actual: usize,
    },
    /// The revision is not 1.
    #[error("security descriptor revision should be 1, but is {actual} (at offset 0x0)")]
    Revision {
        /// The revision read.
        actual: u8,
    },
    /// A part lies outside the descriptor.
    #[error(
        "security descriptor {part} should lie within {length} bytes, but starts at {offset:#x}"
    )]
    Outside {
        /// Owner, group, SACL or DACL.
        part: &'static str,
        /// Where it is said to start.
        offset: u32,
        /// The descriptor's length in bytes.
        length: usize,
    },
}

/// Checks that a self-relative descriptor's parts lie inside it.
///
/// # Errors
/// [`SecurityError`] naming the part.
pub fn check(descriptor: &[u8]) -> Result<(), SecurityError> {
    let length = descriptor.len();
    let fixed: &[u8; 20] =
        descriptor.first_chunk().ok_or(SecurityError::TooShort { actual: length })?;
    let [revision, _, control_low, _, offsets @ ..] = fixed;
    if *revision != 1 {
        return Err(SecurityError::Revision { actual: *revision });
    }
    let present = |mask: u8| control_low & mask != 0;
    // The smallest SID and the smallest ACL both take 8 bytes.
    let parts =
        [("owner", true), ("group", true), ("SACL", present(0x10)), ("DACL", present(0x04))];
    for (&bytes, (part, used)) in offsets.as_chunks::<4>().0.iter().zip(parts) {
        let offset = u32::from_le_bytes(bytes);
        let fits = usize::try_from(offset).is_ok_and(|o| o >= 20 && o.saturating_add(8) <= length);
        if used && offset != 0 && !fits {
            return Err(SecurityError::Outside { part, offset, length });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_kept_once() {
        let mut table = SecurityTable::new();
        assert_eq!(table.insert(b"a"), Some(SecurityId(0)));
        assert_eq!(table.insert(b"b"), Some(SecurityId(1)));
        assert_eq!(table.insert(b"a"), Some(SecurityId(0)));
        assert_eq!(table.push(b"a"), Some(SecurityId(2)));
        assert_eq!(table.insert(b"a"), Some(SecurityId(0)));
        assert_eq!(table.get(SecurityId(1)), Some(&b"b"[..]));
        assert_eq!(table.get(SecurityId(3)), None);
    }

    #[test]
    fn parts_outside_are_named() {
        let mut descriptor = [0_u8; 36];
        descriptor[0] = 1;
        descriptor[4] = 20;
        assert_eq!(check(&descriptor), Ok(()));
        descriptor[8] = 29;
        assert_eq!(
            check(&descriptor),
            Err(SecurityError::Outside { part: "group", offset: 29, length: 36 })
        );
        assert_eq!(check(&descriptor[..19]), Err(SecurityError::TooShort { actual: 19 }));
    }
}
