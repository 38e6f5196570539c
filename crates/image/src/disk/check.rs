//! Checking a disk with its chain, and saving what can be saved into a new file.

use std::path::Path;

use imprint_blockio::Extent;
use imprint_progress::Progress;
use imprint_vdisk::{Container, Finding, Format, Kind, OpenError, check_vhd, check_vhdx};

use super::compact::same_disk;
use super::error::{ChainError, DiskError};
use super::make::{Making, Naming};
use super::open::{Access, ChainOptions, Fresh, look_at_chain, open_file, open_named};

/// What checking a disk found.
#[derive(Debug)]
pub struct Checked {
    /// The format of the leaf.
    pub format: Format,
    /// What was found in the leaf's file.
    pub findings: Vec<Finding>,
    /// Why the file cannot be understood any further.
    pub broken: Option<OpenError>,
    /// Why the chain cannot be put together.
    pub chain: Option<ChainError>,
}

/// Checks all structures of a disk file, and that its parents are there and are its parents.
///
/// # Errors
/// [`DiskError::Chain`] if the file itself cannot be had; all else is in the result.
pub fn check_disk(
    path: &Path,
    options: &ChainOptions,
    progress: &Progress,
) -> Result<Checked, DiskError> {
    let disk = open_file(path, options.format, Access::Read)?;
    let format = disk.format;
    let mut findings = Vec::new();
    progress.begin("checking", 0, 0);
    let mut found = |finding| findings.push(finding);
    let result = match format {
        Format::Raw => Ok(()),
        Format::Vhd => check_vhd(&disk.file, progress, &mut found),
        Format::Vhdx => check_vhdx(&disk.file, progress, &mut found),
    };
    drop(disk);
    progress.check()?;
    let broken = result.err();
    let chain = match &broken {
        None => look_at_chain(path, options).map_or_else(Some, |look| look.missing),
        Some(_) => None,
    };
    Ok(Checked { format, findings, broken, chain })
}

/// Ranges that are listed one by one.
const MOST_LOST: usize = 10_000;

/// A part of a disk that could not be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRange {
    /// Where, bytes from the start of the disk.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Why; of several blocks in a row, why the first.
    pub reason: String,
}

/// Writes all of a damaged disk that can be read into a new file of the same kind, identity and
/// parent. What cannot be read is absent there, and listed: blocks in a row as one range, and the 10,000th
/// range reaches to the last that is lost.
///
/// # Errors
/// [`DiskError`] if nothing can be saved, or the new file cannot be written.
pub fn repair_disk(
    path: &Path,
    into: &Path,
    format: Option<Format>,
    naming: Naming,
    fresh: &Fresh<'_>,
    progress: &Progress,
) -> Result<Vec<LostRange>, DiskError> {
    let disk = open_named(path, open_file(path, format, Access::Read)?)?;
    let making = Making::begin(into, naming, fresh)?;
    let target = making.container(disk.format(), &same_disk(&*disk, fresh)?, fresh)?;
    progress.begin("saving", 0, 0);
    let mut lost = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < disk.size() {
        progress.check()?;
        let step = next_piece(&*disk, offset, &mut buffer);
        offset += match step {
            Ok(Extent::Data { len, .. }) => {
                let bytes = buffer.get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
                target.write(bytes, offset)?;
                progress.add_bytes(len);
                len
            }
            Ok(Extent::Zero { len }) => {
                // A new disk is zero by itself, unless a parent shows through.
                if disk.kind() == Kind::Differencing {
                    target.write_zeroes(offset, len)?;
                }
                len
            }
            Ok(Extent::Parent { len }) => len,
            Err((length, reason)) => {
                add_lost(&mut lost, LostRange { offset, length, reason });
                length
            }
        };
    }
    progress.begin("finishing", 0, 0);
    target.close()?;
    making.finish()?;
    Ok(lost)
}

/// Adds a range to the list. A table that leads nowhere at all is one range, and where there are very many the
/// last stands for all that follow: what a file says must not fill the memory.
fn add_lost(lost: &mut Vec<LostRange>, range: LostRange) {
    let is_full = lost.len() >= MOST_LOST;
    match lost.last_mut() {
        Some(last) if is_full || last.offset + last.length == range.offset => {
            last.length = range.offset + range.length - last.offset;
        }
        _ => lost.push(range),
    }
}

/// Reads the next piece of a disk file into a buffer of 1 MiB, or says how much of it is lost.
fn next_piece(
    disk: &dyn Container,
    offset: u64,
    buffer: &mut [u8],
) -> Result<Extent, (u64, String)> {
    // What is wrong with one block is not wrong with the next.
    let unit = match disk.block_size() {
        0 => 1 << 20,
        block_size => u64::from(block_size),
    };
    let lost = (offset / unit * unit + unit).min(disk.size()) - offset;
    let found = disk.resolve(offset, disk.size() - offset);
    // Of data only the next piece matters, and whether it is a hole of the file.
    let found = found.and_then(|extent| match extent {
        Extent::Data { len, .. } => disk.resolve_stored(offset, len.min(1 << 20)),
        Extent::Zero { .. } | Extent::Parent { .. } => Ok(extent),
    });
    match found {
        Ok(Extent::Data { file, offset: at, len }) => {
            let bytes = buffer.get_mut(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
            let read = disk.storage().read_exact_at(bytes, at);
            read.map_err(|error| (len, error.to_string()))?;
            Ok(Extent::Data { file, offset: at, len })
        }
        Ok(extent) => Ok(extent),
        Err(error) => Err((lost, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> LostRange {
        LostRange { offset, length, reason: offset.to_string() }
    }

    #[test]
    fn lists_of_what_is_lost_stay_short() {
        let mut lost = Vec::new();
        for offset in [10, 15, 40] {
            add_lost(&mut lost, range(offset, 5));
        }
        assert_eq!(lost, [LostRange { length: 10, ..range(10, 10) }, range(40, 5)]);
        for index in 0..1_000_000 {
            add_lost(&mut lost, range(100 + index * 10, 5));
        }
        assert_eq!(lost.len(), MOST_LOST);
        let last = lost.last().unwrap();
        assert_eq!(last.offset + last.length, 100 + 999_999 * 10 + 5);
    }
}
