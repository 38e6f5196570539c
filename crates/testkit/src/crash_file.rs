//! A file that can be seen as a crash would leave it.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use imprint_blockio::{MemoryFile, ReadAt, Resize, Sparse, WriteAt};

use crate::Random;

/// One call that changed a [`CrashFile`], or made its changes durable.
#[derive(Clone, Debug)]
enum Event {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
    Flush,
}

/// A moment in the life of a [`CrashFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Calls that are over: writes, length changes and flushes, in the order they came.
    pub events: usize,
    /// Bytes of the next call, if it is a write, that were also written.
    pub bytes: usize,
}

/// A file in memory that remembers every write, so that a test can ask what is left of it after a
/// crash at any moment.
///
/// ```text
///  write ─► volatile (what readers see) ─ flush ─► durable
///            killed_at: all of it is kept           power_lost_at: any part of what was not
///            up to the cut                          flushed may be missing, sector by sector
/// ```
///
/// **Contract.** A flush makes everything written before it durable; nothing else does. The memory
/// used grows with the bytes written.
#[derive(Debug, Default)]
pub struct CrashFile {
    initial: Vec<u8>,
    live: MemoryFile,
    events: Mutex<Vec<Event>>,
}

impl CrashFile {
    /// Makes a file whose durable contents are `initial`.
    #[must_use]
    pub fn new(initial: Vec<u8>) -> Self {
        Self { live: MemoryFile::new(initial.clone()), initial, events: Mutex::default() }
    }

    /// Returns the contents a reader sees now.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.live.to_bytes()
    }

    /// Returns how many bytes were written so far, in all writes together.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.events().iter().map(|event| event.written().len() as u64).sum()
    }

    /// Returns the moment after `count` bytes were written, counted over all writes.
    #[must_use]
    pub fn cut_at_byte(&self, count: u64) -> Cut {
        let mut left = count;
        let events = self.events();
        for (index, event) in events.iter().enumerate() {
            let len = event.written().len() as u64;
            if len > 0 && left < len {
                return Cut { events: index, bytes: usize::try_from(left).unwrap_or(usize::MAX) };
            }
            left -= len;
        }
        Cut { events: events.len(), bytes: 0 }
    }

    /// Returns the moments worth trying: before and after each call and, inside each write, after its
    /// first byte, in its middle and before its last byte.
    #[must_use]
    pub fn cuts(&self) -> Vec<Cut> {
        let events = self.events();
        let inside = events.iter().enumerate().flat_map(|(index, event)| {
            let len = event.written().len();
            let mut places = vec![0, 1.min(len), len / 2, len.saturating_sub(1)];
            places.dedup();
            places.into_iter().map(move |bytes| Cut { events: index, bytes })
        });
        inside.chain([Cut { events: events.len(), bytes: 0 }]).collect()
    }

    /// Returns the contents if the program is killed at `cut` and the machine runs on: the operating
    /// system keeps what was written, in order.
    #[must_use]
    pub fn killed_at(&self, cut: Cut) -> Vec<u8> {
        let mut bytes = self.initial.clone();
        for event in self.until(cut) {
            event.apply(&mut bytes);
        }
        bytes
    }

    /// Returns the contents at the last flush before `cut`: what no crash can take away as long as
    /// nothing overwrites it.
    #[must_use]
    pub fn durable_at(&self, cut: Cut) -> Vec<u8> {
        let mut bytes = self.initial.clone();
        for event in split_at_last_flush(self.until(cut)).0 {
            event.apply(&mut bytes);
        }
        bytes
    }

    /// Returns one of the contents the file may have if the power fails at `cut`.
    ///
    /// Everything flushed is there. Of what came after the last flush each sector of `sector_size`
    /// bytes holds any of the contents it had since, whatever its neighbours hold: writes are lost,
    /// reordered and torn at sectors. The length is any the file had since.
    #[must_use]
    pub fn power_lost_at(&self, cut: Cut, sector_size: usize, random: &mut Random) -> Vec<u8> {
        let (flushed, pending) = split_at_last_flush(self.until(cut));
        let mut bytes = self.initial.clone();
        for event in flushed {
            event.apply(&mut bytes);
        }
        let lengths = lengths(bytes.len(), &pending);
        let len = *random.pick(&lengths);
        let mut survivors = Survivors::new(sector_size, pending.len(), random);
        for (index, event) in pending.iter().enumerate() {
            survivors.apply(index, event, &mut bytes);
        }
        bytes.resize(len, 0);
        bytes
    }

    /// Returns the calls that were over at `cut`, the last one shortened if it was under way.
    fn until(&self, cut: Cut) -> Vec<Event> {
        let events = self.events();
        let mut over: Vec<Event> = events.iter().take(cut.events).cloned().collect();
        if let Some(Event::Write { offset, bytes }) = events.get(cut.events)
            && cut.bytes > 0
        {
            let bytes = bytes.iter().copied().take(cut.bytes).collect();
            over.push(Event::Write { offset: *offset, bytes });
        }
        over
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event {
    /// The bytes of a write; empty for other calls.
    fn written(&self) -> &[u8] {
        match self {
            Self::Write { bytes, .. } => bytes,
            Self::SetLen(_) | Self::Flush => &[],
        }
    }

    /// The range of bytes a write covers, and the length the file has at least afterwards.
    fn range(&self) -> std::ops::Range<usize> {
        match self {
            Self::Write { offset, bytes } => {
                let start = usize::try_from(*offset).unwrap_or(usize::MAX);
                start..start.saturating_add(bytes.len())
            }
            Self::SetLen(_) | Self::Flush => 0..0,
        }
    }

    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { bytes, .. } => put(file, self.range().start, bytes),
            Self::SetLen(len) => file.resize(usize::try_from(*len).unwrap_or(usize::MAX), 0),
            Self::Flush => {}
        }
    }
}

fn put(file: &mut Vec<u8>, start: usize, bytes: &[u8]) {
    let end = start + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    if let Some(target) = file.get_mut(start..end) {
        target.copy_from_slice(bytes);
    }
}

fn split_at_last_flush(mut events: Vec<Event>) -> (Vec<Event>, Vec<Event>) {
    let flushed = events.iter().rposition(|event| matches!(event, Event::Flush));
    let pending = events.split_off(flushed.map_or(0, |index| index + 1));
    (events, pending)
}

/// The lengths a file of `len` bytes goes through.
fn lengths(len: usize, events: &[Event]) -> Vec<usize> {
    let mut lengths = vec![len];
    let mut now = len;
    for event in events {
        now = match event {
            Event::Write { .. } => now.max(event.range().end),
            Event::SetLen(len) => usize::try_from(*len).unwrap_or(usize::MAX),
            Event::Flush => now,
        };
        lengths.push(now);
    }
    lengths
}

/// Decides sector by sector how many of the pending calls reached the medium.
struct Survivors<'a> {
    sector_size: usize,
    calls: usize,
    pattern: Pattern,
    chosen: HashMap<usize, usize>,
    random: &'a mut Random,
}

/// How the survivors of a power cut are spread.
enum Pattern {
    /// All sectors stopped after the same call: the writes were in order.
    Same(usize),
    /// Every sector for itself.
    Any,
}

impl<'a> Survivors<'a> {
    fn new(sector_size: usize, calls: usize, random: &'a mut Random) -> Self {
        let pattern =
            if random.chance(1, 3) { Pattern::Same(random.index(calls + 1)) } else { Pattern::Any };
        Self { sector_size: sector_size.max(1), calls, pattern, chosen: HashMap::new(), random }
    }

    /// Whether call number `index` reached this sector.
    fn reached(&mut self, sector: usize, index: usize) -> bool {
        let kept = match self.pattern {
            Pattern::Same(kept) => kept,
            Pattern::Any => {
                let Self { chosen, random, calls, .. } = self;
                *chosen.entry(sector).or_insert_with(|| random.index(*calls + 1))
            }
        };
        index < kept
    }

    fn apply(&mut self, index: usize, event: &Event, file: &mut Vec<u8>) {
        match event {
            Event::Write { bytes, .. } => {
                let mut start = event.range().start;
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let room = self.sector_size - start % self.sector_size;
                    let (piece, after) = rest.split_at(room.min(rest.len()));
                    if self.reached(start / self.sector_size, index) {
                        put(file, start, piece);
                    }
                    start += piece.len();
                    rest = after;
                }
            }
            // What is cut off reads as zeros if the file grows again. The length itself is chosen
            // apart from the contents.
            Event::SetLen(len) => {
                let len = usize::try_from(*len).unwrap_or(usize::MAX);
                let sector_size = self.sector_size;
                for (position, byte) in file.iter_mut().enumerate().skip(len) {
                    if self.reached(position / sector_size, index) {
                        *byte = 0;
                    }
                }
            }
            Event::Flush => {}
        }
    }
}

impl ReadAt for CrashFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.live.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.live.len()
    }
}

impl Sparse for CrashFile {}

impl WriteAt for CrashFile {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        // The lock is held over the write, so that the journal has the order readers saw.
        let mut events = self.events();
        self.live.write_all_at(buf, offset)?;
        events.push(Event::Write { offset, bytes: buf.to_vec() });
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.events().push(Event::Flush);
        Ok(())
    }
}

impl Resize for CrashFile {
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut events = self.events();
        self.live.set_len(len)?;
        events.push(Event::SetLen(len));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// "old" is durable; "new" and then "tail" are written, a flush between them.
    fn sample() -> CrashFile {
        let file = CrashFile::new(b"old".to_vec());
        file.write_all_at(b"new", 0).unwrap();
        file.flush().unwrap();
        file.write_all_at(b"tail", 3).unwrap();
        file
    }

    #[test]
    fn a_kill_keeps_what_was_written() {
        let file = sample();
        assert_eq!(file.bytes_written(), 7);
        let left: Vec<_> = (0..=7)
            .map(|count| String::from_utf8(file.killed_at(file.cut_at_byte(count))).unwrap())
            .collect();
        let expected = ["old", "nld", "ned", "new", "newt", "newta", "newtai", "newtail"];
        assert_eq!(left, expected);
    }

    #[test]
    fn cuts_stand_before_inside_and_after_each_call() {
        let cuts: Vec<_> = sample().cuts().iter().map(|cut| (cut.events, cut.bytes)).collect();
        let expected = [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (3, 0)];
        assert_eq!(cuts, expected);
    }

    #[test]
    fn a_power_cut_keeps_what_was_flushed() {
        let file = sample();
        let end = Cut { events: 3, bytes: 0 };
        assert_eq!(file.durable_at(end), b"new");
        let mut random = Random::new(1);
        let states: BTreeSet<_> =
            (0..200).map(|_| file.power_lost_at(end, 2, &mut random)).collect();
        assert!(states.iter().all(|state| state.starts_with(b"new")));
        // All, nothing, a longer file of zeros, and the tail torn at the sector: [ew] [ta] [il].
        for state in [b"newtail".as_slice(), b"new", b"new\0\0\0\0", b"newt\0\0\0", b"new\0ail"] {
            assert!(states.contains(state), "{state:?} is missing in {states:?}");
        }
    }

    #[test]
    fn a_power_cut_reorders_what_was_not_flushed() {
        let file = CrashFile::new(vec![b'0'; 4]);
        file.write_all_at(b"1", 0).unwrap();
        file.write_all_at(b"2", 2).unwrap();
        file.write_all_at(b"3", 0).unwrap();
        let end = Cut { events: 3, bytes: 0 };
        let mut random = Random::new(7);
        let states: BTreeSet<_> =
            (0..500).map(|_| file.power_lost_at(end, 2, &mut random)).collect();
        let expected = [b"0000", b"0020", b"1000", b"1020", b"3000", b"3020"];
        assert_eq!(states, expected.map(|state| state.to_vec()).into());
    }

    #[test]
    fn a_cut_length_may_come_back() {
        let file = CrashFile::new(b"abcd".to_vec());
        file.set_len(2).unwrap();
        file.set_len(4).unwrap();
        assert_eq!(file.to_bytes(), b"ab\0\0");
        let end = Cut { events: 2, bytes: 0 };
        let mut random = Random::new(2);
        let states: BTreeSet<_> =
            (0..100).map(|_| file.power_lost_at(end, 2, &mut random)).collect();
        let expected = [b"abcd".to_vec(), b"ab\0\0".to_vec(), b"ab".to_vec()];
        assert_eq!(states, expected.into());
    }
}
