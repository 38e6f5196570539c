//! GUIDs.

use std::fmt;
use std::str::FromStr;

/// A GUID in its on-disk byte order (first three fields little-endian), \[MS-DTYP\] 2.3.4.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Makes a random (version 4) GUID from 16 random bytes.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[7] = (bytes[7] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

/// Where each textual byte pair comes from: the first three fields are stored little-endian.
const TEXT_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in TEXT_ORDER.iter().filter_map(|&i| self.0.get(i)).enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

/// A text is not a GUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GUID should be 32 hexadecimal digits grouped 8-4-4-4-12, but has {digits} digits")]
pub struct ParseGuidError {
    /// Hexadecimal digits found.
    pub digits: usize,
}

impl FromStr for Guid {
    type Err = ParseGuidError;

    /// Reads the 8-4-4-4-12 form, with or without braces and hyphens.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kept = text.trim().trim_start_matches('{').trim_end_matches('}');
        let digits: Vec<u8> = kept
            .chars()
            .filter(|&c| c != '-')
            .map_while(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect();
        let wrong = kept.chars().any(|c| c != '-' && !c.is_ascii_hexdigit());
        if digits.len() != 32 || wrong {
            return Err(ParseGuidError { digits: digits.len() });
        }
        let mut bytes = [0; 16];
        for (&target, pair) in TEXT_ORDER.iter().zip(digits.chunks_exact(2)) {
            if let (Some(slot), [high, low]) = (bytes.get_mut(target), pair) {
                *slot = high << 4 | low;
            }
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_mixed_byte_order() {
        let guid: Guid = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}".parse().unwrap();
        assert_eq!(guid.0[..4], [0x2c, 0x86, 0xea, 0x9d]);
        assert_eq!(guid.to_string(), "9dea862c-5cdd-4e70-acc1-f32b344d4795");
        assert_eq!("9dea".parse::<Guid>(), Err(ParseGuidError { digits: 4 }));
        assert_eq!(
            "9dea862c-5cdd-4e70-acc1-f32b344d479x".parse::<Guid>(),
            Err(ParseGuidError { digits: 31 })
        );
    }

    #[test]
    fn random_guid_is_version_4() {
        let text = Guid::from_random([0xff; 16]).to_string();
        assert_eq!(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
