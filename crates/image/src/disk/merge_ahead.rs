//! A merge that reads on while it writes.

use crossbeam_channel::{Receiver, Sender, bounded};
use imprint_progress::Progress;
use imprint_vdisk::{
    Container, MERGE_PIECE, MergeError, MergeStep, WritableContainer, merge_steps, read_merged,
};

/// Pieces under way at once: one is read, one is written, the others even out their speeds.
const IN_FLIGHT: usize = 4;

/// A step whose bytes are there.
enum Ready {
    Data { buffer: Vec<u8>, len: usize, to: u64 },
    Zero { offset: u64, len: u64 },
}

/// Does what [`imprint_vdisk::merge`] does, in two threads: the same writes in the same order.
///
/// # Errors
/// As that.
pub(super) fn merge_ahead(
    child: &dyn Container,
    parent: &dyn WritableContainer,
    progress: &Progress,
) -> Result<(), MergeError> {
    let (ready, to_write) = bounded(IN_FLIGHT);
    let (empty, to_fill) = bounded(IN_FLIGHT);
    for _ in 0..IN_FLIGHT {
        // The channel has room for all of them.
        let _sent = empty.send(vec![0; MERGE_PIECE]);
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read(child, progress, &to_fill, &ready));
        let written = write(&to_write, &empty, parent);
        // With its channels the reader loses its reason to go on.
        drop(to_write);
        drop(empty);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(read)
    })?;
    Ok(parent.commit()?)
}

fn read(
    child: &dyn Container,
    progress: &Progress,
    to_fill: &Receiver<Vec<u8>>,
    ready: &Sender<Ready>,
) -> Result<(), MergeError> {
    // The writer has gone when either channel is closed, and says itself why.
    merge_steps(child, progress, &mut |step| {
        let step = match step {
            MergeStep::Copy { from, len, to } => {
                let Ok(mut buffer) = to_fill.recv() else { return Ok(false) };
                let bytes = buffer.get_mut(..len).unwrap_or_default();
                read_merged(child, from, bytes, progress)?;
                Ready::Data { buffer, len, to }
            }
            MergeStep::Zero { offset, len } => Ready::Zero { offset, len },
        };
        Ok(ready.send(step).is_ok())
    })
}

fn write(
    to_write: &Receiver<Ready>,
    empty: &Sender<Vec<u8>>,
    parent: &dyn WritableContainer,
) -> Result<(), MergeError> {
    for step in to_write {
        match step {
            Ready::Data { buffer, len, to } => {
                parent.write(buffer.get(..len).unwrap_or_default(), to)?;
                // The reader may be through already.
                let _sent = empty.send(buffer);
            }
            Ready::Zero { offset, len } => parent.write_zeroes(offset, len)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use imprint_blockio::{MemoryFile, Resize};
    use imprint_testkit::Random;
    use imprint_vdisk::{Raw, merge};

    use super::*;

    const SIZE: usize = 5 << 20;

    fn raw(size: usize) -> Raw<MemoryFile> {
        let file = MemoryFile::default();
        file.set_len(size as u64).unwrap();
        Raw::open(file, 512).unwrap()
    }

    fn child() -> Raw<MemoryFile> {
        let child = raw(SIZE);
        let mut bytes = vec![0; SIZE];
        Random::new(1).fill(&mut bytes);
        child.write(&bytes, 0).unwrap();
        child
    }

    fn bytes_of(disk: &Raw<MemoryFile>) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(disk.size()).unwrap()];
        disk.storage().read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn both_ways_give_the_same() {
        let (child, one, other) = (child(), raw(SIZE), raw(SIZE));
        let progress = Progress::new();
        merge_ahead(&child, &one, &progress).unwrap();
        merge(&child, &other, &progress).unwrap();
        assert_eq!(progress.snapshot().done_bytes, 2 * SIZE as u64);
        assert!(bytes_of(&one) == bytes_of(&child));
        assert!(bytes_of(&other) == bytes_of(&child));
    }

    #[test]
    fn an_error_of_either_side_ends_both() {
        let progress = Progress::new();
        let error = merge_ahead(&child(), &raw(1 << 20), &progress).unwrap_err();
        assert!(matches!(error, MergeError::Write(_)), "{error:?}");
        let stopped = Progress::new();
        stopped.cancel();
        let error = merge_ahead(&child(), &raw(SIZE), &stopped).unwrap_err();
        assert!(matches!(error, MergeError::Cancelled(_)), "{error:?}");
    }
}
