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

/// How many bytes are moved at a time: few enough to stay in the processor's cache from reading to writing.
const PIECE: usize = 256 << 10;

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

/// Writes everything the child holds into its parent. The child is only read; doing it again, from
/// the start or after a crash, gives the same parent. Counts bytes read into `progress`.
///
/// The caller has seen to it that the child goes on accepting the parent meanwhile ([`begin_merge`]).
///
/// # Errors
/// [`MergeError`]; the parent then holds a part of the child's contents, which the chain shows as
/// before.
pub fn merge(
    child: &dyn Container,
    parent: &dyn WritableContainer,
    progress: &Progress,
) -> Result<(), MergeError> {
    let mut merging = Merging { child, parent, buffer: vec![0; PIECE] };
    let mut offset = 0;
    while offset < child.size() {
        progress.check()?;
        let here = child.resolve_stored(offset, child.size() - offset)?;
        match here {
            Extent::Data { offset: at, len, .. } => merging.copy(at, len, offset, progress)?,
            Extent::Zero { len } => parent.write_zeroes(offset, len)?,
            Extent::Parent { .. } => {}
        }
        offset += here.len();
    }
    Ok(parent.commit()?)
}

/// A merge under way.
struct Merging<'a> {
    child: &'a dyn Container,
    parent: &'a dyn WritableContainer,
    buffer: Vec<u8>,
}

impl Merging<'_> {
    /// Copies `len` bytes at `from` of the child's file to `to` of the parent's disk.
    fn copy(
        &mut self,
        from: u64,
        len: u64,
        to: u64,
        progress: &Progress,
    ) -> Result<(), MergeError> {
        let mut done = 0;
        while done < len {
            progress.check()?;
            let offset = from + done;
            // Pieces end where the parent's blocks may, so that blocks are written whole.
            let to_edge = PIECE as u64 - (to + done) % PIECE as u64;
            let length = (len - done).min(to_edge);
            let bytes = self.buffer.get_mut(..usize::try_from(length).unwrap_or(PIECE));
            let bytes = bytes.unwrap_or_default();
            let failed = |source| MergeError::Io { offset, length, source };
            self.child.storage().read_exact_at(bytes, offset).map_err(failed)?;
            self.parent.write(bytes, to + done)?;
            progress.add_bytes(length);
            done += length;
        }
        Ok(())
    }
}
