//! Cylinders, heads and sectors for a size.

use super::layout::SECTOR;

/// A geometry as the footer holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Cylinders.
    pub(crate) cylinders: u16,
    /// Heads.
    pub(crate) heads: u8,
    /// Sectors of a track.
    pub(crate) sectors_per_track: u8,
}

/// More sectors than this cannot be said.
const MOST_SECTORS: u64 = 65_535 * 16 * 255;

impl Geometry {
    /// The geometry of a disk of `size` bytes; its product is at most the disk's sectors.
    ///
    /// Source: the specification's appendix "CHS calculation". Observed in: qemu-img, Windows.
    pub(crate) fn of(size: u64) -> Self {
        let sectors = (size / SECTOR).min(MOST_SECTORS);
        let (heads, per_track) = if sectors >= 65_535 * 16 * 63 {
            (16, 255)
        } else {
            let tracks = sectors / 17;
            let heads = tracks.div_ceil(1024).max(4);
            if tracks < heads * 1024 && heads <= 16 {
                (heads, 17)
            } else if sectors / 31 < 16 * 1024 {
                (16, 31)
            } else {
                (16, 63)
            }
        };
        let cylinders = sectors / per_track / heads;
        Self {
            cylinders: u16::try_from(cylinders).unwrap_or(u16::MAX),
            heads: u8::try_from(heads).unwrap_or(u8::MAX),
            sectors_per_track: u8::try_from(per_track).unwrap_or(u8::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: u64, expected: (u16, u8, u8)) {
        let found = Geometry::of(size);
        assert_eq!((found.cylinders, found.heads, found.sectors_per_track), expected, "{size}");
    }

    #[test]
    fn known_files_have_known_geometries() {
        // Made by qemu.
        check(4_212_736, (121, 4, 17));
        check(1_079_296, (31, 4, 17));
        check(104_448, (3, 4, 17));
        // Made by Windows Server 2012 R2.
        check(136_365_211_648, (65_278, 16, 255));
        check(0, (0, 4, 17));
        check(2040 << 30, (65_535, 16, 255));
        check(65_535 * 16 * 63 * 512, (16_191, 16, 255));
        check(65_535 * 16 * 63 * 512 - 512, (65_534, 16, 63));
    }

    #[test]
    fn never_more_than_the_disk() {
        let mut size = 512;
        while size < 4 << 40 {
            let found = Geometry::of(size);
            let product = u64::from(found.cylinders)
                * u64::from(found.heads)
                * u64::from(found.sectors_per_track);
            assert!(product <= size / 512, "{size} {found:?}");
            size = size / 512 * 1037 / 1024 * 512 + 512;
        }
    }
}
