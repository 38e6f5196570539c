//! The parent locator: keys and values that say which disk is the parent and where it was.

use imprint_blockio::Expected;
use imprint_winvalues::Guid;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::layout::{LocatorEntryDisk, LocatorHeaderDisk, VHDX_LOCATOR};
use crate::{Corruption, OpenError, ParentLink, ParentPath, PathKind, Structure};

/// The keys that mean something, in the order in which Windows looks for a parent.
const KEYS: [&str; 5] =
    ["parent_linkage", "parent_linkage2", "relative_path", "volume_path", "absolute_win32_path"];

/// Makes sense of a locator; `at` is its place in the file.
///
/// # Errors
/// Unsupported for locators of another kind; corruption if something reaches out of the locator, if
/// a key comes twice, or if there is no identity.
pub(crate) fn parse_locator(bytes: &[u8], at: u64) -> Result<ParentLink, OpenError> {
    let structure = Structure::ParentLocator;
    let wrong =
        |at, field, expected, actual| Corruption::number(structure, at, field, expected, actual);
    let length = bytes.len() as u64;
    let Ok((header, rest)) = LocatorHeaderDisk::ref_from_prefix(bytes) else {
        return Err(wrong(at, "length", Expected::AtLeast(20), length).into());
    };
    if Guid(header.kind) != VHDX_LOCATOR {
        let feature = "a kind of locator other than that of VHDX files";
        return Err(OpenError::Unsupported { structure, offset: at, feature });
    }
    let count = usize::from(header.entry_count.get());
    let Ok((entries, _)) = <[LocatorEntryDisk]>::ref_from_prefix_with_elems(rest, count) else {
        let end = 20 + 12 * u64::from(header.entry_count.get());
        return Err(Corruption::past_end(structure, at + 18, "entries", length, end).into());
    };
    let mut values: [Option<(String, u64)>; 5] = [const { None }; 5];
    for (place, entry) in (at + 20..).step_by(12).zip(entries) {
        let piece = |field, field_at, offset: u32, length_of: u16| {
            let end = u64::from(offset) + u64::from(length_of);
            usize::try_from(offset)
                .ok()
                .and_then(|start| bytes.get(start..start.checked_add(length_of.into())?))
                .ok_or_else(|| Corruption::past_end(structure, field_at, field, length, end))
        };
        let key = piece("key", place, entry.key_offset.get(), entry.key_length.get())?;
        let value = piece("value", place + 4, entry.value_offset.get(), entry.value_length.get())?;
        let Some(known) = KEYS.iter().position(|name| is_key(key, name)) else { continue };
        let slot = values.get_mut(known).filter(|slot| slot.is_none());
        let Some(slot) = slot else {
            return Err(wrong(place, "entries for one key", Expected::AtMost(1), 2).into());
        };
        *slot = Some((text(value), at + u64::from(entry.value_offset.get())));
    }
    let [linkage, linkage2, relative, volume, absolute] = values;
    let Some((linkage, linkage_at)) = linkage else {
        let expected = Expected::Exactly(1);
        return Err(wrong(at + 18, "entries for parent_linkage", expected, 0).into());
    };
    let identity = identity(&linkage, linkage_at)?;
    let alternative = linkage2.map(|(text, at)| self::identity(&text, at)).transpose()?;
    let paths = [
        (PathKind::Relative, relative),
        (PathKind::Volume, volume),
        (PathKind::Absolute, absolute),
    ]
    .into_iter()
    .filter_map(|(kind, value)| Some(ParentPath { kind, text: value?.0 }))
    .collect();
    Ok(ParentLink { identity, alternative, modified: None, paths })
}

/// Windows' names are ASCII; the specification says lower case and shows upper case.
fn is_key(key: &[u8], name: &str) -> bool {
    let (units, rest) = key.as_chunks::<2>();
    rest.is_empty()
        && units.len() == name.len()
        && units
            .iter()
            .zip(name.bytes())
            .all(|(unit, byte)| unit[1] == 0 && unit[0].eq_ignore_ascii_case(&byte))
}

fn text(value: &[u8]) -> String {
    let units: Vec<u16> =
        value.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
    // Some programs count an end mark, which the format does not have.
    String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned()
}

fn identity(text: &str, at: u64) -> Result<Guid, Corruption> {
    text.parse().map_err(|error: imprint_winvalues::ParseGuidError| {
        let field = "hexadecimal digits of the parent's identity";
        let digits = error.digits as u64;
        Corruption::number(Structure::ParentLocator, at, field, Expected::Exactly(32), digits)
    })
}

/// The longest key or value in UTF-16 units.
pub(crate) const MAX_UNITS: usize = 0xffff / 2;

/// Makes a locator; texts longer than [`MAX_UNITS`] are cut.
pub(crate) fn encode_locator(values: &[(&str, String)]) -> Vec<u8> {
    let mut header = LocatorHeaderDisk::new_zeroed();
    header.kind = VHDX_LOCATOR.0;
    header.entry_count = u16::try_from(values.len()).unwrap_or(u16::MAX).into();
    let mut heads = header.as_bytes().to_vec();
    let mut texts: Vec<u8> = Vec::new();
    let base = heads.len() + values.len() * size_of::<LocatorEntryDisk>();
    let mut add = |text: &str| {
        let at = u32::try_from(base + texts.len()).unwrap_or(u32::MAX);
        let before = texts.len();
        texts.extend(text.encode_utf16().take(MAX_UNITS).flat_map(u16::to_le_bytes));
        (at, u16::try_from(texts.len() - before).unwrap_or(u16::MAX))
    };
    for (key, value) in values {
        let (key_offset, key_length) = add(key);
        let (value_offset, value_length) = add(value);
        let entry = LocatorEntryDisk {
            key_offset: key_offset.into(),
            value_offset: value_offset.into(),
            key_length: key_length.into(),
            value_length: value_length.into(),
        };
        heads.extend_from_slice(entry.as_bytes());
    }
    heads.extend_from_slice(&texts);
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "{83E5C4D3-9F2A-4B1F-8D0E-6C2B1A09F8E7}";

    fn pair(key: &'static str, value: &str) -> (&'static str, String) {
        (key, value.to_owned())
    }

    #[track_caller]
    fn refuse(bytes: &[u8], words: &str) {
        assert_eq!(parse_locator(bytes, 0x1000).unwrap_err().to_string(), words);
    }

    #[test]
    fn paths_come_in_the_order_of_looking() {
        let bytes = encode_locator(&[
            pair("Absolute_Win32_Path", r"\\?\D:\x\base.vhdx"),
            pair("something", "else"),
            pair("PARENT_LINKAGE", GUID),
            pair("parent_linkage2", &GUID.to_lowercase().replace("83e5", "0000")),
            pair("volume_path", r"\\?\Volume{1}\x\base.vhdx"),
            pair("relative_path", r".\bäse.vhdx"),
        ]);
        let link = parse_locator(&bytes, 0).unwrap();
        assert_eq!(link.identity, GUID.parse().unwrap());
        assert!(link.alternative.unwrap().to_string().starts_with("0000c4d3"));
        let paths: Vec<_> = link.paths.iter().map(|path| (path.kind, path.text.as_str())).collect();
        assert_eq!(
            paths,
            [
                (PathKind::Relative, r".\bäse.vhdx"),
                (PathKind::Volume, r"\\?\Volume{1}\x\base.vhdx"),
                (PathKind::Absolute, r"\\?\D:\x\base.vhdx"),
            ]
        );
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        refuse(
            &[0; 19],
            "parent locator: length should be at least 20, but is 19 (at offset 0x1000)",
        );
        refuse(
            &[0; 20],
            "parent locator: a kind of locator other than that of VHDX files is not supported (at offset 0x1000)",
        );
        let good = encode_locator(&[pair("parent_linkage", GUID)]);
        let changed = |at: usize, byte| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        refuse(
            &changed(19, 0xff),
            "parent locator: entries should end at or before 0x88, but ends at 0xbf420 (at offset 0x1012)",
        );
        refuse(
            &changed(23, 0xff),
            "parent locator: key should end at or before 0x88, but ends at 0xff00003c (at offset 0x1014)",
        );
        refuse(
            &changed(31, 0xff),
            "parent locator: value should end at or before 0x88, but ends at 0xff88 (at offset 0x1018)",
        );
        refuse(
            &changed(32, b'q'),
            "parent locator: entries for parent_linkage should be 1, but is 0 (at offset 0x1012)",
        );
        refuse(
            &changed(62, b'q'),
            "parent locator: hexadecimal digits of the parent's identity should be 32, but is 0 (at offset 0x103c)",
        );
        let twice = encode_locator(&[pair("parent_linkage", GUID), pair("Parent_Linkage", GUID)]);
        refuse(
            &twice,
            "parent locator: entries for one key should be at most 1, but is 2 (at offset 0x1020)",
        );
    }
}
