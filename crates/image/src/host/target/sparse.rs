//! Writing without the zeros.

use rustix::fd::AsFd;
use rustix::io::Errno;

use crate::host::sys;

/// Bytes that a hole has at least: the block of nearly all file systems.
const BLOCK: usize = 4096;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Writes what is not zero, in whole blocks of the file. The rest becomes holes of a new file whose
/// length is set afterwards.
pub(super) fn write(file: impl AsFd, data: &[u8], offset: u64) -> Result<(), Errno> {
    let file = file.as_fd();
    runs(data, offset).try_for_each(|(run, at)| sys::write_all(file, run, at))
}

/// The runs of blocks that are not all zero, with their offsets in the file.
fn runs(data: &[u8], offset: u64) -> impl Iterator<Item = (&[u8], u64)> {
    let mut rest = data;
    let mut at = offset;
    std::iter::from_fn(move || {
        while let Some((block, after)) = split_block(rest, at)
            && is_zero(block)
        {
            at += block.len() as u64;
            rest = after;
        }
        let (run, start) = (rest, at);
        let mut length = 0;
        while let Some((block, after)) = split_block(rest, at)
            && !is_zero(block)
        {
            length += block.len();
            at += block.len() as u64;
            rest = after;
        }
        run.get(..length).filter(|run| !run.is_empty()).map(|run| (run, start))
    })
}

/// Splits off what is left of the block of the file that `at` lies in.
fn split_block(data: &[u8], at: u64) -> Option<(&[u8], &[u8])> {
    let inside = usize::try_from(at % BLOCK as u64).unwrap_or(0);
    let left = BLOCK - inside;
    if data.is_empty() { None } else { data.split_at_checked(left.min(data.len())) }
}

fn is_zero(block: &[u8]) -> bool {
    ZEROS.get(..block.len()) == Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset: u64, pieces: &[(usize, u8)], expected: &[(u64, usize)]) {
        let data: Vec<u8> =
            pieces.iter().flat_map(|&(length, byte)| std::iter::repeat_n(byte, length)).collect();
        let found: Vec<_> = runs(&data, offset).map(|(run, at)| (at, run.len())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_whole_blocks_of_zeros_are_left_out() {
        check(0, &[(4096, 0), (4096, 1), (8192, 0), (10, 1)], &[(4096, 4096), (16384, 10)]);
        check(100, &[(4096, 0)], &[]);
        check(4000, &[(96, 0), (4096, 1), (5, 0)], &[(4096, 4096)]);
        check(0, &[(4095, 0), (1, 1), (4095, 0), (2, 1)], &[(0, 8193)]);
        check(0, &[], &[]);
        check(4096, &[(1, 1)], &[(4096, 1)]);
    }
}
