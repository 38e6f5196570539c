//! The measures of a volume, checked once.

use std::mem::offset_of;

use imprint_blockio::Expected;

use crate::layout::BootDisk;
use crate::{Corruption, ReadError, Structure};

/// The first cluster has this number.
pub(crate) const FIRST_CLUSTER: u32 = 2;
/// Cluster numbers have 28 bits, of which the highest are marks.
pub(crate) const MAX_CLUSTERS: u32 = 0x0fff_fff5;
/// A volume with fewer clusters is no FAT32.
pub(crate) const MIN_CLUSTERS: u32 = 65_525;

/// Where everything is; bytes from the start of the volume. All of it lies on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) sector_size: u32,
    /// Bytes of a cluster.
    pub(crate) cluster_size: u32,
    /// The first byte of the first FAT.
    pub(crate) fat_start: u64,
    /// Bytes of a FAT.
    pub(crate) fat_len: u64,
    /// The numbers of the FATs that are written; the first of them is read.
    pub(crate) fats: (u8, u8),
    /// The first byte of the first cluster.
    pub(crate) data_start: u64,
    /// How many clusters there are.
    pub(crate) clusters: u32,
    /// The first cluster of the root directory.
    pub(crate) root: u32,
    /// The byte of the information sector, if there is one.
    pub(crate) info: Option<u64>,
}

impl Geometry {
    /// Checks a boot sector of a device of `len` bytes.
    pub(crate) fn new(boot: &BootDisk, len: u64) -> Result<Self, ReadError> {
        let check = Check;
        check.code("mark", offset_of!(BootDisk, mark), boot.mark.get(), BootDisk::MARK)?;
        let sector_size = u32::from(boot.sector_size.get());
        if !matches!(sector_size, 512 | 1024 | 2048 | 4096) {
            let at = offset_of!(BootDisk, sector_size);
            return Err(check.number("sector size", at, (512, 4096), sector_size.into()));
        }
        let per_cluster = boot.sectors_per_cluster;
        if !per_cluster.is_power_of_two() {
            let at = offset_of!(BootDisk, sectors_per_cluster);
            return Err(check.number("sectors per cluster", at, (1, 128), per_cluster.into()));
        }
        if boot.reserved.get() == 0 {
            let at = offset_of!(BootDisk, reserved);
            return Err(check.number("reserved sectors", at, (1, u64::from(u16::MAX)), 0));
        }
        if !matches!(boot.fats, 1 | 2) {
            let at = offset_of!(BootDisk, fats);
            return Err(check.number("FATs", at, (1, 2), boot.fats.into()));
        }
        if boot.root_entries.get() != 0 || boot.fat_sectors_16.get() != 0 {
            return Err(ReadError::OlderFat);
        }
        check.code("version", offset_of!(BootDisk, version), boot.version.get(), 0)?;
        Self::measured(boot, len, sector_size, &check)
    }

    fn measured(
        boot: &BootDisk,
        len: u64,
        sector_size: u32,
        check: &Check,
    ) -> Result<Self, ReadError> {
        let sector = u64::from(sector_size);
        let end = u64::from(boot.sectors.get()) * sector;
        if end > len {
            let at = offset_of!(BootDisk, sectors) as u64;
            return Err(Corruption::past_end(Structure::BootSector, at, "volume", len, end).into());
        }
        let fat_start = u64::from(boot.reserved.get()) * sector;
        let fat_len = u64::from(boot.fat_sectors.get()) * sector;
        let data_start = fat_start + u64::from(boot.fats) * fat_len;
        let cluster_size = sector_size * u32::from(boot.sectors_per_cluster);
        if data_start + u64::from(cluster_size) > end {
            let at = offset_of!(BootDisk, fat_sectors) as u64;
            let limit = end.saturating_sub(cluster_size.into());
            let fault = Corruption::past_end(Structure::BootSector, at, "FAT", limit, data_start);
            return Err(fault.into());
        }
        // What the FAT has no entries for is not used; Linux takes it so as well.
        let room = (end - data_start) / u64::from(cluster_size);
        let entries = (fat_len / 4).saturating_sub(FIRST_CLUSTER.into());
        let clusters = room.min(entries).min(MAX_CLUSTERS.into());
        let clusters = u32::try_from(clusters).unwrap_or(MAX_CLUSTERS);
        let root = boot.root.get();
        if root < FIRST_CLUSTER || root - FIRST_CLUSTER >= clusters {
            let legal = (u64::from(FIRST_CLUSTER), u64::from(clusters) + 1);
            return Err(check.number("root", offset_of!(BootDisk, root), legal, root.into()));
        }
        let flags = boot.flags.get();
        let fats = match (flags & BootDisk::NOT_MIRRORED != 0, flags.to_le_bytes()) {
            (false, _) => (0, boot.fats),
            (true, [low, _]) if low & 15 < boot.fats => (low & 15, (low & 15) + 1),
            (true, [low, _]) => {
                let (at, most) = (offset_of!(BootDisk, flags), u64::from(boot.fats) - 1);
                return Err(check.number("active FAT", at, (0, most), u64::from(low & 15)));
            }
        };
        let info = boot.info.get();
        let info = (info > 0 && info < boot.reserved.get()).then(|| u64::from(info) * sector);
        Ok(Self {
            sector_size,
            cluster_size,
            fat_start,
            fat_len,
            fats,
            data_start,
            clusters,
            root,
            info,
        })
    }

    /// Whether a cluster has this number.
    pub(crate) const fn has(&self, cluster: u32) -> bool {
        cluster >= FIRST_CLUSTER && cluster - FIRST_CLUSTER < self.clusters
    }

    /// The first byte of a cluster.
    pub(crate) fn byte(&self, cluster: u32) -> u64 {
        let number = u64::from(cluster.saturating_sub(FIRST_CLUSTER));
        self.data_start + number * u64::from(self.cluster_size)
    }

    /// The byte of a cluster's entry in the FAT that is read.
    pub(crate) fn entry(&self, cluster: u32) -> u64 {
        self.fat_start + u64::from(self.fats.0) * self.fat_len + u64::from(cluster) * 4
    }

    /// The lowest and the highest number of a cluster.
    pub(crate) fn legal(&self) -> Expected {
        Expected::Within(FIRST_CLUSTER.into(), u64::from(self.clusters) + 1)
    }

    /// How many clusters so many bytes take.
    pub(crate) fn clusters_for(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.cluster_size.into())
    }
}

/// Compares fields of the boot sector.
struct Check;

impl Check {
    fn code(
        &self,
        field: &'static str,
        at: usize,
        actual: u16,
        want: u16,
    ) -> Result<(), Corruption> {
        if actual == want {
            return Ok(());
        }
        let (structure, at) = (Structure::BootSector, at as u64);
        Err(Corruption::code(structure, at, field, want.into(), actual.into()))
    }

    fn number(&self, field: &'static str, at: usize, legal: (u64, u64), actual: u64) -> ReadError {
        let expected = Expected::Within(legal.0, legal.1);
        Corruption::number(Structure::BootSector, at as u64, field, expected, actual).into()
    }
}
