//! Buffers that go from hand to hand instead of being allocated anew.

use std::sync::{Mutex, PoisonError};

/// Buffers kept at most; more are freed.
const KEPT: usize = 12;
/// Larger buffers are freed: few pieces of work need them.
const LARGEST: usize = 4 << 20;

/// A heap of empty buffers that keep their capacity.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// Takes an empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT && buffer.capacity() <= LARGEST {
            kept.push(buffer);
        }
    }
}
