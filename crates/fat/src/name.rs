//! Long and short names.

use imprint_winvalues::{WinName, fold_case};

use crate::NameFault;
use crate::layout::{EntryDisk, LongDisk};

/// A short name as it lies on the volume: eight bytes and three, filled with spaces.
pub(crate) type ShortName = [u8; 11];

/// Units of the longest name.
const MAX_UNITS: usize = 255;

/// Bytes from 80 on in the code page of DOS, 437, which Windows and Linux use unless told otherwise.
const CODE_PAGE: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
                         └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// By which a long name knows its short one.
pub(crate) fn checksum(name: &ShortName) -> u8 {
    name.iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// A short name as it is shown, in the case its flags say.
pub(crate) fn short_text(name: &ShortName, case: u8) -> WinName {
    let mut name = *name;
    if let Some(first) = name.first_mut().filter(|byte| **byte == EntryDisk::STANDS_FOR_E5) {
        *first = 0xe5;
    }
    let (base, extension) = name.split_at(8);
    let mut text = String::new();
    push(&mut text, base, case & EntryDisk::LOWER_BASE != 0);
    if extension.iter().any(|&byte| byte != b' ') {
        text.push('.');
        push(&mut text, extension, case & EntryDisk::LOWER_EXTENSION != 0);
    }
    text.as_str().into()
}

fn push(text: &mut String, bytes: &[u8], lower: bool) {
    let len = bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    for &byte in bytes.iter().take(len) {
        let c = match byte.checked_sub(0x80) {
            None => char::from(byte),
            Some(index) => {
                CODE_PAGE.chars().nth(index.into()).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
        };
        if lower { text.extend(c.to_lowercase()) } else { text.push(c) }
    }
}

/// Refuses names no file can have.
pub(crate) fn check(units: &[u16]) -> Result<(), NameFault> {
    if matches!(units, [] | [0x2e] | [0x2e, 0x2e]) {
        return Err(NameFault::Empty);
    }
    if units.len() > MAX_UNITS {
        return Err(NameFault::TooLong { units: units.len() });
    }
    let illegal = |unit: u16| match u8::try_from(unit) {
        Ok(byte) => byte < 0x20 || br#""*/:<>?\|"#.contains(&byte) || byte == 0x7f,
        Err(_large) => false,
    };
    if let Some(&unit) = units.iter().find(|&&unit| illegal(unit)) {
        return Err(NameFault::Character { unit });
    }
    if matches!(units.last(), Some(0x20 | 0x2e)) {
        return Err(NameFault::Trailing);
    }
    Ok(())
}

/// The upper case of a name, by which names are told apart.
pub(crate) fn folded(units: &[u16]) -> WinName {
    WinName::from_units(&units.iter().map(|&unit| fold_case(unit)).collect::<Vec<_>>())
}

/// What may stand in a short name as it is.
const fn is_short(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || is_sign(byte)
}

const fn is_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'$' | b'%'
            | b'\''
            | b'-'
            | b'_'
            | b'@'
            | b'~'
            | b'`'
            | b'!'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'^'
            | b'#'
            | b'&'
    )
}

/// The short name that says all a name says, if there is one: ASCII in upper case.
pub(crate) fn exact(units: &[u16]) -> Option<ShortName> {
    let bytes: Vec<u8> =
        units.iter().map(|&unit| u8::try_from(unit).ok()).collect::<Option<_>>()?;
    let (base, extension) = match bytes.iter().position(|&byte| byte == b'.') {
        Some(dot) => (bytes.get(..dot)?, bytes.get(dot + 1..).filter(|rest| !rest.is_empty())?),
        None => (&*bytes, &[][..]),
    };
    let fits = (1..=8).contains(&base.len()) && extension.len() <= 3;
    (fits && base.iter().chain(extension).all(|&byte| is_short(byte)))
        .then(|| joined(base, extension))
}

fn joined(base: &[u8], extension: &[u8]) -> ShortName {
    let mut name = [b' '; 11];
    for (slot, &byte) in name.iter_mut().zip(base.iter().take(8)) {
        *slot = byte;
    }
    for (slot, &byte) in name.iter_mut().skip(8).zip(extension) {
        *slot = byte;
    }
    name
}

/// A short name that is free, for a name that has none of its own: the first letters, `~` and a
/// number; when those are used up, two letters and four digits made of the name, as Windows does.
pub(crate) fn invented(
    units: &[u16],
    is_free: impl Fn(&ShortName) -> bool,
) -> Result<ShortName, NameFault> {
    let dot = units.iter().rposition(|&unit| unit == 0x2e).filter(|&dot| dot > 0);
    let (base, extension) = units.split_at(dot.unwrap_or(units.len()));
    let base = plain(base, 6);
    let extension = plain(extension, 3);
    let with = |base: &[u8], number: u32| {
        let mut base = base.to_vec();
        base.extend_from_slice(format!("~{number}").as_bytes());
        joined(&base, &extension)
    };
    let hash = units
        .iter()
        .fold(0x811c_u16, |hash, &unit| (hash ^ unit).wrapping_mul(0x0193).rotate_left(5));
    let few = (1..=4).map(|number| with(&base, number));
    let start: Vec<u8> = base.iter().take(2).copied().collect();
    let more = (0..=u16::MAX).map(|step| {
        let mut base = start.clone();
        base.extend_from_slice(format!("{:04X}", hash.wrapping_add(step)).as_bytes());
        with(&base, 1)
    });
    few.chain(more).find(is_free).ok_or(NameFault::NoShortName)
}

/// The first letters of a part of a name, as a short name can have them.
fn plain(units: &[u16], most: usize) -> Vec<u8> {
    let kept = units.iter().filter(|&&unit| unit != 0x20 && unit != 0x2e);
    let bytes = kept.take(most).map(|&unit| match u8::try_from(unit) {
        Ok(byte) if is_short(byte.to_ascii_uppercase()) => byte.to_ascii_uppercase(),
        _ => b'_',
    });
    let bytes: Vec<u8> = bytes.collect();
    if bytes.is_empty() && most > 3 { vec![b'_'] } else { bytes }
}

/// The pieces of a long name as they lie before their entry.
pub(crate) fn pieces(units: &[u16], checksum: u8) -> Vec<LongDisk> {
    let count = units.len().div_ceil(LongDisk::UNITS);
    // Behind the name a zero if there is room, then ones.
    let mut filled = units.to_vec();
    filled.push(0);
    filled.resize(units.len().max(1).next_multiple_of(LongDisk::UNITS).max(filled.len()), 0xffff);
    let chunks = filled.chunks(LongDisk::UNITS).take(count).enumerate();
    let mut pieces: Vec<_> = chunks
        .map(|(index, chunk)| {
            let order = u8::try_from(index + 1).unwrap_or(u8::MAX);
            let last = if index + 1 == count { LongDisk::LAST } else { 0 };
            piece(chunk, order | last, checksum)
        })
        .collect();
    pieces.reverse();
    pieces
}

fn piece(units: &[u16], order: u8, checksum: u8) -> LongDisk {
    let unit = |index: usize| units.get(index).copied().unwrap_or(0xffff).into();
    LongDisk {
        order,
        name_1: std::array::from_fn(unit),
        attributes: EntryDisk::LONG,
        kind: 0,
        checksum,
        name_2: std::array::from_fn(|index| unit(index + 5)),
        first: 0.into(),
        name_3: std::array::from_fn(|index| unit(index + 11)),
    }
}

/// Puts a long name together from its pieces as they come.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// The pieces seen, the last of the name first.
    pieces: Vec<[u16; LongDisk::UNITS]>,
    /// The number of the piece that must come next; 0 if the name is whole.
    next: u8,
    checksum: u8,
}

impl Collector {
    /// Takes a piece.
    pub(crate) fn push(&mut self, piece: &LongDisk) {
        let number = piece.order & !LongDisk::LAST;
        if piece.order & LongDisk::LAST != 0 {
            self.pieces.clear();
            self.checksum = piece.checksum;
        } else if self.pieces.is_empty() || number != self.next || piece.checksum != self.checksum {
            self.pieces.clear();
            return;
        }
        // 20 pieces have room for 255 units.
        if !(1..=20).contains(&number) {
            self.pieces.clear();
            return;
        }
        let units = piece.name_1.iter().chain(&piece.name_2).chain(&piece.name_3);
        let mut all = [0; LongDisk::UNITS];
        for (slot, unit) in all.iter_mut().zip(units) {
            *slot = unit.get();
        }
        self.pieces.push(all);
        self.next = number - 1;
    }

    /// The name, if all of its pieces came and belong to this short name. What was left by a program
    /// that knows no long names does not count.
    pub(crate) fn take(&mut self, short: &ShortName) -> Option<WinName> {
        let pieces = std::mem::take(&mut self.pieces);
        if pieces.is_empty() || self.next != 0 || self.checksum != checksum(short) {
            return None;
        }
        let units: Vec<u16> =
            pieces.iter().rev().flatten().copied().take_while(|&unit| unit != 0).collect();
        (!units.is_empty() && units.len() <= MAX_UNITS).then(|| WinName::from_units(&units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn the_code_page_has_128_characters() {
        assert_eq!(CODE_PAGE.chars().count(), 128);
        assert_eq!(short_text(b"\x05\x80\xff     TXT", 0).to_string(), "σÇ\u{a0}.TXT");
        assert_eq!(short_text(b"README  TXT", 8).to_string(), "readme.TXT");
        assert_eq!(short_text(b"README  TXT", 24).to_string(), "readme.txt");
        assert_eq!(short_text(b"A B        ", 0).to_string(), "A B");
    }

    #[test]
    fn exact_short_names() {
        assert_eq!(exact(&units("BOOTX64.EFI")), Some(*b"BOOTX64 EFI"));
        assert_eq!(exact(&units("A")), Some(*b"A          "));
        for other in ["a", "NINECHARS", "A.TEXT", "A.B.C", "A B", "Ä", ".A", "A.", "A+B", ""] {
            assert_eq!(exact(&units(other)), None, "{other}");
        }
    }

    #[test]
    fn invented_short_names_are_unique() {
        let mut taken = std::collections::HashSet::new();
        let mut next = |text: &str| {
            let name = invented(&units(text), |name| !taken.contains(name)).unwrap();
            assert!(taken.insert(name));
            String::from_utf8(name.to_vec()).unwrap()
        };
        assert_eq!(next("bootmgfw.efi.mui"), "BOOTMG~1MUI");
        assert_eq!(next("bootmgfw.efi.muia"), "BOOTMG~2MUI");
        assert_eq!(next(".profile"), "PROFIL~1   ");
        assert_eq!(next("a b+c.d"), "AB_C~1  D  ");
        assert_eq!(next("日本"), "__~1       ");
        assert_eq!(next(". ."), "_~1        ");
    }

    #[test]
    fn short_names_come_to_an_end() {
        assert_eq!(invented(&units("long name"), |_| false), Err(NameFault::NoShortName));
        let fifth = |name: &ShortName| !name.starts_with(b"LONGNA~");
        assert!(invented(&units("long name"), fifth).unwrap().starts_with(b"LO"));
    }

    #[test]
    fn names_that_cannot_be() {
        assert_eq!(check(&units("a.b")), Ok(()));
        assert_eq!(check(&units("..")), Err(NameFault::Empty));
        assert_eq!(check(&units("a/b")), Err(NameFault::Character { unit: 0x2f }));
        assert_eq!(check(&units("a\u{1}")), Err(NameFault::Character { unit: 1 }));
        assert_eq!(check(&units("a.")), Err(NameFault::Trailing));
        assert_eq!(check(&[0x61; 256]), Err(NameFault::TooLong { units: 256 }));
        assert_eq!(check(&[0x61; 255]), Ok(()));
    }

    #[track_caller]
    fn check_pieces(text: &str, count: usize) {
        let short = *b"SHORT      ";
        let pieces = pieces(&units(text), checksum(&short));
        assert_eq!(pieces.len(), count);
        let mut collector = Collector::default();
        pieces.iter().for_each(|piece| collector.push(piece));
        assert_eq!(collector.take(&short), Some(text.into()));
        assert_eq!(collector.take(&short), None);
        pieces.iter().for_each(|piece| collector.push(piece));
        assert_eq!(collector.take(b"OTHER      "), None);
        // A piece is missing.
        pieces.iter().skip(1).for_each(|piece| collector.push(piece));
        assert_eq!(collector.take(&short), None);
    }

    #[test]
    fn pieces_come_back() {
        check_pieces("a", 1);
        check_pieces("thirteen unit", 1);
        check_pieces("fourteen units", 2);
        check_pieces(&"x".repeat(255), 20);
        check_pieces("Grüße, 世界 \u{1f600}", 1);
    }
}
