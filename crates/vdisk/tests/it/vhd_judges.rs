//! What other programs make of our VHD files, and we of theirs.

use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_testkit::Random;
use imprint_testkit::tools::{output, require, require_any, run};
use imprint_vdisk::{Container, Kind, Vhd, VhdWriter, WritableContainer, create_vhd};

use crate::vhd_support::{assert_sound, change, contents, ids, new_disk};

fn open(path: &Path) -> fs_err::File {
    fs_err::File::options().read(true).write(true).open(path).unwrap()
}

/// Makes a file of ours and returns its path and its contents.
fn make(directory: &Path, kind: Kind, size: u64, block_size: Option<u32>) -> (PathBuf, Vec<u8>) {
    let path = directory.join(format!("{kind}-{size}.vhd"));
    let file = fs_err::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let disk = create_vhd(&file, &new_disk(kind, size, block_size)).unwrap();
    let mut model = vec![0; usize::try_from(size).unwrap()];
    let mut random = Random::new(size);
    for _ in 0..20 {
        change(&disk, &mut model, &mut random);
    }
    Box::new(disk).close().unwrap();
    // A second session is in order, and leaves old footers in the padding.
    let disk = VhdWriter::open(open(&path), ids(3)).unwrap();
    for _ in 0..10 {
        change(&disk, &mut model, &mut random);
    }
    Box::new(disk).close().unwrap();
    (path, model)
}

#[test]
fn others_read_what_we_write() {
    let qemu = require("qemu-img");
    let seven = require_any(&["7zz", "7z"]);
    let info = require("vhdiinfo");
    let directory = tempfile::tempdir().unwrap();
    for kind in [Kind::Fixed, Kind::Dynamic] {
        for (size, block_size) in [
            (512, None),
            (3 << 20, None),
            ((5 << 20) + 512, Some(512 << 10)),
            (4 << 20, Some(4096)),
        ] {
            let (path, model) = make(directory.path(), kind, size, block_size);
            let path = path.to_str().unwrap();
            let raw = format!("{path}.raw");
            run(&qemu, ["convert", "-f", "vpc", "-O", "raw", path, &raw]);
            assert!(fs_err::read(&raw).unwrap() == model, "{path}: qemu-img");
            run(&qemu, ["compare", "-f", "vpc", "-F", "raw", path, &raw]);
            let told = run(&info, [path]);
            let bytes = format!("({size} bytes)");
            let shown = told.contains(&bytes) || told.contains(&format!("{size} bytes"));
            assert!(shown, "{told}");
            // 7-Zip opens disks of partitions only with their type named.
            let mut command = Command::new(&seven);
            let extracted = output(command.args(["x", "-tvhd", "-so", path]));
            assert!(extracted.status.success(), "{extracted:?}");
            assert!(extracted.stdout == model, "{path}: 7-Zip");
        }
    }
}

#[test]
fn we_read_what_qemu_writes_and_the_other_way_round() {
    let qemu = require("qemu-img");
    let io = require("qemu-io");
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random::new(11);
    for (index, subformat) in ["dynamic", "fixed"].into_iter().enumerate() {
        let mut model = vec![0; 7 << 20];
        random.fill(&mut model[1 << 20..][..3 << 20]);
        let raw = directory.path().join(format!("{index}.raw"));
        fs_err::write(&raw, &model).unwrap();
        let path = directory.path().join(format!("{index}.vhd"));
        let options = format!("subformat={subformat},force_size=on");
        let [from, to] = [&raw, &path].map(|path| path.to_str().unwrap());
        run(&qemu, ["convert", "-f", "raw", "-O", "vpc", "-o", &options, from, to]);
        let disk = Vhd::open(open(&path)).unwrap();
        assert_eq!(disk.warnings(), []);
        assert!(contents(&disk, &[]) == model);
        assert_sound(&open(&path));

        // In turns: we write, qemu writes, we read.
        let disk = VhdWriter::open(open(&path), ids(3)).unwrap();
        for _ in 0..10 {
            change(&disk, &mut model, &mut random);
        }
        Box::new(disk).close().unwrap();
        run(&io, ["-f", "vpc", "-c", "write -P 0x5a 6M 512k", "-c", "write -P 0x5b 0 4k", to]);
        model[6 << 20..][..512 << 10].fill(0x5a);
        model[..4096].fill(0x5b);
        assert!(contents(&Vhd::open(open(&path)).unwrap(), &[]) == model);
        let disk = VhdWriter::open(open(&path), ids(4)).unwrap();
        change(&disk, &mut model, &mut random);
        Box::new(disk).close().unwrap();
        assert!(contents(&Vhd::open(open(&path)).unwrap(), &[]) == model);
        assert_sound(&open(&path));
        run(&qemu, ["convert", "-f", "vpc", "-O", "raw", to, from]);
        assert!(fs_err::read(&raw).unwrap() == model);
    }
}

#[test]
fn sizes_and_geometries_are_those_of_qemu() {
    let qemu = require("qemu-img");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sized.vhd");
    let mut size = 1_u64 << 20;
    while size < 2040 << 30 {
        // Without `force_size` qemu chooses the next size that is a geometry's product.
        let [text, to] = [&size.to_string(), path.to_str().unwrap()].map(ToOwned::to_owned);
        run(&qemu, ["create", "-q", "-f", "vpc", "-o", "force_size=off", &to, &text]);
        let file = fs_err::read(&path).unwrap();
        let theirs = Vhd::open(file.as_slice()).unwrap();
        assert!(theirs.size() >= size);
        let ours = imprint_blockio::MemoryFile::default();
        let new = new_disk(Kind::Dynamic, theirs.size(), None);
        Box::new(create_vhd(&ours, &new).unwrap()).close().unwrap();
        // qemu gives the largest disks 255 heads, which the specification does not have.
        if file[58] <= 16 {
            assert_eq!(ours.to_bytes()[48..64], file[48..64], "{size}");
        }
        fs_err::remove_file(&path).unwrap();
        size = (size * 17 / 10).next_multiple_of(512);
    }
}

#[test]
fn libvhdi_reads_a_chain() {
    let mount = require("vhdimount");
    let unmount = require("fusermount3");
    let directory = tempfile::tempdir().unwrap();
    let (base, model) = make(directory.path(), Kind::Dynamic, 3 << 20, None);
    let identity = Vhd::open(open(&base)).unwrap().identity().unwrap();
    let name = base.file_name().unwrap().to_str().unwrap();

    let mut new = new_disk(Kind::Differencing, 3 << 20, None);
    let parent = new.parent.as_mut().unwrap();
    parent.identity = identity;
    parent.relative = format!(r".\{name}");
    parent.absolute = None;
    let path = directory.path().join("child.vhd");
    let file = fs_err::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let disk = create_vhd(&file, &new).unwrap();
    let mut expected = model.clone();
    let mut random = Random::new(5);
    for _ in 0..30 {
        // Whole bytes of the bitmap, as systems with clusters of 4 KiB write: libvhdi takes every sector
        // behind a present one of the same byte for present. Observed in: libvhdi 20210425,
        // libvhdi_block_descriptor_read_sector_bitmap_data, which shifts the byte and forgets to
        // look at one bit only.
        let first = random.index(700);
        let range = first * 4096..(first + 1 + random.index(60)) * 4096;
        random.fill(&mut expected[range.clone()]);
        disk.write(&expected[range.clone()], range.start as u64).unwrap();
    }
    Box::new(disk).close().unwrap();
    assert!(contents(&Vhd::open(open(&path)).unwrap(), &model) == expected);

    let point = directory.path().join("mounted");
    fs_err::create_dir(&point).unwrap();
    run(&mount, [&path, &point]);
    let read = [1, 2].map(|number| fs_err::read(point.join(format!("vhdi{number}"))));
    let names: Vec<_> =
        fs_err::read_dir(&point).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    run(&unmount, ["-u".as_ref(), point.as_os_str()]);
    // The first is the base, the second the child over it.
    let [lower, upper] = read.map(Result::unwrap);
    assert!(lower == model, "{names:?}");
    assert!(upper == expected, "{names:?}");
}
