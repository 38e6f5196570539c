//! Reparse data: what a reparse point holds, and the links among them.
//!
//! Specification: \[MS-FSCC\] 2.1.2. WIM keeps the data *without* the first 8 bytes of the reparse
//! buffer (tag, length, reserved); everything here works on those shorter bytes.

use crate::WinName;

/// Tag of a symbolic link.
pub const TAG_SYMBOLIC_LINK: u32 = 0xa000_000c;
/// Tag of a junction (mount point).
pub const TAG_JUNCTION: u32 = 0xa000_0003;
/// Tag of a file kept by the deduplication filter.
pub const TAG_DEDUPLICATION: u32 = 0x8000_0013;
/// Tag of a file kept by the Windows Overlay Filter (WIMBoot, CompactOS).
pub const TAG_OVERLAY: u32 = 0x8000_0017;
/// Largest reparse buffer in bytes, header included. Source: \[MS-FSCC\] 2.1.2.
pub const MAX_BUFFER: usize = 16_384;
/// Bytes of the buffer's header that WIM leaves out.
pub const BUFFER_HEADER: usize = 8;

/// Flag of a symbolic link whose target is relative.
const RELATIVE: u32 = 1;

/// A link read from reparse data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Symbolic link or junction.
    pub kind: LinkKind,
    /// The target the system follows, e.g. `\??\C:\Users` or `..\other`.
    pub substitute: WinName,
    /// The target shown to people, e.g. `C:\Users`; may be empty.
    pub print: WinName,
}

/// The kinds of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A symbolic link; `relative` if the target is relative to the link's directory or to the
    /// root of its volume.
    SymbolicLink {
        /// Whether the target is relative.
        relative: bool,
    },
    /// A junction: an absolute directory link.
    Junction,
}

/// Reparse data is not the link its tag promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The tag is not that of a link.
    #[error("reparse tag should be that of a symbolic link or junction, but is {tag:#010x}")]
    NotALink {
        /// The tag.
        tag: u32,
    },
    /// The data ends inside the fixed part.
    #[error("reparse data should have at least {expected} bytes, but has {actual}")]
    TooShort {
        /// Bytes of the fixed part.
        expected: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// A name lies outside the data.
    #[error(
        "reparse {which} name should lie within {limit} bytes, but is {length} bytes at {offset}"
    )]
    NameOutside {
        /// `"substitute"` or `"print"`.
        which: &'static str,
        /// Offset of the name behind the fixed part, bytes.
        offset: usize,
        /// Length of the name, bytes.
        length: usize,
        /// Bytes behind the fixed part.
        limit: usize,
    },
    /// A link to be written does not fit a reparse buffer.
    #[error("reparse data should have at most {limit} bytes, but needs {actual}")]
    TooLong {
        /// The largest size, bytes.
        limit: usize,
        /// The size needed, bytes.
        actual: usize,
    },
}

fn field(data: &[u8], offset: usize) -> Option<usize> {
    let bytes = data.get(offset..)?.first_chunk::<2>()?;
    Some(usize::from(u16::from_le_bytes(*bytes)))
}

impl Link {
    /// Reads a link from reparse data (without the 8-byte buffer header).
    ///
    /// # Errors
    /// [`LinkError`] if the tag is no link's or the data does not hold what it promises.
    pub fn parse(tag: u32, data: &[u8]) -> Result<Self, LinkError> {
        let fixed = match tag {
            TAG_SYMBOLIC_LINK => 12,
            TAG_JUNCTION => 8,
            _ => return Err(LinkError::NotALink { tag }),
        };
        let too_short = LinkError::TooShort { expected: fixed, actual: data.len() };
        let names = data.get(fixed..).ok_or(too_short)?;
        let name = |which, at: usize| {
            let offset = field(data, at).ok_or(too_short)?;
            let length = field(data, at + 2).ok_or(too_short)?;
            let outside = LinkError::NameOutside { which, offset, length, limit: names.len() };
            let bytes = names.get(offset..offset + length).ok_or(outside)?;
            if length % 2 == 1 { Err(outside) } else { Ok(WinName::from_le_bytes(bytes)) }
        };
        let kind = if tag == TAG_JUNCTION {
            LinkKind::Junction
        } else {
            let flags = data.get(8..).and_then(|d| d.first_chunk()).ok_or(too_short)?;
            let relative = u32::from_le_bytes(*flags) & RELATIVE != 0;
            LinkKind::SymbolicLink { relative }
        };
        Ok(Self { kind, substitute: name("substitute", 0)?, print: name("print", 4)? })
    }

    /// The reparse tag of this kind of link.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        match self.kind {
            LinkKind::SymbolicLink { .. } => TAG_SYMBOLIC_LINK,
            LinkKind::Junction => TAG_JUNCTION,
        }
    }

    /// Writes the link as reparse data (without the 8-byte buffer header): substitute name, NUL,
    /// print name, NUL.
    ///
    /// # Errors
    /// [`LinkError::TooLong`] if both names do not fit a reparse buffer.
    pub fn to_data(&self) -> Result<Vec<u8>, LinkError> {
        let substitute = self.substitute.to_le_bytes();
        let print = self.print.to_le_bytes();
        let fixed = if self.kind == LinkKind::Junction { 8 } else { 12 };
        let actual = fixed + substitute.len() + print.len() + 4;
        let limit = MAX_BUFFER - BUFFER_HEADER;
        let too_long = LinkError::TooLong { limit, actual };
        if actual > limit {
            return Err(too_long);
        }
        let mut data = Vec::with_capacity(actual);
        for value in [0, substitute.len(), substitute.len() + 2, print.len()] {
            let value = u16::try_from(value).map_err(|_too_large| too_long)?;
            data.extend_from_slice(&value.to_le_bytes());
        }
        if let LinkKind::SymbolicLink { relative } = self.kind {
            data.extend_from_slice(&u32::from(relative).to_le_bytes());
        }
        data.extend_from_slice(&substitute);
        data.extend_from_slice(&[0, 0]);
        data.extend_from_slice(&print);
        data.extend_from_slice(&[0, 0]);
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(kind: LinkKind, substitute: &str) -> Link {
        Link { kind, substitute: substitute.into(), print: "shown".into() }
    }

    #[test]
    fn links_come_back() {
        for kind in [
            LinkKind::Junction,
            LinkKind::SymbolicLink { relative: true },
            LinkKind::SymbolicLink { relative: false },
        ] {
            let link = link(kind, r"\??\C:\Users");
            assert_eq!(Link::parse(link.tag(), &link.to_data().unwrap()), Ok(link));
        }
    }

    #[test]
    fn names_outside_are_refused() {
        let mut data = link(LinkKind::Junction, "abc").to_data().unwrap();
        data[2] = 0x40;
        assert_eq!(
            Link::parse(TAG_JUNCTION, &data).unwrap_err().to_string(),
            "reparse substitute name should lie within 20 bytes, but is 64 bytes at 0"
        );
        assert_eq!(
            Link::parse(TAG_SYMBOLIC_LINK, &[0; 11]),
            Err(LinkError::TooShort { expected: 12, actual: 11 })
        );
        assert_eq!(Link::parse(1, &[]), Err(LinkError::NotALink { tag: 1 }));
        let long = link(LinkKind::Junction, &"x".repeat(9000));
        assert!(matches!(long.to_data(), Err(LinkError::TooLong { .. })));
    }
}
