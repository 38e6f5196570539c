//! A file with all its attributes, from however many records.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use imprint_blockio::{Expected, ReadAt};

use crate::attribute::{Attribute, COMPRESSED, Value};
use crate::clusters::Clusters;
use crate::list::{ListEntry, read_list};
use crate::value::is_encrypted;
use crate::volume::MAX_LIST;
use crate::{
    AttributeKind, Corruption, FileRecord, FileReference, ReadError, RecordNumber, Structure,
    Volume,
};

/// Flag of an attribute: it may have holes.
const SPARSE: u16 = 0x8000;

/// A file: its first record's header, and all its attributes.
#[derive(Clone, Debug)]
pub struct File {
    /// What others refer to it by.
    pub reference: FileReference,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// How many `$FILE_NAME` attributes its first record says it has.
    pub links: u16,
    /// Its attributes but the attribute list, in their order; parts of one value as one.
    pub attributes: Vec<FileAttribute>,
    /// Flags of its first record.
    pub(crate) flags: u16,
    /// The records that continue it.
    pub(crate) further: Vec<FileReference>,
    /// Where its attribute list stands, if that is in clusters.
    pub(crate) list: Option<Clusters>,
}

/// An attribute, whole.
#[derive(Clone, Debug)]
pub struct FileAttribute {
    /// Its type.
    pub kind: AttributeKind,
    /// Its name, UTF-16LE.
    pub name: Box<[u8]>,
    /// 0x0001 compressed, 0x4000 encrypted, 0x8000 sparse.
    pub flags: u16,
    /// Where it stands, or its first part: bytes from the start of the volume.
    pub offset: u64,
    /// Its value.
    pub value: FileValue,
}

/// An attribute that cannot be had.
#[derive(Debug)]
pub(crate) struct BrokenAttribute {
    /// Its type.
    pub(crate) kind: AttributeKind,
    /// Its name, UTF-16LE.
    pub(crate) name: Box<[u8]>,
    /// Why not.
    pub(crate) error: ReadError,
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum FileValue {
    /// It stands in a record.
    Resident(Box<[u8]>),
    /// It stands in clusters.
    Clusters(Clusters),
}

impl<D: ReadAt> Volume<D> {
    /// Reads all attributes of a file. `None` if the record is not in use, or continues another.
    ///
    /// # Errors
    /// [`ReadError`] for the first thing that is wrong with any of its records.
    pub fn file(&self, number: RecordNumber) -> Result<Option<File>, ReadError> {
        let mut bytes = Vec::new();
        let Some(record) = self.record(number, &mut bytes)? else { return Ok(None) };
        if record.base().is_some() {
            return Ok(None);
        }
        self.file_of(&record).map(Some)
    }

    /// Reads all attributes of the file whose first record this is.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn file_of(&self, record: &FileRecord<'_>) -> Result<File, ReadError> {
        self.gathered(record, |broken| Err(broken.error))
    }

    /// Reads the attributes of the file whose first record this is. One that cannot be had goes to `broken`, which
    /// says whether the file can do without it.
    ///
    /// # Errors
    /// [`ReadError`] of `broken`, and for what is wrong with the records themselves.
    pub(crate) fn gathered(
        &self,
        record: &FileRecord<'_>,
        mut broken: impl FnMut(BrokenAttribute) -> Result<(), ReadError>,
    ) -> Result<File, ReadError> {
        let mut file = File {
            reference: record.reference(),
            is_directory: record.is_directory(),
            links: record.links(),
            attributes: Vec::new(),
            flags: record.flags(),
            further: Vec::new(),
            list: None,
        };
        match record.find(AttributeKind::ATTRIBUTE_LIST)? {
            None => {
                for attribute in record.attributes() {
                    let attribute = attribute?;
                    match self.whole(&attribute) {
                        Ok(found) => file.attributes.push(found),
                        Err(error) => {
                            let (kind, name) = (attribute.kind, attribute.name.into());
                            broken(BrokenAttribute { kind, name, error })?;
                        }
                    }
                }
            }
            Some(list) => {
                if let Value::NonResident(first) = list.value {
                    file.list = Some(self.clusters(&list, &first)?);
                }
                self.listed(record, &list, &mut file, &mut broken)?;
            }
        }
        Ok(file)
    }

    /// An attribute that one record describes whole.
    fn whole(&self, attribute: &Attribute<'_>) -> Result<FileAttribute, ReadError> {
        let value = match attribute.value {
            Value::Resident(value) => FileValue::Resident(value.into()),
            Value::NonResident(first) => FileValue::Clusters(self.clusters(attribute, &first)?),
        };
        Ok(FileAttribute::new(attribute, value))
    }

    /// The entries of an attribute list.
    pub(crate) fn list(&self, list: &Attribute<'_>) -> Result<Vec<ListEntry>, ReadError> {
        let structure = Structure::Attribute(list.record, list.kind);
        let bytes = match list.value {
            Value::Resident(bytes) => bytes.to_vec(),
            Value::NonResident(first) => {
                let clusters = self.clusters(list, &first)?;
                if clusters.size() > MAX_LIST {
                    let (at, expected) = (list.offset + 0x30, Expected::AtMost(MAX_LIST));
                    let actual = clusters.size();
                    return Err(Corruption::number(structure, at, "bytes", expected, actual).into());
                }
                let mut bytes = vec![0; usize::try_from(clusters.size()).unwrap_or(0)];
                clusters.read(self.device(), &mut bytes, 0)?;
                bytes
            }
        };
        Ok(read_list(&bytes, structure, list.offset)?)
    }

    /// Adds the attributes that a list names, in its order.
    fn listed(
        &self,
        record: &FileRecord<'_>,
        list: &Attribute<'_>,
        file: &mut File,
        broken: &mut impl FnMut(BrokenAttribute) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut found: Vec<FileAttribute> = Vec::new();
        let mut records = Records::new(record);
        let mut met = HashSet::new();
        // What of it is broken: its further parts are passed over.
        let mut lost: Option<(AttributeKind, Vec<u8>)> = None;
        for entry in self.list(list)? {
            // Else a short list could make one attribute a thousand times over.
            if !met.insert((entry.reference, entry.instance)) {
                let structure = Structure::Attribute(record.number(), list.kind);
                let field = "entries of one attribute";
                let expected = Expected::Exactly(1);
                return Err(Corruption::number(structure, list.offset, field, expected, 2).into());
            }
            let is_lost = lost.as_ref().is_some_and(|(kind, name)| {
                entry.first_vcn.0 > 0 && *kind == entry.kind && *name == entry.name
            });
            let reference = entry.reference;
            if reference.record != record.number() && !file.further.contains(&reference) {
                file.further.push(reference);
            }
            if is_lost {
                continue;
            }
            if let Err(error) = self.add_listed(&mut found, &mut records, &entry, list.offset) {
                let name: Box<[u8]> = entry.name.clone().into();
                // The parts before are no value without this one.
                if entry.first_vcn.0 > 0 {
                    found.pop_if(|last| last.kind == entry.kind && last.name == name);
                }
                broken(BrokenAttribute { kind: entry.kind, name, error })?;
                lost = Some((entry.kind, entry.name));
            }
        }
        let mut whole = Vec::with_capacity(found.len());
        for attribute in found {
            let checked = match &attribute.value {
                FileValue::Clusters(clusters) => clusters.check_size(attribute.offset),
                FileValue::Resident(_) => Ok(()),
            };
            match checked {
                Ok(()) => whole.push(attribute),
                Err(error) => {
                    let (kind, name) = (attribute.kind, attribute.name);
                    broken(BrokenAttribute { kind, name, error: error.into() })?;
                }
            }
        }
        file.attributes = whole;
        Ok(())
    }

    /// Adds what an entry of a list, which stands at `list`, names: an attribute, or a part of the one before.
    fn add_listed(
        &self,
        found: &mut Vec<FileAttribute>,
        records: &mut Records<'_>,
        entry: &ListEntry,
        list: u64,
    ) -> Result<(), ReadError> {
        records.load(self, entry)?;
        let part = records.attribute(entry, list, self.geometry().clusters())?;
        let last =
            found.last_mut().filter(|last| last.kind == part.kind && *last.name == *part.name);
        let value = match (part.value, last.map(|last| &mut last.value)) {
            (Value::NonResident(next), Some(FileValue::Clusters(clusters))) if next.first.0 > 0 => {
                return Ok(clusters.add(part.offset, &next)?);
            }
            (Value::NonResident(first), _) => {
                part.check_unit(&first)?;
                let structure = Structure::Attribute(part.record, part.kind);
                let cluster_size = self.geometry().cluster_size;
                FileValue::Clusters(Clusters::begin(structure, part.offset, &first, cluster_size)?)
            }
            (Value::Resident(value), _) => FileValue::Resident(value.into()),
        };
        found.push(FileAttribute::new(&part, value));
        Ok(())
    }
}

impl FileAttribute {
    /// Whether the value is stored compressed, by LZNT1.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }

    /// Whether the value is encrypted: then it is not what programs see.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        is_encrypted(self.flags)
    }

    /// Whether the value may have holes.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.flags & SPARSE != 0
    }

    fn new(attribute: &Attribute<'_>, value: FileValue) -> Self {
        Self {
            kind: attribute.kind,
            name: attribute.name.into(),
            flags: attribute.flags,
            offset: attribute.offset,
            value,
        }
    }
}

/// The records that continue a file, each read once.
pub(crate) struct Records<'a> {
    base: &'a FileRecord<'a>,
    /// Their bytes, and where they stand on the volume.
    further: HashMap<RecordNumber, (Vec<u8>, u64)>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(base: &'a FileRecord<'a>) -> Self {
        Self { base, further: HashMap::new() }
    }

    /// Reads the record that an entry of the list names, if it was not read before.
    pub(crate) fn load(
        &mut self,
        volume: &Volume<impl ReadAt>,
        entry: &ListEntry,
    ) -> Result<(), ReadError> {
        let number = entry.reference.record;
        if number == self.base.number() {
            return Ok(());
        }
        if let Entry::Vacant(place) = self.further.entry(number) {
            let mut bytes = Vec::new();
            let at = volume.load(number, &mut bytes)?;
            place.insert((bytes, at));
        }
        Ok(())
    }

    /// The attribute that an entry of the list, which stands at `list`, names; its record was read. `clusters` is
    /// how many the volume has.
    ///
    /// # Errors
    /// [`Corruption`] if the record is not one of the file's, or has no such attribute.
    pub(crate) fn attribute(
        &self,
        entry: &ListEntry,
        list: u64,
        clusters: u64,
    ) -> Result<Attribute<'_>, Corruption> {
        let missing = |field| {
            let structure = Structure::Attribute(self.base.number(), entry.kind);
            Corruption::number(structure, list, field, Expected::Exactly(1), 0)
        };
        let number = entry.reference.record;
        let record = match self.further.get(&number) {
            None => Some(*self.base).filter(|base| base.number() == number),
            Some((bytes, at)) => FileRecord::parse(bytes, number, *at, clusters)?
                .filter(|record| record.base() == Some(self.base.reference()))
                .filter(|record| record.reference() == entry.reference),
        };
        let record = record.ok_or_else(|| missing("records that continue the file"))?;
        let found = pick(&record, entry)?;
        found.ok_or_else(|| missing("attributes that the list names"))
    }
}

/// The attribute of a record that an entry of a list names.
fn pick<'a>(
    record: &FileRecord<'a>,
    entry: &ListEntry,
) -> Result<Option<Attribute<'a>>, Corruption> {
    for attribute in record.attributes() {
        let attribute = attribute?;
        if attribute.kind == entry.kind && attribute.instance == entry.instance {
            return Ok(Some(attribute));
        }
    }
    Ok(None)
}
