//! A volume, open for reading.

use imprint_blockio::{Expected, ReadAt};

use crate::attribute::{Attribute, NonResident, Value};
use crate::clusters::Clusters;
use crate::list::{ListEntry, read_list};
use crate::record::Protected;
use crate::{AttributeKind, Corruption, FileRecord, Geometry, ReadError, RecordNumber, Structure};

/// `$MFT`'s own record.
const MFT: RecordNumber = RecordNumber(0);
/// Attribute lists are at most 256 KiB long, in Windows as well.
const MAX_LIST: u64 = 256 << 10;

/// A volume, open for reading. Many threads may read at once.
#[derive(Debug)]
pub struct Volume<D> {
    device: D,
    geometry: Geometry,
    mft: Clusters,
}

impl<D: ReadAt> Volume<D> {
    /// Opens the volume on a device.
    ///
    /// # Errors
    /// [`ReadError`] if its boot sector or the record of `$MFT` is not as it should be.
    pub fn open(device: D) -> Result<Self, ReadError> {
        let geometry = Geometry::read(&device)?;
        let mft = read_mft(&device, &geometry)?;
        Ok(Self { device, geometry, mft })
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
        let structure = Structure::Attribute(attribute.record, attribute.kind);
        let cluster_size = self.geometry.cluster_size;
        Clusters::begin(structure, attribute.offset, value, cluster_size)?.finish(attribute.offset)
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
        read_record(&self.device, &self.geometry, &self.mft, number, bytes)
    }
}

fn read_record<'a>(
    device: &impl ReadAt,
    geometry: &Geometry,
    mft: &Clusters,
    number: RecordNumber,
    bytes: &'a mut Vec<u8>,
) -> Result<Option<FileRecord<'a>>, ReadError> {
    let size = u64::from(geometry.record_size);
    bytes.clear();
    bytes.resize(usize::try_from(size).unwrap_or(0), 0);
    let within = number.0.saturating_mul(size);
    mft.read(device, bytes, within)?;
    let at = match mft.piece(within, 1) {
        Some(crate::Piece::Data { offset, .. }) => offset,
        // Zeros are no record.
        Some(crate::Piece::Zero { .. }) | None => 0,
    };
    open_record(geometry, number, at, bytes)
}

/// Joins and checks a record that stands at `at` of the volume.
fn open_record<'a>(
    geometry: &Geometry,
    number: RecordNumber,
    at: u64,
    bytes: &'a mut [u8],
) -> Result<Option<FileRecord<'a>>, ReadError> {
    // Records that were never used need not be formatted.
    if bytes.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    Protected::record(number, at).join_sectors(bytes)?;
    Ok(FileRecord::parse(bytes, number, at, geometry.clusters())?)
}

/// Finds out where `$MFT` is. Its first part must describe all records in which the other parts are, each by
/// the parts before it.
fn read_mft(device: &impl ReadAt, geometry: &Geometry) -> Result<Clusters, ReadError> {
    let at = geometry.mft.0 * u64::from(geometry.cluster_size);
    let structure = Structure::FileRecord(MFT);
    let mut bytes = vec![0; usize::try_from(geometry.record_size).unwrap_or(0)];
    let length = bytes.len() as u64;
    let failed = |source| ReadError::Io { structure, offset: at, length, source };
    device.read_exact_at(&mut bytes, at).map_err(failed)?;
    let record = open_record(geometry, MFT, at, &mut bytes)?;
    let Some(record) = record else {
        let (expected, field) = (Expected::Exactly(1), "in use");
        return Err(Corruption::code(structure, at + 0x16, field, expected, 0).into());
    };
    let structure = Structure::Attribute(MFT, AttributeKind::DATA);
    let missing = |field| Corruption::number(structure, at, field, Expected::Exactly(1), 0);
    let data = record.find(AttributeKind::DATA)?.ok_or_else(|| missing("attributes"))?;
    let Value::NonResident(first) = data.value else {
        return Err(missing("values in clusters").into());
    };
    let cluster_size = geometry.cluster_size;
    let mut mft = Clusters::begin(structure, data.offset, &first, cluster_size)?;
    for entry in mft_parts(device, geometry, &record)? {
        let mut bytes = Vec::new();
        let part = read_record(device, geometry, &mft, entry.reference.record, &mut bytes)?;
        let Some(part) = part else { return Err(missing("records of further parts").into()) };
        let found = part.attributes().find_map(|attribute| match attribute {
            Ok(found) if found.kind == entry.kind && found.instance == entry.instance => {
                Some(Ok(found))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        let found = found.transpose()?.ok_or_else(|| missing("further parts"))?;
        let Value::NonResident(next) = found.value else {
            return Err(missing("values in clusters").into());
        };
        mft.add(found.offset, &next)?;
    }
    Ok(mft.finish(data.offset)?)
}

/// The entries of `$MFT`'s attribute list for the further parts of its data.
fn mft_parts(
    device: &impl ReadAt,
    geometry: &Geometry,
    record: &FileRecord<'_>,
) -> Result<Vec<ListEntry>, ReadError> {
    let Some(list) = record.find(AttributeKind::ATTRIBUTE_LIST)? else { return Ok(Vec::new()) };
    let structure = Structure::Attribute(MFT, AttributeKind::ATTRIBUTE_LIST);
    let bytes = match list.value {
        Value::Resident(bytes) => bytes.to_vec(),
        Value::NonResident(first) => {
            let clusters = Clusters::begin(structure, list.offset, &first, geometry.cluster_size)?;
            let clusters = clusters.finish(list.offset)?;
            if clusters.size() > MAX_LIST {
                let (at, expected) = (list.offset + 0x30, Expected::AtMost(MAX_LIST));
                let actual = clusters.size();
                return Err(Corruption::number(structure, at, "bytes", expected, actual).into());
            }
            let mut bytes = vec![0; usize::try_from(clusters.size()).unwrap_or(0)];
            clusters.read(device, &mut bytes, 0)?;
            bytes
        }
    };
    let entries = read_list(&bytes, structure, list.offset)?;
    let further = |entry: &ListEntry| entry.kind == AttributeKind::DATA && entry.first_vcn.0 > 0;
    Ok(entries.into_iter().filter(further).collect())
}
