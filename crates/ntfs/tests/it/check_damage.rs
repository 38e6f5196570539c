//! Volumes damaged in one place each: the check tells it, and the strict checker of the tests objects as well.

use std::io;
use std::ops::Range;

use imprint_blockio::ReadAt;
use imprint_progress::Progress;

use crate::check::text;
use crate::check_volume::*;

/// The record of `$Extend\$Reparse`, where mkntfs puts it, and that of `$ObjId` and `$Quota`.
const REPARSE: usize = 26;
const OBJECT_IDS: usize = 25;
const QUOTA: usize = 24;

#[test]
fn damage_to_boot_sectors_and_copies_is_told() {
    let mut sample = Sample::new();
    let last = sample.bytes.len() - 512;
    sample.check("boot-sector", "boot", |v| v.0[3] = b'X');
    sample.check("boot-sector", "", |v| v.0[0x0d] = 3);
    sample.check("boot-fields", "boot", |v| v.0[0x10] = 1);
    sample.check("boot-fields", "boot", |v| {
        v.0[0x15] = 0;
        v.0[last + 0x15] = 0;
    });
    sample.check("backup-boot-sector", "backup", |v| v.0[last + 100] ^= 1);
    sample.check("mirror", "mirror", |v| {
        let at = v.run(1, DATA, "");
        v.0[at + RECORD + 0x60] ^= 1;
    });
    sample.check("signature", "", |v| v.0[Bytes::place(0)] = b'X');
    sample.check("update-sequence", "", |v| v.0[Bytes::place(0) + 510] ^= 1);
    sample.check("mft", "", |v| v.record(0, |r| r.put(r.pairs(DATA, ""), 0x99, 1)));
    sample.check("mft", "", |v| v.record(0, |r| r.add(r.attribute(DATA, "") + 0x30, 8, 8)));
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_records_is_told() {
    let mut sample = Sample::new();
    let large = Bytes(sample.bytes.clone()).named("large");
    let free = large - 1;
    sample.check("signature", "signature", |v| v.0[Bytes::place(large)] = b'X');
    sample.check("update-sequence", "fixup", |v| v.0[Bytes::place(large) + 1022] ^= 1);
    sample.check("update-sequence", "fixup", |v| v.0[Bytes::place(large) + 6] = 9);
    sample.check("free-record", "fixup", |v| v.0[Bytes::place(free) + 510] ^= 1);
    sample.check("record-header", "record", |v| v.record(large, |r| r.put(0x1c, 512, 4)));
    sample.check("record-header", "record", |v| v.record(large, |r| r.add(0x2c, 1, 4)));
    sample.check("record-header", "record", |v| v.record(large, |r| r.put(0x18, 2000, 4)));
    sample.check("record-header", "record", |v| v.record(large, |r| r.add(0x18, 8, 4)));
    sample.check("record-header", "record", |v| v.record(large, |r| r.put(0x14, 0x31, 2)));
    sample.check("record-header", "record", |v| v.record(large, |r| r.put(0x10, 0, 2)));
    sample.check("record-header", "record", |v| {
        v.record(large, |r| {
            let at = r.attribute(DATA, "");
            r.put(0x18, at, 4);
        });
    });
    sample.check("links", "links", |v| v.record(large, |r| r.add(0x12, 1, 2)));
    sample.check("directory", "directory", |v| v.record(large, |r| r.put(0x16, 3, 2)));
    sample.check("unmarked-record", "mft-bitmap", |v| {
        let at = v.run(0, BITMAP, "");
        v.0[at + large / 8] &= !(1 << (large % 8));
    });
    sample.check("lost-record", "mft-bitmap", |v| {
        let at = v.run(0, BITMAP, "");
        v.0[at + free / 8] |= 1 << (free % 8);
    });
    sample.check("lost-record", "mft-bitmap", |v| v.record(large, |r| r.put(0x16, 0, 2)));
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_attributes_is_told() {
    let mut sample = Sample::new();
    let large = Bytes(sample.bytes.clone()).named("large");
    let small = Bytes(sample.bytes.clone()).named("identified");
    let sparse = Bytes(sample.bytes.clone()).named("sparse");
    let data = |r: &Joined<'_>| r.attribute(DATA, "");
    sample.check("attribute", "attribute", |v| v.record(small, |r| r.put(data(r), 0x88, 4)));
    sample.check("attribute", "record", |v| v.record(small, |r| r.put(data(r) + 4, 0, 4)));
    sample.check("attribute", "record", |v| v.record(small, |r| r.put(data(r) + 4, 0x800, 4)));
    sample.check("attribute", "attribute", |v| v.record(small, |r| r.put(data(r) + 8, 2, 1)));
    sample.check("attribute", "attribute", |v| v.record(small, |r| r.put(data(r) + 9, 200, 1)));
    sample.check("attribute", "attribute", |v| v.record(small, |r| r.put(data(r) + 0x10, 99, 4)));
    sample.check("attribute", "attribute", |v| v.record(small, |r| r.put(data(r) + 0x14, 4, 2)));
    sample.check("attribute", "attribute", |v| v.record(small, |r| r.put(data(r) + 0x16, 1, 1)));
    sample.check("attribute", "attribute", |v| v.record(large, |r| r.put(data(r) + 0x22, 4, 1)));
    sample.check("attribute", "attribute", |v| v.record(sparse, |r| r.put(data(r) + 0x22, 3, 1)));
    sample.check("attribute-order", "attribute-order", |v| {
        v.record(small, |r| r.put(r.attribute(OBJECT_ID, ""), 0x100, 4));
    });
    sample.check("instance", "instance", |v| {
        v.record(small, |r| {
            let other = r.number(r.attribute(STANDARD_INFORMATION, "") + 0xe, 2);
            r.put(data(r) + 0xe, other, 2);
        });
    });
    sample.check("instance", "instance", |v| v.record(small, |r| r.put(0x28, 1, 2)));
    sample.check("residence", "resident", |v| {
        v.record(large, |r| {
            let at = data(r);
            // Nothing follows it: the order stays.
            r.put(at, 0xd0, 4);
        });
    });
    sample.check("length", "", |v| {
        v.record(small, |r| {
            let at = r.attribute(STANDARD_INFORMATION, "");
            r.put(at + 0x10, 40, 4);
        });
    });
    sample.check("runs", "runs", |v| v.record(large, |r| r.put(r.pairs(DATA, ""), 0x99, 1)));
    sample.check("runs", "runs", |v| v.record(large, |r| r.put(r.pairs(DATA, "") + 1, 0, 1)));
    sample.check("runs", "runs", |v| v.record(large, |r| r.put(r.pairs(DATA, "") + 3, 0x70, 1)));
    sample.check("runs", "runs", |v| v.record(large, |r| r.add(data(r) + 0x18, 1, 8)));
    sample.check("runs", "runs", |v| v.record(large, |r| r.put(data(r) + 0x10, 3, 8)));
    sample.check("size", "size", |v| v.record(large, |r| r.add(data(r) + 0x28, 4096, 8)));
    sample.check("size", "size", |v| v.record(large, |r| r.add(data(r) + 0x38, 1, 8)));
    sample.check("size", "size", |v| v.record(large, |r| r.add(data(r) + 0x30, 1 << 20, 8)));
    sample.check("size", "size", |v| v.record(sparse, |r| r.add(data(r) + 0x40, 4096, 8)));
    sample.check("size", "size", |v| v.record(sparse, |r| r.put(data(r) + 0xc, 0, 2)));
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_files_of_many_records_is_told() {
    let mut sample = Sample::new();
    let first = Bytes(sample.bytes.clone()).named("linked");
    let further = Bytes(sample.bytes.clone()).named("other name 39");
    assert_ne!(first, further);
    sample.check("attribute-list", "list", |v| {
        v.record(further, |r| r.add(r.attribute(FILE_NAME, "") + 0xe, 0x40, 2));
    });
    sample.check("attribute-list", "list", |v| v.record(further, |r| r.add(0x10, 1, 2)));
    // The entries of the list, in clusters or in the record.
    let list = |v: &mut Bytes, entry: usize, change: &dyn Fn(&mut [u8])| {
        let mut place = None;
        v.record(first, |r| {
            let at = r.attribute(ATTRIBUTE_LIST, "");
            if r.number(at + 8, 1) == 0 {
                let value = r.value(ATTRIBUTE_LIST, "");
                change(&mut r.0[value + entry * 32..]);
            } else {
                place = Some(());
            }
        });
        if place.is_some() {
            let at = v.run(first, ATTRIBUTE_LIST, "");
            change(&mut v.0[at + entry * 32..]);
        }
    };
    sample.check("attribute-list", "list", |v| list(v, 2, &|bytes| bytes[4] = 0));
    sample.check("attribute-list", "list", |v| list(v, 2, &|bytes| bytes[0x18] ^= 0x40));
    sample.check("list-order", "list-order", |v| list(v, 0, &|bytes| bytes[0] = 0xe0));
    sample.check("extension", "extension", |v| v.record(further, |r| r.add(0x20, 1, 6)));
    sample.check("extension", "extension", |v| v.record(further, |r| r.add(0x26, 1, 2)));
    sample.check("extension", "extension", |v| {
        v.record(further, |r| r.put(r.attribute(FILE_NAME, ""), STANDARD_INFORMATION, 4));
    });
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_what_files_have_is_told() {
    let mut sample = Sample::new();
    let small = Bytes(sample.bytes.clone()).named("identified");
    let extended = Bytes(sample.bytes.clone()).named("extended");
    let pointing = Bytes(sample.bytes.clone()).named("pointing");
    let short = Bytes(sample.bytes.clone()).named("SHORT~1");
    let folder = Bytes(sample.bytes.clone()).named("folder");
    sample.check("file-attributes", "attribute", |v| {
        v.record(small, |r| {
            let at = r.attribute(STANDARD_INFORMATION, "");
            r.put(at, 0x18, 4);
        });
    });
    sample.check("file-attributes", "attribute", |v| {
        v.record(small, |r| r.put(r.attribute(DATA, ""), 0xd0, 4));
    });
    sample.check("extended-attributes", "ea", |v| {
        v.record(extended, |r| r.put(r.attribute(0xe0, ""), 0x100, 4));
    });
    sample.check("extended-attributes", "", |v| {
        v.record(extended, |r| r.add(r.value(0xd0, "") + 4, 1, 4));
    });
    sample.check("reparse", "reparse", |v| {
        v.record(pointing, |r| r.add(r.value(REPARSE_POINT, "") + 4, 1, 2));
    });
    sample.check("reparse", "reparse", |v| {
        v.record(pointing, |r| {
            let at = r.value(STANDARD_INFORMATION, "");
            r.0[at + 0x21] ^= 4;
        });
    });
    sample.check("reparse", "reparse", |v| {
        v.record(REPARSE, |r| r.add(r.value(INDEX_ROOT, "$R") + 32 + 16, 1, 1));
    });
    sample.check("object-id", "object-id", |v| {
        v.record(small, |r| r.add(r.value(OBJECT_ID, ""), 1, 1));
    });
    sample.check("object-id", "object-id", |v| {
        v.record(OBJECT_IDS, |r| r.add(r.value(INDEX_ROOT, "$O") + 32 + 32, 1, 1));
    });
    sample.check("object-id", "object-id", |v| {
        v.record(small, |r| r.put(r.attribute(OBJECT_ID, "") + 0x10, 15, 4));
    });
    sample.check("quota", "", |v| {
        v.record(QUOTA, |r| {
            let at = r.value(INDEX_ROOT, "$O") + 32;
            let data = at + r.number(at, 2);
            r.add(data, 7, 4);
        });
    });
    sample.check("dos-name", "dos-name", |v| {
        v.record(short, |r| {
            let first = r.attribute(FILE_NAME, "");
            let second = first + r.number(first + 4, 4);
            for at in [first, second] {
                let name = at + r.number(at + 20, 2);
                if r.0[name + 65] == 1 {
                    r.0[name + 65] = 0;
                }
            }
        });
    });
    sample.check("dos-name", "dos-name", |v| {
        v.record(folder, |r| {
            let name = r.value(FILE_NAME, "");
            r.0[name + 65] = 2;
        });
    });
    sample.check("name", "name", |v| {
        v.record(small, |r| {
            let name = r.value(FILE_NAME, "");
            r.0[name + 64] += 1;
        });
    });
    sample.check("entry-kind", "directory", |v| {
        v.record(small, |r| {
            let name = r.value(FILE_NAME, "");
            r.0[name + 0x3b] ^= 0x10;
        });
    });
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_clusters_is_told() {
    let mut sample = Sample::new();
    let large = Bytes(sample.bytes.clone()).named("large");
    let second = Bytes(sample.bytes.clone()).named("second");
    let place = |v: &Bytes| v.run(large, DATA, "") / CLUSTER;
    sample.check("unmarked-cluster", "bitmap", |v| {
        let (at, lcn) = (v.run(6, DATA, ""), place(v) + 3);
        v.0[at + lcn / 8] &= !(1 << (lcn % 8));
    });
    sample.check("lost-cluster", "bitmap", |v| {
        let at = v.run(6, DATA, "");
        v.0[at + 400] |= 0x18;
    });
    sample.check("bitmap-end", "bitmap", |v| {
        let at = v.run(6, DATA, "");
        v.0[at + 511] &= 0x7f;
    });
    sample.check("shared-cluster", "overlap", |v| {
        let pairs = v.run(second, DATA, "") / CLUSTER;
        v.record(large, |r| {
            let at = r.pairs(DATA, "");
            assert_eq!(r.0[at], 0x21);
            r.put(at + 2, pairs - 2, 2);
        });
    });
    sample.check("bad-clusters", "badclus", |v| {
        v.record(8, |r| r.put(r.attribute(DATA, "$Bad") + 0x31, 0, 1));
    });
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_system_files_is_told() {
    let mut sample = Sample::new();
    sample.check("system-file", "", |v| v.record(12, |r| r.put(0x16, 0, 2)));
    sample.check("system-file", "system", |v| {
        v.record(7, |r| r.put(r.attribute(DATA, "") + 0x30, 4096, 8));
    });
    sample.check("system-file", "system", |v| {
        v.record(1, |r| r.add(r.pairs(DATA, "") + 2, 1, 1));
    });
    sample.check("system-file", "system", |v| {
        v.record(3, |r| r.put(r.value(0x70, "") + 8, 9, 1));
    });
    sample.check("upcase", "upcase", |v| {
        let at = v.run(10, DATA, "");
        v.0[at + 2 * 0x61] = b'b';
    });
    sample.check("upcase", "", |v| {
        v.record(10, |r| r.put(r.attribute(DATA, "") + 0x30, 1000, 8));
    });
    sample.check("upcase-info", "upcase", |v| {
        let at = v.run(10, DATA, "");
        v.0[at + 2 * 0x1e01] ^= 1;
    });
    sample.check("definitions", "", |v| {
        let at = v.run(4, DATA, "");
        v.0[at + 160 + 0x80] = 5;
    });
    sample.check("security-hash", "security-hash", |v| {
        let at = v.run(9, DATA, "$SDS");
        v.0[at + 30] ^= 1;
    });
    sample.check("security-mirror", "security-mirror", |v| {
        let at = v.run(9, DATA, "$SDS");
        v.0[at + 0x4_0000 + 30] ^= 1;
    });
    sample.check("security", "security", |v| {
        let at = v.run(9, DATA, "$SDS");
        v.0[at + 8] ^= 1;
    });
    sample.check("security", "security", |v| {
        v.record(9, |r| r.add(r.value(INDEX_ROOT, "$SII") + 32 + 16, 7, 4));
    });
    sample.check("security", "security", |v| {
        v.record(9, |r| r.add(r.value(INDEX_ROOT, "$SDH") + 32 + 16, 7, 4));
    });
    sample.check("security-id", "security-id", |v| {
        v.record(10, |r| r.put(r.value(STANDARD_INFORMATION, "") + 0x34, 0x155, 4));
    });
    sample.check("no-security", "", |v| {
        v.record(10, |r| r.put(r.value(STANDARD_INFORMATION, "") + 0x34, 0, 4));
    });
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_indexes_is_told() {
    let mut sample = Sample::new();
    let folder = Bytes(sample.bytes.clone()).named("folder");
    sample.check("index-root", "index", |v| {
        v.record(folder, |r| r.put(r.value(INDEX_ROOT, "$I30") + 8, 2048, 4));
    });
    sample.check("index-root", "index", |v| {
        v.record(folder, |r| r.put(r.value(INDEX_ROOT, "$I30"), 0x80, 4));
    });
    sample.check("index-node", "signature", |v| v.block(folder, 0, |b| b.0[0] = b'X'));
    sample.check("update-sequence", "fixup", |v| {
        let at = v.run(folder, INDEX_ALLOCATION, "$I30");
        v.0[at + 1022] ^= 1;
    });
    sample.check("index-node", "index", |v| v.block(folder, 0, |b| b.add(0x10, 1, 1)));
    sample.check("index-node", "index", |v| v.block(folder, 0, |b| b.put(0x20, 0x1000, 4)));
    sample.check("index-node", "index", |v| v.block(folder, 0, |b| b.put(0x1c, 0x40, 4)));
    sample.check("index-node", "index", |v| v.block(folder, 0, |b| b.put(0x18, 4, 4)));
    sample.check("index-node", "index", |v| v.block(folder, 0, |b| b.put(0x24, 1, 1)));
    sample.check("index-node", "index", |v| v.block(folder, 0, |b| b.put(b.entry(1) + 8, 7, 2)));
    sample.check("index-child", "index-child", |v| {
        v.record(folder, |r| {
            let at = r.value(INDEX_ROOT, "$I30") + 32;
            let length = r.number(at + 8, 2);
            r.put(at + length - 8, 99, 8);
        });
    });
    sample.check("index-child", "index-child", |v| {
        let mut inner = 0;
        v.record(folder, |r| {
            let at = r.value(INDEX_ROOT, "$I30") + 32;
            inner = r.number(at + r.number(at + 8, 2) - 8, 8);
        });
        v.block(folder, inner, |b| {
            let child = |at: usize, b: &Joined<'_>| at + b.number(at + 8, 2) - 8;
            let (first, second) = (child(b.entry(0), b), child(b.entry(1), b));
            b.put(second, b.number(first, 8), 8);
        });
    });
    sample.check("index-depth", "index-depth", |v| {
        let mut inner = 0;
        v.record(folder, |r| {
            let at = r.value(INDEX_ROOT, "$I30") + 32;
            inner = r.number(at + r.number(at + 8, 2) - 8, 8);
        });
        v.block(folder, inner, |b| b.put(b.entry(1) + 12, 0, 2));
    });
    sample.check("index-order", "index-order", |v| {
        v.block(folder, 0, |b| {
            let at = b.named("file 003");
            b.0[at + 16 + 66 + 14] = b'9';
        });
    });
    sample.check("unmarked-block", "index-bitmap", |v| {
        v.record(folder, |r| r.put(r.value(BITMAP, "$I30"), 1, 1));
    });
    sample.check("lost-block", "index-bitmap", |v| {
        v.record(folder, |r| {
            let at = r.value(BITMAP, "$I30");
            r.0[at + 1] = 0x10;
        });
    });
    insta::assert_snapshot!(sample.told());
}

#[test]
fn damage_to_names_is_told() {
    let mut sample = Sample::new();
    let folder = Bytes(sample.bytes.clone()).named("folder");
    let inner = Bytes(sample.bytes.clone()).named("inner");
    let file = Bytes(sample.bytes.clone()).named("file 007");
    sample.check("entry-reference", "entry-reference", |v| {
        v.block(folder, 0, |b| b.add(b.named("file 007") + 6, 1, 2));
    });
    sample.check("entry-reference", "entry-reference", |v| {
        v.block(folder, 0, |b| b.add(b.named("file 007") + 16 + 6, 1, 2));
    });
    sample.check("stray-entry", "entry-stray", |v| v.record(file, |r| r.put(0x16, 0, 2)));
    sample.check("missing-entry", "entry-missing", |v| {
        v.block(folder, 0, |b| {
            let at = b.named("file 007");
            b.0[at + 16 + 66 + 15] = 1;
        });
    });
    sample
        .check("parent", "parent", |v| v.record(file, |r| r.put(r.value(FILE_NAME, ""), file, 6)));
    sample
        .check("parent", "parent", |v| v.record(file, |r| r.add(r.value(FILE_NAME, "") + 6, 1, 2)));
    sample.check("unreachable", "parent", |v| {
        v.record(folder, |r| r.put(r.value(FILE_NAME, ""), inner, 6));
    });
    sample.check("name-unique", "name-unique", |v| {
        // Both become `file 008`, the one with a capital letter before the other.
        v.record(file, |r| {
            let at = r.value(FILE_NAME, "");
            r.0[at + 66 + 14] = b'8';
            r.0[at + 66] = b'F';
            r.0[at + 65] = 1;
        });
        v.block(folder, 0, |b| {
            let (seven, eight) = (b.named("file 007"), b.named("file 008"));
            b.0[seven + 16 + 66 + 14] = b'8';
            b.0[seven + 16 + 66] = b'F';
            b.0[seven + 16 + 65] = 1;
            b.0[eight + 16 + 65] = 1;
        });
        let eight = v.named("file 008");
        v.record(eight, |r| {
            let at = r.value(FILE_NAME, "");
            r.0[at + 65] = 1;
        });
    });
    for (rule, theirs, at) in [
        ("entry-attributes", "entry-attributes", 0x38),
        ("entry-times", "entry-times", 0x10),
        ("entry-sizes", "entry-sizes", 0x30),
        ("entry-kind", "directory", 0x3b),
    ] {
        sample.check(rule, theirs, |v| {
            v.block(folder, 0, |b| {
                let at = b.named("file 007") + 16 + at;
                b.0[at] ^= 0x10;
            });
        });
    }
    sample.check("entry-reparse", "entry-reparse", |v| {
        let points = v.named("points");
        v.record(points, |r| r.add(r.value(INDEX_ROOT, "$I30") + 32 + 16 + 0x3c, 1, 1));
    });
    insta::assert_snapshot!(sample.told());
}

/// A disk on which some bytes cannot be read.
struct Worn<'a> {
    bytes: &'a [u8],
    bad: Range<u64>,
}

impl ReadAt for Worn<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(buf.len() as u64);
        if offset < self.bad.end && self.bad.start < end {
            return Err(io::Error::other("bad sector"));
        }
        self.bytes.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }
}

/// What cannot be read is told, and all else is checked.
#[track_caller]
fn check_unread(sample: &Sample, at: usize, expected: &[&str]) {
    let mut bytes = Bytes(sample.bytes.clone());
    let bitmap = bytes.run(6, DATA, "");
    bytes.0[bitmap + 400] = 1;
    let bad = at as u64..at as u64 + 512;
    let found = imprint_ntfs::check(&Worn { bytes: &bytes.0, bad }, &Progress::new()).unwrap();
    let found = text(&found);
    for expected in expected {
        assert!(found.contains(expected), "{expected}:\n{found}");
    }
}

#[test]
fn bytes_that_cannot_be_read_are_told() {
    let sample = Sample::new();
    let bytes = Bytes(sample.bytes.clone());
    let (large, folder) = (bytes.named("large"), bytes.named("folder"));
    let lost = "[lost-cluster] cluster 3200: ";
    let record = "[unread] $DATA of file record 0: 1024 bytes cannot be read: other error";
    check_unread(&sample, Bytes::place(large), &[record, lost, "[damaged-entry] entry \"large\""]);
    let block = bytes.run(folder, INDEX_ALLOCATION, "$I30");
    let unread = format!("[unread] $INDEX_ALLOCATION of file record {folder}: 4096 bytes");
    check_unread(&sample, block, &[&unread, lost, "[missing-entry] "]);
    let upcase = "[unread] $DATA of file record 10: 131072 bytes";
    check_unread(&sample, bytes.run(10, DATA, ""), &[upcase, lost]);
    let descriptors = "[unread] $DATA of file record 9: ";
    check_unread(&sample, bytes.run(9, DATA, "$SDS"), &[descriptors, lost]);
    let bitmap = "[unread] $DATA of file record 6: 512 bytes";
    check_unread(&sample, bytes.run(6, DATA, ""), &[bitmap]);
    let last = "[unread] copy of the NTFS boot sector: 512 bytes";
    check_unread(&sample, sample.bytes.len() - 512, &[last, lost]);
}
