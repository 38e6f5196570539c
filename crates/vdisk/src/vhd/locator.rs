//! Where a differencing disk says its parent is.

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::Guid;

use super::footer::{from_seconds, to_seconds};
use super::layout::{ABSOLUTE, DynamicHeaderDisk, LocatorDisk, RELATIVE, SECTOR};
use crate::{Corruption, NewParent, OpenError, ParentLink, ParentPath, PathKind, Structure};

/// No path is longer, in bytes: Windows has none of more than 32,767 UTF-16 units.
pub(crate) const LONGEST: u32 = 64 << 10;
/// UTF-16 units that the name field of the header holds.
pub(crate) const NAME_UNITS: usize = 256;

/// Reads everything the header says of the parent. A path that cannot be read is left out and told to
/// `damage`: others may lead to the parent.
///
/// # Errors
/// [`OpenError::Io`].
pub(crate) fn read_link(
    file: &(impl ReadAt + ?Sized),
    length: u64,
    header: &DynamicHeaderDisk,
    header_at: u64,
    damage: &mut Vec<Corruption>,
) -> Result<ParentLink, OpenError> {
    let mut paths = Vec::new();
    // Windows looks beside the child first.
    for (code, kind) in [(RELATIVE, PathKind::Relative), (ABSOLUTE, PathKind::Absolute)] {
        for (index, locator) in header.locators.iter().enumerate() {
            if locator.code != code {
                continue;
            }
            let at = header_at + 576 + 24 * index as u64;
            match check(locator, at, length) {
                Ok(()) => {
                    let text = read_path(file, locator)?;
                    paths.push(ParentPath { kind, text });
                }
                Err(fault) => damage.push(fault),
            }
        }
    }
    let name = decode(&header.parent_name, u16::from_be_bytes);
    if !name.is_empty() {
        paths.push(ParentPath { kind: PathKind::Name, text: name });
    }
    Ok(ParentLink {
        identity: Guid(header.parent_id),
        alternative: None,
        modified: Some(from_seconds(header.parent_timestamp.get())),
        paths,
    })
}

/// Refuses a locator, standing at `at`, whose path is too long or not in the file.
pub(crate) fn check(locator: &LocatorDisk, at: u64, length: u64) -> Result<(), Corruption> {
    let structure = Structure::ParentLocator;
    let bytes = locator.length.get();
    if bytes > LONGEST {
        let expected = Expected::AtMost(LONGEST.into());
        return Err(Corruption::number(structure, at + 8, "path length", expected, bytes.into()));
    }
    let end = locator.offset.get().saturating_add(bytes.into());
    if end > length {
        return Err(Corruption::past_end(structure, at + 16, "path", length, end));
    }
    Ok(())
}

fn read_path(file: &(impl ReadAt + ?Sized), locator: &LocatorDisk) -> Result<String, OpenError> {
    let mut bytes = vec![0; usize::try_from(locator.length.get()).unwrap_or(0)];
    let offset = locator.offset.get();
    file.read_exact_at(&mut bytes, offset).map_err(|source| OpenError::Io {
        structure: Structure::ParentLocator,
        offset,
        length: bytes.len() as u64,
        source,
    })?;
    Ok(decode(&bytes, u16::from_le_bytes))
}

/// Reads UTF-16 up to its first zero.
fn decode(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).take_while(|&u| u != 0).collect();
    String::from_utf16_lossy(&units)
}

/// A path to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewLocator {
    /// What kind.
    code: [u8; 4],
    /// The path in UTF-16LE.
    pub(crate) bytes: Vec<u8>,
}

impl NewLocator {
    /// Bytes it takes in the file.
    pub(crate) fn space(&self) -> u64 {
        (self.bytes.len() as u64).next_multiple_of(SECTOR)
    }

    /// What the header says of it when it stands at `offset`.
    pub(crate) fn entry(&self, offset: u64) -> LocatorDisk {
        let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).into();
        LocatorDisk {
            code: self.code,
            space: number(self.space()),
            length: number(self.bytes.len() as u64),
            reserved: 0.into(),
            offset: offset.into(),
        }
    }
}

/// What is to be stored of a parent: its locators, the relative one first.
pub(crate) fn new_locators(parent: &NewParent) -> Vec<NewLocator> {
    let paths = [(RELATIVE, Some(&parent.relative)), (ABSOLUTE, parent.absolute.as_ref())];
    let bytes = |path: &str| path.encode_utf16().flat_map(u16::to_le_bytes).collect();
    paths
        .into_iter()
        .filter_map(|(code, path)| Some(NewLocator { code, bytes: bytes(path?) }))
        .collect()
}

/// What a file says of a parent after it was told of it.
pub(crate) fn new_link(identity: Guid, parent: &NewParent) -> ParentLink {
    let path = |kind, text: &str| ParentPath { kind, text: text.to_owned() };
    let absolute = parent.absolute.iter().map(|text| path(PathKind::Absolute, text));
    let paths = [path(PathKind::Relative, &parent.relative)]
        .into_iter()
        .chain(absolute)
        .chain([path(PathKind::Name, file_name(parent))])
        .collect();
    let modified = Some(from_seconds(to_seconds(parent.modified)));
    ParentLink { identity, alternative: None, modified, paths }
}

/// The last part of the parent's path, for the name field.
pub(crate) fn file_name(parent: &NewParent) -> &str {
    parent.relative.rsplit(['\\', '/']).next().unwrap_or_default()
}

/// Puts the parent's name and time into a header; the checksum is then wrong.
pub(crate) fn describe(header: &mut DynamicHeaderDisk, parent: &NewParent) {
    header.parent_timestamp = to_seconds(parent.modified).into();
    header.parent_name = [0; 512];
    let units = file_name(parent).encode_utf16().take(NAME_UNITS);
    let (pairs, _none) = header.parent_name.as_chunks_mut::<2>();
    for (pair, unit) in pairs.iter_mut().zip(units) {
        *pair = unit.to_be_bytes();
    }
}
