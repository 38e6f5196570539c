//! NTFS volumes judged by a checker of our own that shares nothing with our reader and writer, and by
//! the programs of ntfs-3g.
//!
//! ```text
//!   volume ── check_ntfs.py, ntfsfix -n, ntfsinfo -m, ntfsresize -i, fsstat ──► what they complain of
//!      └─► copy, filled and emptied by ntfs-3g ── check_ntfs.py --lenient ──►
//! ```
//!
//! [`judge`] asks all of them, [`check`] the checker alone, [`complaints`] the programs: each line that they print
//! and that is not known to be harmless is a fault.
//!
//! What is on a volume is said by programs that have nothing to do with each other, and [`differences`] holds that
//! against what we read: [`Listing`].

mod bytes;
mod known;
mod listing;
mod makers;
mod programs;

use std::io;
use std::path::Path;
use std::process::Command;

use crate::Mount;
use crate::tools::{self, Shown, require};

pub use bytes::Bytes;
pub use listing::{Allowed, Listing, Program, Row, differences};
pub use makers::{Filling, make};
pub use programs::complaints;

/// Files that are made on a copy of the volume, and removed again: enough that the root directory
/// and the MFT grow by several blocks.
const FILES: u32 = 1000;

/// How strictly a volume is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Every rule.
    Strict,
    /// All but the rules that ntfs-3g breaks when it writes; the script lists them.
    Lenient,
}

/// Runs the checker over the volume that begins at byte `offset` of a file and returns its findings,
/// one in a line (`rule: where: what`): nothing for a volume without faults.
///
/// # Panics
/// If the checker itself fails.
#[must_use]
#[track_caller]
pub fn check(path: &Path, offset: u64, strictness: Strictness) -> String {
    let mut command = Command::new(require("python3"));
    command.args(["-c", include_str!("check_ntfs.py")]).arg(path);
    command.arg("--offset").arg(offset.to_string());
    if strictness == Strictness::Lenient {
        command.arg("--lenient");
    }
    let output = tools::output(&mut command);
    let findings = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = !output.stderr.is_empty() || output.status.success() != findings.is_empty();
    assert!(!failed, "the checker failed: {}\n{findings}{}", output.status, Shown(&output.stderr));
    findings
}

/// Lets everybody judge the NTFS volume a file holds from its first byte on. The file is left as it is.
/// Mounting needs root and a FUSE device.
///
/// # Panics
/// If the checker or a program of ntfs-3g finds fault, with all they found, or ntfs-3g leaves a copy
/// of it in disorder after it made and removed files there.
#[track_caller]
pub fn judge(path: &Path) {
    let mut findings = check(path, 0, Strictness::Strict);
    findings += &complaints(path);
    assert!(findings.is_empty(), "{} is no sound NTFS volume:\n{findings}", path.display());
    let scratch = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let copy = scratch.path().join("copy");
    tools::run(&require("cp"), ["--sparse=always".as_ref(), path.as_os_str(), copy.as_os_str()]);
    {
        let mount = Mount::ntfs(&copy, &scratch.path().join("mount"), "rw");
        let filled = fill_and_empty(mount.path());
        filled.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let findings = check(&copy, 0, Strictness::Lenient);
    assert!(findings.is_empty(), "{} written to by ntfs-3g:\n{findings}", path.display());
}

/// Makes [`FILES`] files in a directory, or as many as there is room for, and removes them.
fn fill_and_empty(directory: &Path) -> io::Result<()> {
    let mut made = Vec::new();
    for number in 0..FILES {
        let file = directory.join(format!("made to see whether there is order {number}"));
        match fs_err::write(&file, number.to_string()) {
            Ok(()) => made.push(file),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                if file.exists() {
                    made.push(file);
                }
                break;
            }
            Err(error) => return Err(error),
        }
    }
    made.iter().try_for_each(fs_err::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntfs_volume;

    const RECORD: usize = Bytes::RECORD;
    const CLUSTER: usize = Bytes::CLUSTER;

    struct Volume {
        directory: tempfile::TempDir,
        bytes: Vec<u8>,
    }

    impl Volume {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            ntfs_volume(&directory.path().join("volume"), 16);
            let bytes = fs_err::read(directory.path().join("volume")).unwrap();
            Self { directory, bytes }
        }

        /// Lets ntfs-3g add what a fresh volume lacks: many names, a DOS name, a reparse point, an
        /// object id.
        fn filled() -> Self {
            let mut volume = Self::new();
            let path = volume.directory.path().join("volume");
            {
                let mount = Mount::ntfs(&path, &volume.directory.path().join("mount"), "rw");
                let file = |name: &str| mount.path().join(name);
                fs_err::write(file("linked"), "data").unwrap();
                for number in 0..40 {
                    fs_err::hard_link(file("linked"), file(&format!("other name {number}")))
                        .unwrap();
                }
                let tag = "0x130000800800000001020304050607ff";
                let id = "0x000102030405060708090a0b0c0d0e0f";
                let attributes = [
                    ("pointing", "system.ntfs_reparse_data", tag),
                    ("identified", "system.ntfs_object_id", id),
                    ("a long name", "system.ntfs_dos_name", "SHORT~1"),
                ];
                for (name, attribute, value) in attributes {
                    fs_err::write(file(name), "data").unwrap();
                    let path = file(name);
                    let words = ["-n", attribute, "-v", value].map(AsRef::as_ref);
                    let words = words.into_iter().chain([path.as_os_str()]);
                    tools::run(&require("setfattr"), words);
                }
            }
            volume.bytes = fs_err::read(&path).unwrap();
            volume
        }

        /// Damages a copy and demands a finding by that rule.
        #[track_caller]
        fn check(&self, rule: &str, damage: impl FnOnce(&mut Bytes)) {
            let mut bytes = Bytes(self.bytes.clone());
            damage(&mut bytes);
            assert!(bytes.0 != self.bytes, "nothing was damaged");
            let path = self.directory.path().join("damaged");
            fs_err::write(&path, &bytes.0).unwrap();
            let findings = check(&path, 0, Strictness::Lenient);
            let found = findings.lines().any(|line| line.split(':').next() == Some(rule));
            assert!(found, "no finding is of {rule}:\n{findings}");
        }
    }

    #[test]
    fn a_fresh_volume_is_sound_wherever_it_begins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("volume");
        ntfs_volume(&path, 16);
        judge(&path);
        let mut disk = vec![0; 5 * 512];
        disk.extend(fs_err::read(&path).unwrap());
        fs_err::write(&path, disk).unwrap();
        assert_eq!(check(&path, 5 * 512, Strictness::Strict), "");
        assert!(check(&path, 0, Strictness::Strict).starts_with("boot: "));
    }

    #[test]
    fn a_filled_volume_is_sound() {
        let volume = Volume::filled();
        let path = volume.directory.path().join("volume");
        assert_eq!(check(&path, 0, Strictness::Lenient), "");
    }

    #[test]
    #[should_panic(expected = "bitmap: clusters")]
    fn judging_a_damaged_volume_fails() {
        let volume = Volume::new();
        let mut bytes = Bytes(volume.bytes.clone());
        let bitmap = bytes.run(6, 0x80, "");
        bytes.0[bitmap + 100] ^= 1;
        let path = volume.directory.path().join("volume");
        fs_err::write(&path, &bytes.0).unwrap();
        judge(&path);
    }

    #[test]
    fn damage_to_records_is_found() {
        let volume = Volume::new();
        volume.check("boot", |v| v.0[0x15] = 0);
        volume.check("backup", |v| *v.0.last_mut().unwrap() ^= 1);
        volume.check("signature", |v| v.0[4 * CLUSTER + 24 * RECORD] = b'X');
        volume.check("fixup", |v| v.0[4 * CLUSTER + 4 * RECORD + 510] ^= 1);
        volume.check("links", |v| v.0[4 * CLUSTER + 4 * RECORD + 0x12] += 1);
        volume.check("directory", |v| v.0[4 * CLUSTER + 11 * RECORD + 0x16] ^= 2);
        volume.check("instance", |v| v.0[4 * CLUSTER + 4 * RECORD + 0x28] = 1);
        volume.check("attribute-order", |v| {
            let at = v.attribute(4, 0x50, "");
            v.0[at] = 0x90;
        });
        volume.check("size", |v| {
            let at = v.attribute(2, 0x80, "");
            v.0[at + 0x3A] += 1;
        });
        volume.check("runs", |v| {
            let at = v.attribute(2, 0x80, "");
            v.0[at + 0x18] ^= 1;
        });
        volume.check("mirror", |v| {
            let at = v.run(1, 0x80, "");
            v.0[at + 0x60] ^= 1;
        });
    }

    #[test]
    fn damage_to_bitmaps_and_tables_is_found() {
        let volume = Volume::new();
        volume.check("mft-bitmap", |v| {
            let at = v.run(0, 0xB0, "");
            v.0[at + 3] ^= 8;
        });
        // Clusters in use, free ones, and the bit behind the last one.
        for byte in [0, 100, 511] {
            volume.check("bitmap", |v| {
                let at = v.run(6, 0x80, "");
                v.0[at + byte] ^= 0x80;
            });
        }
        volume.check("overlap", |v| {
            let at = v.attribute(4, 0x80, "");
            let pairs = at + v.number(at + 32, 2);
            v.0[pairs + 2] = 4;
        });
        volume.check("upcase", |v| {
            let at = v.run(10, 0x80, "");
            v.0[at + 2 * 0xE9] ^= 1;
        });
        volume.check("badclus", |v| {
            let at = v.attribute(8, 0x80, "$Bad");
            v.0[at + 0x31] ^= 0x10;
        });
        volume.check("security-hash", |v| {
            let at = v.run(9, 0x80, "$SDS");
            v.0[at + 30] ^= 1;
        });
        volume.check("security-mirror", |v| {
            let at = v.run(9, 0x80, "$SDS");
            v.0[at + 0x4_0000 + 30] ^= 1;
        });
        volume.check("security-id", |v| {
            let at = v.value(10, 0x10, "");
            v.0[at + 0x34] = 0x55;
        });
    }

    #[test]
    fn damage_to_indexes_is_found() {
        let volume = Volume::new();
        let block = |v: &Bytes| v.run(5, 0xA0, "$I30");
        volume.check("entry-reference", |v| {
            let at = block(v);
            v.0[at + 0x46] ^= 1;
        });
        for rule in ["entry-missing", "entry-stray", "index-order"] {
            volume.check(rule, |v| {
                let at = block(v);
                v.0[at + 0x40 + 16 + 66] = b'z';
            });
        }
        volume.check("parent", |v| {
            let at = v.value(4, 0x30, "");
            v.0[at + 6] ^= 1;
        });
        volume.check("index-bitmap", |v| {
            let at = v.value(5, 0xB0, "$I30");
            v.0[at] ^= 2;
        });
        volume.check("index-child", |v| {
            let at = v.value(5, 0x90, "$I30");
            let length = v.number(at + 32 + 8, 2);
            v.0[at + 32 + length - 8] = 7;
        });
    }

    #[test]
    fn damage_to_what_files_have_is_found() {
        let volume = Volume::filled();
        volume.check("reparse", |v| {
            // mkntfs makes $Extend\$Reparse the file of record 26.
            let at = v.value(26, 0x90, "$R");
            v.0[at + 32 + 16] ^= 1;
        });
        volume.check("object-id", |v| {
            let record = v.named("identified");
            let at = v.value(record, 0x40, "");
            v.0[at] ^= 1;
        });
        volume.check("dos-name", |v| {
            let record = v.named("SHORT~1");
            let at = v.attribute(record, 0x30, "");
            let mut names = [at, at + v.number(at + 4, 4)].map(|at| at + v.number(at + 20, 2));
            names.sort_by_key(|name| v.0[name + 65]);
            v.0[names[0] + 65] = 0;
        });
        volume.check("entry-times", |v| {
            let record = v.named("identified");
            let at = v.value(record, 0x10, "");
            v.0[at] ^= 1;
        });
        volume.check("entry-sizes", |v| {
            let record = v.named("identified");
            let at = v.attribute(record, 0x80, "");
            v.0[at + 16] -= 1;
        });
        volume.check("list", |v| {
            let record = v.holder("other name 39");
            let at = v.record(record);
            assert_ne!(v.number(at + 0x20, 6), 0, "is no extension record");
            v.0[at + 0x10] ^= 2;
        });
        volume.check("extension", |v| {
            let record = v.holder("other name 39");
            let at = v.record(record);
            v.0[at + 0x26] ^= 2;
        });
    }
}
