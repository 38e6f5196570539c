//! A file with all its attributes, held in memory to be changed.

use std::borrow::Cow;
use std::cmp::Ordering;

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::WinName;
use zerocopy::{FromBytes, IntoBytes};

use super::EditError;
use crate::encode::{Body, NameFacts, NewAttribute, Placed};
use crate::layout::{
    EaInformationDisk, FileNameDisk, NAME_IS_DIRECTORY, NAME_IS_VIEW_INDEX, ReparseDisk,
    StandardInformationDisk,
};
use crate::{
    AttributeKind, Clusters, Corruption, File, FileAttribute, FileReference, FileValue,
    RecordNumber, Run, Structure, UpCase, Vcn, Volume,
};

/// Flag of a record: a directory.
pub(super) const DIRECTORY: u16 = 2;
/// Flag of a record: has another index than that of names.
const VIEW_INDEX: u16 = 8;
/// Flag of a record: in use.
pub(super) const IN_USE: u16 = 1;
/// The most bytes of a value that is no data and is taken into memory whole.
const MAX_VALUE: u64 = 1 << 20;

/// A file with all its attributes.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) reference: FileReference,
    /// Flags of its record.
    pub(super) flags: u16,
    /// All attributes but the attribute list, each whole, in their order.
    pub(super) attributes: Vec<NewAttribute<'static>>,
    /// The records that continue it.
    pub(super) further: Vec<FileReference>,
    /// Where its attribute list stands, if that is in clusters.
    pub(super) list: Vec<Run>,
}

impl Inode {
    /// A file without attributes.
    pub(super) const fn new(reference: FileReference, flags: u16) -> Self {
        Self { reference, flags, attributes: Vec::new(), further: Vec::new(), list: Vec::new() }
    }

    pub(super) fn of(file: File, cluster_size: u32) -> Self {
        let attributes = file.attributes.into_iter();
        Self {
            reference: file.reference,
            flags: file.flags,
            attributes: attributes.map(|found| held(found, cluster_size)).collect(),
            further: file.further,
            list: file.list.map(|list| list.runs().to_vec()).unwrap_or_default(),
        }
    }

    pub(super) const fn record(&self) -> RecordNumber {
        self.reference.record
    }

    pub(super) const fn is_directory(&self) -> bool {
        self.flags & DIRECTORY != 0
    }

    /// The attribute of a type and name.
    pub(super) fn find(&self, kind: AttributeKind, name: &[u16]) -> Option<&NewAttribute<'static>> {
        self.attributes.iter().find(|found| found.kind == kind && found.name.units() == name)
    }

    pub(super) fn find_mut(
        &mut self,
        kind: AttributeKind,
        name: &[u16],
    ) -> Option<&mut NewAttribute<'static>> {
        self.attributes.iter_mut().find(|found| found.kind == kind && found.name.units() == name)
    }

    /// Takes an attribute out.
    pub(super) fn take(
        &mut self,
        kind: AttributeKind,
        name: &[u16],
    ) -> Option<NewAttribute<'static>> {
        let is = |found: &NewAttribute<'_>| found.kind == kind && found.name.units() == name;
        let index = self.attributes.iter().position(is)?;
        Some(self.attributes.remove(index))
    }

    /// Puts an attribute in at its place: by type, then name, behind those that are equal.
    pub(super) fn put(&mut self, attribute: NewAttribute<'static>, upcase: &UpCase) {
        let order = |other: &NewAttribute<'_>| {
            other
                .kind
                .cmp(&attribute.kind)
                .then_with(|| upcase.order(other.name.units(), attribute.name.units()))
        };
        let index = self.attributes.partition_point(|other| order(other) != Ordering::Greater);
        self.attributes.insert(index, attribute);
    }

    /// The value of an attribute in the record.
    pub(super) fn resident(&self, kind: AttributeKind, name: &[u16]) -> Option<&[u8]> {
        match &self.find(kind, name)?.body {
            Body::Resident(value) => Some(value),
            Body::Clusters(_) => None,
        }
    }

    /// Its `$STANDARD_INFORMATION`.
    pub(super) fn information(&self) -> Result<StandardInformationDisk, EditError> {
        let kind = AttributeKind::STANDARD_INFORMATION;
        let value = self.resident(kind, &[]).unwrap_or_default();
        let mut bytes = [0; size_of::<StandardInformationDisk>()];
        if value.len() < 48 {
            let structure = Structure::Attribute(self.record(), kind);
            let (expected, actual) = (Expected::AtLeast(48), value.len() as u64);
            return Err(Corruption::number(structure, 0, "bytes of value", expected, actual).into());
        }
        bytes.iter_mut().zip(value).for_each(|(place, byte)| *place = *byte);
        Ok(zerocopy::transmute!(bytes))
    }

    /// Changes its `$STANDARD_INFORMATION`. One of the short form before NTFS 3.0 becomes long.
    pub(super) fn set_information(&mut self, information: &StandardInformationDisk) {
        if let Some(found) = self.find_mut(AttributeKind::STANDARD_INFORMATION, &[]) {
            found.body = Body::Resident(Cow::Owned(information.as_bytes().to_vec()));
        }
    }

    /// Its names: where they are among the attributes, and what they say.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, HeldName)> {
        let names = self.attributes.iter().enumerate();
        names.filter(|(_, found)| found.kind == AttributeKind::FILE_NAME).filter_map(
            |(index, found)| match &found.body {
                Body::Resident(value) => HeldName::parse(value).map(|name| (index, name)),
                Body::Clusters(_) => None,
            },
        )
    }

    /// What names are to repeat of it.
    pub(super) fn facts(&self, cluster_size: u32) -> Result<NameFacts, EditError> {
        let information = self.information()?;
        let mut facts = NameFacts {
            times: (&information.times).into(),
            attributes: information.attributes.get() & !NAME_IS_DIRECTORY & !NAME_IS_VIEW_INDEX,
            ..NameFacts::default()
        };
        if self.is_directory() {
            facts.attributes |= NAME_IS_DIRECTORY;
        }
        if self.flags & VIEW_INDEX != 0 {
            facts.attributes |= NAME_IS_VIEW_INDEX;
        }
        match self.find(AttributeKind::DATA, &[]).map(|data| (&data.body, data.flags)) {
            Some((Body::Resident(value), _)) => {
                facts.size = value.len() as u64;
                facts.allocated = facts.size.next_multiple_of(8);
            }
            Some((Body::Clusters(placed), flags)) => {
                facts.size = placed.size;
                let real = placed.real_clusters() * u64::from(cluster_size);
                facts.allocated = if flags & 0x8001 == 0 { placed.allocated } else { real };
            }
            None => {}
        }
        let tag = self.reparse_tag();
        let information = self.resident(AttributeKind::EA_INFORMATION, &[]);
        let information =
            information.and_then(|value| EaInformationDisk::read_from_prefix(value).ok());
        let packed = information.map_or(0, |(information, _)| information.packed.get());
        facts.extra = tag.unwrap_or_else(|| packed.into());
        Ok(facts)
    }

    /// The tag of its reparse point, if that stands in the record.
    pub(super) fn reparse_tag(&self) -> Option<u32> {
        let value = self.resident(AttributeKind::REPARSE_POINT, &[])?;
        ReparseDisk::read_from_prefix(value).ok().map(|(disk, _)| disk.tag.get())
    }
}

/// A name of a file, as it stands in its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldName {
    pub(super) parent: FileReference,
    pub(super) namespace: u8,
    pub(super) name: WinName,
}

impl HeldName {
    fn parse(value: &[u8]) -> Option<Self> {
        let (disk, rest) = FileNameDisk::read_from_prefix(value).ok()?;
        let units = rest.get(..usize::from(disk.length) * 2)?;
        let parent = FileReference::from_disk(disk.parent.get());
        let name = WinName::from_le_bytes(units);
        Some(Self { parent, namespace: disk.namespace, name })
    }
}

/// An attribute as it is written.
fn held(found: FileAttribute, cluster_size: u32) -> NewAttribute<'static> {
    let body = match found.value {
        FileValue::Resident(value) => Body::Resident(Cow::Owned(value.into())),
        FileValue::Clusters(clusters) => Body::Clusters(placed(&clusters, cluster_size)),
    };
    let name = Cow::Owned(WinName::from_le_bytes(&found.name));
    let mut attribute = NewAttribute::named(found.kind, name, body);
    attribute.flags = found.flags;
    attribute
}

fn placed(clusters: &Clusters, cluster_size: u32) -> Placed {
    let runs = clusters.runs().to_vec();
    let end = runs.last().map_or(0, |run| run.end().0);
    Placed {
        first: Vcn(0),
        runs,
        allocated: end.saturating_mul(cluster_size.into()),
        size: clusters.size(),
        initialised: clusters.initialised(),
        unit_shift: clusters.stored_shift(),
        real: None,
    }
}

impl<D: ReadAt> Volume<D> {
    /// Reads a file to be changed.
    pub(super) fn inode(&self, reference: FileReference) -> Result<Inode, EditError> {
        let file = self.file(reference.record)?;
        let file = file.filter(|file| file.reference == reference);
        let file = file.ok_or(EditError::Gone(reference))?;
        Ok(Inode::of(file, self.geometry().cluster_size))
    }

    /// All bytes of a value that is no data: they are few.
    pub(super) fn held_value(
        &self,
        inode: &Inode,
        attribute: &NewAttribute<'_>,
    ) -> Result<Vec<u8>, EditError> {
        let placed = match &attribute.body {
            Body::Resident(value) => return Ok(value.to_vec()),
            Body::Clusters(placed) => placed,
        };
        let structure = Structure::Attribute(inode.record(), attribute.kind);
        if placed.size > MAX_VALUE {
            let (expected, actual) = (Expected::AtMost(MAX_VALUE), placed.size);
            return Err(Corruption::number(structure, 0, "bytes", expected, actual).into());
        }
        let mut bytes = vec![0; usize::try_from(placed.size).unwrap_or(0)];
        let clusters = self.clusters_of(structure, placed);
        clusters.read(self.device(), &mut bytes, 0)?;
        Ok(bytes)
    }

    /// A value as it is read.
    pub(super) fn clusters_of(&self, structure: Structure, placed: &Placed) -> Clusters {
        let cluster_size = self.geometry().cluster_size;
        Clusters::placed(structure, placed, cluster_size)
    }
}
