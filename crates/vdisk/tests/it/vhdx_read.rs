//! VHDX files made by qemu.

use std::path::Path;

use imprint_blockio::{Extent, WriteAt};
use imprint_testkit::Random;
use imprint_testkit::tools::{require, run};
use imprint_vdisk::{Container, Kind, Severity};

use crate::vhdx_files::{Files, MIB, findings, open, options, read_all};

/// A raw disk of `size` bytes with some data in it, and its contents.
fn raw(path: &Path, size: u64, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    let file = options().create_new(true).open(path).unwrap();
    file.set_len(size).unwrap();
    for _ in 0..12 {
        let start = random.index(bytes.len() / 512) * 512;
        let length = (1 + random.index(2000)) * 512;
        let end = (start + length).min(bytes.len());
        for byte in &mut bytes[start..end] {
            *byte = random.next_u64().to_le_bytes()[0];
        }
        file.write_all_at(&bytes[start..end], start as u64).unwrap();
    }
    bytes
}

#[track_caller]
fn check(size: u64, options: &str, kind: Kind) {
    let files = Files::new();
    let (source, path) = (files.path("raw"), files.path("disk.vhdx"));
    let bytes = raw(&source, size, size);
    let (source, target) = (source.to_str().unwrap(), path.to_str().unwrap());
    run(
        &require("qemu-img"),
        ["convert", "-f", "raw", "-O", "vhdx", "-o", options, source, target],
    );
    let disk = open(&path);
    assert_eq!((disk.kind(), disk.size(), disk.sector_size()), (kind, size, 512));
    assert!(read_all(&disk, &[]) == bytes, "contents differ: {options}");
    let found = findings(&fs_err::File::open(&path).unwrap());
    let bad = found.iter().find(|finding| finding.severity() > Severity::Note);
    assert_eq!(bad, None, "{options}");
}

#[test]
fn converted_by_qemu() {
    for size in [20 * MIB, 33 * MIB + 512] {
        for (subformat, kind) in [("dynamic", Kind::Dynamic), ("fixed", Kind::Fixed)] {
            for block_size in ["1M", "8M", "256M"] {
                for zero in ["on", "off"] {
                    let options = format!(
                        "subformat={subformat},block_size={block_size},block_state_zero={zero}"
                    );
                    check(size, &options, kind);
                }
            }
        }
    }
    check(130 * MIB, "log_size=2M", Kind::Dynamic);
}

/// A disk larger than a chunk, so that there are entries of bitmaps in the table.
#[test]
fn chunks_are_passed() {
    let files = Files::new();
    let path = files.path("disk.vhdx");
    let name = path.to_str().unwrap();
    run(
        &require("qemu-img"),
        ["create", "-f", "vhdx", "-o", "block_size=1M,block_state_zero=off", name, "20G"],
    );
    let io = require("qemu-io");
    let places = [0_u64, 4095, 4096, 4097, 8191, 8192, 16384, 20479];
    for (fill, mib) in (1..).zip(places) {
        let command = format!("write -P {fill} {mib}M 1M");
        run(&io, ["-f", "vhdx", "-c", &command, name]);
    }
    let disk = open(&path);
    let found = findings(&fs_err::File::open(&path).unwrap());
    // qemu makes the file longer than it needs to be.
    assert!(found.iter().all(|finding| finding.severity() == Severity::Note), "{found:?}");
    let mut found = Vec::new();
    let mut at = 0;
    let mut steps = 0;
    while at < disk.size() {
        let extent = disk.resolve(at, disk.size() - at).unwrap();
        if let Extent::Data { offset, len, .. } = extent {
            let mut bytes = vec![0; usize::try_from(len).unwrap()];
            disk.storage().read_exact_at(&mut bytes, offset).unwrap();
            for (number, piece) in (0..).zip(bytes.chunks(1 << 20)) {
                assert!(piece.iter().all(|&byte| byte == piece[0]));
                found.push((piece[0], at / MIB + number));
            }
        }
        at += extent.len();
        steps += 1;
    }
    assert_eq!(found, (1..).zip(places).collect::<Vec<_>>());
    // Absent blocks come as runs, as long as a page of the table.
    assert!(steps < 100, "{steps} extents");
}

#[test]
fn runs_are_one_extent() {
    let files = Files::new();
    let path = files.path("disk.vhdx");
    let (qemu, name) = (require("qemu-img"), path.to_str().unwrap());
    run(
        &qemu,
        [
            "create",
            "-f",
            "vhdx",
            "-o",
            "subformat=fixed,block_size=1M,block_state_zero=off",
            name,
            "64M",
        ],
    );
    let disk = open(&path);
    let first = disk.resolve(0, 64 * MIB).unwrap();
    let Extent::Data { offset, len, file: 0 } = first else { panic!("{first:?}") };
    assert_eq!((offset % MIB, len), (0, 64 * MIB));
    let later = disk.resolve(5 * MIB + 7, 100).unwrap();
    assert_eq!(later, Extent::Data { file: 0, offset: offset + 5 * MIB + 7, len: 100 });
    for (offset, len) in [(64 * MIB, 1), (0, 0), (u64::MAX, 2), (5, 64 * MIB)] {
        disk.resolve(offset, len).unwrap_err();
    }
}
