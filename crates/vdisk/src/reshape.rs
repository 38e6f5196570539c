//! Changing what a disk file says of its disk, rather than the contents.

use imprint_blockio::{Resize, Sparse};
use imprint_winvalues::Guid;

use crate::{Format, NewParent, Raw, ReshapeError, WritableContainer};

/// A disk file whose identity, parent and size can be changed.
///
/// **Contract.** Each change is durable and whole when the call returns; after a crash within it the
/// file says the old or the new.
pub trait Reshape: WritableContainer {
    /// Lets the contents change without giving the disk a new identity: the caller sets one.
    fn keep_identity(&self);

    /// Gives the disk an identity.
    ///
    /// # Errors
    /// [`ReshapeError::Write`].
    fn set_identity(&self, identity: Guid) -> Result<(), ReshapeError>;

    /// Lets the parent have another identity as well, or no longer. Returns whether the format can
    /// say that.
    ///
    /// # Errors
    /// [`ReshapeError::Write`].
    fn accept_parent(&mut self, alternative: Option<Guid>) -> Result<bool, ReshapeError>;

    /// Says where the parent is now: the same disk as before, so that no identity changes but for the
    /// one a merge allowed meanwhile, which is forgotten where the format keeps it.
    ///
    /// # Errors
    /// [`ReshapeError::Impossible`] if it has no parent.
    fn rebase(&mut self, parent: &NewParent) -> Result<(), ReshapeError>;

    /// Makes the disk larger; what is new reads as zeros, or as the parent.
    ///
    /// # Errors
    /// [`ReshapeError::Impossible`] for a size the format cannot have, or one smaller than now.
    fn resize(&mut self, size: u64) -> Result<(), ReshapeError>;
}

/// Raw files say nothing of their disk.
impl<T: Sparse + Resize> Reshape for Raw<T> {
    fn keep_identity(&self) {}

    fn set_identity(&self, _identity: Guid) -> Result<(), ReshapeError> {
        Err(ReshapeError::NoSuchField { format: Format::Raw, field: "identity" })
    }

    fn accept_parent(&mut self, _alternative: Option<Guid>) -> Result<bool, ReshapeError> {
        Ok(false)
    }

    fn rebase(&mut self, _parent: &NewParent) -> Result<(), ReshapeError> {
        Err(ReshapeError::NoSuchField { format: Format::Raw, field: "parent" })
    }

    fn resize(&mut self, _size: u64) -> Result<(), ReshapeError> {
        // The file's length is the size: whoever owns the file sets it.
        Err(ReshapeError::NoSuchField { format: Format::Raw, field: "size" })
    }
}
