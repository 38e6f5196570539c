//! The hash of data that arrives in pieces, in any order, from several threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use imprint_winvalues::BlobHash;
use sha1::{Digest, Sha1};

/// Returns the hash of data in hand.
#[must_use]
pub(crate) fn hash_of(data: &[u8]) -> BlobHash {
    BlobHash(Sha1::digest(data).into())
}

/// SHA-1 of one blob whose pieces may overtake each other.
///
/// Whoever brings a piece hashes what is next in line unless another thread is at it already; nobody
/// waits for another's hashing except in [`Self::wait`], which bounds the pieces kept.
#[derive(Debug, Default)]
pub(crate) struct HashChain {
    state: Mutex<State>,
    advanced: Condvar,
}

#[derive(Debug)]
struct State {
    /// Bytes hashed so far.
    next: u64,
    /// `None` while a thread is hashing.
    hasher: Option<Sha1>,
    pieces: BTreeMap<u64, Arc<Vec<u8>>>,
    /// Lengths of pieces that will not come.
    skipped: BTreeMap<u64, u64>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            next: 0,
            hasher: Some(Sha1::new()),
            pieces: BTreeMap::new(),
            skipped: BTreeMap::new(),
        }
    }
}

impl HashChain {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the piece that starts at `offset`. Empty pieces are passed over.
    pub(crate) fn bring(&self, offset: u64, piece: Arc<Vec<u8>>) {
        let mut state = self.lock();
        if !piece.is_empty() {
            state.pieces.insert(offset, piece);
        }
        drop(self.advance(state));
    }

    /// Tells that `len` bytes at `offset` will not come: the hash is worthless from now on, but nobody
    /// waits for these bytes.
    pub(crate) fn skip(&self, offset: u64, len: u64) {
        let mut state = self.lock();
        state.skipped.insert(offset, len);
        drop(self.advance(state));
    }

    /// Hashes what is next in line, unless another thread is at it.
    fn advance<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        loop {
            let next = state.next;
            if state.hasher.is_some()
                && let Some(len) = state.skipped.remove(&next)
            {
                state.next += len;
                self.advanced.notify_all();
                continue;
            }
            if state.hasher.is_none() || !state.pieces.contains_key(&next) {
                return state;
            }
            let (Some(mut hasher), Some(piece)) = (state.hasher.take(), state.pieces.remove(&next))
            else {
                return state;
            };
            drop(state);
            hasher.update(piece.as_slice());
            state = self.lock();
            state.hasher = Some(hasher);
            state.next += piece.len() as u64;
            self.advanced.notify_all();
        }
    }

    /// Waits until everything before `offset` is hashed. The pieces before it must have been brought
    /// or be on their way from other threads.
    pub(crate) fn wait(&self, offset: u64) {
        let mut state = self.lock();
        while state.next < offset {
            state = self.advance(state);
            if state.next < offset {
                state = self.advanced.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Returns the hash of the `size` bytes brought, waiting for other threads to finish theirs.
    pub(crate) fn finish(&self, size: u64) -> BlobHash {
        self.wait(size);
        BlobHash(self.lock().hasher.take().unwrap_or_default().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_give_the_hash_of_the_whole() {
        let data: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
        let chain = HashChain::default();
        std::thread::scope(|scope| {
            for lane in 0..3_usize {
                let (chain, data) = (&chain, &data);
                scope.spawn(move || {
                    for (number, piece) in
                        data.chunks(1000).enumerate().filter(|(n, _)| n % 3 == lane)
                    {
                        let offset = number as u64 * 1000;
                        chain.wait(offset.saturating_sub(5000));
                        chain.bring(offset, Arc::new(piece.to_vec()));
                    }
                });
            }
        });
        assert_eq!(chain.finish(data.len() as u64), hash_of(&data));
    }
}
