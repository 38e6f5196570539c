//! Layouts as users write them down.

use imprint_winvalues::Guid;
use serde::Deserialize;

use crate::{
    Contents, GptAttributes, Layout, LayoutError, LayoutFault, PartitionType, Size, TableKind,
    Wanted,
};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    table: TableWord,
    #[serde(default)]
    partition: Vec<PartitionText>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TableWord {
    Gpt,
    Mbr,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatWord {
    #[default]
    None,
    Fat32,
    Ntfs,
}

/// One `[[partition]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionText {
    r#type: String,
    size: String,
    #[serde(default)]
    name: String,
    /// Without it as Windows has them for the type.
    attributes: Option<Vec<String>>,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    format: FormatWord,
    #[serde(default)]
    label: String,
}

impl Layout {
    /// Reads a layout file:
    ///
    /// ```toml
    /// table = "gpt"               # or "mbr"
    ///
    /// [[partition]]
    /// type = "esp"                # msr, basic-data, recovery, linux, a GUID;
    ///                             # in an MBR ntfs, fat32, recovery, linux, a byte: "0x07"
    /// size = "260 MiB"            # or "20 %" of all room, or "rest" (once)
    /// name = "EFI system"         # GPT
    /// attributes = ["no-drive-letter"]
    /// format = "fat32"            # none, fat32, ntfs
    /// label = "SYSTEM"            # of the volume
    /// ```
    ///
    /// `active = true` marks the partition of an MBR that is booted.
    ///
    /// # Errors
    /// [`LayoutError`]. Whether it fits a device is [`crate::Plan::new`]'s to say.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        let file: FileText =
            toml::from_str(text).map_err(|error| LayoutError::Syntax(Box::new(error)))?;
        if file.partition.is_empty() {
            return Err(LayoutError::Empty);
        }
        let table = match file.table {
            TableWord::Gpt => TableKind::Gpt,
            TableWord::Mbr => TableKind::Mbr,
        };
        let wanted = |(number, text): (usize, PartitionText)| {
            wanted(table, text).map_err(|fault| LayoutError::Value { number, fault })
        };
        let partitions = (1..).zip(file.partition).map(wanted).collect::<Result<_, _>>()?;
        Ok(Self { table, partitions })
    }
}

fn wanted(table: TableKind, text: PartitionText) -> Result<Wanted, LayoutFault> {
    let kind = kind(table, &text.r#type).ok_or(LayoutFault::Type)?;
    let contents = match text.format {
        FormatWord::None => Contents::Nothing,
        FormatWord::Fat32 => Contents::Fat32,
        FormatWord::Ntfs => Contents::Ntfs,
    };
    if contents == Contents::Nothing && !text.label.is_empty() {
        return Err(LayoutFault::LabelWithoutFormat);
    }
    let attributes = match text.attributes {
        Some(words) => words
            .iter()
            .map(|word| attribute(word).ok_or(LayoutFault::Attribute))
            .try_fold(GptAttributes::empty(), |all, one| Ok(all | one?))?,
        None => usual(kind),
    };
    let size = size(&text.size).ok_or(LayoutFault::Size)?;
    let (name, label, active) = (text.name, text.label, text.active);
    Ok(Wanted { kind, size, name, attributes, active, contents, label })
}

/// The attributes Windows gives a partition of this type.
fn usual(kind: PartitionType) -> GptAttributes {
    match kind {
        PartitionType::ESP | PartitionType::MSR => GptAttributes::NO_DRIVE_LETTER,
        PartitionType::RECOVERY => GptAttributes::REQUIRED | GptAttributes::NO_DRIVE_LETTER,
        _ => GptAttributes::empty(),
    }
}

fn kind(table: TableKind, text: &str) -> Option<PartitionType> {
    Some(match (table, text) {
        (TableKind::Gpt, "esp") => PartitionType::ESP,
        (TableKind::Gpt, "msr") => PartitionType::MSR,
        (TableKind::Gpt, "basic-data" | "ntfs" | "fat32") => PartitionType::BASIC_DATA,
        (TableKind::Gpt, "recovery") => PartitionType::RECOVERY,
        (TableKind::Gpt, "linux") => PartitionType::LINUX,
        (TableKind::Gpt, guid) => PartitionType::Gpt(guid.parse::<Guid>().ok()?),
        (TableKind::Mbr, "esp") => PartitionType::MBR_ESP,
        (TableKind::Mbr, "basic-data" | "ntfs") => PartitionType::MBR_NTFS,
        (TableKind::Mbr, "fat32") => PartitionType::MBR_FAT32,
        (TableKind::Mbr, "recovery") => PartitionType::MBR_RECOVERY,
        (TableKind::Mbr, "linux") => PartitionType::MBR_LINUX,
        (TableKind::Mbr, byte) => {
            let digits = byte.strip_prefix("0x").filter(|digits| !digits.starts_with('+'))?;
            PartitionType::Mbr(u8::from_str_radix(digits, 16).ok()?)
        }
    })
}

fn attribute(word: &str) -> Option<GptAttributes> {
    Some(match word {
        "required" => GptAttributes::REQUIRED,
        "no-block-io" => GptAttributes::NO_BLOCK_IO,
        "legacy-bootable" => GptAttributes::LEGACY_BOOTABLE,
        "read-only" => GptAttributes::READ_ONLY,
        "shadow-copy" => GptAttributes::SHADOW_COPY,
        "hidden" => GptAttributes::HIDDEN,
        "no-drive-letter" => GptAttributes::NO_DRIVE_LETTER,
        _ => return None,
    })
}

fn size(text: &str) -> Option<Size> {
    if text == "rest" {
        return Some(Size::Rest);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok().filter(|&number| number > 0)?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "%" => {
            let percent = u8::try_from(number).ok().filter(|&percent| percent <= 100)?;
            return Some(Size::Percent(percent));
        }
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        // A bare number could be anything, and nobody counts partitions in bytes.
        _ => return None,
    };
    number.checked_mul(1 << shift).map(Size::Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Size>) {
        assert_eq!(size(text), expected, "{text}");
    }

    #[test]
    fn sizes() {
        check("260 MiB", Some(Size::Bytes(260 << 20)));
        check("1G", Some(Size::Bytes(1 << 30)));
        check("2 tib", Some(Size::Bytes(2 << 40)));
        check("20 %", Some(Size::Percent(20)));
        check("100%", Some(Size::Percent(100)));
        check("rest", Some(Size::Rest));
        for wrong in ["", "101 %", "5", "0 MiB", "-1 MiB", "99999999999 TiB", "1.5 GiB", "ü"] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_example_of_the_documentation() {
        let text = "table = \"gpt\"\n[[partition]]\ntype = \"esp\"\nsize = \"260 MiB\"\n\
                    name = \"EFI system partition\"\nformat = \"fat32\"\nlabel = \"SYSTEM\"\n\
                    [[partition]]\ntype = \"msr\"\nsize = \"16 MiB\"\n\
                    name = \"Microsoft reserved partition\"\n[[partition]]\n\
                    type = \"basic-data\"\nsize = \"rest\"\nname = \"Windows\"\nformat = \"ntfs\"\n\
                    label = \"Windows\"\n[[partition]]\ntype = \"recovery\"\nsize = \"1 GiB\"\n\
                    name = \"Recovery\"\nformat = \"ntfs\"\nlabel = \"Recovery\"\n";
        assert_eq!(Layout::parse(text), Ok(Layout::uefi_windows()));
        let mbr = "table = \"mbr\"\n[[partition]]\ntype = \"0x07\"\nsize = \"500 MiB\"\n\
                   active = true\nformat = \"ntfs\"\nlabel = \"System\"\n[[partition]]\n\
                   type = \"ntfs\"\nsize = \"rest\"\nformat = \"ntfs\"\nlabel = \"Windows\"\n\
                   [[partition]]\ntype = \"recovery\"\nsize = \"1 GiB\"\nformat = \"ntfs\"\n\
                   label = \"Recovery\"\n";
        assert_eq!(Layout::parse(mbr), Ok(Layout::bios_windows()));
    }

    #[track_caller]
    fn fault(partition: &str, expected: LayoutFault) {
        let text = format!("table = \"gpt\"\n[[partition]]\n{partition}");
        let error = Layout::parse(&text).unwrap_err();
        assert_eq!(error, LayoutError::Value { number: 1, fault: expected });
    }

    #[test]
    fn what_is_wrong_is_named() {
        fault("type = \"0x07\"\nsize = \"1 GiB\"", LayoutFault::Type);
        fault("type = \"esp\"\nsize = \"much\"", LayoutFault::Size);
        fault("type = \"esp\"\nsize = \"1 M\"\nattributes = [\"x\"]", LayoutFault::Attribute);
        fault("type = \"esp\"\nsize = \"1 M\"\nlabel = \"x\"", LayoutFault::LabelWithoutFormat);
        assert_eq!(Layout::parse("table = \"gpt\""), Err(LayoutError::Empty));
        for wrong in ["", "table = \"apm\"", "table = \"gpt\"\nsize = 1", "\u{0}"] {
            assert!(matches!(Layout::parse(wrong), Err(LayoutError::Syntax(_))), "{wrong}");
        }
    }
}
