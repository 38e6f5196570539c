//! Putting what one disk file holds into another.

use imprint_blockio::Extent;
use imprint_progress::{Cancelled, Progress};
use imprint_winvalues::Guid;

use crate::{Container, ReadError, Reshape, ReshapeError, WritableContainer, WriteError};

/// A merge stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The child cannot be read.
    #[error("failed to read the child")]
    Read(#[from] ReadError),
    /// The child's bytes could not be had.
    #[error("failed to read the child ({length} bytes at offset {offset:#x} of its file)")]
    Io {
        /// Where, bytes from the start of the child's file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: std::io::Error,
    },
    /// The parent cannot be written.
    #[error("failed to write the parent")]
    Write(#[from] WriteError),
    /// The caller stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// How many bytes a merge moves at a time: few enough to stay in the processor's cache from reading to writing.
pub const MERGE_PIECE: usize = 256 << 10;

/// Prepares a parent for [`merge`]: from here on it has the identity `meanwhile`, which its child
/// accepts as well and no other disk knows, where the format can say that. Otherwise it keeps its own.
///
/// After a crash the child accepts the parent as it then is: a parent that a stopped merge has given
/// an identity keeps that one.
///
/// # Errors
/// Whatever changing either disk reports.
pub fn begin_merge(
    child: &mut dyn Reshape,
    parent: &dyn Reshape,
    meanwhile: Guid,
) -> Result<(), ReshapeError> {
    parent.keep_identity();
    let stopped = child.parent().and_then(|link| link.alternative);
    if stopped.is_some() && stopped == parent.identity() {
        return Ok(());
    }
    if child.accept_parent(Some(meanwhile))? {
        parent.set_identity(meanwhile)?;
    }
    Ok(())
}

/// Ends a merge: the parent, which holds all of the child's contents, takes its identity, so that the
/// child's own children accept it. The child itself no longer does.
///
/// # Errors
/// Whatever changing the parent reports.
pub fn finish_merge(child: &dyn Reshape, parent: &dyn Reshape) -> Result<(), ReshapeError> {
    child.identity().map_or(Ok(()), |identity| parent.set_identity(identity))
}

/// One thing a merge does, at a place of the disk that ends where the parent's blocks may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeStep {
    /// Bytes of the child's file are written to the parent's disk.
    Copy {
        /// Where they are, from the start of the child's file.
        from: u64,
        /// How many: at most [`MERGE_PIECE`].
        len: usize,
        /// Where they go, from the start of the disk.
        to: u64,
    },
    /// A part of the parent's disk becomes zero.
    Zero {
        /// Where, from the start of the disk.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
}

/// Says what there is to do to write everything the child holds into its parent, in the order of the
/// disk, until `perform` says `false`. The child is only read; doing it again, from the start or
/// after a crash, gives the same parent.
///
/// The caller has seen to it that the child goes on accepting the parent meanwhile ([`begin_merge`]), and
/// commits the parent at the end.
///
/// # Errors
/// [`MergeError`]; the parent then holds a part of the child's contents, which the chain shows as
/// before.
pub fn merge_steps(
    child: &dyn Container,
    progress: &Progress,
    perform: &mut dyn FnMut(MergeStep) -> Result<bool, MergeError>,
) -> Result<(), MergeError> {
    let mut offset = 0;
    while offset < child.size() {
        progress.check()?;
        let here = child.resolve_stored(offset, child.size() - offset)?;
        let goes_on = match here {
            Extent::Data { offset: at, len, .. } => {
                merge_data((at, len), offset, progress, perform)?
            }
            Extent::Zero { len } => perform(MergeStep::Zero { offset, len })?,
            Extent::Parent { .. } => true,
        };
        if !goes_on {
            return Ok(());
        }
        offset += here.len();
    }
    Ok(())
}

/// Cuts data of the child's file into pieces.
fn merge_data(
    (from, len): (u64, u64),
    to: u64,
    progress: &Progress,
    perform: &mut dyn FnMut(MergeStep) -> Result<bool, MergeError>,
) -> Result<bool, MergeError> {
    let mut done = 0;
    while done < len {
        progress.check()?;
        // Pieces end where the parent's blocks may, so that blocks are written whole.
        let to_edge = MERGE_PIECE as u64 - (to + done) % MERGE_PIECE as u64;
        let length = (len - done).min(to_edge);
        let piece = usize::try_from(length).unwrap_or(MERGE_PIECE);
        if !perform(MergeStep::Copy { from: from + done, len: piece, to: to + done })? {
            return Ok(false);
        }
        done += length;
    }
    Ok(true)
}

/// Reads bytes of the child's file for a [`MergeStep::Copy`], and counts them into `progress`.
///
/// # Errors
/// [`MergeError::Io`].
pub fn read_merged(
    child: &dyn Container,
    from: u64,
    bytes: &mut [u8],
    progress: &Progress,
) -> Result<(), MergeError> {
    let length = bytes.len() as u64;
    let failed = |source| MergeError::Io { offset: from, length, source };
    child.storage().read_exact_at(bytes, from).map_err(failed)?;
    progress.add_bytes(length);
    Ok(())
}

/// Performs all [`merge_steps`], one after the other, and commits.
///
/// # Errors
/// As [`merge_steps`].
pub fn merge(
    child: &dyn Container,
    parent: &dyn WritableContainer,
    progress: &Progress,
) -> Result<(), MergeError> {
    let mut buffer = vec![0; MERGE_PIECE];
    merge_steps(child, progress, &mut |step| {
        match step {
            MergeStep::Copy { from, len, to } => {
                let bytes = buffer.get_mut(..len).unwrap_or_default();
                read_merged(child, from, bytes, progress)?;
                parent.write(bytes, to)?;
            }
            MergeStep::Zero { offset, len } => parent.write_zeroes(offset, len)?,
        }
        Ok(true)
    })?;
    Ok(parent.commit()?)
}
