//! Changes brought to the device.

use imprint_blockio::WriteAt;

use super::{EditError, Editor, journal};

impl<D: WriteAt> Editor<D> {
    /// Brings all changes to the device: cut off anywhere, all of them are there after the next [`Editor::open`] or
    /// [`super::recover`], or none.
    ///
    /// # Errors
    /// [`EditError`]; the editor is of no use then.
    pub fn commit(&mut self) -> Result<(), EditError> {
        if self.broken {
            return Err(EditError::Broken);
        }
        self.refresh_names()?;
        self.space.settle(&self.volume)?;
        if self.volume.device().changed() == 0 {
            return journal::flush(&self.volume);
        }
        // Whatever happens from here on, the device is what counts.
        self.broken = true;
        self.bring()?;
        self.volume.device().forget();
        self.broken = false;
        Ok(())
    }

    /// Brings all changes to the device and closes it.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn close(mut self) -> Result<D, EditError> {
        self.commit()?;
        Ok(self.volume.into_device().into_device())
    }

    fn bring(&self) -> Result<(), EditError> {
        let volume = &self.volume;
        journal::set_dirty(volume, self.mirror_size, true)?;
        journal::flush(volume)?;
        if !journal::is_empty(volume, &self.log)? {
            // It is of the past, and the journal lies in it.
            journal::empty(volume, &self.log)?;
            journal::flush(volume)?;
        }
        let changes = volume.device().changes();
        // More than the log has room for goes to its places under the flag alone.
        let length: usize = changes.iter().map(|(_, bytes)| bytes.len() + 16).sum();
        let mut used = 0;
        if length as u64 <= journal::room(&self.log) {
            used = journal::write(volume, &self.log, &changes, self.was_dirty)?;
            journal::flush(volume)?;
        }
        journal::carry_out(volume, &changes, self.mirror_size)?;
        if used > 0 {
            journal::erase_journal(volume, &self.log, used)?;
            journal::flush(volume)?;
        }
        if !self.was_dirty {
            journal::set_dirty(volume, self.mirror_size, false)?;
            journal::flush(volume)?;
        }
        Ok(())
    }
}
