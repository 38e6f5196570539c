//! Copies what a disk holds into a disk file, without reading holes or storing zeros.

use std::ops::Range;

use crossbeam_channel::{Receiver, Sender, bounded};
use imprint_blockio::{BlockDevice, Extent};
use imprint_progress::Progress;
use imprint_vdisk::WritableContainer;

use super::error::DiskError;

/// How many bytes are read and written at a time: enough to make calls cheap, and few enough to stay
/// in the processor's cache between reading, looking and writing. The usual blocks are made of whole ones.
const PIECE: usize = 512 << 10;
/// Pieces under way at once: one is read, one is written, the others even out their speeds.
const IN_FLIGHT: usize = 4;
/// The unit in which zeros are looked for: smaller holes no file system keeps.
const GRAIN: usize = 4096;
/// Zeros shorter than this between data are written with it: one write is cheaper than two.
const SHORTEST_GAP: usize = 1 << 16;

/// How to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// Whether zeros are left out; otherwise they are written, too.
    pub skip_zeroes: bool,
    /// Whether reading and writing have a thread each; the result is the same.
    pub threads: bool,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { skip_zeroes: true, threads: true }
    }
}

/// The data of a stretch of [`PIECE`] bytes of a disk, read.
#[derive(Default)]
struct Piece {
    /// Where the stretch begins on the disk: a multiple of its length.
    offset: u64,
    /// The stretch; what lies between the parts is of no meaning.
    bytes: Vec<u8>,
    /// Where in `bytes` data is: ascending, made of whole grains.
    parts: Vec<Range<usize>>,
}

impl Piece {
    fn new() -> Self {
        Self { bytes: vec![0; PIECE], ..Self::default() }
    }

    /// Empties it for the stretch with the byte at `offset`; returns where that ends.
    fn begin(&mut self, offset: u64) -> u64 {
        let length = PIECE as u64;
        self.offset = offset / length * length;
        self.parts.clear();
        self.offset.saturating_add(length)
    }

    /// Makes room for `len` bytes of the disk at `offset`, behind all that are there, and returns it.
    /// What is missing of whole grains is filled with zeros, and so are gaps too short to be left out.
    fn add(&mut self, offset: u64, len: u64) -> &mut [u8] {
        let start = usize::try_from(offset - self.offset).unwrap_or(PIECE);
        let end = start.saturating_add(usize::try_from(len).unwrap_or(PIECE));
        let whole = end.next_multiple_of(GRAIN);
        let near = |last: &&mut Range<usize>| start < last.end.saturating_add(SHORTEST_GAP);
        let zero_from = if let Some(last) = self.parts.last_mut().filter(near) {
            std::mem::replace(&mut last.end, whole)
        } else {
            let first = start / GRAIN * GRAIN;
            self.parts.push(first..whole);
            first
        };
        for gap in [zero_from..start, end..whole] {
            self.bytes.get_mut(gap).unwrap_or_default().fill(0);
        }
        self.bytes.get_mut(start..end).unwrap_or_default()
    }
}

/// Goes over the data of a disk.
struct Reader<'a, S> {
    source: &'a S,
    progress: &'a Progress,
    size: u64,
    /// Up to here the disk was read.
    offset: u64,
    /// Up to here there is data, if that is behind `offset`.
    data_end: u64,
}

impl<'a, S: BlockDevice> Reader<'a, S> {
    fn new(source: &'a S, progress: &'a Progress) -> Result<Self, DiskError> {
        let failed = |source| DiskError::Read { offset: 0, length: 0, source };
        let size = source.len().map_err(failed)?;
        Ok(Self { source, progress, size, offset: 0, data_end: 0 })
    }

    /// Fills a piece with the next data; `false` if there is none.
    fn fill(&mut self, piece: &mut Piece) -> Result<bool, DiskError> {
        if self.next_data(self.size)? == 0 {
            return Ok(false);
        }
        let end = piece.begin(self.offset).min(self.size);
        loop {
            let length = self.next_data(end)?;
            if length == 0 {
                return Ok(true);
            }
            let offset = self.offset;
            let failed = |source| DiskError::Read { offset, length, source };
            self.source.read_exact_at(piece.add(offset, length), offset).map_err(failed)?;
            self.progress.add_bytes(length);
            self.offset += length;
        }
    }

    /// Goes on to the next data, and returns how much of it there is before `end`.
    fn next_data(&mut self, end: u64) -> Result<u64, DiskError> {
        while self.offset < end {
            self.progress.check()?;
            if self.offset < self.data_end {
                return Ok(self.data_end.min(end) - self.offset);
            }
            let (offset, length) = (self.offset, self.size - self.offset);
            let failed = |source| DiskError::Read { offset, length, source };
            let extent = self.source.extent(offset, length).map_err(failed)?;
            let extent_end = offset + extent.len();
            match extent {
                Extent::Data { .. } => self.data_end = extent_end,
                Extent::Zero { .. } | Extent::Parent { .. } => self.offset = extent_end,
            }
        }
        Ok(0)
    }
}

/// Copies all of `source` into `target`, a fresh disk of at least the same size that reads as zeros. Counts
/// the bytes read into `progress`. Nothing is committed.
///
/// # Errors
/// [`DiskError::Read`], [`DiskError::Write`], [`DiskError::Cancelled`].
pub fn copy_disk(
    source: &impl BlockDevice,
    target: &dyn WritableContainer,
    options: CopyOptions,
    progress: &Progress,
) -> Result<(), DiskError> {
    let mut reader = Reader::new(source, progress)?;
    if !options.threads {
        let mut piece = Piece::new();
        while reader.fill(&mut piece)? {
            write_piece(&piece, target, options)?;
        }
        return Ok(());
    }
    let (full, to_write) = bounded::<Piece>(IN_FLIGHT);
    let (empty, to_fill) = bounded::<Piece>(IN_FLIGHT);
    for _ in 0..IN_FLIGHT {
        // The channel has room for all of them.
        let _sent = empty.send(Piece::new());
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_ahead(reader, &to_fill, &full));
        let written = write_behind(&to_write, &empty, target, options);
        // With its channels the reader loses its reason to go on.
        drop(to_write);
        drop(empty);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(read)
    })
}

fn read_ahead(
    mut reader: Reader<'_, impl BlockDevice>,
    to_fill: &Receiver<Piece>,
    full: &Sender<Piece>,
) -> Result<(), DiskError> {
    // The writer has gone when either channel is closed, and says itself why.
    for mut piece in to_fill {
        if !reader.fill(&mut piece)? || full.send(piece).is_err() {
            break;
        }
    }
    Ok(())
}

fn write_behind(
    to_write: &Receiver<Piece>,
    empty: &Sender<Piece>,
    target: &dyn WritableContainer,
    options: CopyOptions,
) -> Result<(), DiskError> {
    for piece in to_write {
        write_piece(&piece, target, options)?;
        // The reader may be through already.
        let _sent = empty.send(piece);
    }
    Ok(())
}

fn write_piece(
    piece: &Piece,
    target: &dyn WritableContainer,
    options: CopyOptions,
) -> Result<(), DiskError> {
    let room = target.size().saturating_sub(piece.offset);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let put = |run: Range<usize>| {
        let bytes = piece.bytes.get(run.start..run.end.min(room)).unwrap_or_default();
        target.write(bytes, piece.offset + run.start as u64)
    };
    for part in &piece.parts {
        if !options.skip_zeroes {
            put(part.clone())?;
            continue;
        }
        let bytes = piece.bytes.get(..part.end).unwrap_or_default();
        let mut from = part.start;
        while let Some(run) = next_data(bytes, from) {
            from = run.end;
            put(run)?;
        }
    }
    Ok(())
}

/// Finds the next run of data at or behind `from`: it begins and ends with a grain that is not all zero.
fn next_data(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut run: Option<Range<usize>> = None;
    let rest = bytes.get(from..)?;
    for (index, grain) in rest.chunks(GRAIN).enumerate() {
        let start = from + index * GRAIN;
        if is_zero(grain) {
            if run.as_ref().is_some_and(|run| start + grain.len() - run.end >= SHORTEST_GAP) {
                break;
            }
            continue;
        }
        let end = start + grain.len();
        run.get_or_insert(start..end).end = end;
    }
    run
}

/// A grain of zeros to compare with, which is the fastest way to look.
static ZEROES: [u8; GRAIN] = [0; GRAIN];

fn is_zero(grain: &[u8]) -> bool {
    ZEROES.get(..grain.len()).is_some_and(|zeroes| zeroes == grain)
}

#[cfg(test)]
mod tests {
    use std::io;

    use imprint_blockio::{MemoryFile, ReadAt, Resize};
    use imprint_testkit::Random;
    use imprint_vdisk::Raw;

    use super::*;

    #[track_caller]
    fn check(data: &[Range<usize>], len: usize, expected: &[Range<usize>]) {
        let mut bytes = vec![0; len];
        for range in data {
            bytes[range.clone()].fill(1);
        }
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(run) = next_data(&bytes, from) {
            from = run.end;
            found.push(run);
        }
        assert_eq!(found, expected);
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
    fn runs_of_data_are_found() {
        check(&[], PIECE, &[]);
        check(&[0..1], PIECE, &[0..GRAIN]);
        check(&[0..PIECE], PIECE, &[0..PIECE]);
        check(&[5000..5001], PIECE, &[4096..8192]);
        check(&[4000..4100, 70_000..70_001], PIECE, &[0..73_728]);
        check(&[0..1, 80_000..80_001], PIECE, &[0..4096, 77_824..81_920]);
        check(&[5000..5100], 5100, &[4096..5100]);
        check(&[], 0, &[]);
    }

    /// A disk whose data begins and ends anywhere.
    struct Patchwork {
        bytes: Vec<u8>,
        data: Vec<Range<usize>>,
    }

    impl ReadAt for Patchwork {
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            self.bytes.read_exact_at(buf, offset)
        }

        fn len(&self) -> io::Result<u64> {
            ReadAt::len(&self.bytes)
        }
    }

    impl BlockDevice for Patchwork {
        fn sector_size(&self) -> u32 {
            512
        }

        fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
            let at = usize::try_from(offset).unwrap();
            let end = |to: usize| len.min((to - at) as u64);
            Ok(match self.data.iter().find(|range| range.end > at) {
                Some(range) if range.start <= at => {
                    Extent::Data { file: 0, offset, len: end(range.end) }
                }
                Some(range) => Extent::Zero { len: end(range.start) },
                None => Extent::Zero { len },
            })
        }
    }

    fn patchwork(random: &mut Random, size: usize) -> Patchwork {
        let mut disk = Patchwork { bytes: vec![0; size], data: Vec::new() };
        let mut at = 0;
        while at < size {
            // Gaps on both sides of the shortest, pieces on both sides of a whole one.
            let (gap, len) = (random.index(3 * SHORTEST_GAP / 2), 1 + random.index(3 * PIECE / 2));
            let len = if random.chance(1, 2) { 1 + len % 9000 } else { len };
            let (gap, len) = if random.chance(1, 2) { (gap / 512 * 512, len) } else { (gap, len) };
            let start = (at + gap).min(size);
            at = (start + len).min(size);
            if random.chance(3, 4) {
                random.fill(&mut disk.bytes[start..at]);
            }
            disk.data.push(start..at);
        }
        disk
    }

    #[test]
    fn whatever_the_pieces_are_the_copy_is_equal() {
        for seed in 0..30 {
            let mut random = Random::new(seed);
            let size = 3 * PIECE + random.index(PIECE);
            let disk = patchwork(&mut random, size);
            for (sector, skip_zeroes, threads) in
                [(512, true, true), (4096, true, false), (4096, false, true)]
            {
                let file = MemoryFile::default();
                file.set_len(size.next_multiple_of(4096) as u64).unwrap();
                let target = Raw::open(&file, sector).unwrap();
                let options = CopyOptions { skip_zeroes, threads };
                let progress = Progress::default();
                copy_disk(&disk, &target, options, &progress).unwrap();
                let data: usize = disk.data.iter().map(ExactSizeIterator::len).sum();
                assert_eq!(progress.snapshot().done_bytes, data as u64, "seed {seed}");
                assert!(file.into_bytes()[..size] == disk.bytes, "seed {seed}, {options:?}");
            }
        }
    }
}
