//! What a file is, by its contents.

use std::io;

use imprint_blockio::ReadAt;

use crate::Format;

/// The first bytes of a VHDX file.
const VHDX: &[u8; 8] = b"vhdxfile";
/// The first bytes of a VHD footer and of its copy.
const VHD: &[u8; 8] = b"conectix";
/// The first bytes of the header of a dynamic VHD, which may have lost its footers.
const VHD_HEADER: &[u8; 8] = b"cxsparse";

/// Says what a file claims to be. A file that carries the mark of a container anywhere a container
/// carries it is that container, however damaged; only a file without any is raw.
///
/// # Errors
/// Whatever the storage reports.
pub fn detect(file: &(impl ReadAt + ?Sized)) -> io::Result<Format> {
    let len = file.len()?;
    let has = |mark: &[u8; 8], offset: Option<u64>| -> io::Result<bool> {
        let Some(offset) = offset.filter(|offset| offset.saturating_add(8) <= len) else {
            return Ok(false);
        };
        let mut found = [0; 8];
        file.read_exact_at(&mut found, offset)?;
        Ok(found == *mark)
    };
    if has(VHDX, Some(0))? {
        return Ok(Format::Vhdx);
    }
    // Footers of very old programs have 511 bytes; a damaged file may miss one of the two.
    let footers = [Some(0), len.checked_sub(512), len.checked_sub(511)];
    for place in footers {
        if has(VHD, place)? {
            return Ok(Format::Vhd);
        }
    }
    Ok(if has(VHD_HEADER, Some(512))? { Format::Vhd } else { Format::Raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(len: usize, marks: &[(usize, &[u8])], expected: Format) {
        let mut bytes = vec![0_u8; len];
        for &(offset, mark) in marks {
            bytes[offset..offset + mark.len()].copy_from_slice(mark);
        }
        assert_eq!(detect(&bytes).unwrap(), expected);
    }

    #[test]
    fn any_mark_is_believed() {
        check(4096, &[], Format::Raw);
        check(0, &[], Format::Raw);
        check(7, &[], Format::Raw);
        check(4096, &[(0, b"vhdxfile")], Format::Vhdx);
        check(4096, &[(0, b"conectix")], Format::Vhd);
        check(4096, &[(4096 - 512, b"conectix")], Format::Vhd);
        check(4095, &[(4095 - 511, b"conectix")], Format::Vhd);
        check(4096, &[(512, b"cxsparse")], Format::Vhd);
        check(4096, &[(1024, b"conectix")], Format::Raw);
    }
}
