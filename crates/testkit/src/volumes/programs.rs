//! What ntfs-3g's programs and The Sleuth Kit say of a volume. Every line they print is known to be harmless, or it is
//! a finding: they end with 0 after much that they only complain of.

use std::path::Path;
use std::process::Command;

use crate::tools::{self, Shown, require};

/// A program, how it is called, and the lines it prints of a sound volume. `*` stands for anything.
struct Program {
    name: &'static str,
    options: &'static [&'static str],
    lines: &'static [&'static str],
}

const PROGRAMS: [Program; 4] = [
    Program {
        name: "ntfsfix",
        options: &["-n"],
        lines: &[
            "Mounting volume... OK",
            "Processing of $MFT and $MFTMirr completed successfully.",
            "Checking the alternate boot sector... OK",
            "NTFS volume version is 3.1.",
            "NTFS partition * was processed successfully.",
        ],
    },
    Program {
        name: "ntfsinfo",
        options: &["-m"],
        lines: &[
            "Volume Information",
            "Name of device: *",
            "Device state: 3",
            "Volume Name: *",
            "Volume State: 91",
            // Neither dirty nor anything else.
            "Volume Flags: 0x0000",
            "Volume Version: 3.1",
            "Sector Size: *",
            "Cluster Size: *",
            "Index Block Size: 4096",
            "Volume Size in Clusters: *",
            "MFT Information",
            "MFT Record Size: *",
            "MFT Zone Multiplier: 0",
            "MFT Data Position: 24",
            "MFT Zone Start: *",
            "MFT Zone End: *",
            "MFT Zone Position: *",
            "Current Position in First Data Zone: *",
            "Current Position in Second Data Zone: *",
            "Allocated clusters *",
            "LCN of Data Attribute for FILE_MFT: *",
            "FILE_MFTMirr Size: *",
            "LCN of Data Attribute for File_MFTMirr: *",
            "Size of Attribute Definition Table: 2560",
            "Number of Attached Extent Inodes: *",
            "FILE_Bitmap Information",
            "FILE_Bitmap MFT Record Number: 6",
            "State of FILE_Bitmap Inode: *",
            "Length of Attribute List: 0",
            "FILE_Bitmap Data Attribute Information",
            "Decompressed Runlist: not done yet",
            "Base Inode: 6",
            "Attribute Types: not done yet",
            "Attribute Name Length: 0",
            "Attribute State: 3",
            "Attribute Allocated Size: *",
            "Attribute Data Size: *",
            "Attribute Initialized Size: *",
            "Attribute Compressed Size: 0",
            "Compression Block Size: 0",
            "Compression Block Size Bits: 0",
            "Compression Block Clusters: 0",
            "Free Clusters: *",
        ],
    },
    Program {
        name: "ntfsresize",
        // Before it says how small the volume can become, it compares the bitmap with all runs.
        options: &["-i", "-f", "--no-progress-bar"],
        lines: &[
            "ntfsresize v* (libntfs-3g)",
            "Device name        : *",
            "NTFS volume version: 3.1",
            "Cluster size       : *",
            "Current volume size: *",
            "Current device size: *",
            "Checking filesystem consistency ...",
            "Accounting clusters ...",
            "Space in use       : *",
            "Collecting resizing constraints ...",
            "You might resize at *",
            "Please make a test run using both the -n and -s options before real resizing!",
            // Of a volume that is full.
            "Volume is full. To shrink it, delete unused files.",
        ],
    },
    Program {
        name: "fsstat",
        options: &["-f", "ntfs"],
        lines: &[
            "FILE SYSTEM INFORMATION",
            "METADATA INFORMATION",
            "CONTENT INFORMATION",
            "--------------------------------------------",
            "File System Type: NTFS",
            "Volume Serial Number: *",
            "OEM Name: NTFS",
            "Volume Name: *",
            "Version: Windows XP",
            "First Cluster of MFT: *",
            "First Cluster of MFT Mirror: *",
            "Size of MFT Entries: *",
            "Size of Index Records: 4096 bytes",
            "Range: 0 - *",
            "Root Directory: 5",
            "Sector Size: *",
            "Cluster Size: *",
            "Total Cluster Range: 0 - *",
            "Total Sector Range: 0 - *",
            "$AttrDef Attribute Values:",
            "$STANDARD_INFORMATION (16)   Size: 48-72   Flags: Resident",
            "$ATTRIBUTE_LIST (32)   Size: No Limit   Flags: Non-resident",
            "$FILE_NAME (48)   Size: 68-578   Flags: Resident,Index",
            "$OBJECT_ID (64)   Size: 0-256   Flags: Resident",
            "$SECURITY_DESCRIPTOR (80)   Size: No Limit   Flags: Non-resident",
            "$VOLUME_NAME (96)   Size: 2-256   Flags: Resident",
            "$VOLUME_INFORMATION (112)   Size: 12-12   Flags: Resident",
            "$DATA (128)   Size: No Limit   Flags:",
            "$INDEX_ROOT (144)   Size: No Limit   Flags: Resident",
            "$INDEX_ALLOCATION (160)   Size: No Limit   Flags: Non-resident",
            "$BITMAP (176)   Size: No Limit   Flags: Non-resident",
            "$REPARSE_POINT (192)   Size: 0-16384   Flags: Non-resident",
            "$EA_INFORMATION (208)   Size: 8-8   Flags: Resident",
            "$EA (224)   Size: 0-65536   Flags:",
            "$LOGGED_UTILITY_STREAM (256)   Size: 0-65536   Flags: Non-resident",
        ],
    },
];

/// Lets all programs look at the volume a file holds from its first byte on, which is left as it is, and returns what
/// they say that they do not say of a sound one, one in a line.
#[must_use]
#[track_caller]
pub fn complaints(volume: &Path) -> String {
    let mut found = String::new();
    for program in &PROGRAMS {
        let mut command = Command::new(require(program.name));
        let output = tools::output(command.args(program.options).arg(volume));
        if !output.status.success() {
            found += &format!("{}: {}\n", program.name, output.status);
        }
        let mut text = Vec::from(&output.stdout[..]);
        text.push(b'\n');
        text.extend(&output.stderr);
        found += &program.unknown(&String::from_utf8_lossy(&text));
        if output.stdout.is_empty() {
            found += &format!("{}: nothing printed {}\n", program.name, Shown(&output.stderr));
        }
    }
    found
}

impl Program {
    /// The lines that are not known, each behind the name of the program.
    fn unknown(&self, text: &str) -> String {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let unknown = lines.filter(|line| !self.lines.iter().any(|known| fits(line, known)));
        unknown.map(|line| format!("{}: {line}\n", self.name)).collect()
    }
}

/// Whether a line is the known one, in which one `*` stands for anything.
fn fits(line: &str, known: &str) -> bool {
    match known.split_once('*') {
        None => line == known,
        Some((start, end)) => {
            // What is trimmed from a line without a value is the blank before it.
            let rest = line.strip_prefix(start);
            let rest = rest.or_else(|| (line == start.trim_end()).then_some(""));
            rest.is_some_and(|rest| rest.ends_with(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_those_known() {
        assert!(fits("Volume Name: Sample", "Volume Name: *"));
        assert!(fits("Volume Name:", "Volume Name: *"));
        assert!(fits("NTFS partition a was processed successfully.", PROGRAMS[0].lines[4]));
        assert!(!fits("NTFS partition a was not mounted", PROGRAMS[0].lines[4]));
        assert!(!fits("Volume Flags: 0x0001 DIRTY", "Volume Flags: 0x0000"));
    }

    #[test]
    fn what_is_not_known_is_a_complaint() {
        let said = PROGRAMS[0].unknown("Mounting volume... OK\n\nVolume is dirty.\n");
        assert_eq!(said, "ntfsfix: Volume is dirty.\n");
    }

    #[test]
    fn a_dirty_volume_is_complained_of() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("volume");
        crate::ntfs_volume(&path, 16);
        assert_eq!(complaints(&path), "");
        // ntfsfix without -n sets the flag.
        tools::run(&require("ntfsfix"), [&path]);
        let said = complaints(&path);
        assert!(said.contains("ntfsinfo: Volume is scheduled for check."), "{said}");
    }
}
