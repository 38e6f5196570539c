//! What failed while a disk was mounted.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use imprint_mount::Failure;

/// This many are kept word for word; of the rest only the number.
const KEPT: usize = 10;

/// A list that all who serve write to.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    messages: Vec<String>,
    more: u64,
}

impl Failures {
    /// Keeps a failure, and says it on standard error as long as somebody reads there.
    pub(super) fn add(&self, failure: &Failure) {
        let mut message = failure.to_string();
        let mut cause = std::error::Error::source(failure);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let _nobody_reads = writeln!(std::io::stderr().lock(), "warning: {message}");
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.messages.len() < KEPT {
            list.messages.push(message);
        } else {
            list.more += 1;
        }
    }

    /// What failed, the first first.
    pub(super) fn messages(&self) -> Vec<String> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let more = (list.more > 0).then(|| format!("{} more failures", list.more));
        list.messages.iter().cloned().chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_kept_and_the_rest_counted() {
        let failures = Failures::default();
        assert_eq!(failures.messages(), [""; 0]);
        for _ in 0..KEPT + 3 {
            let source = std::io::Error::other(std::io::Error::other("inner"));
            failures.add(&Failure::Flush { source });
        }
        let messages = failures.messages();
        assert_eq!(messages.len(), KEPT + 1);
        assert_eq!(messages.first().unwrap(), "failed to flush the disk: inner");
        assert_eq!(messages.last().unwrap(), "3 more failures");
    }
}
