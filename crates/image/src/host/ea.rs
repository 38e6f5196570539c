//! NTFS extended attributes as ntfs-3g shows them: a list of `FILE_FULL_EA_INFORMATION`,
//! \[MS-FSCC\] 2.4.15.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | bytes to the next entry, a multiple of 4; on disk the last entry has its own size here |
//! | 4 | 1 | flags |
//! | 5 | 1 | bytes of the name, without NUL |
//! | 6 | 2 | bytes of the value |
//! | 8 | | name, NUL, value, padding |

use imprint_winvalues::tree::ExtendedAttribute;

const HEADER: usize = 8;

/// A list of extended attributes is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("extended attribute should lie within {length} bytes, but starts at offset {offset:#x}")]
pub(super) struct EaError {
    offset: usize,
    length: usize,
}

/// Reads a list.
pub(super) fn parse(list: &[u8]) -> Result<Vec<ExtendedAttribute>, EaError> {
    let mut attributes = Vec::new();
    let mut offset = 0;
    while offset < list.len() {
        let broken = EaError { offset, length: list.len() };
        let entry = list.get(offset..).unwrap_or_default();
        let (header, rest) = entry.split_first_chunk::<HEADER>().ok_or(broken)?;
        let [next @ .., flags, name_length, low, high] = *header;
        let next = usize::try_from(u32::from_le_bytes(next)).unwrap_or(usize::MAX);
        let value_start = usize::from(name_length) + 1;
        let value_end = value_start + usize::from(u16::from_le_bytes([low, high]));
        let name = rest.get(..usize::from(name_length)).ok_or(broken)?;
        let value = rest.get(value_start..value_end).ok_or(broken)?;
        attributes.push(ExtendedAttribute { name: name.into(), flags, value: value.into() });
        // Zero ends the list in memory; on disk the last entry leads to the end of the list.
        if next == 0 {
            break;
        }
        if next < HEADER + value_end {
            return Err(broken);
        }
        offset = offset.saturating_add(next);
    }
    Ok(attributes)
}

/// Writes a list. `None` if a name or value is too long, or a name is empty or holds a NUL.
pub(super) fn write(attributes: &[ExtendedAttribute]) -> Option<Vec<u8>> {
    let mut list = Vec::new();
    for attribute in attributes {
        let name_length = u8::try_from(attribute.name.len()).ok().filter(|&n| n > 0)?;
        let value_length = u16::try_from(attribute.value.len()).ok()?;
        if attribute.name.contains(&0) {
            return None;
        }
        let size = HEADER + attribute.name.len() + 1 + attribute.value.len();
        let padded = size.next_multiple_of(4);
        list.extend_from_slice(&u32::try_from(padded).ok()?.to_le_bytes());
        list.extend_from_slice(&[attribute.flags, name_length]);
        list.extend_from_slice(&value_length.to_le_bytes());
        list.extend_from_slice(&attribute.name);
        list.push(0);
        list.extend_from_slice(&attribute.value);
        list.resize(list.len() + padded - size, 0);
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &[u8], value: &[u8]) -> ExtendedAttribute {
        ExtendedAttribute { name: name.into(), flags: 0x80, value: value.into() }
    }

    #[test]
    fn lists_come_back() {
        let attributes = [
            attribute(b"$KERNEL.PURGE.X", b"12345"),
            attribute(b"A", b""),
            attribute(b"BB", b"xyz"),
        ];
        let list = write(&attributes).unwrap();
        assert_eq!(list.len() % 4, 0);
        assert_eq!(parse(&list).unwrap(), attributes);
        assert_eq!(parse(&[]).unwrap(), []);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(list in proptest::collection::vec(0..12_u8, 0..200)) {
            if let Ok(attributes) = parse(&list) {
                proptest::prop_assert!(attributes.len() <= list.len() / HEADER);
            }
        }
    }

    #[test]
    fn broken_lists_are_refused() {
        let list = write(&[attribute(b"NAME", b"value")]).unwrap();
        assert_eq!(parse(&list[..7]), Err(EaError { offset: 0, length: 7 }));
        assert_eq!(parse(&list[..14]), Err(EaError { offset: 0, length: 14 }));
        let mut short = list.clone();
        short[0] = 4;
        assert_eq!(parse(&short), Err(EaError { offset: 0, length: 20 }));
        let mut last = list;
        last[0] = 0;
        assert_eq!(parse(&last).unwrap().len(), 1);
        assert_eq!(write(&[attribute(b"", b"")]), None);
        assert_eq!(write(&[attribute(b"a\0", b"")]), None);
        assert_eq!(write(&[attribute(b"a", &[0; 65_536])]), None);
    }
}
