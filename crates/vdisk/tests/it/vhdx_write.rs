//! Writing VHDX files, against a plain array of bytes.

use std::path::Path;

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_testkit::tools::{require, run};
use imprint_testkit::{FailingFile, Fault, Limit, Random, soak};
use imprint_vdisk::{
    Container, CreateError, Kind, NewDisk, PathKind, Vhdx, VhdxWriter, WritableContainer,
    WriteError, create_vhdx,
};
use imprint_winvalues::Guid;

use crate::vhdx_model::{
    CREATED, Change, MIB, PARENT, assert_same, check_errors, check_file, contents, disk, ids, open,
    parent, parent_bytes, write,
};

/// The kinds of disks that are written: sizes that do not end with a block.
fn disks() -> Vec<NewDisk> {
    vec![
        disk(Kind::Dynamic, 5 * MIB + 512, MIB, 512),
        disk(Kind::Dynamic, 7 * MIB + 4096, 2 * MIB, 4096),
        disk(Kind::Fixed, 3 * MIB + 1024, MIB, 512),
        disk(Kind::Differencing, 5 * MIB + 512, MIB, 512),
        disk(Kind::Differencing, 6 * MIB - 512, 2 * MIB, 512),
        disk(Kind::Differencing, 7 * MIB + 8192, 2 * MIB, 4096),
    ]
}

fn random_writes(new: &NewDisk, seed: u64, is_new: bool) {
    let random = &mut Random::new(seed);
    let below = parent_bytes(new);
    let mut model = below.clone();
    let file = MemoryFile::default();
    create_vhdx(&file, new).unwrap();
    let mut writer =
        if is_new { VhdxWriter::create(&file, new, ids(0)).unwrap() } else { open(&file, 0) };
    for step in 1..30 {
        let change = Change::random(random, new);
        change.perform(&writer).unwrap();
        change.apply(&mut model);
        if random.chance(1, 4) {
            writer.commit().unwrap();
            // What is committed is in the file, in the log at least.
            check_file(&file, &model, &below);
        }
        if random.chance(1, 8) {
            assert_same(&contents(&writer, &below), &model);
        }
        if random.chance(1, 10) {
            if random.chance(1, 2) {
                Box::new(writer).close().unwrap();
            } else {
                writer.commit().unwrap();
            }
            writer = open(&file, step);
        }
    }
    assert_same(&contents(&writer, &below), &model);
    Box::new(writer).close().unwrap();
    check_file(&file, &model, &below);
}

#[test]
fn random_writes_are_read_back() {
    for seed in 0..soak::rounds(2, 200) {
        for new in disks() {
            random_writes(&new, seed.into(), seed % 2 == 0);
        }
    }
}

#[test]
fn opening_changes_nothing_and_the_first_change_the_identity() {
    let new = disk(Kind::Dynamic, 4 * MIB, MIB, 512);
    let file = MemoryFile::default();
    create_vhdx(&file, &new).unwrap();
    let before = file.to_bytes();
    let writer = open(&file, 1);
    writer.commit().unwrap();
    writer.write_zeroes(0, 4 * MIB).unwrap();
    assert_eq!(writer.identity(), Some(CREATED));
    Box::new(writer).close().unwrap();
    assert!(file.to_bytes() == before, "nothing was changed");

    let writer = open(&file, 1);
    write(&writer, 0, &[1; 512]).unwrap();
    assert_eq!(writer.identity(), Some(ids(1).data_write));
    // Durable before any change of the contents.
    assert_eq!(Vhdx::open(&file).unwrap().identity(), Some(ids(1).data_write));
    drop(writer);

    let writer = open(&file, 2);
    writer.keep_identity();
    write(&writer, 0, &[1; 512]).unwrap();
    assert_eq!(writer.identity(), Some(ids(1).data_write));
    writer.set_identity(Guid([9; 16])).unwrap();
    write(&writer, 4096, &[1; 512]).unwrap();
    Box::new(writer).close().unwrap();
    assert_eq!(Vhdx::open(&file).unwrap().identity(), Some(Guid([9; 16])));
}

#[test]
fn a_new_file_has_the_identity_it_was_made_with() {
    let new = disk(Kind::Dynamic, 4 * MIB, MIB, 512);
    let file = MemoryFile::default();
    let writer = VhdxWriter::create(&file, &new, ids(1)).unwrap();
    write(&writer, 0, &[1; 512]).unwrap();
    writer.commit().unwrap();
    write(&writer, MIB, &[1; 512]).unwrap();
    Box::new(writer).close().unwrap();
    assert_eq!(Vhdx::open(&file).unwrap().identity(), Some(CREATED));
}

#[test]
fn only_sectors_of_the_disk_are_written() {
    let new = disk(Kind::Dynamic, 4 * MIB, MIB, 4096);
    let writer = VhdxWriter::create(MemoryFile::default(), &new, ids(1)).unwrap();
    let wrong =
        [(0, 0), (512, 4096), (0, 512), (4 * MIB, 4096), (0, 5 * MIB), (u64::MAX - 4095, 4096)];
    for (offset, len) in wrong {
        let error = writer.allocate(offset, len).unwrap_err();
        assert!(matches!(error, WriteError::OutOfRange { .. }), "{error}");
        assert!(writer.write_zeroes(offset, len).is_err());
    }
    assert_eq!(writer.allocate(MIB - 4096, 8192).unwrap().len, 4096);
}

#[test]
fn zeros_take_no_room() {
    let new = disk(Kind::Dynamic, 8 * MIB, MIB, 512);
    let file = MemoryFile::default();
    let writer = VhdxWriter::create(&file, &new, ids(1)).unwrap();
    let before = file.len().unwrap();
    writer.write_zeroes(512, 7 * MIB).unwrap();
    assert_eq!(file.len().unwrap(), before);
    write(&writer, 0, &vec![1; 3 << 20]).unwrap();
    assert_eq!(file.len().unwrap(), before + 3 * MIB);
    writer.write_zeroes(MIB, MIB).unwrap();
    writer.commit().unwrap();
    assert_eq!(writer.resolve(MIB, MIB).unwrap(), imprint_blockio::Extent::Zero { len: MIB });
}

#[test]
fn many_changed_pages_are_committed_on_the_way() {
    // Each chunk of 4 GiB has a bitmap of its own: every write changes another page.
    let size = 700 << 30;
    let new = disk(Kind::Differencing, size, MIB, 512);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wide.vhdx");
    let file = fs_err::File::options().read(true).write(true).create_new(true).open(path).unwrap();
    let writer = VhdxWriter::create(&file, &new, ids(1)).unwrap();
    writer.commit().unwrap();
    for number in 0..170_u8 {
        write(&writer, u64::from(number) << 32, &[number; 512]).unwrap();
    }
    writer.commit().unwrap();
    drop(writer);
    check_errors(&file);
    let writer = open(&file, 2);
    for number in 0..170_u8 {
        let offset = u64::from(number) << 32;
        let imprint_blockio::Extent::Data { offset, len, .. } =
            writer.resolve(offset, MIB).unwrap()
        else {
            panic!("sector {number} is missing");
        };
        let mut bytes = [0; 512];
        file.read_exact_at(&mut bytes, offset).unwrap();
        assert_eq!((bytes, len), ([number; 512], 512));
    }
}

#[test]
fn a_parent_can_move_and_have_two_identities() {
    let new = disk(Kind::Differencing, 4 * MIB, MIB, 512);
    let below = parent_bytes(&new);
    let mut model = below.clone();
    let file = MemoryFile::default();
    create_vhdx(&file, &new).unwrap();
    let mut writer = open(&file, 1);
    write(&writer, 512, &[7; 512]).unwrap();
    model[512..1024].fill(7);
    let identity = writer.identity();
    writer.set_parent_linkage2(Some(Guid([8; 16]))).unwrap();
    let link = writer.parent().unwrap();
    assert_eq!((link.identity, link.alternative), (PARENT, Some(Guid([8; 16]))));
    assert_eq!(Vhdx::open(&file).unwrap().parent(), writer.parent());
    writer.set_parent_linkage2(None).unwrap();
    assert_eq!(writer.parent().unwrap().alternative, None);

    let mut other = parent(&"elsewhere".repeat(300));
    other.identity = Guid([6; 16]);
    writer.rebase(&other).unwrap();
    let link = writer.parent().unwrap().clone();
    assert_eq!((link.identity, link.alternative), (Guid([6; 16]), None));
    assert_eq!(link.paths[0].text, other.relative);
    assert_eq!(link.paths[0].kind, PathKind::Relative);
    assert_eq!(writer.identity(), identity);
    other.relative = String::new();
    assert!(matches!(writer.rebase(&other), Err(CreateError::Impossible { .. })));
    Box::new(writer).close().unwrap();
    check_file(&file, &model, &below);
    assert_eq!(Vhdx::open(&file).unwrap().parent(), Some(&link));

    let new = disk(Kind::Dynamic, 4 * MIB, MIB, 512);
    let mut writer = VhdxWriter::create(MemoryFile::default(), &new, ids(1)).unwrap();
    assert!(matches!(writer.rebase(&other), Err(CreateError::Parent)));
}

#[test]
fn disks_become_larger() {
    for new in disks() {
        let below = parent_bytes(&new);
        let mut model = below.clone();
        let file = MemoryFile::default();
        create_vhdx(&file, &new).unwrap();
        let random = &mut Random::new(5);
        let mut writer = open(&file, 1);
        let mut now = new.clone();
        for more in [4096, 3 * MIB, 5 * MIB - 4096] {
            for _ in 0..4 {
                let change = Change::random(random, &now);
                change.perform(&writer).unwrap();
                change.apply(&mut model);
            }
            now.size += more;
            writer.resize(now.size).unwrap();
            model.resize(usize::try_from(now.size).unwrap(), 0);
            assert_eq!(writer.size(), now.size);
            assert_same(&contents(&writer, &below), &model);
            check_file(&file, &model, &below);
        }
        assert!(matches!(writer.resize(now.size - 4096), Err(CreateError::Impossible { .. })));
        assert!(writer.resize(now.size + 1).is_err());
        assert!(writer.resize(65 << 40).is_err());
        Box::new(writer).close().unwrap();
        check_file(&file, &model, &below);
    }
}

#[test]
fn a_table_without_room_moves() {
    for kind in [Kind::Dynamic, Kind::Differencing] {
        let new = disk(kind, 4 * MIB, MIB, 512);
        let file = MemoryFile::default();
        create_vhdx(&file, &new).unwrap();
        let mut writer = open(&file, 1);
        write(&writer, MIB + 512, &[7; 1024]).unwrap();
        let size = 300 << 30;
        writer.resize(size).unwrap();
        write(&writer, size - 512, &[8; 512]).unwrap();
        Box::new(writer).close().unwrap();
        check_errors(&file);
        let disk = Vhdx::open(&file).unwrap();
        for (offset, byte) in [(MIB + 512, 7), (size - 512, 8)] {
            let found = disk.resolve(offset, 512).unwrap();
            let imprint_blockio::Extent::Data { offset, .. } = found else {
                panic!("{found:?}");
            };
            let mut bytes = [0; 512];
            file.read_exact_at(&mut bytes, offset).unwrap();
            assert_eq!(bytes, [byte; 512]);
        }
        if kind == Kind::Dynamic {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("disk.vhdx");
            fs_err::write(&path, file.to_bytes()).unwrap();
            qemu_checks(&path);
        }
    }
}

#[test]
fn after_a_failure_nothing_is_written() {
    let new = disk(Kind::Dynamic, 4 * MIB, MIB, 512);
    let made = MemoryFile::default();
    create_vhdx(&made, &new).unwrap();
    let mut refused = 0;
    for limit in 0..40 {
        let file = MemoryFile::new(made.to_bytes());
        let file = FailingFile::new(&file, Fault::Full, Limit::Operations(limit));
        let writer = open(&file, 1);
        let perform = || {
            write(&writer, 0, &[1; 512])?;
            writer.commit()?;
            write(&writer, MIB, &[2; 512])?;
            writer.commit()
        };
        let result = perform();
        if !file.has_failed() {
            result.unwrap();
            continue;
        }
        refused += 1;
        let error = result.unwrap_err();
        assert!(matches!(error, WriteError::Io { .. } | WriteError::Flush(_)), "{error}");
        let payload = matches!(
            error,
            WriteError::Io { structure: imprint_vdisk::Structure::Payload, length: 512, .. }
        );
        // The caller's own writes are the caller's business.
        if !payload {
            assert!(matches!(writer.allocate(0, 512), Err(WriteError::Poisoned)));
            assert!(matches!(writer.write_zeroes(0, 512), Err(WriteError::Poisoned)));
            assert!(matches!(writer.commit(), Err(WriteError::Poisoned)));
            assert!(matches!(Box::new(writer).close(), Err(WriteError::Poisoned)));
        }
        check_errors(&file);
    }
    assert!((10..30).contains(&refused), "{refused}");
}

#[track_caller]
fn qemu_checks(path: &Path) {
    let checked = run(&require("qemu-img"), ["check", "-f", "vhdx", path.to_str().unwrap()]);
    assert!(checked.contains("No errors were found"), "{checked}");
}

/// Has qemu compare a VHDX file with the bytes it should show.
#[track_caller]
fn qemu_compares(path: &Path, model: &[u8]) {
    let raw = path.with_extension("raw");
    fs_err::write(&raw, model).unwrap();
    let (raw, path) = (raw.to_str().unwrap(), path.to_str().unwrap());
    let info = run(&require("qemu-img"), ["info", "-f", "vhdx", "--output=json", path]);
    assert!(info.contains(&format!("\"virtual-size\": {},", model.len())), "{info}");
    run(&require("qemu-img"), ["compare", "-f", "raw", "-F", "vhdx", raw, path]);
}

#[test]
fn qemu_reads_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk.vhdx");
    for (new, seed) in disks().into_iter().zip(0..) {
        // qemu reads neither differencing disks nor sectors of 4096 bytes.
        if new.kind == Kind::Differencing || new.sector_size != 512 {
            continue;
        }
        let random = &mut Random::new(seed);
        let mut model = parent_bytes(&new);
        let file = MemoryFile::default();
        create_vhdx(&file, &new).unwrap();
        for session in 0..4 {
            let writer = open(&file, session);
            for _ in 0..12 {
                let change = Change::random(random, &new);
                change.perform(&writer).unwrap();
                change.apply(&mut model);
                if random.chance(1, 3) {
                    writer.commit().unwrap();
                }
            }
            // Half the files are left with a log.
            if session % 2 == 0 {
                Box::new(writer).close().unwrap();
            } else {
                writer.commit().unwrap();
            }
            fs_err::write(&path, file.to_bytes()).unwrap();
            if session % 2 == 1 {
                run(
                    &require("qemu-img"),
                    ["check", "-q", "-f", "vhdx", "-r", "all", path.to_str().unwrap()],
                );
            }
            qemu_checks(&path);
            qemu_compares(&path, &model);
        }
    }
}

#[test]
fn what_qemu_wrote_is_written_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk.vhdx");
    let name = path.to_str().unwrap();
    for subformat in ["dynamic", "fixed"] {
        let options = format!("subformat={subformat},block_size=1M");
        run(&require("qemu-img"), ["create", "-q", "-f", "vhdx", "-o", &options, name, "5M"]);
        let io = |commands: &[&str]| {
            let mut arguments = vec!["-f", "vhdx"];
            for command in commands {
                arguments.extend(["-c", command]);
            }
            arguments.push(name);
            run(&require("qemu-io"), arguments);
        };
        io(&["write -P 7 1000k 100k", "write -P 8 4M 1M"]);
        let mut model = vec![0; 5 << 20];
        model[1000 << 10..1100 << 10].fill(7);
        model[4 << 20..].fill(8);
        let file = fs_err::File::options().read(true).write(true).open(&path).unwrap();
        check_file(&file, &model, &[]);
        let mut writer = open(&file, 1);
        write(&writer, 2 * MIB, &[9; 4096]).unwrap();
        model[2 << 20..][..4096].fill(9);
        writer.commit().unwrap();
        writer.resize(9 * MIB + 512).unwrap();
        model.resize((9 << 20) + 512, 0);
        write(&writer, 8 * MIB, &[5; 512]).unwrap();
        model[8 << 20..][..512].fill(5);
        Box::new(writer).close().unwrap();
        check_file(&file, &model, &[]);
        io(&["write -P 3 6M 64k"]);
        model[6 << 20..][..64 << 10].fill(3);
        qemu_checks(&path);
        qemu_compares(&path, &model);
        check_file(&file, &model, &[]);
        fs_err::remove_file(&path).unwrap();
    }
}
