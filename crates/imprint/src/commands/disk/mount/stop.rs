//! Signals that end a mount.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use imprint_mount::{Unmount, UnmountError, Unmounter};

use crate::signals;

/// Makes what was written durable.
type Flush = Box<dyn Fn() -> io::Result<()> + Send>;

/// What a signal ends.
#[derive(Clone, Default)]
pub(super) struct Stop {
    mounted: Arc<Mutex<Option<(Unmounter, Flush)>>>,
    asked: Arc<AtomicBool>,
}

impl Stop {
    /// Begins to listen to signals.
    pub(super) fn new() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let handler = stop.clone();
        signals::on_signal(move |before| handler.signal(before))?;
        Ok(stop)
    }

    /// From now on a signal unmounts this. If one came before, it is unmounted now.
    pub(super) fn arm(&self, unmounter: Unmounter, flush: Flush) {
        *self.mounted.lock().unwrap_or_else(PoisonError::into_inner) = Some((unmounter, flush));
        if self.asked.load(Ordering::SeqCst) {
            self.signal(0);
        }
    }

    /// It is unmounted: nothing holds the disk any more.
    pub(super) fn disarm(&self) {
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn signal(&self, before: usize) {
        self.asked.store(true, Ordering::SeqCst);
        let mounted = self.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((unmounter, flush)) = &*mounted else {
            if before > 0 {
                signals::end_now();
            }
            return;
        };
        if before > 0 {
            // Whoever still has a file open loses it, but not what was written.
            tell_failure(flush());
            signals::end_now();
        } else if let Err(error) = unmounter.unmount(Unmount::WhenUnused) {
            // The system may be going down: what was written must not wait for those programs.
            tell_failure(flush());
            detach(unmounter, &error);
        }
    }
}

fn detach(unmounter: &Unmounter, why: &UnmountError) {
    let detached = unmounter.unmount(Unmount::Detach).is_ok();
    let then = if detached { "it ends when no program uses it any more" } else { "it goes on" };
    tell(&format!("note: {why}: {then}; another signal ends it at once"));
}

fn tell_failure(flushed: io::Result<()>) {
    if let Err(error) = flushed {
        tell(&format!("error: failed to flush the disk: {error}"));
    }
}

fn tell(line: &str) {
    // That nobody reads it changes nothing.
    let _nobody_reads = writeln!(io::stderr().lock(), "{line}");
}
