//! Copies what a disk holds into a disk file, without reading holes or storing zeros.

use std::ops::Range;

use crossbeam_channel::{Receiver, Sender, bounded};
use imprint_blockio::{BlockDevice, Extent};
use imprint_progress::Progress;
use imprint_vdisk::WritableContainer;

use super::error::DiskError;

/// How many bytes are read and written at a time: enough to make calls cheap, and few enough to stay
/// in the processor's cache between reading, looking and writing.
const PIECE: usize = 1 << 20;
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

/// A piece of a disk, read.
struct Piece {
    offset: u64,
    len: usize,
    bytes: Vec<u8>,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
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
    if !options.threads {
        let mut spare = Some(vec![0; PIECE]);
        return read_pieces(source, progress, |offset, len, fill| {
            let mut piece = Piece { offset, len, bytes: spare.take().unwrap_or_default() };
            fill(&mut piece)?;
            write_piece(&piece, target, options)?;
            spare = Some(piece.bytes);
            Ok(true)
        });
    }
    let (full, to_write) = bounded::<Piece>(IN_FLIGHT);
    let (empty, to_fill) = bounded::<Vec<u8>>(IN_FLIGHT);
    for _ in 0..IN_FLIGHT {
        // The channel has room for all of them.
        let _sent = empty.send(vec![0; PIECE]);
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_ahead(source, progress, &to_fill, &full));
        let written = write_behind(&to_write, &empty, target, options);
        // With its channel the reader loses its reason to go on.
        drop(to_write);
        drop(empty);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(read)
    })
}

fn read_ahead(
    source: &impl BlockDevice,
    progress: &Progress,
    to_fill: &Receiver<Vec<u8>>,
    full: &Sender<Piece>,
) -> Result<(), DiskError> {
    read_pieces(source, progress, |offset, len, fill| {
        // The writer has gone when either channel is closed, and says itself why.
        let Ok(bytes) = to_fill.recv() else { return Ok(false) };
        let mut piece = Piece { offset, len, bytes };
        fill(&mut piece)?;
        Ok(full.send(piece).is_ok())
    })
}

fn write_behind(
    to_write: &Receiver<Piece>,
    empty: &Sender<Vec<u8>>,
    target: &dyn WritableContainer,
    options: CopyOptions,
) -> Result<(), DiskError> {
    for piece in to_write {
        write_piece(&piece, target, options)?;
        // The reader may be through already.
        let _sent = empty.send(piece.bytes);
    }
    Ok(())
}

/// Fills a piece with the bytes of the disk.
type Fill<'a> = &'a dyn Fn(&mut Piece) -> Result<(), DiskError>;

/// Goes over all data of a disk in pieces: `take` gets the place of each, and a way to read it, and says
/// whether to go on.
fn read_pieces(
    source: &impl BlockDevice,
    progress: &Progress,
    mut take: impl FnMut(u64, usize, Fill<'_>) -> Result<bool, DiskError>,
) -> Result<(), DiskError> {
    let failed = |offset, length| move |source| DiskError::Read { offset, length, source };
    let size = source.len().map_err(failed(0, 0))?;
    let fill = |piece: &mut Piece| {
        let Piece { offset, len, ref mut bytes } = *piece;
        let part = bytes.get_mut(..len).unwrap_or_default();
        source.read_exact_at(part, offset).map_err(failed(offset, len as u64))?;
        // A disk may end within a sector; the rest of it is zero.
        bytes.iter_mut().skip(len).take(GRAIN).for_each(|byte| *byte = 0);
        Ok(())
    };
    let mut offset = 0;
    while offset < size {
        let extent = source.extent(offset, size - offset).map_err(failed(offset, size - offset))?;
        let end = offset + extent.len();
        if !matches!(extent, Extent::Data { .. }) {
            progress.check()?;
            offset = end;
        }
        while offset < end {
            progress.check()?;
            // Pieces end at multiples of their size, so that blocks of the target are written whole.
            let next = (offset / PIECE as u64 + 1).saturating_mul(PIECE as u64).min(end);
            let len = usize::try_from(next - offset).unwrap_or(PIECE);
            if !take(offset, len, &fill)? {
                return Ok(());
            }
            progress.add_bytes(next - offset);
            offset = next;
        }
    }
    Ok(())
}

fn write_piece(
    piece: &Piece,
    target: &dyn WritableContainer,
    options: CopyOptions,
) -> Result<(), DiskError> {
    // Whole sectors are written, as far as the target goes.
    let room = target.size().saturating_sub(piece.offset);
    let sector = usize::try_from(target.sector_size()).unwrap_or(GRAIN);
    let put = |run: Range<usize>| {
        let end = run.end.next_multiple_of(sector).min(usize::try_from(room).unwrap_or(usize::MAX));
        let bytes = piece.bytes.get(run.start..end).unwrap_or_default();
        target.write(bytes, piece.offset + run.start as u64)
    };
    if !options.skip_zeroes {
        return Ok(put(0..piece.len)?);
    }
    let mut from = 0;
    while let Some(run) = next_data(piece.bytes(), from) {
        from = run.end;
        put(run)?;
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
}
