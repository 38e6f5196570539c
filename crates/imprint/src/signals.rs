//! Ctrl-C, SIGTERM and SIGHUP: stop cleanly.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use imprint_progress::Progress;

/// What shells report for a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Lets signals cancel the work counted by `progress`. The second one ends the program at once: what
/// was being written then stays behind as a temporary file, which never has the final name.
pub(crate) fn cancel_on_signal(progress: &Arc<Progress>) -> Result<(), ctrlc::Error> {
    let progress = Arc::clone(progress);
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            end_now();
        }
        progress.cancel();
    })
}

/// Calls `asked` for each signal, with how many there were before. It runs in a thread of its own, for one
/// signal at a time.
pub(crate) fn on_signal(asked: impl Fn(usize) + Send + 'static) -> Result<(), ctrlc::Error> {
    let count = AtomicUsize::new(0);
    ctrlc::set_handler(move || asked(count.fetch_add(1, Ordering::Relaxed)))
}

/// Ends the program as a signal does.
#[expect(clippy::exit, reason = "the user asked twice; nothing is left to be tidied")]
pub(crate) fn end_now() {
    process::exit(INTERRUPTED);
}
