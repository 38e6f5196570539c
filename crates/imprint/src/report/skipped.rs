//! What was left out.

use imprint_image::Skipped;
use serde::Serialize;

use crate::console::Console;
use crate::exit::Status;
use crate::meter::Count;

/// One thing that was left out.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SkippedFacts {
    path: String,
    reason: String,
}

impl From<&Skipped> for SkippedFacts {
    fn from(skipped: &Skipped) -> Self {
        Self { path: skipped.path.clone(), reason: skipped.reason.to_string() }
    }
}

/// Puts what was left out into a document.
pub(crate) fn facts(skipped: &[Skipped]) -> Vec<SkippedFacts> {
    skipped.iter().map(SkippedFacts::from).collect()
}

/// Lists on standard error what was left out, each on its line, and tells how the work ended.
pub(crate) fn finish(console: &mut Console, skipped: &[Skipped]) -> Status {
    for item in skipped {
        console.warn(&format_args!("left out: {item}\n"));
    }
    if let count @ 1.. = skipped.len() {
        let count = Count(u64::try_from(count).unwrap_or(u64::MAX));
        let items = if skipped.len() == 1 { "item was" } else { "items were" };
        console.warn(&format_args!("warning: {count} {items} left out\n"));
        return Status::Incomplete;
    }
    Status::Done
}
