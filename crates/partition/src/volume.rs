//! Tells the boot sector of a volume from an MBR.

/// Marks of file systems at byte 3 of their boot sectors.
const MARKS: [&[u8; 8]; 4] = [b"NTFS    ", b"EXFAT   ", b"ReFS\0\0\0\0", b"-FVE-FS-"];

/// Whether this is the first sector of a volume. Boot programs of MBRs do not begin like that: they
/// have code where volumes have their parameters.
pub(crate) fn is_boot_sector(sector: &[u8; 512]) -> bool {
    // ReFS has no jump: its boot sector is never run.
    let jump = matches!(sector, [0xeb, _, 0x90, ..] | [0xe9, ..] | [0, 0, 0, b'R', b'e', ..]);
    let mark = sector.get(3..11).unwrap_or_default();
    jump && (MARKS.iter().any(|known| mark == *known) || has_fat_parameters(sector))
}

/// Whether the parameter block of FAT has legal values in all fields that cannot have any value.
///
/// Source: Microsoft, *FAT: General Overview of On-Disk Format* 1.03.
fn has_fat_parameters(sector: &[u8; 512]) -> bool {
    let [_, _, _, _, _, _, _, _, _, _, _, s0, s1, cluster, r0, r1, fats, _, _, t0, t1, media, ..] =
        sector;
    let reserved = u16::from_le_bytes([*r0, *r1]);
    let total = u16::from_le_bytes([*t0, *t1]);
    let total_long = sector.get(32..36).is_some_and(|bytes| bytes.iter().any(|&byte| byte != 0));
    matches!(u16::from_le_bytes([*s0, *s1]), 512 | 1024 | 2048 | 4096)
        && cluster.is_power_of_two()
        && reserved > 0
        && matches!(fats, 1 | 2)
        && matches!(media, 0xf0 | 0xf8..=0xff)
        && (total > 0 || total_long)
}
