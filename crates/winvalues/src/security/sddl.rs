//! Security descriptors as text.
//!
//! Specification: \[MS-DTYP\] 2.5.1 (the text), 2.4.2 to 2.4.6 (the bytes). Abbreviations are those Windows
//! itself prints for files.

use std::fmt::Write as _;

use crate::Guid;

/// Bits of the control word: the lists that are there, and what is said of each.
const DACL_PRESENT: u16 = 0x4;
const SACL_PRESENT: u16 = 0x10;
const DACL_FLAGS: [(u16, &str); 3] = [(0x1000, "P"), (0x100, "AR"), (0x400, "AI")];
const SACL_FLAGS: [(u16, &str); 3] = [(0x2000, "P"), (0x200, "AR"), (0x800, "AI")];

/// Flags of entries.
const ENTRY_FLAGS: [(u8, &str); 7] = [
    (0x01, "OI"),
    (0x02, "CI"),
    (0x04, "NP"),
    (0x08, "IO"),
    (0x10, "ID"),
    (0x40, "SA"),
    (0x80, "FA"),
];

/// Rights of files that have a name together.
const FILE_RIGHTS: [(u32, &str); 4] =
    [(0x001f_01ff, "FA"), (0x0012_0089, "FR"), (0x0012_0116, "FW"), (0x0012_00a0, "FX")];
/// Rights that every object has.
const COMMON_RIGHTS: [(u32, &str); 8] = [
    (0x0001_0000, "SD"),
    (0x0002_0000, "RC"),
    (0x0004_0000, "WD"),
    (0x0008_0000, "WO"),
    (0x1000_0000, "GA"),
    (0x2000_0000, "GX"),
    (0x4000_0000, "GW"),
    (0x8000_0000, "GR"),
];
/// What a label of integrity forbids to those below it.
const LABEL_RIGHTS: [(u32, &str); 3] = [(1, "NW"), (2, "NR"), (4, "NX")];

/// Whom everybody knows.
const KNOWN: [(&str, &str); 30] = [
    ("S-1-1-0", "WD"),
    ("S-1-3-0", "CO"),
    ("S-1-3-1", "CG"),
    ("S-1-3-4", "OW"),
    ("S-1-5-2", "NU"),
    ("S-1-5-4", "IU"),
    ("S-1-5-6", "SU"),
    ("S-1-5-7", "AN"),
    ("S-1-5-9", "ED"),
    ("S-1-5-10", "PS"),
    ("S-1-5-11", "AU"),
    ("S-1-5-12", "RC"),
    ("S-1-5-18", "SY"),
    ("S-1-5-19", "LS"),
    ("S-1-5-20", "NS"),
    ("S-1-5-32-544", "BA"),
    ("S-1-5-32-545", "BU"),
    ("S-1-5-32-546", "BG"),
    ("S-1-5-32-547", "PU"),
    ("S-1-5-32-548", "AO"),
    ("S-1-5-32-549", "SO"),
    ("S-1-5-32-550", "PO"),
    ("S-1-5-32-551", "BO"),
    ("S-1-5-32-552", "RE"),
    ("S-1-5-32-554", "RU"),
    ("S-1-15-2-1", "AC"),
    ("S-1-16-4096", "LW"),
    ("S-1-16-8192", "ME"),
    ("S-1-16-12288", "HI"),
    ("S-1-16-16384", "SI"),
];

/// A self-relative descriptor as text, such as `O:BAG:SYD:AI(A;;FA;;;BA)`. `None` if it is not well formed, or
/// holds entries (conditions, claims) that are only shown as bytes.
#[must_use]
pub fn sddl(descriptor: &[u8]) -> Option<String> {
    let parts = Parts::new(descriptor)?;
    let mut text = String::new();
    for (letter, sid) in [("O:", parts.owner()), ("G:", parts.group())] {
        if let Some(sid) = sid {
            text += letter;
            text += &short(sid?);
        }
    }
    if parts.control & DACL_PRESENT != 0 {
        text += "D:";
        text += &list(&parts, parts.dacl, DACL_FLAGS)?;
    }
    if parts.control & SACL_PRESENT != 0 {
        text += "S:";
        text += &list(&parts, parts.sacl, SACL_FLAGS)?;
    }
    Some(text)
}

/// Owner and group of a self-relative descriptor, such as `S-1-5-32-544`; `None` for one that is not there or not
/// well formed.
#[must_use]
pub fn owner_and_group(descriptor: &[u8]) -> (Option<String>, Option<String>) {
    let Some(parts) = Parts::new(descriptor) else { return (None, None) };
    (parts.owner().flatten(), parts.group().flatten())
}

/// Where the parts of a descriptor are: offsets, 0 for one that is not there.
struct Parts<'a> {
    bytes: &'a [u8],
    control: u16,
    owner: u32,
    group: u32,
    sacl: u32,
    dacl: u32,
}

impl<'a> Parts<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        super::check(bytes).ok()?;
        let at = |offset: usize| number(bytes, offset);
        let control = u16::from_le_bytes(*bytes.get(2..)?.first_chunk()?);
        let (owner, group, sacl, dacl) = (at(4)?, at(8)?, at(12)?, at(16)?);
        Some(Self { bytes, control, owner, group, sacl, dacl })
    }

    /// `None` if there is none; `Some(None)` if it is not well formed.
    fn owner(&self) -> Option<Option<String>> {
        (self.owner != 0).then(|| sid(self.from(self.owner)?).map(|(text, _)| text))
    }

    /// As [`Self::owner`].
    fn group(&self) -> Option<Option<String>> {
        (self.group != 0).then(|| sid(self.from(self.group)?).map(|(text, _)| text))
    }

    fn from(&self, offset: u32) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(offset).ok()?..)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A SID, and its bytes.
fn sid(bytes: &[u8]) -> Option<(String, usize)> {
    let (&[revision, count, a, b, c, d, e, f], rest) = bytes.split_first_chunk::<8>()?;
    let count = usize::from(count);
    let parts = rest.get(..count * 4).filter(|_| revision == 1 && count <= 15)?;
    let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let mut text = format!("S-1-{authority}");
    if authority > u32::MAX.into() {
        text = format!("S-1-{authority:#014x}");
    }
    for &part in parts.as_chunks().0 {
        write!(text, "-{}", u32::from_le_bytes(part)).ok()?;
    }
    Some((text, 8 + count * 4))
}

/// The abbreviation of a SID, if it has one.
fn short(sid: String) -> String {
    let known = KNOWN.iter().find(|(long, _)| *long == sid);
    known.map_or(sid, |(_, short)| (*short).to_owned())
}

/// A list of entries.
fn list(parts: &Parts<'_>, at: u32, names: [(u16, &str); 3]) -> Option<String> {
    let set = names.iter().filter(|(flag, _)| parts.control & flag != 0);
    let mut text: String = set.map(|(_, name)| *name).collect();
    if at == 0 {
        return Some(text + "NO_ACCESS_CONTROL");
    }
    let bytes = parts.from(at)?;
    let size = usize::from(u16::from_le_bytes(*bytes.get(2..)?.first_chunk()?));
    let count = u16::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let mut entries = bytes.get(8..size)?;
    for _ in 0..count {
        let length = usize::from(u16::from_le_bytes(*entries.get(2..)?.first_chunk()?));
        let (one, rest) = entries.split_at_checked(length)?;
        text += &entry(one)?;
        entries = rest;
    }
    Some(text)
}

/// An entry of a list.
fn entry(bytes: &[u8]) -> Option<String> {
    let (&[kind, flags, _, _], body) = bytes.split_first_chunk::<4>()?;
    let (name, has_objects) = match kind {
        0x00 => ("A", false),
        0x01 => ("D", false),
        0x02 => ("AU", false),
        0x05 => ("OA", true),
        0x06 => ("OD", true),
        0x07 => ("OU", true),
        0x11 => ("ML", false),
        0x13 => ("SP", false),
        0x14 => ("TL", false),
        _ => return None,
    };
    let mask = number(body, 0)?;
    let rest = body.get(4..)?;
    let no_objects = (String::new(), String::new(), rest);
    let (object, inherited, rest) = if has_objects { objects(rest)? } else { no_objects };
    let (sid, _) = sid(rest)?;
    let set = ENTRY_FLAGS.iter().filter(|(flag, _)| flags & flag != 0);
    let flags: String = set.map(|(_, name)| *name).collect();
    let rights = rights(mask, if kind == 0x11 { &LABEL_RIGHTS } else { &COMMON_RIGHTS });
    let sid = short(sid);
    Some(format!("({name};{flags};{rights};{object};{inherited};{sid})"))
}

/// The kinds of object that an entry is for, and that inherit it.
fn objects(bytes: &[u8]) -> Option<(String, String, &[u8])> {
    let flags = number(bytes, 0)?;
    let mut rest = bytes.get(4..)?;
    let mut take = |flag: u32| {
        if flags & flag == 0 {
            return Some(String::new());
        }
        let (id, tail) = rest.split_first_chunk::<16>()?;
        rest = tail;
        Some(Guid(*id).to_string())
    };
    let (object, inherited) = (take(1)?, take(2)?);
    Some((object, inherited, rest))
}

/// Rights by their names where all of them have one.
fn rights(mask: u32, names: &[(u32, &str)]) -> String {
    if let Some((_, name)) = FILE_RIGHTS.iter().find(|(rights, _)| *rights == mask) {
        return (*name).to_owned();
    }
    let named = names.iter().fold(0, |all, (right, _)| all | right);
    if mask == 0 || mask & !named != 0 {
        return format!("{mask:#x}");
    }
    names.iter().filter(|(right, _)| mask & right != 0).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
    const EVERYONE: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    const NOBODY: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 9, 0, 0, 0];

    fn entry_bytes(kind: u8, flags: u8, mask: u32, rest: &[u8]) -> Vec<u8> {
        let length = u8::try_from(8 + rest.len()).unwrap();
        [&[kind, flags, length, 0], &mask.to_le_bytes()[..], rest].concat()
    }

    fn list_bytes(entries: &[Vec<u8>]) -> Vec<u8> {
        let bytes = entries.concat();
        let size = u8::try_from(8 + bytes.len()).unwrap();
        [&[2, 0, size, 0, u8::try_from(entries.len()).unwrap(), 0, 0, 0], &bytes[..]].concat()
    }

    /// A descriptor with these parts, each left out if empty.
    fn descriptor(control: u16, [owner, group, sacl, dacl]: [&[u8]; 4]) -> Vec<u8> {
        let mut bytes = vec![1, 0];
        bytes.extend(control.to_le_bytes());
        let mut at = 20_u32;
        for part in [owner, group, sacl, dacl] {
            let place = if part.is_empty() { 0 } else { at };
            bytes.extend(place.to_le_bytes());
            at += u32::try_from(part.len()).unwrap();
        }
        [&bytes[..], owner, group, sacl, dacl].concat()
    }

    #[track_caller]
    fn check(descriptor: &[u8], expected: Option<&str>) {
        assert_eq!(sddl(descriptor).as_deref(), expected);
    }

    #[test]
    fn descriptors_are_told_as_windows_tells_them() {
        let dacl = list_bytes(&[
            entry_bytes(0, 0x10, 0x001f_01ff, &ADMINISTRATORS),
            entry_bytes(0, 0x1b, 0xe001_0000, &EVERYONE),
            entry_bytes(1, 3, 0x0013_01bf, &NOBODY),
            entry_bytes(0, 0, 0x0012_00a9, &EVERYONE),
        ]);
        let sacl = list_bytes(&[entry_bytes(2, 0xc0, 0x0012_0116, &EVERYONE)]);
        let bytes = descriptor(0x8c14, [&ADMINISTRATORS, &NOBODY, &sacl, &dacl]);
        let expected = "O:BAG:S-1-5-21-9D:AI(A;ID;FA;;;BA)(A;OICIIOID;SDGXGWGR;;;WD)\
                        (D;OICI;0x1301bf;;;S-1-5-21-9)(A;;0x1200a9;;;WD)S:AI(AU;SAFA;FW;;;WD)";
        check(&bytes, Some(expected));
        let sids = ("S-1-5-32-544".to_owned(), "S-1-5-21-9".to_owned());
        assert_eq!(owner_and_group(&bytes), (Some(sids.0), Some(sids.1)));
        check(&descriptor(0x8004, [&[], &[], &[], &[]]), Some("D:NO_ACCESS_CONTROL"));
        check(&descriptor(0x9104, [&[], &[], &[], &list_bytes(&[])]), Some("D:PAR"));
        check(&descriptor(0x8000, [&EVERYONE, &[], &[], &[]]), Some("O:WD"));
        let label = list_bytes(&[entry_bytes(0x11, 0, 3, &EVERYONE)]);
        check(&descriptor(0x8010, [&[], &[], &label, &[]]), Some("S:(ML;;NWNR;;;WD)"));
        let id = [1_u8, 0, 0, 0, 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let object = entry_bytes(5, 0, 1, &[&id[..], &EVERYONE].concat());
        let expected = "D:(OA;;0x1;00010203-0405-0607-0809-0a0b0c0d0e0f;;WD)";
        check(&descriptor(0x8004, [&[], &[], &[], &list_bytes(&[object])]), Some(expected));
    }

    #[test]
    fn what_is_not_well_formed_is_not_told() {
        check(&[], None);
        let fine = descriptor(
            0x8004,
            [&EVERYONE, &[], &[], &list_bytes(&[entry_bytes(0, 0, 1, &EVERYONE)])],
        );
        check(&fine, Some("O:WDD:(A;;0x1;;;WD)"));
        // Every byte changed in every way, and every length: no panic.
        for at in 0..fine.len() {
            let _told = sddl(&fine[..at]);
            for value in 0..=255 {
                let mut bytes = fine.clone();
                bytes[at] = value;
                let _told = sddl(&bytes);
                let _told = owner_and_group(&bytes);
            }
        }
        let condition = list_bytes(&[entry_bytes(9, 0, 1, &EVERYONE)]);
        check(&descriptor(0x8004, [&[], &[], &[], &condition]), None);
        let mut cut = fine;
        cut.truncate(cut.len() - 1);
        check(&cut, None);
    }
}
