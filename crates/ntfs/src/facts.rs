//! What attributes say of a file.

use imprint_blockio::Expected;
use imprint_winvalues::tree::{ExtendedAttribute, Times};
use imprint_winvalues::{FileTime, WinName};
use zerocopy::FromBytes;

use crate::layout::{EaDisk, FileNameDisk, ReparseDisk, StandardInformationDisk, TimesDisk};
use crate::{AttributeKind, Corruption, FileReference, RecordNumber, Structure};

/// `$STANDARD_INFORMATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardInformation {
    /// The times.
    pub times: Times,
    /// File attributes, without that of directories.
    pub attributes: u32,
    /// Names a descriptor in `$Secure`; 0 if there is none there.
    pub security: u32,
}

/// A name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The directory.
    pub parent: FileReference,
    /// For which programs it is.
    pub namespace: Namespace,
    /// The name.
    pub name: WinName,
}

/// For which programs a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Case counts; has no short name.
    Posix,
    /// Has a short name beside it.
    Win32,
    /// The short name.
    Dos,
    /// Long and short name are one.
    Win32AndDos,
}

/// Bytes of the GUID that the data of a reparse point begin with, and their length leaves out: Microsoft's own tags
/// have none.
pub(crate) const fn guid_length(tag: u32) -> usize {
    const MICROSOFT: u32 = 0x8000_0000;
    if tag & MICROSOFT == 0 { 16 } else { 0 }
}

fn times(disk: &TimesDisk) -> Times {
    Times {
        creation: FileTime(disk.creation.get()),
        access: FileTime(disk.access.get()),
        write: FileTime(disk.write.get()),
        change: Some(FileTime(disk.change.get())),
    }
}

/// An attribute's value in the record, and where its attribute is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact<'a> {
    pub(crate) record: RecordNumber,
    pub(crate) kind: AttributeKind,
    pub(crate) offset: u64,
    pub(crate) value: &'a [u8],
}

impl Fact<'_> {
    fn short(&self, expected: usize) -> Corruption {
        let structure = Structure::Attribute(self.record, self.kind);
        let (expected, actual) = (Expected::AtLeast(expected as u64), self.value.len() as u64);
        Corruption::number(structure, self.offset + 0x10, "bytes of value", expected, actual)
    }

    pub(crate) fn standard_information(&self) -> Result<StandardInformation, Corruption> {
        // Before NTFS 3.0 it ended here.
        const OLD: usize = 48;
        let mut bytes = [0; size_of::<StandardInformationDisk>()];
        if self.value.len() < OLD {
            return Err(self.short(OLD));
        }
        bytes.iter_mut().zip(self.value).for_each(|(place, byte)| *place = *byte);
        let disk: StandardInformationDisk = zerocopy::transmute!(bytes);
        let (attributes, security) = (disk.attributes.get(), disk.security.get());
        Ok(StandardInformation { times: times(&disk.times), attributes, security })
    }

    pub(crate) fn file_name(&self) -> Result<FileName, Corruption> {
        let fixed = size_of::<FileNameDisk>();
        let (disk, rest) =
            FileNameDisk::read_from_prefix(self.value).map_err(|_short| self.short(fixed))?;
        let bytes = usize::from(disk.length) * 2;
        let units = rest.get(..bytes).ok_or_else(|| self.short(fixed + bytes))?;
        let namespace = match disk.namespace {
            1 => Namespace::Win32,
            2 => Namespace::Dos,
            3 => Namespace::Win32AndDos,
            // What is unknown is taken as Windows' own code takes it.
            _ => Namespace::Posix,
        };
        let parent = FileReference::from_disk(disk.parent.get());
        Ok(FileName { parent, namespace, name: WinName::from_le_bytes(units) })
    }

    /// Tag, reserved field and data of a reparse point, with the GUID if there is one.
    pub(crate) fn reparse_point(&self) -> Result<(u32, u16, &[u8]), Corruption> {
        let fixed = size_of::<ReparseDisk>();
        let (disk, data) =
            ReparseDisk::read_from_prefix(self.value).map_err(|_short| self.short(fixed))?;
        let length = guid_length(disk.tag.get()) + usize::from(disk.length.get());
        let data = data.get(..length).ok_or_else(|| self.short(fixed + length))?;
        Ok((disk.tag.get(), disk.reserved.get(), data))
    }

    /// The extended attributes of `$EA`.
    pub(crate) fn extended_attributes(&self) -> Result<Vec<ExtendedAttribute>, Corruption> {
        let mut all = Vec::new();
        let mut rest = self.value;
        while let Ok((disk, body)) = EaDisk::read_from_prefix(rest) {
            let (name, value) =
                (usize::from(disk.name_length), usize::from(disk.value_length.get()));
            let parts = body
                .split_at_checked(name)
                .and_then(|(name, rest)| Some((name, rest.get(1..=value)?)));
            let (name, value) = parts.ok_or_else(|| {
                self.short(self.value.len() - rest.len() + size_of::<EaDisk>() + name + 1 + value)
            })?;
            all.push(ExtendedAttribute {
                name: name.into(),
                flags: disk.flags,
                value: value.into(),
            });
            let next = usize::try_from(disk.next.get()).unwrap_or(usize::MAX);
            // 0 in the last one.
            match rest.get(next..).filter(|_| next >= size_of::<EaDisk>()) {
                Some(tail) => rest = tail,
                None => break,
            }
        }
        Ok(all)
    }
}
