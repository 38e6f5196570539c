//! Changing what a differencing disk says of its parent.

use imprint_blockio::{Resize, Sparse};
use imprint_winvalues::Guid;

use super::{VhdxWriter, reopened};
use crate::vhdx::create::{check_paths, locator_values};
use crate::vhdx::layout::PARENT_LOCATOR;
use crate::vhdx::locator::encode_locator;
use crate::vhdx::metadata::{Item, read_metadata};
use crate::{CreateError, NewParent, PathKind, WriteError};

impl<T: Sparse + Resize> VhdxWriter<T> {
    /// Makes the disk differ from a parent at another place: the locator is replaced. The disk's own
    /// identity stays, and after a crash it has either the old parent or the new one.
    ///
    /// # Errors
    /// [`CreateError::Parent`] if it is not a differencing disk, [`CreateError::Impossible`] if a path is
    /// empty or too long, and [`CreateError::Write`].
    pub fn rebase(&mut self, parent: &NewParent) -> Result<(), CreateError> {
        if self.parts.metadata.parent.is_none() {
            return Err(CreateError::Parent);
        }
        check_paths(self.parts.metadata.kind, parent)?;
        self.set_locator(&locator_values(parent))
    }

    /// Sets or takes away the second identity that the parent may have: while a disk is merged, the
    /// parent changes, and so does its identity. Paths stay; keys of the locator that nobody knows
    /// are dropped.
    ///
    /// # Errors
    /// [`CreateError::Parent`] if it is not a differencing disk, and [`CreateError::Write`].
    pub fn set_parent_linkage2(&mut self, identity: Option<Guid>) -> Result<(), CreateError> {
        let Some(parent) = &self.parts.metadata.parent else { return Err(CreateError::Parent) };
        let mut values = vec![("parent_linkage", format!("{{{}}}", parent.identity))];
        if let Some(identity) = identity {
            values.push(("parent_linkage2", format!("{{{identity}}}")));
        }
        for path in &parent.paths {
            let key = match path.kind {
                PathKind::Relative => "relative_path",
                PathKind::Volume => "volume_path",
                PathKind::Absolute => "absolute_win32_path",
                PathKind::Name | PathKind::Other => continue,
            };
            values.push((key, path.text.clone()));
        }
        self.set_locator(&values)
    }

    fn set_locator(&mut self, values: &[(&str, String)]) -> Result<(), CreateError> {
        let bytes = encode_locator(values);
        self.locked(|session| {
            // What is pending goes first: the locator needs an entry for itself.
            self.commit_pages(session)?;
            self.begin_metadata(session)?;
            self.put_item(PARENT_LOCATOR, &bytes)?;
            self.commit_pages(session)
        })?;
        let metadata = read_metadata(&self.file, &self.parts.regions).map_err(reopened)?;
        self.parts.metadata = metadata;
        Ok(())
    }

    /// Replaces an item of the metadata; it moves behind all others if it has no room where it is.
    fn put_item(&self, guid: Guid, bytes: &[u8]) -> Result<(), WriteError> {
        let region = self.parts.regions.metadata;
        let items = &self.parts.metadata.items;
        let limit = region.end().min(self.view().end);
        let Some(item) = self.parts.metadata.item(guid) else { return Ok(()) };
        let length = bytes.len() as u64;
        let end_of = |item: &Item| item.offset.saturating_add(item.length.into());
        let stored = || items.iter().filter(|other| other.length > 0);
        let next = stored().map(|other| other.offset).filter(|&other| other > item.offset).min();
        let offset = if item.length > 0 && item.offset + length <= next.unwrap_or(limit) {
            item.offset
        } else {
            stored().map(end_of).max().unwrap_or(limit).next_multiple_of(8)
        };
        let within = u32::try_from(offset.saturating_sub(region.offset));
        let (Ok(within), Ok(size), true) =
            (within, u32::try_from(length), offset + length <= limit)
        else {
            return Err(WriteError::Full { limit });
        };
        self.edit(offset, bytes)?;
        self.edit(item.entry + 16, &within.to_le_bytes())?;
        self.edit(item.entry + 20, &size.to_le_bytes())
    }
}
