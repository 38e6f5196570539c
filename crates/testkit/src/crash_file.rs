//! A file that can be seen as a crash would leave it.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imprint_blockio::{ReadAt, Resize, Sparse, Stored, WriteAt};

use crate::sparse_memory::State;
use crate::{Random, SparseMemory};

/// One call that changed a [`CrashFile`], or made its changes durable.
#[derive(Clone, Debug)]
enum Call {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
    Flush,
}

/// A call and when it came.
#[derive(Debug)]
struct Event {
    call: Call,
    moment: u64,
}

/// What the file held at some time.
#[derive(Debug)]
struct Snapshot {
    /// After so many events.
    events: usize,
    state: State,
    /// Whether all of it is durable: the last event was a flush, or there was none yet.
    durable: bool,
}

/// After so many events there is a snapshot, flush or not.
const SNAPSHOT_EVENTS: usize = 32;

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
/// Each state can be had as bytes, which costs as much as the file is long, or as a [`SparseMemory`]
/// ([`killed`](Self::killed), [`power_lost`](Self::power_lost), [`durable`](Self::durable)), which
/// costs as much as was written since the last flush.
///
/// **Contract.** A flush makes everything written before it durable; nothing else does. The memory
/// used grows with the bytes written. The file itself has holes as a [`SparseMemory`] has.
#[derive(Debug, Default)]
pub struct CrashFile {
    live: SparseMemory,
    journal: Mutex<Journal>,
    /// Counts the calls of all files that share it.
    clock: Arc<AtomicU64>,
}

/// All that happened to a file.
#[derive(Debug)]
struct Journal {
    events: Vec<Event>,
    /// In the order of time; the first is the beginning.
    snapshots: Vec<Snapshot>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::of(State::default())
    }
}

impl Journal {
    fn of(state: State) -> Self {
        Self { events: Vec::new(), snapshots: vec![Snapshot { events: 0, state, durable: true }] }
    }

    /// The last snapshot before `cut` that will do, only durable ones if asked, and the calls between it and the cut, the
    /// last one shortened if it was under way.
    fn until(&self, cut: Cut, durable: bool) -> (State, Vec<Call>) {
        let over = self.snapshots.partition_point(|snapshot| snapshot.events <= cut.events);
        let over = self.snapshots.get(..over).unwrap_or_default();
        let fit = over.iter().rfind(|snapshot| snapshot.durable || !durable);
        let (start, state) =
            fit.map_or_else(Default::default, |fit| (fit.events, fit.state.clone()));
        let end = cut.events.min(self.events.len());
        let between = self.events.get(start..end).unwrap_or_default();
        let mut calls: Vec<Call> = between.iter().map(|event| event.call.clone()).collect();
        if let Some(Event { call: Call::Write { offset, bytes }, .. }) = self.events.get(cut.events)
            && cut.bytes > 0
        {
            let bytes = bytes.get(..cut.bytes).unwrap_or(bytes).into();
            calls.push(Call::Write { offset: *offset, bytes });
        }
        (state, calls)
    }
}

impl CrashFile {
    /// Makes a file whose durable contents are `initial`.
    #[expect(clippy::needless_pass_by_value, reason = "as the other files in memory are made")]
    #[must_use]
    pub fn new(initial: Vec<u8>) -> Self {
        SparseMemory::from(State::of(&initial)).into()
    }

    /// Makes a file whose moments are counted together with those of `other`, so that a crash can be
    /// tried that takes both at once (see [`Self::cut_at_moment`]).
    #[must_use]
    pub fn beside(other: &Self, initial: SparseMemory) -> Self {
        Self { clock: Arc::clone(&other.clock), ..initial.into() }
    }

    /// Returns the contents a reader sees now.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.live.to_bytes()
    }

    /// Returns how many bytes were written so far, in all writes together.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.journal().events.iter().map(|event| event.call.written() as u64).sum()
    }

    /// Returns the moment after `count` bytes were written, counted over all writes.
    #[must_use]
    pub fn cut_at_byte(&self, count: u64) -> Cut {
        let mut left = count;
        let journal = self.journal();
        for (index, event) in journal.events.iter().enumerate() {
            let len = event.call.written() as u64;
            if len > 0 && left < len {
                return Cut { events: index, bytes: usize::try_from(left).unwrap_or(usize::MAX) };
            }
            left -= len;
        }
        Cut { events: journal.events.len(), bytes: 0 }
    }

    /// Returns how many calls there were so far on all files that share the clock.
    #[must_use]
    pub fn moments(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Returns the moment after `count` calls on all files that share the clock.
    #[must_use]
    pub fn cut_at_moment(&self, count: u64) -> Cut {
        let events = self.journal().events.partition_point(|event| event.moment < count);
        Cut { events, bytes: 0 }
    }

    /// Returns the moments worth trying: before and after each call and, inside each write, after its
    /// first byte, in its middle and before its last byte.
    #[must_use]
    pub fn cuts(&self) -> Vec<Cut> {
        let journal = self.journal();
        let inside = journal.events.iter().enumerate().flat_map(|(index, event)| {
            let len = event.call.written();
            let mut places = vec![0, 1.min(len), len / 2, len.saturating_sub(1)];
            places.dedup();
            places.into_iter().map(move |bytes| Cut { events: index, bytes })
        });
        inside.chain([Cut { events: journal.events.len(), bytes: 0 }]).collect()
    }

    /// Returns the moments just before each flush, when most is at stake.
    #[must_use]
    pub fn cuts_before_flushes(&self) -> Vec<Cut> {
        let journal = self.journal();
        let flushes = journal.events.iter().enumerate();
        let flushes = flushes.filter(|(_, event)| matches!(event.call, Call::Flush));
        flushes.map(|(events, _)| Cut { events, bytes: 0 }).collect()
    }

    /// Returns the contents if the program is killed at `cut` and the machine runs on: the operating
    /// system keeps what was written, in order.
    #[must_use]
    pub fn killed(&self, cut: Cut) -> SparseMemory {
        let (mut state, calls) = self.journal().until(cut, false);
        for call in calls {
            match call {
                Call::Write { offset, bytes } => state.put(offset, &bytes),
                Call::SetLen(len) => state.set_len(len),
                Call::Flush => {}
            }
        }
        state.into()
    }

    /// [`Self::killed`] as bytes.
    #[must_use]
    pub fn killed_at(&self, cut: Cut) -> Vec<u8> {
        self.killed(cut).to_bytes()
    }

    /// Returns the contents at the last flush before `cut`: what no crash can take away as long as
    /// nothing overwrites it.
    #[must_use]
    pub fn durable(&self, cut: Cut) -> SparseMemory {
        self.journal().until(cut, true).0.into()
    }

    /// [`Self::durable`] as bytes.
    #[must_use]
    pub fn durable_at(&self, cut: Cut) -> Vec<u8> {
        self.durable(cut).to_bytes()
    }

    /// Returns one of the contents the file may have if the power fails at `cut`.
    ///
    /// Everything flushed is there. Of what came after the last flush each sector of `sector_size`
    /// bytes holds any of the contents it had since, whatever its neighbours hold: writes are lost,
    /// reordered and torn at sectors. The length is any the file had since.
    #[must_use]
    pub fn power_lost(&self, cut: Cut, sector_size: usize, random: &mut Random) -> SparseMemory {
        let (mut state, calls) = self.journal().until(cut, true);
        let lengths = lengths(state.len(), &calls);
        let len = *random.pick(&lengths);
        let mut survivors = Survivors::new(sector_size, calls.len(), random);
        for (index, call) in calls.iter().enumerate() {
            survivors.apply(index, call, &mut state);
        }
        state.set_len(len);
        state.into()
    }

    /// [`Self::power_lost`] as bytes.
    #[must_use]
    pub fn power_lost_at(&self, cut: Cut, sector_size: usize, random: &mut Random) -> Vec<u8> {
        self.power_lost(cut, sector_size, random).to_bytes()
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something and takes it down. The lock is held meanwhile, so that the journal has the order
    /// readers saw.
    fn note(&self, call: Call, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut journal = self.journal();
        act()?;
        let durable = matches!(call, Call::Flush);
        let moment = self.clock.fetch_add(1, Ordering::SeqCst);
        journal.events.push(Event { call, moment });
        let events = journal.events.len();
        if durable || events.is_multiple_of(SNAPSHOT_EVENTS) {
            journal.snapshots.push(Snapshot { events, state: self.live.snapshot(), durable });
        }
        Ok(())
    }
}

impl From<SparseMemory> for CrashFile {
    /// Makes a file whose durable contents are those of `initial`.
    fn from(initial: SparseMemory) -> Self {
        let journal = Mutex::new(Journal::of(initial.snapshot()));
        Self { live: initial, journal, clock: Arc::default() }
    }
}

impl Call {
    /// The bytes a write wrote; 0 for other calls.
    fn written(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => <[u8]>::len(bytes),
            Self::SetLen(_) | Self::Flush => 0,
        }
    }
}

/// The lengths a file of `len` bytes goes through.
fn lengths(len: u64, calls: &[Call]) -> Vec<u64> {
    let mut lengths = vec![len];
    let mut now = len;
    for call in calls {
        now = match call {
            Call::Write { offset, bytes } => now.max(offset + <[u8]>::len(bytes) as u64),
            Call::SetLen(len) => *len,
            Call::Flush => now,
        };
        lengths.push(now);
    }
    lengths
}

/// Decides sector by sector how many of the pending calls reached the medium.
struct Survivors<'a> {
    sector_size: u64,
    calls: usize,
    pattern: Pattern,
    chosen: HashMap<u64, usize>,
    random: &'a mut Random,
}

/// How the survivors of a power cut are spread.
enum Pattern {
    /// All sectors stopped after the same call: the writes were in order.
    Same(usize),
    /// Every sector for itself.
    Any,
    /// All arrived but some sectors, one in this many: those stopped anywhere.
    Most(u64),
}

impl<'a> Survivors<'a> {
    fn new(sector_size: usize, calls: usize, random: &'a mut Random) -> Self {
        let pattern = match random.below(3) {
            0 => Pattern::Same(random.index(calls + 1)),
            1 => Pattern::Any,
            _ => Pattern::Most(2 << random.below(6)),
        };
        let sector_size = sector_size.max(1) as u64;
        Self { sector_size, calls, pattern, chosen: HashMap::new(), random }
    }

    /// Whether call number `index` reached this sector.
    fn reached(&mut self, sector: u64, index: usize) -> bool {
        let kept = match self.pattern {
            Pattern::Same(kept) => kept,
            Pattern::Any => {
                let Self { chosen, random, calls, .. } = self;
                *chosen.entry(sector).or_insert_with(|| random.index(*calls + 1))
            }
            Pattern::Most(sectors) => {
                let Self { chosen, random, calls, .. } = self;
                *chosen.entry(sector).or_insert_with(|| match random.chance(1, sectors) {
                    true => random.index(*calls + 1),
                    false => *calls,
                })
            }
        };
        index < kept
    }

    /// The parts of a range whose sectors call number `index` reached.
    fn reached_parts(&mut self, range: Range<u64>, index: usize) -> Vec<Range<u64>> {
        if let Pattern::Same(kept) = self.pattern {
            return if index < kept { vec![range] } else { Vec::new() };
        }
        let mut parts: Vec<Range<u64>> = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let sector = start / self.sector_size;
            let end = ((sector + 1) * self.sector_size).min(range.end);
            if self.reached(sector, index) {
                match parts.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => parts.push(start..end),
                }
            }
            start = end;
        }
        parts
    }

    fn apply(&mut self, index: usize, call: &Call, state: &mut State) {
        match call {
            Call::Write { offset, bytes } => {
                let at = |place: u64| usize::try_from(place - offset).unwrap_or(usize::MAX);
                let range = *offset..offset + <[u8]>::len(bytes) as u64;
                for part in self.reached_parts(range, index) {
                    let piece = bytes.get(at(part.start)..at(part.end)).unwrap_or_default();
                    state.put(part.start, piece);
                }
            }
            // What is cut off reads as zeros if the file grows again. The length itself is chosen
            // apart from the contents.
            Call::SetLen(len) => {
                let stored: Vec<_> = state.stored_ranges(*len..u64::MAX).collect();
                for range in stored {
                    for part in self.reached_parts(range, index) {
                        state.clear(part);
                    }
                }
            }
            Call::Flush => {}
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

impl Sparse for CrashFile {
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        self.live.stored(offset, len)
    }
}

impl WriteAt for CrashFile {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let call = Call::Write { offset, bytes: buf.into() };
        self.note(call, || self.live.write_all_at(buf, offset))
    }

    fn flush(&self) -> io::Result<()> {
        self.note(Call::Flush, || Ok(()))
    }
}

impl Resize for CrashFile {
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(Call::SetLen(len), || self.live.set_len(len))
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

    #[test]
    fn snapshots_change_nothing() {
        let mut random = Random::new(3);
        let file = CrashFile::new(vec![7; 9000]);
        let mut states = vec![file.to_bytes()];
        let mut durable = vec![0];
        for _ in 0..150 {
            let offset = random.below(20_000);
            match random.below(10) {
                0 => file.flush().unwrap(),
                1 => file.set_len(offset).unwrap(),
                _ => file.write_all_at(&[random.byte(); 700], offset).unwrap(),
            }
            states.push(file.to_bytes());
            let last = durable.last().copied().unwrap();
            let flushed = file.cut_at_moment(file.moments()).events;
            let is_flush = states[flushed] == states[flushed - 1]
                && matches!(file.journal().events[flushed - 1].call, Call::Flush);
            durable.push(if is_flush { flushed } else { last });
        }
        for (events, state) in states.iter().enumerate() {
            let cut = Cut { events, bytes: 0 };
            assert!(file.killed_at(cut) == *state, "{events}");
            assert!(file.durable_at(cut) == states[durable[events]], "{events}");
        }
    }

    #[test]
    fn two_files_crash_together() {
        let one = CrashFile::default();
        let two = CrashFile::beside(&one, SparseMemory::new(b"two"));
        one.write_all_at(b"1", 0).unwrap();
        two.write_all_at(b"2", 0).unwrap();
        one.write_all_at(b"3", 1).unwrap();
        assert_eq!(one.moments(), 3);
        let left = |moment| {
            let one = one.killed_at(one.cut_at_moment(moment));
            let two = two.killed_at(two.cut_at_moment(moment));
            (String::from_utf8(one).unwrap(), String::from_utf8(two).unwrap())
        };
        let all: Vec<_> = (0..=3).map(left).collect();
        let expected = [("", "two"), ("1", "two"), ("1", "2wo"), ("13", "2wo")];
        assert_eq!(all, expected.map(|(one, two)| (one.to_owned(), two.to_owned())));
    }

    #[test]
    fn a_crash_of_a_huge_file_costs_what_was_written() {
        let file = CrashFile::from(SparseMemory::with_len(64 << 40));
        let mut random = Random::new(4);
        for round in 0..200 {
            file.write_all_at(&[random.byte(); 4096], random.below(64 << 40)).unwrap();
            if round % 10 == 9 {
                file.flush().unwrap();
            }
        }
        file.set_len(1 << 30).unwrap();
        for events in 0..=221 {
            let left = file.power_lost(Cut { events, bytes: 0 }, 512, &mut random);
            assert!(left.len().unwrap() <= 64 << 40);
            assert!(left.stored_bytes() <= 400 * 4096);
        }
    }
}
