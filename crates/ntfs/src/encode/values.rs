//! Values of attributes, put together.

use imprint_winvalues::tree::{ExtendedAttribute, Times};
use imprint_winvalues::{FileTime, WinName};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U64;

use super::{u16_of, u32_of};
use crate::FileReference;
use crate::layout::{EaDisk, EaInformationDisk, FileNameDisk, StandardInformationDisk, TimesDisk};

/// What a `$FILE_NAME` repeats of its file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameFacts {
    pub(crate) times: TimesFacts,
    /// Bytes of the clusters of the main data.
    pub(crate) allocated: u64,
    pub(crate) size: u64,
    /// With the flags only names have.
    pub(crate) attributes: u32,
    /// The reparse tag, or else the packed bytes of the extended attributes.
    pub(crate) extra: u32,
}

/// Four times, all known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimesFacts {
    pub(crate) creation: FileTime,
    pub(crate) write: FileTime,
    pub(crate) change: FileTime,
    pub(crate) access: FileTime,
}

impl TimesFacts {
    /// Those of a file; `now` is the time of change if the file has none.
    pub(crate) fn new(times: &Times, now: FileTime) -> Self {
        let (creation, write, access) = (times.creation, times.write, times.access);
        Self { creation, write, change: times.change.unwrap_or(now), access }
    }

    pub(crate) const fn all(time: FileTime) -> Self {
        Self { creation: time, write: time, change: time, access: time }
    }

    pub(crate) fn disk(self) -> TimesDisk {
        let time = |time: FileTime| U64::new(time.0);
        TimesDisk {
            creation: time(self.creation),
            write: time(self.write),
            change: time(self.change),
            access: time(self.access),
        }
    }
}

impl From<&TimesDisk> for TimesFacts {
    fn from(disk: &TimesDisk) -> Self {
        let time = |time: U64| FileTime(time.get());
        Self {
            creation: time(disk.creation),
            write: time(disk.write),
            change: time(disk.change),
            access: time(disk.access),
        }
    }
}

/// A `$STANDARD_INFORMATION` of 72 bytes. `security` is the id in `$Secure`.
pub(crate) fn standard_information(times: TimesFacts, attributes: u32, security: u32) -> [u8; 72] {
    let disk = StandardInformationDisk {
        times: times.disk(),
        attributes: attributes.into(),
        max_versions: 0.into(),
        version: 0.into(),
        class: 0.into(),
        owner: 0.into(),
        security: security.into(),
        quota: 0.into(),
        usn: 0.into(),
    };
    zerocopy::transmute!(disk)
}

/// A `$FILE_NAME`.
pub(crate) fn file_name(
    parent: FileReference,
    facts: &NameFacts,
    name: &WinName,
    namespace: u8,
) -> Vec<u8> {
    let disk = FileNameDisk {
        parent: parent.to_disk().into(),
        times: facts.times.disk(),
        allocated: facts.allocated.into(),
        size: facts.size.into(),
        attributes: facts.attributes.into(),
        extra: facts.extra.into(),
        length: u8::try_from(name.len()).unwrap_or(u8::MAX),
        namespace,
    };
    let mut value = Vec::with_capacity(size_of::<FileNameDisk>() + name.len() * 2);
    value.extend_from_slice(disk.as_bytes());
    name.units().iter().for_each(|unit| value.extend_from_slice(&unit.to_le_bytes()));
    value
}

/// `$EA_INFORMATION` and `$EA`.
pub(crate) fn ea_values(attributes: &[ExtendedAttribute]) -> ([u8; 8], Vec<u8>) {
    let mut packed = 0_usize;
    let mut needed = 0_u16;
    let mut list = Vec::new();
    for attribute in attributes {
        let (name, value) = (&attribute.name, &attribute.value);
        let length = size_of::<EaDisk>() + name.len() + 1 + value.len();
        let entry = EaDisk {
            next: u32_of(length.next_multiple_of(4)).into(),
            flags: attribute.flags,
            name_length: u8::try_from(name.len()).unwrap_or(u8::MAX),
            value_length: u16_of(value.len()).into(),
        };
        let start = list.len();
        list.extend_from_slice(entry.as_bytes());
        list.extend_from_slice(name);
        list.push(0);
        list.extend_from_slice(value);
        list.resize(start + length.next_multiple_of(4), 0);
        // Without the field that says where the next one is.
        packed += length - 4;
        needed += u16::from(attribute.flags & 0x80 != 0);
    }
    let information = EaInformationDisk {
        packed: u16_of(packed).into(),
        needed: needed.into(),
        size: u32_of(list.len()).into(),
    };
    (zerocopy::transmute!(information), list)
}
