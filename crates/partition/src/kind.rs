//! What partitions are for.

use std::fmt;

use imprint_winvalues::Guid;

/// What a partition is for, as its table says it. Any value is legal; the constants are those
/// Imprint has to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartitionType {
    /// The type of a GPT entry.
    Gpt(Guid),
    /// The type byte of an MBR entry.
    Mbr(u8),
}

/// A GUID as it is written, with its first three fields as numbers.
const fn gpt(a: u32, b: u16, c: u16, d: u64) -> PartitionType {
    let (a, b, c, d) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes(), d.to_be_bytes());
    PartitionType::Gpt(Guid([
        a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6],
        d[7],
    ]))
}

impl PartitionType {
    /// GPT: the EFI system partition, from which firmware boots.
    pub const ESP: Self = gpt(0xc12a_7328, 0xf81f, 0x11d2, 0xba4b_00a0_c93e_c93b);
    /// GPT: Microsoft reserved, without contents.
    pub const MSR: Self = gpt(0xe3c9_e316, 0x0b5c, 0x4db8, 0x817d_f92d_f002_15ae);
    /// GPT: a volume of Windows.
    pub const BASIC_DATA: Self = gpt(0xebd0_a0a2, 0xb9e5, 0x4433, 0x87c0_68b6_b726_99c7);
    /// GPT: the Windows recovery environment.
    pub const RECOVERY: Self = gpt(0xde94_bba4, 0x06d1, 0x4d40, 0xa16a_bfd5_0179_d6ac);
    /// GPT: metadata of a dynamic disk of Windows.
    pub const LDM_METADATA: Self = gpt(0x5808_c8aa, 0x7e8f, 0x42e0, 0x85d2_e1e9_0434_cfb3);
    /// GPT: volumes of a dynamic disk of Windows.
    pub const LDM_DATA: Self = gpt(0xaf9b_60a0, 0x1431, 0x4f62, 0xbc68_3311_714a_69ad);
    /// GPT: part of Storage Spaces.
    pub const STORAGE_SPACES: Self = gpt(0xe75c_af8f, 0xf680, 0x4cee, 0xafa3_b001_e56e_fc2d);
    /// GPT: room for a boot loader on machines without EFI.
    pub const BIOS_BOOT: Self = gpt(0x2168_6148, 0x6449, 0x6e6f, 0x744e_6565_6445_4649);
    /// GPT: a file system of Linux.
    pub const LINUX: Self = gpt(0x0fc6_3daf, 0x8483, 0x4772, 0x8e79_3d69_d847_7de4);
    /// GPT: swap space of Linux.
    pub const LINUX_SWAP: Self = gpt(0x0657_fd6d, 0xa4ab, 0x43c4, 0x84e5_0933_c84b_4f4f);
    /// GPT: a physical volume of Linux' LVM.
    pub const LINUX_LVM: Self = gpt(0xe6d6_d379, 0xf507, 0x44c2, 0xa23c_238f_2a3d_f928);
    /// GPT: a member of a Linux RAID.
    pub const LINUX_RAID: Self = gpt(0xa19d_880f, 0x05fc, 0x4d3b, 0xa006_743f_0f84_911e);

    /// MBR: NTFS, exFAT or `ReFS`.
    pub const MBR_NTFS: Self = Self::Mbr(0x07);
    /// MBR: FAT32.
    pub const MBR_FAT32: Self = Self::Mbr(0x0c);
    /// MBR: the Windows recovery environment.
    pub const MBR_RECOVERY: Self = Self::Mbr(0x27);
    /// MBR: the EFI system partition.
    pub const MBR_ESP: Self = Self::Mbr(0xef);
    /// MBR: a file system of Linux.
    pub const MBR_LINUX: Self = Self::Mbr(0x83);
    /// MBR: holds logical partitions.
    pub const MBR_EXTENDED: Self = Self::Mbr(0x0f);

    /// Whether it only holds logical partitions, and has no contents of its own.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        matches!(self, Self::Mbr(0x05 | 0x0f | 0x85))
    }

    /// What it is called, if it is known here.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ESP | Self::MBR_ESP => "EFI system",
            Self::MSR => "Microsoft reserved",
            Self::BASIC_DATA => "basic data",
            Self::RECOVERY | Self::MBR_RECOVERY => "recovery",
            Self::LDM_METADATA => "LDM metadata",
            Self::LDM_DATA | Self::Mbr(0x42) => "LDM data",
            Self::STORAGE_SPACES => "Storage Spaces",
            Self::BIOS_BOOT => "BIOS boot",
            Self::LINUX | Self::MBR_LINUX => "Linux",
            Self::LINUX_SWAP | Self::Mbr(0x82) => "Linux swap",
            Self::LINUX_LVM | Self::Mbr(0x8e) => "Linux LVM",
            Self::LINUX_RAID | Self::Mbr(0xfd) => "Linux RAID",
            Self::Mbr(0x01) => "FAT12",
            Self::Mbr(0x04 | 0x06 | 0x0e) => "FAT16",
            Self::Mbr(0x0b | 0x0c) => "FAT32",
            Self::Mbr(0x07) => "NTFS",
            Self::Mbr(0x05 | 0x0f | 0x85) => "extended",
            Self::Mbr(0xee) => "protective",
            Self::Gpt(_) | Self::Mbr(_) => return None,
        })
    }
}

impl fmt::Display for PartitionType {
    /// Prints the name, or else the GUID or the byte in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self) {
            (Some(name), _) => f.write_str(name),
            (None, Self::Gpt(guid)) => write!(f, "{guid}"),
            (None, Self::Mbr(byte)) => write!(f, "{byte:#04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: PartitionType, printed: &str) {
        assert_eq!(kind.to_string(), printed);
    }

    #[test]
    fn types_have_names_or_are_printed_as_they_are() {
        check(PartitionType::ESP, "EFI system");
        check(PartitionType::MBR_ESP, "EFI system");
        check(PartitionType::Mbr(0x8), "0x08");
        check(PartitionType::Gpt(Guid::default()), "00000000-0000-0000-0000-000000000000");
        let esp: Guid = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".parse().unwrap();
        assert_eq!(PartitionType::Gpt(esp), PartitionType::ESP);
        assert!(PartitionType::Mbr(5).is_extended() && !PartitionType::ESP.is_extended());
    }
}
