//! Ctrl-C, SIGTERM and SIGHUP: stop cleanly.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

#[expect(clippy::exit, reason = "the user asked twice; nothing is left to be tidied")]
fn end_now() {
    process::exit(INTERRUPTED);
}
