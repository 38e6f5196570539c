//! File names: UTF-16 that need not be well formed.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;

/// A name as Windows stores it: any UTF-16 units, unpaired surrogates included, without NUL at the
/// end. May be empty (a root's name, an unnamed stream).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct WinName(Box<[u16]>);

/// Bytes cannot become a [`WinName`] without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name is not UTF-8: byte {byte:#04x} at position {position} cannot be converted")]
pub struct NameError {
    /// Position of the first byte that cannot be converted, counted from the name's start.
    pub position: usize,
    /// That byte.
    pub byte: u8,
}

impl WinName {
    /// Makes a name of these units.
    #[must_use]
    pub fn from_units(units: &[u16]) -> Self {
        Self(units.into())
    }

    /// Makes a name of little-endian bytes; an odd last byte is dropped.
    #[must_use]
    pub fn from_le_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect())
    }

    /// Makes a name of the bytes of a Linux name, which must be UTF-8 or WTF-8 (UTF-8 that may hold
    /// unpaired surrogates), so that [`Self::to_wtf8`] gives the same bytes again.
    ///
    /// # Errors
    /// [`NameError`] at the first byte that cannot be converted without loss.
    pub fn from_wtf8(bytes: &[u8]) -> Result<Self, NameError> {
        let mut units = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    units.extend(text.encode_utf16());
                    return Ok(Self(units.into()));
                }
                Err(error) => {
                    let (valid, tail) = rest.split_at(error.valid_up_to());
                    units.extend(String::from_utf8_lossy(valid).encode_utf16());
                    let position = bytes.len() - tail.len();
                    let fault =
                        NameError { position, byte: tail.first().copied().unwrap_or_default() };
                    let (surrogate, after) = take_surrogate(tail).ok_or(fault)?;
                    // Two three-byte halves of one pair would come back as one four-byte sequence.
                    let previous_is_high =
                        units.last().is_some_and(|u| (0xd800..0xdc00).contains(u));
                    if previous_is_high && (0xdc00..0xe000).contains(&surrogate) {
                        return Err(fault);
                    }
                    units.push(surrogate);
                    rest = after;
                }
            }
        }
    }

    /// Returns the name as WTF-8: UTF-8, with unpaired surrogates as three-byte sequences.
    #[must_use]
    pub fn to_wtf8(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        for unit in char::decode_utf16(self.0.iter().copied()) {
            match unit {
                Ok(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(error) => {
                    let [high, low] = error.unpaired_surrogate().to_be_bytes();
                    let middle = 0x80 | ((high & 0x0f) << 2) | (low >> 6);
                    bytes.extend_from_slice(&[0xed, middle, 0x80 | (low & 0x3f)]);
                }
            }
        }
        bytes
    }

    /// The UTF-16 units.
    #[must_use]
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    /// The units as little-endian bytes.
    #[must_use]
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    /// Length in UTF-16 units.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no units.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is `.` or `..`.
    #[must_use]
    pub fn is_dots(&self) -> bool {
        matches!(*self.0, [0x2e] | [0x2e, 0x2e])
    }

    /// Whether both names are equal when case is ignored.
    #[must_use]
    pub fn eq_ignoring_case(&self, other: &Self) -> bool {
        compare_ignoring_case(&self.0, &other.0).is_eq()
    }
}

/// Splits one encoded surrogate (`ED A0..BF 80..BF`) off the front.
fn take_surrogate(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let ([0xed, middle @ 0xa0..=0xbf, last @ 0x80..=0xbf], rest) = bytes.split_first_chunk()?
    else {
        return None;
    };
    Some((0xd000 | u16::from(middle & 0x3f) << 6 | u16::from(last & 0x3f), rest))
}

/// Upper-cases one unit as NTFS does with its `$UpCase` table. Letters outside ASCII never become
/// ASCII.
#[must_use]
pub fn fold_case(unit: u16) -> u16 {
    crate::upcase::upper(unit)
}

/// Compares two names unit by unit after [`fold_case`].
#[must_use]
pub fn compare_ignoring_case(a: &[u16], b: &[u16]) -> Ordering {
    a.iter().map(|&unit| fold_case(unit)).cmp(b.iter().map(|&unit| fold_case(unit)))
}

impl From<&str> for WinName {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl Borrow<[u16]> for WinName {
    fn borrow(&self) -> &[u16] {
        &self.0
    }
}

impl fmt::Display for WinName {
    /// Prints the name; unpaired surrogates show as the replacement character.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        char::decode_utf16(self.0.iter().copied()).try_for_each(|unit| {
            fmt::Write::write_char(f, unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        })
    }
}

impl fmt::Debug for WinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf16_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_names_come_back_byte_for_byte() {
        for bytes in [
            &b""[..],
            b"plain",
            "gr\u{fc}n \u{1f600}".as_bytes(),
            b"lone \xed\xa0\x80 high",
            b"\xed\xb0\x80",
            b"\xed\xb0\x80\xed\xa0\x80",
        ] {
            let name = WinName::from_wtf8(bytes).unwrap();
            assert_eq!(name.to_wtf8(), bytes);
        }
    }

    #[test]
    fn lossy_names_are_refused_with_their_place() {
        let check = |bytes: &[u8], position, byte| {
            assert_eq!(WinName::from_wtf8(bytes), Err(NameError { position, byte }));
        };
        check(b"ab\xff", 2, 0xff);
        check(b"\xc3", 0, 0xc3);
        check(b"\xed\xa0\x80\xed\xb0\x80", 3, 0xed);
        check(b"a\xed\xa0", 1, 0xed);
    }

    #[test]
    fn case_folding_is_simple() {
        let eq = |a: &str, b: &str| WinName::from(a).eq_ignoring_case(&b.into());
        assert!(eq("System32", "SYSTEM32"));
        assert!(eq("\u{e4}\u{3c3}", "\u{c4}\u{3a3}"));
        assert!(!eq("\u{df}", "SS"));
        assert!(!eq("\u{131}", "I"));
        assert!(!eq("a", "ab"));
    }
}
