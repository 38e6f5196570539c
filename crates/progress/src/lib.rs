//! Counters of long work, and the wish to stop it.
//!
//! Every long call takes a [`Progress`]: the worker adds what it has done, an onlooker on another
//! thread reads [`Progress::snapshot`] as often as it likes, and either may call
//! [`Progress::cancel`]. Workers ask [`Progress::check`] at least once per chunk of work.
//!
//! **Non-goals.** No clock, no rates, no printing: the program that shows progress computes them.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts of one piece of long work. Shared by reference between the worker and onlookers.
#[derive(Debug, Default)]
pub struct Progress {
    phases: Mutex<Phases>,
    done_bytes: AtomicU64,
    total_bytes: AtomicU64,
    done_files: AtomicU64,
    total_files: AtomicU64,
    cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct Phases {
    current: &'static str,
    /// How the one before ended.
    ended: Snapshot,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is being done, one or two words ("scanning", "writing").
    pub phase: &'static str,
    /// Bytes finished, counted in uncompressed file data.
    pub done_bytes: u64,
    /// Bytes expected in all; 0 while unknown.
    pub total_bytes: u64,
    /// Files finished.
    pub done_files: u64,
    /// Files expected in all; 0 while unknown.
    pub total_files: u64,
}

/// The work was cancelled before it was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled before the work was finished")]
pub struct Cancelled;

impl Progress {
    /// Makes counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a phase: sets its name and totals and the counts back to zero.
    pub fn begin(&self, phase: &'static str, total_bytes: u64, total_files: u64) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        phases.ended = self.counts(phases.current);
        phases.current = phase;
        self.done_bytes.store(0, Ordering::Relaxed);
        self.done_files.store(0, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.total_files.store(total_files, Ordering::Relaxed);
    }

    /// Adds finished bytes.
    pub fn add_bytes(&self, bytes: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds finished files.
    pub fn add_files(&self, files: u64) {
        self.done_files.fetch_add(files, Ordering::Relaxed);
    }

    /// Asks the worker to stop at its next check.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Answers whether to go on.
    ///
    /// # Errors
    /// [`Cancelled`] once [`Self::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Returns the counts as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.counts(self.phases.lock().unwrap_or_else(PoisonError::into_inner).current)
    }

    /// Returns the last counts of the phase before the present one; all zero if there was none.
    #[must_use]
    pub fn ended(&self) -> Snapshot {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).ended
    }

    fn counts(&self, phase: &'static str) -> Snapshot {
        Snapshot {
            phase,
            done_bytes: self.done_bytes.load(Ordering::Relaxed),
            total_bytes: self.total_bytes.load(Ordering::Relaxed),
            done_files: self.done_files.load(Ordering::Relaxed),
            total_files: self.total_files.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_cancels() {
        let progress = Progress::new();
        progress.begin("writing", 100, 2);
        progress.add_bytes(40);
        progress.add_files(1);
        let expected = Snapshot {
            phase: "writing",
            done_bytes: 40,
            total_bytes: 100,
            done_files: 1,
            total_files: 2,
        };
        assert_eq!(progress.snapshot(), expected);
        assert_eq!(progress.ended(), Snapshot::default());
        progress.begin("finishing", 0, 0);
        assert_eq!(progress.ended(), expected);
        assert_eq!(progress.snapshot(), Snapshot { phase: "finishing", ..Snapshot::default() });
        assert_eq!(progress.check(), Ok(()));
        progress.cancel();
        assert_eq!(progress.check(), Err(Cancelled));
    }
}
