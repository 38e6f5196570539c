//! The two headers, of which one is current.

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::Guid;
use zerocopy::{FromZeros, IntoBytes};

use super::crc::checksum;
use super::layout::{HEADER_OFFSETS, HEADER_SIGNATURE, HeaderDisk, LOG_VERSION, MIB, VERSION};
use crate::{Corruption, OpenError, Structure};

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The valid header with the larger number is current.
    pub(crate) sequence: u64,
    /// Changes before the first write of every opening.
    pub(crate) file_write: Guid,
    /// The disk's identity.
    pub(crate) data_write: Guid,
    /// Which entries of the log count; all zero: the log is empty.
    pub(crate) log: Guid,
    /// First byte of the log.
    pub(crate) log_offset: u64,
    /// Bytes of the log.
    pub(crate) log_length: u32,
}

/// The headers of a file.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    /// The current header; its fields are checked.
    pub(crate) current: Header,
    /// Which of the two that is, 0 or 1: the next update goes to the other.
    pub(crate) slot: usize,
    /// Both, each as it is in the file.
    pub(crate) copies: [Result<Header, Corruption>; 2],
}

impl Header {
    /// Whether the log holds anything to be replayed.
    pub(crate) fn has_log(&self) -> bool {
        self.log != Guid::default() && self.log_length > 0
    }

    /// Makes the 4096 bytes of the file, checksum included.
    pub(crate) fn encode(&self) -> [u8; 4096] {
        let mut disk = HeaderDisk::new_zeroed();
        disk.signature = HEADER_SIGNATURE.into();
        disk.sequence = self.sequence.into();
        disk.file_write = self.file_write.0;
        disk.data_write = self.data_write.0;
        disk.log = self.log.0;
        disk.log_version = LOG_VERSION.into();
        disk.version = VERSION.into();
        disk.log_length = self.log_length.into();
        disk.log_offset = self.log_offset.into();
        disk.checksum = checksum(disk.as_bytes()).into();
        zerocopy::transmute!(disk)
    }
}

/// Reads both headers and chooses the current one.
///
/// # Errors
/// Corruption if neither is valid, if both claim to be current and differ, or if the current one places the
/// log where none can be; Unsupported for other versions.
pub(crate) fn read_headers(file: &(impl ReadAt + ?Sized)) -> Result<Headers, OpenError> {
    let disks = [read_copy(file, 0)?, read_copy(file, 1)?];
    let [first, second] = &disks;
    let copies = [validate(first, 0), validate(second, 1)];
    let slot = match &copies {
        [Ok(first), Ok(second)] if first.sequence != second.sequence => {
            usize::from(second.sequence > first.sequence)
        }
        // No header is current then; but a program is known that writes two equal ones.
        // Observed in: Disk2vhd 2.0, says qemu.
        [Ok(_), Ok(_)] if first.as_bytes() == second.as_bytes() => 0,
        [Ok(first), Ok(_)] => {
            return Err(Corruption::number(
                Structure::Header,
                HEADER_OFFSETS[1] + 8,
                "sequence number, different from that of the other header,",
                Expected::AtLeast(first.sequence.saturating_add(1)),
                first.sequence,
            )
            .into());
        }
        [Ok(_), Err(_)] => 0,
        [Err(_), Ok(_)] => 1,
        [Err(first), Err(second)] => return Err(both(first, second).into()),
    };
    let (disk, current) = match (slot, &copies) {
        (0, [Ok(header), _]) => (first, *header),
        (_, [_, Ok(header)]) => (second, *header),
        (_, [Err(fault), _] | [_, Err(fault)]) => return Err(fault.clone().into()),
    };
    check_versions(disk, slot)?;
    check_log_place(&current, slot)?;
    Ok(Headers { current, slot, copies })
}

const fn header_offset(slot: usize) -> u64 {
    let [first, second] = HEADER_OFFSETS;
    if slot == 0 { first } else { second }
}

fn read_copy(file: &(impl ReadAt + ?Sized), slot: usize) -> Result<HeaderDisk, OpenError> {
    let mut disk = HeaderDisk::new_zeroed();
    let offset = header_offset(slot);
    file.read_exact_at(disk.as_mut_bytes(), offset).map_err(|source| OpenError::Io {
        structure: Structure::Header,
        offset,
        length: 4096,
        source,
    })?;
    Ok(disk)
}

/// A header is valid if its signature and checksum are right (\[MS-VHDX\] 2.2.2).
fn validate(disk: &HeaderDisk, slot: usize) -> Result<Header, Corruption> {
    let fault = |at, field, expected: u32, actual: u32| {
        Err(Corruption::code(
            Structure::Header,
            header_offset(slot) + at,
            field,
            Expected::Exactly(expected.into()),
            actual.into(),
        ))
    };
    if disk.signature != HEADER_SIGNATURE {
        return fault(0, "signature", HEADER_SIGNATURE, disk.signature.get());
    }
    let sum = checksum(disk.as_bytes());
    if disk.checksum != sum {
        return fault(4, "checksum", sum, disk.checksum.get());
    }
    Ok(Header {
        sequence: disk.sequence.get(),
        file_write: Guid(disk.file_write),
        data_write: Guid(disk.data_write),
        log: Guid(disk.log),
        log_offset: disk.log_offset.get(),
        log_length: disk.log_length.get(),
    })
}

/// One fault for two: that of the header which is nearer to being one.
fn both(first: &Corruption, second: &Corruption) -> Corruption {
    use imprint_blockio::FieldFault::Code;
    let damaged = |fault: &Corruption| matches!(fault.fault, Code { field: "checksum", .. });
    let (mut named, words) = match (damaged(first), damaged(second)) {
        (true, true) => (first.clone(), "checksum (of both headers)"),
        (false, false) => (first.clone(), "signature (of both headers)"),
        (true, false) => (first.clone(), "checksum (the other header has no signature)"),
        (false, true) => (second.clone(), "checksum (the other header has no signature)"),
    };
    if let Code { field, .. } = &mut named.fault {
        *field = words;
    }
    named
}

fn check_versions(disk: &HeaderDisk, slot: usize) -> Result<(), OpenError> {
    let unsupported = |at, feature| {
        Err(OpenError::Unsupported {
            structure: Structure::Header,
            offset: header_offset(slot) + at,
            feature,
        })
    };
    if disk.version != VERSION {
        return unsupported(66, "a version of the format other than 1");
    }
    if disk.log_version != LOG_VERSION {
        return unsupported(64, "a version of the log other than 0");
    }
    Ok(())
}

fn check_log_place(header: &Header, slot: usize) -> Result<(), Corruption> {
    let at = header_offset(slot);
    let length = u64::from(header.log_length);
    if !length.is_multiple_of(MIB) {
        let expected = Expected::MultipleOf(MIB);
        return Err(Corruption::number(Structure::Header, at + 68, "log length", expected, length));
    }
    let offset = header.log_offset;
    let fault = |expected| {
        Err(Corruption::code(Structure::Header, at + 72, "log offset", expected, offset))
    };
    if !offset.is_multiple_of(MIB) {
        return fault(Expected::MultipleOf(MIB));
    }
    // A file without a log may say that it is nowhere.
    if length > 0 && offset < MIB {
        return fault(Expected::AtLeast(MIB));
    }
    if offset.checked_add(length).is_none() {
        return fault(Expected::AtMost(u64::MAX - length));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u64) -> Header {
        Header {
            sequence,
            file_write: Guid([1; 16]),
            data_write: Guid([2; 16]),
            log: Guid::default(),
            log_offset: MIB,
            log_length: 1 << 20,
        }
    }

    fn file(first: &[u8; 4096], second: &[u8; 4096]) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        bytes[64 << 10..68 << 10].copy_from_slice(first);
        bytes[128 << 10..132 << 10].copy_from_slice(second);
        bytes
    }

    #[track_caller]
    fn check(first: &[u8; 4096], second: &[u8; 4096], expected: Result<u64, &str>) {
        let found = read_headers(&file(first, second));
        match (&found, expected) {
            (Ok(headers), Ok(sequence)) => assert_eq!(headers.current.sequence, sequence),
            (Err(error), Err(words)) => assert_eq!(error.to_string(), words),
            _ => panic!("expected {expected:?}, found {found:?}"),
        }
    }

    /// A header with some bytes changed and its checksum right.
    fn changed(offset: usize, bytes: &[u8]) -> [u8; 4096] {
        let mut encoded = header(9).encode();
        encoded[offset..offset + bytes.len()].copy_from_slice(bytes);
        let sum = checksum(&encoded);
        encoded[4..8].copy_from_slice(&sum.to_le_bytes());
        encoded
    }

    #[test]
    fn the_larger_valid_header_is_current() {
        let (old, new) = (header(3).encode(), header(4).encode());
        let mut damaged = new;
        damaged[100] = 1;
        check(&old, &new, Ok(4));
        check(&new, &old, Ok(4));
        check(&damaged, &old, Ok(3));
        check(&old, &damaged, Ok(3));
        check(&[0; 4096], &old, Ok(3));
        check(&old, &old, Ok(3));
    }

    #[test]
    fn without_a_current_header_both_faults_are_named() {
        let good = header(4).encode();
        let mut damaged = good;
        damaged[100] = 1;
        check(
            &[0; 4096],
            &[0; 4096],
            Err(
                "VHDX header: signature (of both headers) should be 0x64616568, but is 0x0 (at offset 0x10000)",
            ),
        );
        let found = read_headers(&file(&[0; 4096], &damaged)).unwrap_err().to_string();
        assert!(found.contains("checksum (the other header has no signature)"), "{found}");
        assert!(found.ends_with("(at offset 0x20004)"), "{found}");
        let found = read_headers(&file(&damaged, &damaged)).unwrap_err().to_string();
        assert!(found.contains("checksum (of both headers)"), "{found}");
        check(
            &header(9).encode(),
            &changed(16, &[77]),
            Err(
                "VHDX header: sequence number, different from that of the other header, should be at least 10, but is 9 (at offset 0x20008)",
            ),
        );
    }

    #[test]
    fn fields_of_the_current_header_are_checked() {
        let old = header(3).encode();
        let words = "VHDX header: a version of the format other than 1 is not supported (at offset 0x20042)";
        check(&old, &changed(66, &[2]), Err(words));
        let words =
            "VHDX header: a version of the log other than 0 is not supported (at offset 0x20040)";
        check(&old, &changed(64, &[1]), Err(words));
        let words = "VHDX header: log length should be a multiple of 1048576, but is 1048577 (at offset 0x20044)";
        check(&old, &changed(68, &[1]), Err(words));
        let words = "VHDX header: log offset should be a multiple of 0x100000, but is 0x100001 (at offset 0x20048)";
        check(&old, &changed(72, &[1]), Err(words));
        let words =
            "VHDX header: log offset should be at least 0x100000, but is 0x0 (at offset 0x20048)";
        check(&old, &changed(72, &[0; 8]), Err(words));
        let words = "VHDX header: log offset should be at most 0xffffffffffefffff, but is 0xfffffffffff00000 (at offset 0x20048)";
        check(&old, &changed(72, &0xffff_ffff_fff0_0000_u64.to_le_bytes()), Err(words));
    }

    #[test]
    fn a_header_is_what_was_encoded() {
        let wanted = Header { log: Guid([9; 16]), ..header(77) };
        let found = read_headers(&file(&wanted.encode(), &[0; 4096])).unwrap();
        assert_eq!((found.current, found.slot), (wanted, 0));
        assert!(found.current.has_log() && !header(1).has_log());
    }
}
