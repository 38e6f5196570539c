//! Empty VHDX files, judged by other programs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_testkit::tools::{require, require_any, run};
use imprint_vdisk::{Container, Kind, NewDisk, PathKind, Vhdx, create_vhdx};

use crate::vhdx_files::{DISK_ID, Files, IDENTITY, MIB, findings, in_memory, new_disk, open};

/// What qemu-img says of a file, and that it finds nothing wrong with it.
#[track_caller]
fn qemu_accepts(path: &Path, size: u64) {
    let qemu = require("qemu-img");
    let path = path.to_str().unwrap();
    let info = run(&qemu, ["info", "-f", "vhdx", "--output=json", path]);
    assert!(info.contains(&format!("\"virtual-size\": {size},")), "{info}");
    let check = run(&qemu, ["check", "-f", "vhdx", path]);
    assert!(check.contains("No errors were found"), "{check}");
}

#[track_caller]
fn check(new: &NewDisk) {
    let files = Files::new();
    let path = files.create("disk.vhdx", new);
    assert_eq!(findings(&fs_err::File::open(&path).unwrap()), []);
    let disk = open(&path);
    assert_eq!((disk.kind(), disk.size()), (new.kind, new.size));
    assert_eq!(
        (disk.sector_size(), disk.physical_sector_size()),
        (new.sector_size, new.physical_sector_size)
    );
    assert_eq!((disk.identity(), disk.disk_id()), (Some(IDENTITY), Some(DISK_ID)));

    let kind = match new.kind {
        Kind::Fixed => "Fixed",
        Kind::Dynamic => "Dynamic",
        Kind::Differencing => "Differential",
    };
    let info = run(&require("vhdiinfo"), [&path]);
    assert!(info.contains(kind), "{info}");
    assert!(info.contains(&format!("({} bytes)", new.size)), "{info}");
    if new.kind == Kind::Differencing {
        // Other programs do not look into these without their parent.
        assert!(info.contains("base.vhdx"), "{info}");
        return;
    }
    // 7-Zip refuses disks of an odd number of sectors, those by qemu too. Observed in: 26.02.
    if (new.size / u64::from(new.sector_size)).is_multiple_of(2) {
        let list = run(&require_any(&["7zz", "7z"]), ["l", path.to_str().unwrap()]);
        assert!(list.contains("Type = VHDX"), "{list}");
        assert!(list.contains(&format!("{}", new.size)), "{list}");
    }
    // qemu knows sectors of 512 bytes only.
    if new.sector_size == 512 {
        qemu_accepts(&path, new.size);
    }
    if new.size <= 256 * MIB && new.sector_size == 512 {
        let raw = files.path("raw");
        fs_err::File::create(&raw).unwrap().set_len(new.size).unwrap();
        let (raw, path) = (raw.to_str().unwrap(), path.to_str().unwrap());
        run(&require("qemu-img"), ["compare", "-f", "raw", "-F", "vhdx", raw, path]);
    }
}

#[test]
fn small_disks() {
    for kind in [Kind::Fixed, Kind::Dynamic, Kind::Differencing] {
        for size in [512, 3 * MIB, 3 * MIB + 512, 100 * MIB] {
            check(&new_disk(kind, size));
            check(&NewDisk { block_size: Some(1 << 20), ..new_disk(kind, size) });
        }
        check(&NewDisk { block_size: Some(256 << 20), ..new_disk(kind, 300 * MIB) });
        check(&NewDisk { physical_sector_size: 512, ..new_disk(kind, 20 * MIB) });
        check(&NewDisk { sector_size: 4096, ..new_disk(kind, 20 * MIB + 4096) });
    }
}

#[test]
fn large_disks() {
    for kind in [Kind::Dynamic, Kind::Differencing] {
        check(&new_disk(kind, 127 << 30));
        check(&new_disk(kind, 2040 << 30));
        for block_size in [1 << 20, 32 << 20, 256 << 20] {
            check(&NewDisk { block_size: Some(block_size), ..new_disk(kind, 64 << 40) });
        }
        check(&NewDisk { sector_size: 4096, ..new_disk(kind, 64 << 40) });
    }
    check(&new_disk(Kind::Fixed, 127 << 30));
    check(&NewDisk { block_size: Some(1 << 20), ..new_disk(Kind::Fixed, 40 << 30) });
}

#[test]
fn an_empty_child_takes_little_room() {
    let files = Files::new();
    let path = files.create("child.vhdx", &new_disk(Kind::Differencing, 127 << 30));
    let metadata = fs_err::metadata(&path).unwrap();
    assert_eq!(metadata.len(), 4 * MIB);
    assert!(metadata.blocks() * 512 < 256 << 10, "{} blocks", metadata.blocks());
}

#[test]
fn a_child_says_where_its_parent_is() {
    let disk = Vhdx::open(in_memory(&new_disk(Kind::Differencing, 10 * MIB))).unwrap();
    let link = disk.parent().unwrap();
    assert_eq!((link.identity.0, link.alternative), ([0x44; 16], None));
    let paths: Vec<_> = link.paths.iter().map(|path| (path.kind, path.text.as_str())).collect();
    assert_eq!(
        paths,
        [(PathKind::Relative, r".\base.vhdx"), (PathKind::Absolute, r"\\?\D:\imprint\base.vhdx")]
    );
    assert_eq!(link.file_names(), ["base.vhdx"]);
}

#[test]
fn what_was_there_is_gone() {
    let file = MemoryFile::new(vec![0xff; 9 << 20]);
    create_vhdx(&file, &new_disk(Kind::Dynamic, 100 * MIB)).unwrap();
    assert_eq!(file.len().unwrap(), 4 * MIB);
    assert_eq!(file.to_bytes(), in_memory(&new_disk(Kind::Dynamic, 100 * MIB)).into_bytes());
    assert_eq!(findings(&file), []);
}

#[test]
fn impossible_disks_are_refused() {
    #[track_caller]
    fn refuse(new: &NewDisk, words: &str) {
        let file = MemoryFile::default();
        assert_eq!(create_vhdx(&file, new).unwrap_err().to_string(), words);
        assert_eq!(file.len().unwrap(), 0);
    }
    let dynamic = |size| new_disk(Kind::Dynamic, size);
    refuse(&dynamic(0), "VHDX dynamic disk: size should be from 512 to 70368744177664, but is 0");
    refuse(
        &dynamic((64 << 40) + 512),
        "VHDX dynamic disk: size should be from 512 to 70368744177664, but is 70368744178176",
    );
    refuse(&dynamic(1000), "VHDX dynamic disk: size should be a multiple of 512, but is 1000");
    refuse(
        &NewDisk { sector_size: 4096, ..dynamic(4096 + 512) },
        "VHDX dynamic disk: size should be a multiple of 4096, but is 4608",
    );
    refuse(
        &NewDisk { sector_size: 520, ..dynamic(MIB) },
        "VHDX dynamic disk: logical sector size should be 512 or 4096, but is 520",
    );
    refuse(
        &NewDisk { physical_sector_size: 0, ..dynamic(MIB) },
        "VHDX dynamic disk: physical sector size should be 512 or 4096, but is 0",
    );
    for block_size in [0, 512 << 10, 3 << 20, 512 << 20] {
        refuse(
            &NewDisk { block_size: Some(block_size), ..dynamic(MIB) },
            &format!(
                "VHDX dynamic disk: block size, a power of two, should be from 1048576 to 268435456, but is {block_size}"
            ),
        );
    }
    let words = "a disk has a parent exactly if it is differencing";
    refuse(&NewDisk { kind: Kind::Differencing, ..dynamic(MIB) }, words);
    refuse(&NewDisk { kind: Kind::Fixed, ..new_disk(Kind::Differencing, MIB) }, words);
    let mut child = new_disk(Kind::Differencing, MIB);
    child.parent.as_mut().unwrap().relative = "x".repeat(32768);
    refuse(
        &child,
        "VHDX differencing disk: length of the parent's path should be from 1 to 32767, but is 32768",
    );
    child.parent.as_mut().unwrap().relative.clear();
    refuse(
        &child,
        "VHDX differencing disk: length of the parent's path should be from 1 to 32767, but is 0",
    );
}
