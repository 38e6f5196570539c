//! Memory for answers.

use std::sync::{Mutex, PoisonError};

/// Buffers that were used before, so that a large read does not begin with fresh memory from the
/// kernel. There are never more than threads, because each holds one at a time.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// Lends `len` bytes of any contents to `work`.
    pub(crate) fn with<R>(&self, len: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
        let kept = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = kept.unwrap_or_default();
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        let result = work(buffer.get_mut(..len).unwrap_or_default());
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        result
    }
}
