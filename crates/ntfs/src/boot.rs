//! The boot sector: how large everything is and where `$MFT` begins.

use imprint_blockio::{Expected, ReadAt};
use zerocopy::transmute;

use crate::layout::{BOOT_MARK, BootSectorDisk, OEM_ID, STRIDE};
use crate::{Corruption, Lcn, ReadError, Structure};

/// Clusters of at most 2 MiB; Windows 10 of 2017 made the last step from 64 KiB.
const MAX_CLUSTER: u64 = 2 << 20;
/// File records of at most 4 KiB and index blocks of at most 64 KiB: Windows knows 1 and 4 KiB.
const MAX_RECORD: u64 = 4096;
const MAX_INDEX: u64 = 64 << 10;
/// Clusters have 32 bits in what Windows writes.
const MAX_CLUSTERS: u64 = u32::MAX as u64;

/// The measures of a volume, all checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes per sector: a power of two from 256 to 4096.
    pub sector_size: u32,
    /// Bytes per cluster: a power of two, at least a sector.
    pub cluster_size: u32,
    /// Sectors of the volume, without the last one, which is a copy of the boot sector.
    pub sectors: u64,
    /// Bytes of a file record: a power of two from 512 to 4096, at least a sector.
    pub record_size: u32,
    /// Bytes of an index block: a power of two from 512 to 65,536, at least a sector.
    pub index_size: u32,
    /// The cluster where `$MFT` begins.
    pub mft: Lcn,
    /// The cluster where `$MFTMirr` begins.
    pub mirror: Lcn,
    /// Names the volume.
    pub serial: u64,
    /// The sector where the volume begins on its disk, as the boot program believes.
    pub hidden_sectors: u32,
}

impl Geometry {
    /// Reads the boot sector of a volume.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(volume: &(impl ReadAt + ?Sized)) -> Result<Self, ReadError> {
        let mut bytes = [0; STRIDE];
        let failed = |source| ReadError::Io {
            structure: Structure::BootSector,
            offset: 0,
            length: STRIDE as u64,
            source,
        };
        volume.read_exact_at(&mut bytes, 0).map_err(failed)?;
        let geometry = Self::parse(&bytes)?;
        let (length, end) = (volume.len().map_err(failed)?, geometry.end());
        if end > length {
            return Err(past_end(0x28, "volume", length, end).into());
        }
        Ok(geometry)
    }

    /// Clusters of the volume.
    #[must_use]
    pub fn clusters(&self) -> u64 {
        self.sectors / u64::from(self.cluster_size / self.sector_size)
    }

    /// Where the last whole sector ends, bytes from the start of the volume, without the copy of
    /// the boot sector.
    fn end(&self) -> u64 {
        self.sectors.saturating_mul(self.sector_size.into())
    }

    /// Reads and checks the fields.
    ///
    /// # Errors
    /// The first field that breaks the format. What Windows ignores is not looked at.
    pub fn parse(bytes: &[u8; STRIDE]) -> Result<Self, Corruption> {
        let disk: BootSectorDisk = transmute!(*bytes);
        if disk.oem_id != OEM_ID {
            return Err(code(3, "mark", OEM_ID, disk.oem_id.get()));
        }
        if disk.mark != BOOT_MARK {
            return Err(code(0x1fe, "last bytes", BOOT_MARK.into(), disk.mark.get().into()));
        }
        let sector_size = u64::from(disk.sector_size.get());
        if !sector_size.is_power_of_two() || !(256..=4096).contains(&sector_size) {
            return Err(number(0x0b, "sector size", Expected::Within(256, 4096), sector_size));
        }
        let cluster_size = cluster_size(disk.sectors_per_cluster, sector_size)?;
        let record_size = unit_size(disk.record_size, cluster_size).unwrap_or(0);
        let least = sector_size.max(512);
        if !record_size.is_power_of_two() || !(least..=MAX_RECORD).contains(&record_size) {
            let expected = Expected::Within(least, MAX_RECORD);
            return Err(number(0x40, "bytes of a file record", expected, record_size));
        }
        let index_size = unit_size(disk.index_size, cluster_size).unwrap_or(0);
        if !index_size.is_power_of_two() || !(least..=MAX_INDEX).contains(&index_size) {
            let expected = Expected::Within(least, MAX_INDEX);
            return Err(number(0x44, "bytes of an index block", expected, index_size));
        }
        let sectors = disk.sectors.get();
        let per_cluster = cluster_size / sector_size;
        let most = MAX_CLUSTERS * per_cluster + (per_cluster - 1);
        if !(per_cluster..=most).contains(&sectors) {
            return Err(number(0x28, "sectors", Expected::Within(per_cluster, most), sectors));
        }
        let clusters = sectors / per_cluster;
        for (offset, field, lcn) in [
            (0x30, "first cluster of $MFT", disk.mft.get()),
            (0x38, "first cluster of $MFTMirr", disk.mirror.get()),
        ] {
            if !(1..clusters).contains(&lcn) {
                let expected = Expected::Within(1, clusters.saturating_sub(1));
                return Err(number(offset, field, expected, lcn));
            }
        }
        let small = |size: u64| u32::try_from(size).unwrap_or(0);
        Ok(Self {
            sector_size: small(sector_size),
            cluster_size: small(cluster_size),
            sectors,
            record_size: small(record_size),
            index_size: small(index_size),
            mft: Lcn(disk.mft.get()),
            mirror: Lcn(disk.mirror.get()),
            serial: disk.serial.get(),
            hidden_sectors: disk.hidden_sectors.get(),
        })
    }
}

/// Bytes of a cluster.
fn cluster_size(field: u8, sector_size: u64) -> Result<u64, Corruption> {
    let sectors =
        if field > 128 { 1_u64.checked_shl(256 - u32::from(field)) } else { Some(field.into()) };
    let size = sectors.and_then(|sectors| sectors.checked_mul(sector_size)).unwrap_or(0);
    if size.is_power_of_two() && size <= MAX_CLUSTER {
        return Ok(size);
    }
    let expected = Expected::Within(sector_size, MAX_CLUSTER);
    Err(number(0x0d, "bytes of a cluster", expected, size))
}

/// Bytes of a file record or an index block.
fn unit_size(field: i8, cluster_size: u64) -> Option<u64> {
    match u64::try_from(field) {
        Ok(clusters) => clusters.checked_mul(cluster_size),
        Err(_) => 1_u64.checked_shl(field.unsigned_abs().into()),
    }
}

const fn number(offset: u64, field: &'static str, expected: Expected, actual: u64) -> Corruption {
    Corruption::number(Structure::BootSector, offset, field, expected, actual)
}

const fn code(offset: u64, field: &'static str, expected: u64, actual: u64) -> Corruption {
    Corruption::code(Structure::BootSector, offset, field, Expected::Exactly(expected), actual)
}

const fn past_end(offset: u64, field: &'static str, limit: u64, end: u64) -> Corruption {
    Corruption::past_end(Structure::BootSector, offset, field, limit, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 512-byte sectors, clusters of 4 KiB, 1 KiB records, 4 KiB index blocks, 8 MiB.
    fn sample() -> [u8; STRIDE] {
        let mut bytes = [0; STRIDE];
        bytes[3..11].copy_from_slice(b"NTFS    ");
        bytes[0x0b..0x0e].copy_from_slice(&[0, 2, 8]);
        bytes[0x28..0x2a].copy_from_slice(&16_383_u16.to_le_bytes());
        bytes[0x30] = 4;
        bytes[0x38..0x3a].copy_from_slice(&1023_u16.to_le_bytes());
        bytes[0x40] = 0xf6;
        bytes[0x44] = 1;
        bytes[0x48..0x50].copy_from_slice(&7_u64.to_le_bytes());
        bytes[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
        bytes
    }

    #[track_caller]
    fn check(offset: usize, change: &[u8], expected: &str) {
        let mut bytes = sample();
        bytes[offset..offset + change.len()].copy_from_slice(change);
        let error = Geometry::parse(&bytes).unwrap_err().to_string();
        assert_eq!(error, format!("NTFS boot sector: {expected}"));
    }

    #[test]
    fn the_measures_are_read() {
        let found = Geometry::parse(&sample()).unwrap();
        assert_eq!((found.sector_size, found.cluster_size), (512, 4096));
        assert_eq!((found.record_size, found.index_size), (1024, 4096));
        assert_eq!((found.clusters(), found.mft, found.mirror), (2047, Lcn(4), Lcn(1023)));
        let mut large = sample();
        large[0x0d] = 244;
        large[0x28..0x30].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        large[0x44] = 0xf4;
        let found = Geometry::parse(&large).unwrap();
        assert_eq!((found.cluster_size, found.index_size), (2 << 20, 4096));
    }

    #[test]
    fn each_broken_field_is_named() {
        check(
            3,
            b"F",
            "mark should be 0x202020205346544e, but is 0x2020202053465446 (at offset 0x3)",
        );
        check(0x1fe, &[0], "last bytes should be 0xaa55, but is 0xaa00 (at offset 0x1fe)");
        check(0x0b, &[1, 2], "sector size should be from 256 to 4096, but is 513 (at offset 0xb)");
        check(
            0x0d,
            &[3],
            "bytes of a cluster should be from 512 to 2097152, but is 1536 (at offset 0xd)",
        );
        check(
            0x0d,
            &[0],
            "bytes of a cluster should be from 512 to 2097152, but is 0 (at offset 0xd)",
        );
        check(0x0d, &[200], "bytes of a cluster should be from 512 to 2097152, but is 36893488147419103232 (at offset 0xd)".replace("36893488147419103232", "0").as_str());
        check(
            0x40,
            &[0x80],
            "bytes of a file record should be from 512 to 4096, but is 0 (at offset 0x40)",
        );
        check(
            0x40,
            &[2],
            "bytes of a file record should be from 512 to 4096, but is 8192 (at offset 0x40)",
        );
        check(
            0x44,
            &[0],
            "bytes of an index block should be from 512 to 65536, but is 0 (at offset 0x44)",
        );
        check(0x28, &[0; 8], "sectors should be from 8 to 34359738367, but is 0 (at offset 0x28)");
        check(
            0x28,
            &[0xff; 8],
            "sectors should be from 8 to 34359738367, but is 18446744073709551615 (at offset 0x28)",
        );
        check(
            0x30,
            &[0],
            "first cluster of $MFT should be from 1 to 2046, but is 0 (at offset 0x30)",
        );
        check(
            0x38,
            &[0xff, 7],
            "first cluster of $MFTMirr should be from 1 to 2046, but is 2047 (at offset 0x38)",
        );
    }

    #[test]
    fn a_volume_that_is_cut_off_is_refused() {
        let mut bytes = sample().to_vec();
        bytes.resize(16_383 * 512 - 1, 0);
        let error = Geometry::read(&bytes).unwrap_err().to_string();
        assert_eq!(
            error,
            "NTFS boot sector: volume should end at or before 0x7ffdff, but ends at 0x7ffe00 (at offset 0x28)"
        );
        bytes.push(0);
        Geometry::read(&bytes).unwrap();
    }
}
