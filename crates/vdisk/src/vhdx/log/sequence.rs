//! Which entries of the log are to be replayed.

use imprint_blockio::ReadAt;

use super::entry::{Entry, read_entry};
use super::{Ring, SECTOR};
use crate::{Corruption, OpenError, Structure};

/// Finds the entries to be replayed, oldest first.
///
/// # Errors
/// Corruption if there are none: a log that is named is never empty.
pub(super) fn active<T: ReadAt + ?Sized>(ring: &Ring<'_, T>) -> Result<Vec<Entry>, OpenError> {
    let entries = scan(ring)?;
    let next = |entry: &Entry| {
        let at = ring.forward(entry.at, entry.length);
        let index = entries.binary_search_by_key(&at, |other| other.at).ok()?;
        let follows = entries.get(index)?.sequence.checked_sub(1) == Some(entry.sequence);
        follows.then_some(index)
    };
    let mut starts = vec![true; entries.len()];
    for follower in entries.iter().filter_map(next) {
        if let Some(start) = starts.get_mut(follower) {
            *start = false;
        }
    }
    // Numbers only grow along a run, so that every run has a start and ends; no entry has two
    // predecessors, so that all runs together are as long as the list.
    let mut best: Vec<Entry> = Vec::new();
    for (start, _) in entries.iter().zip(&starts).filter(|(_, is_start)| **is_start) {
        let mut run = vec![*start];
        let mut last = start;
        while let Some(entry) = next(last).and_then(|index| entries.get(index)) {
            run.push(*entry);
            last = entry;
        }
        let newest = best.last().map_or(0, |entry| entry.sequence);
        if last.sequence > newest
            && let Some(tail) = run.iter().position(|entry| entry.at == last.tail)
        {
            best = run.split_off(tail);
        }
    }
    if best.is_empty() {
        let offset = ring.header.log_offset;
        let expected = imprint_blockio::Expected::AtLeast(1);
        return Err(Corruption::number(
            Structure::Log,
            offset,
            "count of valid entries",
            expected,
            0,
        )
        .into());
    }
    Ok(best)
}

/// Finds all whole entries, in the order of their positions.
fn scan<T: ReadAt + ?Sized>(ring: &Ring<'_, T>) -> Result<Vec<Entry>, OpenError> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < ring.header.log_length {
        match read_entry(ring, at)? {
            Some(entry) => {
                at += entry.length;
                entries.push(entry);
            }
            None => at += SECTOR,
        }
    }
    Ok(entries)
}
