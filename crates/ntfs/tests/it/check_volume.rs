//! A volume of everything that a check looks at, and its bytes, to be damaged in one place.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use imprint_testkit::Mount;
use imprint_testkit::volumes::{self, Strictness};

use crate::check::{make, report, set, text, wait};

/// mkntfs puts `$MFT` there.
const MFT: usize = 4 * CLUSTER;
pub(crate) const RECORD: usize = 1024;
pub(crate) const CLUSTER: usize = 4096;
pub(crate) const STANDARD_INFORMATION: usize = 0x10;
pub(crate) const ATTRIBUTE_LIST: usize = 0x20;
pub(crate) const FILE_NAME: usize = 0x30;
pub(crate) const OBJECT_ID: usize = 0x40;
pub(crate) const DATA: usize = 0x80;
pub(crate) const INDEX_ROOT: usize = 0x90;
pub(crate) const INDEX_ALLOCATION: usize = 0xa0;
pub(crate) const BITMAP: usize = 0xb0;
pub(crate) const REPARSE_POINT: usize = 0xc0;

/// A record or an index block, its sectors joined.
pub(crate) struct Joined<'a>(pub(crate) &'a mut [u8]);

impl Joined<'_> {
    pub(crate) fn number(&self, at: usize, length: usize) -> usize {
        self.0[at..at + length].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }

    pub(crate) fn put(&mut self, at: usize, value: usize, length: usize) {
        self.0[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    }

    pub(crate) fn add(&mut self, at: usize, value: usize, length: usize) {
        self.put(at, self.number(at, length) + value, length);
    }

    /// Where an attribute is, the first of a type with a name.
    pub(crate) fn attribute(&self, kind: usize, name: &str) -> usize {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut at = self.number(0x14, 2);
        loop {
            let found = self.number(at, 4);
            assert_ne!(found, 0xffff_ffff, "there is no {kind:#x}");
            let (start, length) = (at + self.number(at + 10, 2), 2 * self.number(at + 9, 1));
            if found == kind && self.0[start..start + length] == name {
                return at;
            }
            at += self.number(at + 4, 4);
        }
    }

    /// Where a value in the record is.
    pub(crate) fn value(&self, kind: usize, name: &str) -> usize {
        let at = self.attribute(kind, name);
        at + self.number(at + 20, 2)
    }

    /// Where the mapping pairs of an attribute are.
    pub(crate) fn pairs(&self, kind: usize, name: &str) -> usize {
        let at = self.attribute(kind, name);
        at + self.number(at + 32, 2)
    }

    /// Of an index block: where its entry of this number is.
    pub(crate) fn entry(&self, number: usize) -> usize {
        (0..number).fold(0x18 + self.number(0x18, 4), |at, _| at + self.number(at + 8, 2))
    }

    /// Of an index block: where the entry of this name is.
    pub(crate) fn named(&self, name: &str) -> usize {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let all = (0..).map(|number| self.entry(number));
        let here = |at: &usize| self.0[at + 16 + 66..].starts_with(&name);
        all.take_while(|at| self.number(at + 12, 2) & 2 == 0).find(here).unwrap()
    }
}

/// The bytes of a volume.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    fn look(&self, number: usize) -> Vec<u8> {
        let mut bytes = self.0[MFT + number * RECORD..][..RECORD].to_vec();
        join(&mut bytes);
        bytes
    }

    /// Changes a record.
    pub(crate) fn record(&mut self, number: usize, change: impl FnOnce(&mut Joined<'_>)) {
        change_protected(&mut self.0[MFT + number * RECORD..][..RECORD], change);
    }

    /// Changes an index block of a directory.
    pub(crate) fn block(
        &mut self,
        record: usize,
        block: usize,
        change: impl FnOnce(&mut Joined<'_>),
    ) {
        let at = self.run(record, INDEX_ALLOCATION, "$I30") + block * CLUSTER;
        change_protected(&mut self.0[at..][..CLUSTER], change);
    }

    /// Where a record begins.
    pub(crate) fn place(number: usize) -> usize {
        MFT + number * RECORD
    }

    /// Where the first run of an attribute is.
    pub(crate) fn run(&self, record: usize, kind: usize, name: &str) -> usize {
        let mut bytes = self.look(record);
        let record = Joined(&mut bytes);
        let pairs = record.pairs(kind, name);
        let (lengths, places) = (record.0[pairs] & 15, record.0[pairs] >> 4);
        CLUSTER * record.number(pairs + 1 + usize::from(lengths), usize::from(places))
    }

    /// The record that holds a name of a file or directory.
    pub(crate) fn named(&self, name: &str) -> usize {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let wanted = |number: &usize| {
            let mut bytes = self.0[MFT + number * RECORD..][..RECORD].to_vec();
            if !bytes.starts_with(b"FILE") || bytes[0x16] & 1 == 0 {
                return false;
            }
            join(&mut bytes);
            let record = Joined(&mut bytes);
            let mut at = record.number(0x14, 2);
            while record.number(at, 4) != 0xffff_ffff {
                let value = at + record.number(at + 20, 2);
                if record.number(at, 4) == FILE_NAME && record.0[value + 66..].starts_with(&name) {
                    return true;
                }
                at += record.number(at + 4, 4);
            }
            false
        };
        (0..400).find(wanted).unwrap_or_else(|| panic!("no record has such a name"))
    }
}

fn join(bytes: &mut [u8]) {
    let at = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    for sector in 0..bytes.len() / 512 {
        let kept = [bytes[at + 2 + sector * 2], bytes[at + 3 + sector * 2]];
        bytes[sector * 512 + 510..][..2].copy_from_slice(&kept);
    }
}

fn change_protected(bytes: &mut [u8], change: impl FnOnce(&mut Joined<'_>)) {
    join(bytes);
    change(&mut Joined(bytes));
    let at = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    let number = [bytes[at], bytes[at + 1]];
    for sector in 0..bytes.len() / 512 {
        let end = sector * 512 + 510;
        let last = [bytes[end], bytes[end + 1]];
        bytes[at + 2 + sector * 2..][..2].copy_from_slice(&last);
        bytes[end..][..2].copy_from_slice(&number);
    }
}

/// A sound volume.
pub(crate) struct Sample {
    folder: tempfile::TempDir,
    pub(crate) bytes: Vec<u8>,
    /// What damage did, as text.
    told: String,
    /// Damage that was not told as it should be.
    failures: String,
}

/// Findings of one damage that are kept word for word.
const SHOWN: usize = 10;

/// Rules that are about two places, of which the one that is told is not always the one that was damaged.
const ELSEWHERE: [&str; 13] = [
    "list-order",
    "object-id",
    "reparse",
    "security-mirror",
    "attribute-list",
    "extension",
    "stray-entry",
    "missing-entry",
    "unreachable",
    "upcase",
    "upcase-info",
    "mirror",
    "length",
];

impl Sample {
    /// Lets ntfs-3g make one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("volume");
        make(&path, 16, 512, 4096);
        {
            let mount = Mount::ntfs(&path, &folder.path().join("mount"), "rw");
            let file = |name: &str| mount.path().join(name);
            fs_err::create_dir_all(file("folder/inner/deep")).unwrap();
            fs_err::create_dir(file("points")).unwrap();
            for number in 0..100 {
                fs_err::write(file(&format!("folder/file {number:03}")), "data").unwrap();
            }
            fs_err::write(file("gone"), "data").unwrap();
            fs_err::write(file("large"), vec![5; 100_000]).unwrap();
            fs_err::write(file("second"), vec![6; 50_000]).unwrap();
            fs_err::write(file("linked"), "data").unwrap();
            for number in 0..40 {
                fs_err::hard_link(file("linked"), file(&format!("other name {number:02}")))
                    .unwrap();
            }
            let sparse = fs_err::File::create(file("sparse")).unwrap();
            sparse.set_len(1_000_000).unwrap();
            sparse.file().write_all_at(b"x", 500_000).unwrap();
            for (name, attribute, value) in [
                (
                    "points/pointing",
                    "system.ntfs_reparse_data",
                    "0x130000800800000001020304050607ff",
                ),
                ("identified", "system.ntfs_object_id", "0x000102030405060708090a0b0c0d0e0f"),
                ("a long name", "system.ntfs_dos_name", "SHORT~1"),
                ("extended", "system.ntfs_ea", "0x0c0000000001010041005f00"),
            ] {
                fs_err::write(file(name), "data").unwrap();
                set(&file(name), attribute, value);
            }
            fs_err::remove_file(file("gone")).unwrap();
        }
        wait(&path);
        // Only `$STANDARD_INFORMATION` of `$MFT` is not as it should be; with the security id of its neighbour it is.
        let mut bytes = Bytes(fs_err::read(&path).unwrap());
        bytes.record(0, |record| {
            let at = record.value(STANDARD_INFORMATION, "");
            record.put(at + 0x34, 0x100, 4);
        });
        let mirror = bytes.run(1, DATA, "");
        bytes.0.copy_within(MFT..MFT + RECORD, mirror);
        let sample = Self { folder, bytes: bytes.0, told: String::new(), failures: String::new() };
        assert_eq!(sample.findings(&sample.bytes), "");
        sample
    }

    /// What a check finds in these bytes.
    pub(crate) fn findings(&self, bytes: &[u8]) -> String {
        let path = self.path();
        fs_err::write(&path, bytes).unwrap();
        text(&report(&path))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("damaged")
    }

    /// Damages a copy: the finding is there, at a byte near the damage, and the strict checker objects by a rule of
    /// its own, where it has one.
    #[track_caller]
    pub(crate) fn check(&mut self, rule: &str, theirs: &str, damage: impl FnOnce(&mut Bytes)) {
        let mut bytes = Bytes(self.bytes.clone());
        damage(&mut bytes);
        assert!(bytes.0 != self.bytes, "{rule}: nothing was damaged");
        let findings = self.findings(&bytes.0);
        let word = format!(" [{rule}] ");
        let own: Vec<&str> = findings.lines().filter(|line| line.contains(&word)).collect();
        let changed = |at: usize| {
            let range = at.saturating_sub(RECORD)..(at + RECORD).min(bytes.0.len());
            bytes.0.get(range.clone()) != self.bytes.get(range)
        };
        let places: Vec<usize> = own.iter().filter_map(|line| place(line)).collect();
        let near = places.is_empty() || places.iter().any(|&at| changed(at));
        if own.is_empty() || !near && !ELSEWHERE.contains(&rule) {
            self.failures += &format!("{rule} is not told, or of another place:\n{findings}\n");
        }
        if !theirs.is_empty() {
            let found = volumes::check(&self.path(), 0, Strictness::Lenient);
            if !found.lines().any(|line| line.split(':').next() == Some(theirs)) {
                self.failures += &format!("{rule}: no {theirs} by the strict checker:\n{found}\n");
            }
        }
        self.told += &format!("{rule}\n");
        let number = findings.lines().count();
        for line in findings.lines().take(SHOWN) {
            // Where things are depends on the version of mkntfs, and times on the day.
            let shown = line.split(" (at offset ").next().unwrap();
            // So does the order of the names of a file, which ntfs-3g sorts by all that stands there.
            let varies =
                [": time of ", ": instance ", "\"other name "].iter().any(|v| line.contains(v));
            let shown = if varies { shown.split([':', '"']).next().unwrap() } else { shown };
            self.told += &format!("  {}\n", steady(shown));
        }
        if number > SHOWN {
            self.told += &format!("  and {} more\n", number - SHOWN);
        }
    }

    /// What all the damage did.
    #[track_caller]
    pub(crate) fn told(&self) -> &str {
        assert!(self.failures.is_empty(), "{}", self.failures);
        &self.told
    }
}

/// A finding without the numbers that differ from run to run, as ntfs-3g puts things where it likes: all of two digits
/// and more.
fn steady(line: &str) -> String {
    let mut steady = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let hex = number.starts_with("0x");
        let digit =
            |c: char| if hex { c.is_ascii_hexdigit() || c == 'x' } else { c.is_ascii_digit() };
        let end = number.find(|c| !digit(c)).unwrap_or(number.len());
        let (number, tail) = number.split_at(end);
        let long = number.len() > if hex { 3 } else { 1 };
        steady += before;
        steady += if long { "N" } else { number };
        rest = tail;
    }
    steady + rest
}

/// The byte that a line of findings names.
fn place(line: &str) -> Option<usize> {
    let (_, at) = line.rsplit_once(" (at offset 0x")?;
    usize::from_str_radix(at.strip_suffix(')')?, 16).ok()
}
