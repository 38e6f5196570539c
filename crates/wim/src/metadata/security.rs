//! Security data: the descriptors at the start of the metadata.

use imprint_winvalues::security::SecurityTable;
use zerocopy::{FromBytes, IntoBytes};

use super::{align, number, pad, to_u64, to_usize};
use crate::error::{Expected, Fault, MetadataError};
use crate::layout::SecurityDisk;

/// Bytes of [`SecurityDisk`].
const FIXED: u64 = 8;
/// The most descriptors: entries name them by a signed 32-bit number.
const MOST: u64 = 0x8000_0000;

/// Reads the descriptors; returns them and where the root entry starts.
pub(super) fn read(bytes: &[u8]) -> Result<(SecurityTable, u64), (u64, Fault)> {
    let available = to_u64(bytes.len());
    let (disk, _) = SecurityDisk::ref_from_prefix(bytes).map_err(|_short| {
        (0, number("length of the metadata", Expected::AtLeast(FIXED), available))
    })?;
    let total = align(u64::from(disk.total_length.get())).max(FIXED);
    let count = u64::from(disk.count.get());
    if total > available {
        let field = "length of the security data";
        return Err((0, number(field, Expected::AtMost(available), total)));
    }
    let most = ((total - FIXED) / 8).min(MOST);
    if count > most {
        let field = "number of security descriptors";
        return Err((4, number(field, Expected::AtMost(most), count)));
    }
    let sizes = bytes.get(8..to_usize(FIXED + count * 8)).unwrap_or_default();
    let mut table = SecurityTable::new();
    let mut start = FIXED + count * 8;
    for (size, at) in sizes.as_chunks::<8>().0.iter().zip((FIXED..).step_by(8)) {
        let size = u64::from_le_bytes(*size);
        let room = total - start;
        if size > room {
            let field = "size of a security descriptor";
            return Err((at, number(field, Expected::AtMost(room), size)));
        }
        let descriptor = bytes.get(to_usize(start)..to_usize(start + size)).unwrap_or_default();
        if table.push(descriptor).is_none() {
            let field = "number of security descriptors";
            return Err((4, number(field, Expected::AtMost(MOST), count)));
        }
        start += size;
    }
    Ok((table, total))
}

/// Appends the descriptors, padded to 8 bytes.
pub(super) fn write(table: &SecurityTable, out: &mut Vec<u8>) -> Result<(), MetadataError> {
    let content: u64 = table.iter().map(|descriptor| 8 + to_u64(descriptor.len())).sum();
    let actual = align(FIXED + content);
    let too_long = MetadataError::TooLong {
        what: "security data",
        path: "\\".to_owned(),
        limit: u32::MAX.into(),
        actual,
    };
    let (Ok(total), Ok(count)) = (u32::try_from(actual), u32::try_from(table.len())) else {
        return Err(too_long);
    };
    let disk = SecurityDisk { total_length: total.into(), count: count.into() };
    out.extend_from_slice(disk.as_bytes());
    for descriptor in table.iter() {
        out.extend_from_slice(&to_u64(descriptor.len()).to_le_bytes());
    }
    for descriptor in table.iter() {
        out.extend_from_slice(descriptor);
    }
    pad(out);
    Ok(())
}
