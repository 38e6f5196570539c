//! A volume, open for reading.

use imprint_blockio::{Expected, ReadAt};

use crate::attribute::{Attribute, NonResident, Value};
use crate::clusters::{Clusters, Piece};
use crate::file::Records;
use crate::record::Protected;
use crate::{AttributeKind, Corruption, FileRecord, Geometry, ReadError, RecordNumber, Structure};

/// `$MFT`'s own record.
const MFT: RecordNumber = RecordNumber(0);
/// Records before this one have a copy in `$MFTMirr`, which is used where they are torn.
const MIRRORED: RecordNumber = RecordNumber(4);
/// Attribute lists are at most 256 KiB long, in Windows as well.
pub(crate) const MAX_LIST: u64 = 256 << 10;

/// A volume, open for reading. Many threads may read at once.
#[derive(Debug)]
pub struct Volume<D> {
    device: D,
    geometry: Geometry,
    mft: Clusters,
    torn: Option<Corruption>,
}

impl<D: ReadAt> Volume<D> {
    /// Opens the volume on a device.
    ///
    /// # Errors
    /// [`ReadError`] if its boot sector or the record of `$MFT` is not as it should be.
    pub fn open(device: D) -> Result<Self, ReadError> {
        let geometry = Geometry::read(&device)?;
        Self::with_geometry(device, geometry)
    }

    /// Opens a volume whose measures are known.
    ///
    /// # Errors
    /// [`ReadError`] if the record of `$MFT` is not as it should be.
    pub(crate) fn with_geometry(device: D, geometry: Geometry) -> Result<Self, ReadError> {
        let first = first_record(&device, &geometry)?;
        let mft = first_part(&first.bytes, first.at, &geometry)?;
        let mut volume = Self { device, geometry, mft, torn: first.torn };
        volume.find_rest(&first.bytes, first.at)?;
        Ok(volume)
    }

    /// Finds the parts of `$MFT` that its attribute list names. The record of each lies in the parts before it.
    fn find_rest(&mut self, bytes: &[u8], at: u64) -> Result<(), ReadError> {
        let clusters = self.geometry.clusters();
        let Some(record) = FileRecord::parse(bytes, MFT, at, clusters)? else {
            return Err(unused(at).into());
        };
        let Some(list) = record.find(AttributeKind::ATTRIBUTE_LIST)? else {
            return Ok(self.check_mft(at)?);
        };
        let mut records = Records::new(&record);
        for entry in self.list(&list)? {
            if entry.kind != AttributeKind::DATA || entry.first_vcn.0 == 0 {
                continue;
            }
            records.load(self, &entry)?;
            let part = records.attribute(&entry, list.offset, clusters)?;
            if let Value::NonResident(next) = part.value {
                self.mft.add(part.offset, &next)?;
            }
        }
        Ok(self.check_mft(at)?)
    }

    /// Holds the size of `$MFT`, whose record stands at `at`, against the volume: else a hole without end would be
    /// gone over without end.
    fn check_mft(&self, at: u64) -> Result<(), Corruption> {
        self.mft.check_size(at)?;
        let (size, geometry) = (self.mft.size(), &self.geometry);
        let limit = geometry.clusters().saturating_mul(geometry.cluster_size.into());
        if size > limit {
            let (field, expected) = ("bytes of file records", Expected::AtMost(limit));
            return Err(Corruption::number(self.mft.structure(), at, field, expected, size));
        }
        Ok(())
    }

    /// Finds `$MFT` anew, after it has grown.
    pub(crate) fn find_table(&mut self) -> Result<(), ReadError> {
        let first = first_record(&self.device, &self.geometry)?;
        self.mft = first_part(&first.bytes, first.at, &self.geometry)?;
        self.find_rest(&first.bytes, first.at)
    }

    /// What is wrong with the first record of `$MFT`, whose copy is used instead.
    #[must_use]
    pub const fn torn(&self) -> Option<&Corruption> {
        self.torn.as_ref()
    }

    /// What it lies on.
    pub(crate) fn into_device(self) -> D {
        self.device
    }

    /// Its measures.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// What it lies on.
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// How many records `$MFT` has, in use or not.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.mft.size() / self.geometry.record_size as u64
    }

    /// Finds out where a value is that one attribute describes alone.
    ///
    /// # Errors
    /// [`Corruption`] in its runs, or if it is only a part of a value.
    pub fn clusters(
        &self,
        attribute: &Attribute<'_>,
        value: &NonResident<'_>,
    ) -> Result<Clusters, Corruption> {
        attribute.check_unit(value)?;
        let structure = Structure::Attribute(attribute.record, attribute.kind);
        let cluster_size = self.geometry.cluster_size;
        let clusters = Clusters::begin(structure, attribute.offset, value, cluster_size)?;
        clusters.check_size(attribute.offset)?;
        Ok(clusters)
    }

    /// Reads a record into `bytes`, which it fills; `None` if it is not in use.
    ///
    /// # Errors
    /// [`ReadError`], also if there is no such record.
    pub fn record<'a>(
        &self,
        number: RecordNumber,
        bytes: &'a mut Vec<u8>,
    ) -> Result<Option<FileRecord<'a>>, ReadError> {
        let at = self.load(number, bytes)?;
        Ok(FileRecord::parse(bytes, number, at, self.geometry.clusters())?)
    }

    /// Where `$MFT` is.
    pub(crate) const fn mft(&self) -> &Clusters {
        &self.mft
    }

    /// Where a record stands on the volume.
    pub(crate) fn place_of(&self, number: RecordNumber) -> u64 {
        place_of(&self.mft, number.0.saturating_mul(self.geometry.record_size.into()))
    }

    /// Reads a record and joins its sectors; returns where it stands on the volume.
    pub(crate) fn load(&self, number: RecordNumber, bytes: &mut Vec<u8>) -> Result<u64, ReadError> {
        load(&self.device, &self.geometry, &self.mft, number, bytes)
    }
}

/// Reads a record that is at its place of `$MFT`, joins its sectors, and returns where it stands on the volume.
/// Zeros stay as they are: records that were never used need not be formatted.
fn load(
    device: &impl ReadAt,
    geometry: &Geometry,
    mft: &Clusters,
    number: RecordNumber,
    bytes: &mut Vec<u8>,
) -> Result<u64, ReadError> {
    let size = u64::from(geometry.record_size);
    bytes.clear();
    bytes.resize(usize::try_from(size).unwrap_or(0), 0);
    let within = number.0.saturating_mul(size);
    mft.read(device, bytes, within)?;
    let at = place_of(mft, within);
    let torn = match join(number, at, bytes) {
        Ok(()) => return Ok(at),
        Err(torn) => torn,
    };
    if number >= MIRRORED {
        return Err(torn.into());
    }
    load_copy(device, geometry, number, bytes).ok_or(torn.into())
}

/// Reads the copy of a record in `$MFTMirr`, if that is whole.
fn load_copy(
    device: &impl ReadAt,
    geometry: &Geometry,
    number: RecordNumber,
    bytes: &mut [u8],
) -> Option<u64> {
    let start = geometry.mirror.0 * u64::from(geometry.cluster_size);
    let at = start + number.0 * bytes.len() as u64;
    device.read_exact_at(bytes, at).ok()?;
    Protected::record(number, at).join_sectors(bytes).ok()?;
    Some(at)
}

/// Where a byte of `$MFT` stands on the volume.
fn place_of(mft: &Clusters, within: u64) -> u64 {
    match mft.piece(within, 1) {
        Some(Piece::Data { offset, .. }) => offset,
        // Zeros stand nowhere.
        Some(Piece::Zero { .. }) | None => 0,
    }
}

pub(crate) fn join(number: RecordNumber, at: u64, bytes: &mut [u8]) -> Result<(), Corruption> {
    if bytes.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    Protected::record(number, at).join_sectors(bytes)
}

/// The first record, which stands at `at`, says that it is not in use.
const fn unused(at: u64) -> Corruption {
    let structure = Structure::FileRecord(MFT);
    Corruption::code(structure, at + 0x16, "flags", Expected::Exactly(1), 0)
}

/// Reads the first record of `$MFT` from where the boot sector says it is, and joins its sectors.
fn first_record(device: &impl ReadAt, geometry: &Geometry) -> Result<FirstRecord, ReadError> {
    let at = geometry.mft.0 * u64::from(geometry.cluster_size);
    let structure = Structure::FileRecord(MFT);
    let mut bytes = vec![0; usize::try_from(geometry.record_size).unwrap_or(0)];
    let length = bytes.len() as u64;
    let failed = |source| ReadError::Io { structure, offset: at, length, source };
    device.read_exact_at(&mut bytes, at).map_err(failed)?;
    let Err(torn) = join(MFT, at, &mut bytes) else {
        return Ok(FirstRecord { bytes, at, torn: None });
    };
    match load_copy(device, geometry, MFT, &mut bytes) {
        Some(at) => Ok(FirstRecord { bytes, at, torn: Some(torn) }),
        None => Err(torn.into()),
    }
}

/// The first record of `$MFT`, or its copy.
struct FirstRecord {
    bytes: Vec<u8>,
    /// Where it stands on the volume.
    at: u64,
    /// Why the copy is used.
    torn: Option<Corruption>,
}

/// Reads the part of `$MFT`'s data that its first record describes.
fn first_part(bytes: &[u8], at: u64, geometry: &Geometry) -> Result<Clusters, ReadError> {
    let Some(record) = FileRecord::parse(bytes, MFT, at, geometry.clusters())? else {
        return Err(unused(at).into());
    };
    let structure = Structure::Attribute(MFT, AttributeKind::DATA);
    let missing = |field| Corruption::number(structure, at, field, Expected::Exactly(1), 0);
    let data = record.find(AttributeKind::DATA)?.ok_or_else(|| missing("attributes"))?;
    let Value::NonResident(first) = data.value else {
        return Err(missing("values in clusters").into());
    };
    Ok(Clusters::begin(structure, data.offset, &first, geometry.cluster_size)?)
}
