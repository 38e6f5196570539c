//! What everything else stands on: boot sector, `$MFT`, `$UpCase`, `$AttrDef`.

use imprint_blockio::{Expected, ReadAt};

use super::definitions::Definitions;
use super::record::Measures;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use crate::layout::{BootSectorDisk, STRIDE};
use crate::{
    AttributeKind, Corruption, Geometry, Lcn, ReadError, RecordNumber, Structure, UpCase, Volume,
};

/// Bytes of a whole `$UpCase`.
const UPCASE_SIZE: u64 = 65_536 * 2;

/// A volume as a check reads it.
#[derive(Debug)]
pub(super) struct Ground<'d, D> {
    pub(super) geometry: Geometry,
    pub(super) volume: Volume<&'d D>,
    pub(super) upcase: UpCase,
    pub(super) definitions: Definitions,
    /// Which of the two that are there twice it was opened by.
    pub(super) by: By,
}

/// Whether a volume was opened by what is there a second time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct By {
    /// The copy of the boot sector.
    pub(super) backup: bool,
    /// The copy of the first record.
    pub(super) mirror: bool,
}

impl<'d, D: ReadAt> Ground<'d, D> {
    /// Opens a volume with what is there twice, if need be by the second.
    ///
    /// # Errors
    /// [`ReadError`] if neither says where everything is.
    pub(super) fn open(device: &'d D, found: &mut Findings) -> Result<Self, ReadError> {
        let (geometry, backup) = geometry(device, found)?;
        let (volume, mirror) = volume(device, geometry, found)?;
        let (upcase, definitions) = (UpCase::windows(), Definitions::usual());
        let by = By { backup, mirror };
        let mut ground = Self { geometry, volume, upcase, definitions, by };
        ground.read_upcase(found);
        ground.read_definitions(found);
        Ok(ground)
    }

    pub(super) const fn measures(&self) -> Measures<'_> {
        Measures { clusters: self.geometry_clusters(), definitions: &self.definitions }
    }

    const fn geometry_clusters(&self) -> u64 {
        let per_cluster = self.geometry.cluster_size / self.geometry.sector_size;
        self.geometry.sectors / per_cluster as u64
    }

    pub(super) fn device(&self) -> &D {
        self.volume.device()
    }

    pub(super) fn cluster_size(&self) -> u64 {
        self.geometry.cluster_size.into()
    }

    /// Bytes of a record.
    pub(super) fn record_bytes(&self) -> usize {
        usize::try_from(self.geometry.record_size).unwrap_or(0)
    }

    fn read_upcase(&mut self, found: &mut Findings) {
        match self.volume.upcase() {
            Err(error) => found.error(Rule::UpCase, error),
            Ok(upcase) if upcase.is_plausible() && upcase.len() * 2 == UPCASE_SIZE => {
                self.upcase = upcase;
            }
            Ok(upcase) => {
                let structure = Structure::Attribute(RecordNumber(10), AttributeKind::DATA);
                let subject = Subject::Structure(structure);
                let problem = if upcase.is_plausible() {
                    let expected = Expected::Exactly(UPCASE_SIZE);
                    Problem::number("bytes", expected, upcase.len() * 2)
                } else {
                    Problem::Is("is no table of upper case")
                };
                found.add(Rule::UpCase, subject, None, problem);
            }
        }
    }

    fn read_definitions(&mut self, found: &mut Findings) {
        const DEFINITIONS: RecordNumber = RecordNumber(4);
        let structure = Structure::Attribute(DEFINITIONS, AttributeKind::DATA);
        let mut parts = Vec::new();
        let whole = self.volume.file(DEFINITIONS).map(|file| {
            parts = file.map(|file| file.attributes).unwrap_or_default();
            parts.iter().find(|part| part.kind == AttributeKind::DATA && part.name.is_empty())
        });
        match whole {
            Err(error) => found.error(Rule::Definitions, error),
            Ok(None) => found.structure(Rule::Definitions, structure, 0, "is not there"),
            Ok(Some(data)) => match &data.value {
                crate::FileValue::Resident(bytes) => {
                    self.definitions = Definitions::read(bytes, data.offset, found);
                }
                crate::FileValue::Clusters(clusters) => {
                    // Sixteen definitions of 160 bytes are usual.
                    let length = usize::try_from(clusters.size().min(64 << 10)).unwrap_or(0);
                    let mut bytes = vec![0; length];
                    match clusters.read(self.device(), &mut bytes, 0) {
                        Err(error) => found.error(Rule::Definitions, error),
                        Ok(()) => {
                            let at = clusters.runs().first().and_then(|run| run.lcn);
                            let at = at.map_or(0, |Lcn(lcn)| lcn * self.cluster_size());
                            self.definitions = Definitions::read(&bytes, at, found);
                        }
                    }
                }
            },
        }
    }
}

/// Reads a sector; `None` behind the end of the device.
fn sector(
    device: &impl ReadAt,
    offset: u64,
    structure: Structure,
) -> Result<[u8; STRIDE], ReadError> {
    let mut bytes = [0; STRIDE];
    let length = STRIDE as u64;
    device.read_exact_at(&mut bytes, offset).map_err(|source| ReadError::Io {
        structure,
        offset,
        length,
        source,
    })?;
    Ok(bytes)
}

/// The measures, by the boot sector or else by its copy.
fn geometry(device: &impl ReadAt, found: &mut Findings) -> Result<(Geometry, bool), ReadError> {
    let structure = Structure::BootSector;
    let failed = |source| ReadError::Io { structure, offset: 0, length: STRIDE as u64, source };
    let length = device.len().map_err(failed)?;
    let boot = sector(device, 0, structure)?;
    let geometry = match Geometry::parse(&boot) {
        Ok(geometry) => {
            fields(&boot, found);
            backup(device, &geometry, found);
            (geometry, false)
        }
        Err(corruption) => {
            let Some(geometry) = second(device, length) else { return Err(corruption.into()) };
            found.corruption(Rule::BootSector, corruption);
            (geometry, true)
        }
    };
    let end = geometry.0.sectors.saturating_mul(geometry.0.sector_size.into());
    if end > length {
        return Err(Corruption::past_end(structure, 0x28, "volume", length, end).into());
    }
    Ok(geometry)
}

/// The copy of the boot sector, if it is the device's last sector of any size.
fn second(device: &impl ReadAt, length: u64) -> Option<Geometry> {
    [512, 1024, 2048, 4096, 256].into_iter().find_map(|size| {
        let at = (length / size).checked_sub(1)? * size;
        let bytes = sector(device, at, Structure::BackupBootSector).ok()?;
        let geometry = Geometry::parse(&bytes).ok()?;
        let fits = geometry.sectors.checked_mul(geometry.sector_size.into()) == Some(at);
        fits.then_some(geometry)
    })
}

/// What Windows writes into fields that it does not need.
fn fields(boot: &[u8; STRIDE], found: &mut Findings) {
    let disk: BootSectorDisk = zerocopy::transmute!(*boot);
    let reserved = disk.reserved.iter().position(|&byte| byte != 0);
    let mut check = |at, field, expected: u64, actual: u64| {
        if expected != actual {
            let expected = Expected::Exactly(expected);
            let corruption = Corruption::code(Structure::BootSector, at, field, expected, actual);
            found.corruption(Rule::BootFields, corruption);
        }
    };
    if let Some(at) = reserved {
        let actual = disk.reserved.get(at).copied().unwrap_or(0);
        check(0xe + at as u64, "reserved byte", 0, actual.into());
    }
    check(0x15, "media", 0xf8, disk.media.into());
    check(0x16, "sectors of a FAT", 0, disk.sectors_per_fat.get().into());
    check(0x20, "large sectors", 0, disk.large_sectors.get().into());
}

/// Compares the last sector with the first.
fn backup(device: &impl ReadAt, geometry: &Geometry, found: &mut Findings) {
    let structure = Structure::BackupBootSector;
    let size = u64::from(geometry.sector_size);
    let at = geometry.sectors.saturating_mul(size);
    let mut sectors = [Vec::new(), Vec::new()];
    for (bytes, offset) in sectors.iter_mut().zip([0, at]) {
        bytes.resize(usize::try_from(size).unwrap_or(0), 0);
        if let Err(source) = device.read_exact_at(bytes, offset) {
            if source.kind() == std::io::ErrorKind::UnexpectedEof {
                let what = "is behind the end of what the volume lies on";
                found.structure(Rule::BackupBootSector, structure, at, what);
            } else {
                found
                    .error(Rule::Unread, ReadError::Io { structure, offset, length: size, source });
            }
            return;
        }
    }
    let [first, last] = sectors;
    if let Some(place) = first.iter().zip(&last).position(|(one, other)| one != other) {
        let byte = |bytes: &[u8]| bytes.get(place).copied().unwrap_or(0).into();
        let (field, expected) = ("byte of the copy", Expected::Exactly(byte(&first)));
        let at = at + place as u64;
        let corruption = Corruption::code(structure, at, field, expected, byte(&last));
        found.corruption(Rule::BackupBootSector, corruption);
    }
}

/// Finds `$MFT` by its first record, or else by the copy of that in `$MFTMirr`.
fn volume<'d, D: ReadAt>(
    device: &'d D,
    geometry: Geometry,
    found: &mut Findings,
) -> Result<(Volume<&'d D>, bool), ReadError> {
    let error = match Volume::with_geometry(device, geometry) {
        Ok(volume) => {
            if let Some(torn) = volume.torn() {
                found.error(Rule::Mft, torn.clone().into());
            }
            return Ok((volume, false));
        }
        Err(error) => error,
    };
    let by_mirror = Geometry { mft: geometry.mirror, ..geometry };
    match Volume::with_geometry(device, by_mirror) {
        // A mirror of nothing would say anything.
        Ok(volume) if volume.place_of(RecordNumber(0)) != 0 => {
            found.error(Rule::Mft, error);
            Ok((volume, true))
        }
        _ => Err(error),
    }
}
