//! The writer as something that can be given another identity, parent or size.

use imprint_blockio::{Resize, Sparse};
use imprint_winvalues::Guid;

use super::VhdxWriter;
use crate::{CreateError, Format, NewParent, Reshape, ReshapeError};

impl<T: Sparse + Resize> Reshape for VhdxWriter<T> {
    fn keep_identity(&self) {
        self.keep_identity();
    }

    fn set_identity(&self, identity: Guid) -> Result<(), ReshapeError> {
        Ok(self.set_identity(identity)?)
    }

    fn accept_parent(&mut self, alternative: Option<Guid>) -> Result<bool, ReshapeError> {
        self.set_parent_linkage2(alternative)?;
        Ok(true)
    }

    fn rebase(&mut self, parent: &NewParent) -> Result<(), ReshapeError> {
        Ok(self.rebase(parent)?)
    }

    fn resize(&mut self, size: u64) -> Result<(), ReshapeError> {
        Ok(self.resize(size)?)
    }
}

impl From<CreateError> for ReshapeError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Impossible { format, kind, fault } => {
                Self::Impossible { format, kind, fault }
            }
            CreateError::Parent => Self::NoSuchField { format: Format::Vhdx, field: "parent" },
            CreateError::Write(error) => Self::Write(error),
        }
    }
}
