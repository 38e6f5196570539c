//! A blob that arrives in pieces.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{BlobSink, Damage, Wanted};
use crate::chain::HashChain;

/// Pieces may run ahead of the hash by this many bytes.
const AHEAD: u64 = 8 << 20;

/// A blob under way. Every byte of it is brought exactly once, good or bad; the last one closes it.
pub(super) struct LargeBlob<S: BlobSink> {
    index: usize,
    size: u64,
    /// Bytes not yet brought.
    missing: AtomicU64,
    open: RwLock<Option<S::Open>>,
    chain: HashChain,
    damaged: Mutex<bool>,
}

impl<S: BlobSink> LargeBlob<S> {
    pub(super) fn begin(sink: &S, index: usize, want: &Wanted) -> Result<Self, S::Error> {
        Ok(Self {
            index,
            size: want.blob.size,
            missing: AtomicU64::new(want.blob.size),
            open: RwLock::new(Some(sink.open(index)?)),
            chain: HashChain::default(),
            damaged: Mutex::new(false),
        })
    }

    /// Brings good bytes. Answers whether the blob was closed with them.
    pub(super) fn bring(
        &self,
        sink: &S,
        want: &Wanted,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<bool, S::Error> {
        let len = data.len() as u64;
        if let Some(open) = &*self.open.read().unwrap_or_else(PoisonError::into_inner) {
            let written = sink.write(open, offset, &data);
            if written.is_err() {
                // Whoever waits for these bytes in the chain must not wait for ever.
                self.chain.skip(offset, len);
            }
            written?;
        }
        self.chain.wait(offset.saturating_sub(AHEAD));
        self.chain.bring(offset, Arc::new(data));
        self.count(sink, want, len)
    }

    /// Tells that `len` bytes at `offset` cannot be had.
    pub(super) fn bring_nothing(
        &self,
        sink: &S,
        want: &Wanted,
        (offset, len): (u64, u64),
        damage: Damage,
    ) -> Result<bool, S::Error> {
        self.spoil(sink, damage);
        // Whoever waits for these bytes in the chain goes on; the hash does not count any more.
        self.chain.skip(offset, len);
        self.count(sink, want, len)
    }

    /// Closes a blob of which no more will come, if it is open: the sink drops what it has of it.
    pub(super) fn give_up(&self, sink: &S) {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(open) = open {
            // The work ends with an error or was cancelled already.
            drop(sink.close(self.index, open, false));
        }
    }

    fn spoil(&self, sink: &S, damage: Damage) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *damaged, true) {
            sink.damaged(self.index, damage);
        }
    }

    fn count(&self, sink: &S, want: &Wanted, len: u64) -> Result<bool, S::Error> {
        if self.missing.fetch_sub(len, Ordering::AcqRel) != len {
            return Ok(false);
        }
        let is_damaged = || *self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_damaged() {
            let actual = self.chain.finish(self.size);
            if actual != want.blob.hash {
                self.spoil(sink, Damage::Hash { actual, location: want.blob.location });
            }
        }
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(open) = open {
            sink.close(self.index, open, !is_damaged())?;
        }
        Ok(true)
    }
}
