//! All files of a volume, in the order of their records.

use std::ops::Range;

use imprint_blockio::ReadAt;
use imprint_winvalues::WinName;
use imprint_winvalues::tree::ExtendedAttribute;

use crate::facts::{Fact, FileName, StandardInformation};
use crate::file::BrokenAttribute;
use crate::value::is_encrypted;
use crate::volume::join;
use crate::{
    AttributeKind, Clusters, File, FileRecord, FileReference, FileValue, ReadError, RecordNumber,
    Structure, Volume,
};

/// Bytes of `$MFT` that are read at once.
const PIECE: u64 = 1 << 20;
/// Values that are no data, and stand in clusters, have at most this many bytes: reparse points 16 KiB, extended
/// attributes and security descriptors 64 KiB.
const MAX_VALUE: u64 = 64 << 10;

/// A file with all that is known of it; data in clusters is left where it is.
#[derive(Clone, Debug)]
pub struct Swept {
    /// What others refer to it by.
    pub reference: FileReference,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// `$STANDARD_INFORMATION`.
    pub information: StandardInformation,
    /// Its names.
    pub names: Vec<FileName>,
    /// Its data, the unnamed first.
    pub streams: Vec<SweptStream>,
    /// What few files have.
    pub extras: Option<Box<SweptExtras>>,
}

/// What of a file cannot be read, though the rest can.
#[derive(Debug)]
pub struct SweptLoss {
    /// The name of the stream.
    pub stream: WinName,
    /// Why not.
    pub error: ReadError,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct SweptStream {
    /// Its name; empty for the main data.
    pub name: WinName,
    /// Whether it is encrypted: then its value is not what programs see.
    pub is_encrypted: bool,
    /// Its value.
    pub value: SweptValue,
}

/// The value of a stream.
#[derive(Clone, Debug)]
pub enum SweptValue {
    /// It stands in the record.
    Resident(Box<[u8]>),
    /// It stands in clusters.
    Clusters(Box<Clusters>),
}

/// What few files have.
#[derive(Clone, Debug, Default)]
pub struct SweptExtras {
    /// A security descriptor of its own.
    pub security: Option<Box<[u8]>>,
    /// Tag, reserved field and data of a reparse point.
    pub reparse: Option<(u32, u16, Box<[u8]>)>,
    /// The object id.
    pub object_id: Option<Box<[u8]>>,
    /// The extended attributes.
    pub extended: Vec<ExtendedAttribute>,
}

impl<D: ReadAt> Volume<D> {
    /// Reads the files whose first records are in a range, and hands over each that is in use, or why it cannot be
    /// read. Records behind the last are passed over. What is only to find files by, such as the index of a
    /// directory, may be damaged; a named stream that is damaged is left out, and goes to `lost`.
    pub fn sweep_with_losses(
        &self,
        records: Range<u64>,
        mut each: impl FnMut(RecordNumber, Result<Swept, ReadError>),
        mut lost: impl FnMut(RecordNumber, SweptLoss),
    ) {
        let size = u64::from(self.geometry().record_size);
        let end = records.end.min(self.records());
        let step = (PIECE / size).max(1);
        let mut first = records.start;
        let mut bytes = Vec::new();
        while first < end {
            let count = step.min(end - first);
            bytes.resize(usize::try_from(count * size).unwrap_or(0), 0);
            let whole = self.mft().read(self.device(), &mut bytes, first * size);
            for (number, record) in (first..).zip(bytes.chunks_exact_mut(self.record_bytes())) {
                let number = RecordNumber(number);
                let found = match &whole {
                    Ok(()) => self.swept(number, record, &mut lost),
                    // Perhaps only some of them cannot be read.
                    Err(_) => self.reread(number, &mut lost),
                };
                if let Some(found) = found.transpose() {
                    each(number, found);
                }
            }
            first += count;
        }
    }

    /// As [`Self::sweep_with_losses`], for those who do not ask what is lost.
    pub fn sweep(
        &self,
        records: Range<u64>,
        each: impl FnMut(RecordNumber, Result<Swept, ReadError>),
    ) {
        self.sweep_with_losses(records, each, |_, _| ());
    }

    fn record_bytes(&self) -> usize {
        usize::try_from(self.geometry().record_size).unwrap_or(usize::MAX)
    }

    /// Reads one file with all that is known of it. `None` if the record is not in use, or continues another. What of
    /// it cannot be read, and it can do without, is left out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn look(&self, number: RecordNumber) -> Result<Option<Swept>, ReadError> {
        self.reread(number, &mut |_, _| ())
    }

    fn reread(
        &self,
        number: RecordNumber,
        lost: &mut impl FnMut(RecordNumber, SweptLoss),
    ) -> Result<Option<Swept>, ReadError> {
        let mut bytes = Vec::new();
        let Some(record) = self.record(number, &mut bytes)? else { return Ok(None) };
        self.describe(&record, lost)
    }

    fn swept(
        &self,
        number: RecordNumber,
        bytes: &mut [u8],
        lost: &mut impl FnMut(RecordNumber, SweptLoss),
    ) -> Result<Option<Swept>, ReadError> {
        // Unused records are passed over, whatever they hold.
        if bytes.get(0x16).is_none_or(|flags| flags & 1 == 0) {
            return Ok(None);
        }
        let at = self.place_of(number);
        join(number, at, bytes)?;
        match FileRecord::parse(bytes, number, at, self.geometry().clusters())? {
            Some(record) => self.describe(&record, lost),
            None => Ok(None),
        }
    }

    fn describe(
        &self,
        record: &FileRecord<'_>,
        lost: &mut impl FnMut(RecordNumber, SweptLoss),
    ) -> Result<Option<Swept>, ReadError> {
        if let Some(base) = record.base() {
            return self.check_base(record.number(), base).map(|()| None);
        }
        let file = self.gathered(record, |BrokenAttribute { kind, name, error }| {
            if kind == AttributeKind::DATA && !name.is_empty() {
                lost(record.number(), SweptLoss { stream: WinName::from_le_bytes(&name), error });
                return Ok(());
            }
            if kind == AttributeKind::DATA || wanted(kind) { Err(error) } else { Ok(()) }
        })?;
        self.swept_file(file).map(Some)
    }

    /// Proves that the file that a record continues is there: else what the record holds would be lost unsaid.
    fn check_base(&self, number: RecordNumber, base: FileReference) -> Result<(), ReadError> {
        let mut bytes = Vec::new();
        let is_there = |found: Option<FileRecord<'_>>| {
            found.is_some_and(|found| found.base().is_none() && found.reference() == base)
        };
        if base.record.0 < self.records() {
            match self.record(base.record, &mut bytes) {
                // One that cannot be read is told in its turn.
                Err(_) => return Ok(()),
                Ok(found) if is_there(found) => return Ok(()),
                Ok(_) => {}
            }
        }
        let (structure, at) = (Structure::FileRecord(number), self.place_of(number) + 0x20);
        let (field, expected) = ("files that it continues", imprint_blockio::Expected::Exactly(1));
        Err(crate::Corruption::number(structure, at, field, expected, 0).into())
    }

    fn swept_file(&self, file: File) -> Result<Swept, ReadError> {
        let record = file.reference.record;
        let mut information = None;
        // Most files have one of each, and there are many files.
        let mut names = Vec::with_capacity(1);
        let mut streams = Vec::with_capacity(1);
        let mut extras = SweptExtras::default();
        let mut has_extras = false;
        for attribute in file.attributes {
            let kind = attribute.kind;
            if kind == AttributeKind::DATA {
                streams.push(SweptStream {
                    name: WinName::from_le_bytes(&attribute.name),
                    is_encrypted: is_encrypted(attribute.flags),
                    value: match attribute.value {
                        FileValue::Resident(value) => SweptValue::Resident(value),
                        FileValue::Clusters(clusters) => SweptValue::Clusters(Box::new(clusters)),
                    },
                });
                continue;
            }
            if !wanted(kind) {
                continue;
            }
            let value = self.whole_value(record, kind, attribute.offset, attribute.value)?;
            let fact = Fact { record, kind, offset: attribute.offset, value: &value };
            match kind {
                AttributeKind::STANDARD_INFORMATION => {
                    information = Some(fact.standard_information()?);
                    continue;
                }
                AttributeKind::FILE_NAME => {
                    names.push(fact.file_name()?);
                    continue;
                }
                AttributeKind::SECURITY_DESCRIPTOR => extras.security = Some(value),
                AttributeKind::OBJECT_ID => extras.object_id = Some(value),
                AttributeKind::EA => extras.extended = fact.extended_attributes()?,
                _ => {
                    let (tag, reserved, data) = fact.reparse_point()?;
                    extras.reparse = Some((tag, reserved, data.into()));
                }
            }
            has_extras = true;
        }
        let information = information.ok_or_else(|| {
            let structure = Structure::Attribute(record, AttributeKind::STANDARD_INFORMATION);
            let expected = imprint_blockio::Expected::Exactly(1);
            crate::Corruption::number(structure, self.place_of(record), "attributes", expected, 0)
        })?;
        streams.sort_by_key(|stream: &SweptStream| !stream.name.is_empty());
        names.shrink_to_fit();
        streams.shrink_to_fit();
        Ok(Swept {
            reference: file.reference,
            is_directory: file.is_directory,
            information,
            names,
            streams,
            extras: has_extras.then(|| Box::new(extras)),
        })
    }

    /// A value that is no data, all of it.
    fn whole_value(
        &self,
        record: RecordNumber,
        kind: AttributeKind,
        offset: u64,
        value: FileValue,
    ) -> Result<Box<[u8]>, ReadError> {
        let clusters = match value {
            FileValue::Resident(value) => return Ok(value),
            FileValue::Clusters(clusters) => clusters,
        };
        if clusters.size() > MAX_VALUE {
            let (structure, at) = (Structure::Attribute(record, kind), offset + 0x30);
            let expected = imprint_blockio::Expected::AtMost(MAX_VALUE);
            let actual = clusters.size();
            return Err(crate::Corruption::number(structure, at, "bytes", expected, actual).into());
        }
        let mut bytes = vec![0; usize::try_from(clusters.size()).unwrap_or(0)];
        self.read_value(&clusters, &mut bytes, 0)?;
        Ok(bytes.into())
    }
}

/// Attributes that say something of a file.
const fn wanted(kind: AttributeKind) -> bool {
    matches!(
        kind,
        AttributeKind::STANDARD_INFORMATION
            | AttributeKind::FILE_NAME
            | AttributeKind::SECURITY_DESCRIPTOR
            | AttributeKind::OBJECT_ID
            | AttributeKind::EA
            | AttributeKind::REPARSE_POINT
    )
}
