//! Tagged items: what few files have, in the tail of their entries.

use imprint_winvalues::tree::{ExtendedAttribute, Extras, TaggedItem, UnixData};
use zerocopy::{FromBytes, IntoBytes};

use super::{align, pad, to_u64, to_usize};
use crate::layout::TaggedItemDisk;

/// NTFS object id, 16 to 64 bytes.
const OBJECT_ID: u32 = 1;
/// Extended attributes, by WIMGAPI since Windows 10 version 1607 and by wimlib.
const EXTENDED_ATTRIBUTES: u32 = 2;
/// wimlib: Linux owner, mode, device number.
const UNIX_DATA: u32 = 0x337d_d873;
/// wimlib 1.11 and 1.12: Linux extended attributes. Read, written as [`EXTENDED_ATTRIBUTES`].
const OLD_LINUX_ATTRIBUTES: u32 = 0x337d_d874;

/// Smallest and largest object id.
const OBJECT_ID_SIZES: std::ops::RangeInclusive<usize> = 16..=64;

/// Reads the items; the second value tells whether all bytes were understood.
pub(super) fn read(tail: &[u8]) -> (Extras, bool) {
    let mut extras = Extras::default();
    let mut rest = tail;
    while let Ok((head, after)) = TaggedItemDisk::ref_from_prefix(rest) {
        let length = u64::from(head.length.get());
        let Some(data) = after.get(..to_usize(length)) else { return (extras, false) };
        take_item(&mut extras, head.tag.get(), data);
        rest = after.get(to_usize(align(length))..).unwrap_or_default();
    }
    let complete = rest.iter().all(|&byte| byte == 0);
    (extras, complete)
}

/// Keeps an item; one that is damaged, unknown or a repetition is kept as it is.
fn take_item(extras: &mut Extras, tag: u32, data: &[u8]) {
    match tag {
        OBJECT_ID if extras.object_id.is_none() && OBJECT_ID_SIZES.contains(&data.len()) => {
            extras.object_id = Some(data.into());
            return;
        }
        UNIX_DATA if extras.unix.is_none() && data.len() == 16 => {
            extras.unix = unix_data(data);
            return;
        }
        EXTENDED_ATTRIBUTES | OLD_LINUX_ATTRIBUTES if extras.extended_attributes.is_empty() => {
            let parse = if tag == EXTENDED_ATTRIBUTES { attribute } else { old_attribute };
            if let Some(attributes) = all(data, parse).filter(|list| !list.is_empty()) {
                extras.extended_attributes = attributes;
                return;
            }
        }
        _ => {}
    }
    extras.unknown_items.push(TaggedItem { tag, data: data.into() });
}

fn unix_data(data: &[u8]) -> Option<UnixData> {
    let [uid, gid, mode, rdev] = data.as_chunks::<4>().0 else { return None };
    Some(UnixData {
        uid: u32::from_le_bytes(*uid),
        gid: u32::from_le_bytes(*gid),
        mode: u32::from_le_bytes(*mode),
        rdev: u32::from_le_bytes(*rdev),
    })
}

type Parsed<'a> = (ExtendedAttribute, &'a [u8]);

fn all(mut data: &[u8], parse: fn(&[u8]) -> Option<Parsed<'_>>) -> Option<Vec<ExtendedAttribute>> {
    let mut attributes = Vec::new();
    while !data.is_empty() {
        let (attribute, rest) = parse(data)?;
        attributes.push(attribute);
        data = rest;
    }
    Some(attributes)
}

/// Value length (2), name length (1), flags (1), name, NUL, value; no padding.
fn attribute(data: &[u8]) -> Option<Parsed<'_>> {
    let (&[low, high, name_length, flags], rest) = data.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_length))?;
    let (&nul, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
    if name.is_empty() || name.contains(&0) || nul != 0 {
        return None;
    }
    Some((ExtendedAttribute { name: name.into(), flags, value: value.into() }, rest))
}

/// Name length (2), reserved (2), value length (4), name, value; padded to 4.
fn old_attribute(data: &[u8]) -> Option<Parsed<'_>> {
    let (&[low, high, _, _, a, b, c, d], rest) = data.split_first_chunk()?;
    let name_length = usize::from(u16::from_le_bytes([low, high]));
    let value_length = usize::from(u16::try_from(u32::from_le_bytes([a, b, c, d])).ok()?);
    let (name, rest) = rest.split_at_checked(name_length)?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    if name.is_empty() || name.len() > 255 || name.contains(&0) {
        return None;
    }
    let padding = (name_length + value_length).next_multiple_of(4) - name_length - value_length;
    let rest = rest.get(padding..).unwrap_or_default();
    Some((ExtendedAttribute { name: name.into(), flags: 0, value: value.into() }, rest))
}

/// Something in [`Extras`] is longer than its length field can say: what, the most, what there is.
pub(super) type TooLong = (&'static str, u64, u64);

/// Makes the items' bytes in wimlib's order, each padded to 8.
pub(super) fn write(extras: &Extras) -> Result<Vec<u8>, TooLong> {
    let mut out = Vec::new();
    if let Some(unix) = extras.unix {
        let data = [unix.uid, unix.gid, unix.mode, unix.rdev].map(u32::to_le_bytes);
        push(&mut out, UNIX_DATA, data.as_flattened())?;
    }
    if let Some(id) = &extras.object_id {
        push(&mut out, OBJECT_ID, id)?;
    }
    if !extras.extended_attributes.is_empty() {
        let mut data = Vec::new();
        for attribute in &extras.extended_attributes {
            push_attribute(&mut data, attribute)?;
        }
        push(&mut out, EXTENDED_ATTRIBUTES, &data)?;
    }
    for item in &extras.unknown_items {
        push(&mut out, item.tag, &item.data)?;
    }
    Ok(out)
}

fn push(out: &mut Vec<u8>, tag: u32, data: &[u8]) -> Result<(), TooLong> {
    let actual = to_u64(data.len());
    let length =
        u32::try_from(actual).map_err(|_too_long| ("tagged item", u32::MAX.into(), actual))?;
    out.extend_from_slice(TaggedItemDisk { tag: tag.into(), length: length.into() }.as_bytes());
    out.extend_from_slice(data);
    pad(out);
    Ok(())
}

fn push_attribute(out: &mut Vec<u8>, attribute: &ExtendedAttribute) -> Result<(), TooLong> {
    let ExtendedAttribute { name, flags, value } = attribute;
    let name_length = u8::try_from(name.len())
        .map_err(|_long| ("name of an extended attribute", 255, to_u64(name.len())))?;
    let value_length = u16::try_from(value.len())
        .map_err(|_long| ("value of an extended attribute", 65_535, to_u64(value.len())))?;
    out.extend_from_slice(&value_length.to_le_bytes());
    out.extend_from_slice(&[name_length, *flags]);
    out.extend_from_slice(name);
    out.push(0);
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(tag: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push(&mut out, tag, data).unwrap();
        out
    }

    fn full() -> Extras {
        let attribute = |name: &[u8], flags, value: &[u8]| ExtendedAttribute {
            name: name.into(),
            flags,
            value: value.into(),
        };
        Extras {
            object_id: Some((0..64).collect()),
            extended_attributes: vec![
                attribute(b"user.a", 0, b""),
                attribute(&[b'n'; 255], 0x80, &[7; 65_535]),
            ],
            unix: Some(UnixData { uid: 1, gid: 2, mode: 0o100_644, rdev: 0x103 }),
            unknown_items: vec![TaggedItem { tag: 99, data: (*b"odd").into() }],
        }
    }

    #[test]
    fn items_come_back() {
        let bytes = write(&full()).unwrap();
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(read(&bytes), (full(), true));
        assert_eq!(read(&[]), (Extras::default(), true));
        assert_eq!(read(&[0; 5]), (Extras::default(), true), "padding is no item");
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let unknown = |tag, data: &[u8]| TaggedItem { tag, data: data.into() };
        for (tag, data) in [
            (OBJECT_ID, &[1; 15][..]),
            (OBJECT_ID, &[1; 65]),
            (UNIX_DATA, &[1; 12]),
            (EXTENDED_ATTRIBUTES, b""),
            (EXTENDED_ATTRIBUTES, b"\x01\0\x01\0a\0"),
            (EXTENDED_ATTRIBUTES, b"\x01\0\x01\0abv"),
            (EXTENDED_ATTRIBUTES, b"\0\0\0\0\0"),
            (OLD_LINUX_ATTRIBUTES, b"\x01\0\0\0\0\0\x01\0a"),
        ] {
            let (extras, complete) = read(&item(tag, data));
            assert_eq!(extras.unknown_items, [unknown(tag, data)]);
            assert!(complete);
            assert_eq!(write(&extras).unwrap(), item(tag, data));
        }
        let twice = [item(OBJECT_ID, &[1; 16]), item(OBJECT_ID, &[2; 16])].concat();
        let (extras, _) = read(&twice);
        assert_eq!(extras.object_id.as_deref(), Some(&[1; 16][..]));
        assert_eq!(extras.unknown_items, [unknown(OBJECT_ID, &[2; 16])]);
    }

    #[test]
    fn the_old_form_of_linux_attributes_is_read() {
        let mut data = b"\x06\0\0\0\x03\0\0\0user.xabc".to_vec();
        data.extend([0; 3]);
        data.extend(b"\x06\0\0\0\0\0\0\0user.y\0\0");
        let (extras, _) = read(&item(OLD_LINUX_ATTRIBUTES, &data));
        let found: Vec<_> =
            extras.extended_attributes.iter().map(|a| (&*a.name, &*a.value)).collect();
        assert_eq!(found, [(&b"user.x"[..], &b"abc"[..]), (b"user.y", b"")]);
    }

    #[test]
    fn a_list_that_breaks_off_is_reported() {
        let mut bytes = item(UNIX_DATA, &[0; 16]);
        bytes.extend([9, 0, 0, 0, 1, 0, 0, 0]);
        let (extras, complete) = read(&bytes);
        assert!(extras.unix.is_some() && !complete);
        assert!(!read(&[1, 2, 3]).1);
    }

    #[test]
    fn what_does_not_fit_its_length_field_is_refused() {
        let mut extras = full();
        extras.extended_attributes[0].name = vec![b'n'; 256].into();
        assert_eq!(write(&extras).unwrap_err().0, "name of an extended attribute");
        extras.extended_attributes[0].name = (*b"n").into();
        extras.extended_attributes[0].value = vec![0; 65_536].into();
        assert_eq!(write(&extras), Err(("value of an extended attribute", 65_535, 65_536)));
    }
}
