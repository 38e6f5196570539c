//! What is left of a VHDX file after a crash at any moment of writing it.

use std::cell::Cell;

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_progress::Progress;
use imprint_testkit::tools::{require, run};
use imprint_testkit::{CrashFile, Cut, Random, soak};
use imprint_vdisk::{
    Container, Kind, NewDisk, Severity, Vhdx, VhdxWriter, WritableContainer, check_vhdx,
    create_vhdx,
};

use crate::vhdx_model::{
    Change, MIB, assert_same, contents, disk, ids, open, parent, parent_bytes, write,
};

/// Sectors of the medium: power cuts tear writes there.
const SECTOR: usize = 512;

fn disks() -> Vec<NewDisk> {
    vec![
        disk(Kind::Dynamic, 3 * MIB + 512, MIB, 512),
        disk(Kind::Fixed, 2 * MIB + 1024, MIB, 512),
        disk(Kind::Differencing, 3 * MIB + 512, MIB, 512),
        disk(Kind::Differencing, 3 * MIB + 8192, 2 * MIB, 4096),
    ]
}

/// The moment after everything that happened so far.
fn now(file: &CrashFile) -> Cut {
    file.cut_at_byte(u64::MAX)
}

thread_local! {
    /// Crash points of the test that runs on this thread.
    static POINTS: Cell<u32> = const { Cell::new(0) };
}

/// Tells how many crashes were tried.
fn tell(what: &str) {
    println!("{} crash points of {what} VHDX files", POINTS.get());
}

/// A random moment, sometimes in the middle of a write.
fn any_cut(file: &CrashFile, from: usize, random: &mut Random) -> Cut {
    let flushes = if random.chance(1, 3) { file.cuts_before_flushes() } else { Vec::new() };
    let mut cuts: Vec<Cut> = flushes.into_iter().filter(|cut| cut.events >= from).collect();
    if cuts.is_empty() {
        cuts = file.cuts().into_iter().filter(|cut| cut.events >= from).collect();
    }
    let mut cut = *random.pick(&cuts);
    POINTS.set(POINTS.get() + 1);
    if cut.bytes > 0 && random.chance(1, 2) {
        cut.bytes = cut.bytes.next_multiple_of(SECTOR);
    }
    cut
}

/// What was done to a file, and when.
#[derive(Default)]
struct History {
    /// Changes and the count of events before each.
    changes: Vec<(usize, Change)>,
    /// Contents and the count of events after the commit that made them durable.
    commits: Vec<(usize, Vec<u8>)>,
}

impl History {
    /// Whether the contents are those of the last commit before `cut`, except for what was changed
    /// since: there old and new bytes may stand, sector by sector.
    #[track_caller]
    fn check(&self, found: &[u8], cut: Cut) {
        let committed = self.commits.iter().rev().find(|(until, _)| *until <= cut.events);
        let (until, model) = committed.expect("the beginning counts as a commit");
        assert_eq!(found.len(), model.len());
        // A kill leaves a write that ends anywhere.
        let unit = if cut.bytes.is_multiple_of(SECTOR) { SECTOR } else { 1 };
        let since: Vec<(usize, Vec<u8>)> = self
            .changes
            .iter()
            .filter(|(from, _)| from >= until && *from <= cut.events)
            .map(|(_, change)| change.bytes())
            .collect();
        for (number, (sector, old)) in found.chunks(SECTOR).zip(model.chunks(SECTOR)).enumerate() {
            if sector == old {
                continue;
            }
            for (inner, (part, old)) in sector.chunks(unit).zip(old.chunks(unit)).enumerate() {
                let at = number * SECTOR + inner * unit;
                let is_new = || {
                    since.iter().any(|(start, bytes)| {
                        at.checked_sub(*start).is_some_and(|from| {
                            bytes.get(from..from + part.len()).is_some_and(|new| new == part)
                        })
                    })
                };
                assert!(part == old || is_new(), "byte {at:#x} after {cut:?}");
            }
        }
    }
}

#[track_caller]
fn no_errors(file: &[u8]) {
    check_vhdx(&file.to_vec(), &Progress::new(), &mut |finding| {
        assert!(finding.severity() < Severity::Error, "{finding}");
    })
    .unwrap();
}

/// The contents that a file shows to a reader, to a writer, and after a crash of that writer.
#[track_caller]
fn survivors(image: &[u8], below: &[u8], random: &mut Random) -> Vec<u8> {
    let read = contents(&Vhdx::open(&image.to_vec()).unwrap(), below);
    no_errors(image);
    let file = CrashFile::new(image.to_vec());
    let writer = open(&file, 200);
    assert_same(&contents(&writer, below), &read);
    drop(writer);
    no_errors(&file.to_bytes());
    if now(&file).events > 0 {
        let cut = any_cut(&file, 0, random);
        let again = file.power_lost_at(cut, SECTOR, random);
        assert_same(&contents(&Vhdx::open(&again).unwrap(), below), &read);
        assert_same(&contents(&open(&MemoryFile::new(again), 201), below), &read);
    }
    read
}

/// Writes at random and returns what happened.
fn work(new: &NewDisk, file: &CrashFile, start: &[u8], random: &mut Random) -> History {
    let mut model = start.to_vec();
    let mut history = History::default();
    history.commits.push((0, model.clone()));
    let mut writer = open(file, 1);
    for session in 2..14 {
        let change = Change::random(random, new);
        history.changes.push((now(file).events, change.clone()));
        change.perform(&writer).unwrap();
        change.apply(&mut model);
        if random.chance(1, 3) {
            writer.commit().unwrap();
            history.commits.push((now(file).events, model.clone()));
        }
        if random.chance(1, 6) {
            Box::new(writer).close().unwrap();
            history.commits.push((now(file).events, model.clone()));
            writer = open(file, session);
        }
    }
    Box::new(writer).close().unwrap();
    history.commits.push((now(file).events, model));
    history
}

/// A file with something on it.
fn used(new: &NewDisk, below: &[u8], random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let file = MemoryFile::default();
    create_vhdx(&file, new).unwrap();
    let mut model = below.to_vec();
    let writer = open(&file, 100);
    for _ in 0..random.below(4) {
        let change = Change::random(random, new);
        change.perform(&writer).unwrap();
        change.apply(&mut model);
    }
    if random.chance(1, 2) {
        Box::new(writer).close().unwrap();
    } else {
        // The log is full.
        writer.commit().unwrap();
        drop(writer);
    }
    (file.into_bytes(), model)
}

#[test]
fn what_was_committed_survives() {
    let random = &mut Random::new(11);
    for round in 0..soak::rounds(2, 12) {
        for new in disks() {
            let below = parent_bytes(&new);
            let (initial, model) = used(&new, &below, random);
            let file = CrashFile::new(initial);
            let history = work(&new, &file, &model, random);
            for _ in 0..soak::rounds(25, 60) {
                let cut = any_cut(&file, 0, random);
                let killed = file.killed_at(cut);
                history.check(&survivors(&killed, &below, random), cut);
                // Sectors are written whole or not at all.
                POINTS.set(POINTS.get() + 1);
                let cut = Cut { bytes: cut.bytes / SECTOR * SECTOR, ..cut };
                let lost = file.power_lost_at(cut, SECTOR, random);
                history.check(&survivors(&lost, &below, random), cut);
            }
            assert!(now(&file).events > 10, "round {round}");
        }
    }
    tell("writing");
}

#[test]
fn a_new_file_survives_from_its_first_commit_on() {
    let random = &mut Random::new(12);
    for new in disks() {
        let below = parent_bytes(&new);
        let mut model = below.clone();
        let file = CrashFile::default();
        let mut history = History::default();
        let writer = VhdxWriter::create(&file, &new, ids(1)).unwrap();
        for _ in 0..8 {
            let change = Change::random(random, &new);
            history.changes.push((now(&file).events, change.clone()));
            change.perform(&writer).unwrap();
            change.apply(&mut model);
            if random.chance(1, 3) {
                writer.commit().unwrap();
                history.commits.push((now(&file).events, model.clone()));
            }
        }
        Box::new(writer).close().unwrap();
        history.commits.push((now(&file).events, model));
        let first = history.commits[0].0;
        for _ in 0..soak::rounds(30, 300) {
            let cut = any_cut(&file, first, random);
            let cut = Cut { bytes: cut.bytes / SECTOR * SECTOR, ..cut };
            let lost = file.power_lost_at(cut, SECTOR, random);
            history.check(&survivors(&lost, &below, random), cut);
        }
    }
    tell("writing new");
}

#[test]
fn a_disk_has_either_size() {
    let random = &mut Random::new(13);
    for new in disks() {
        let below = parent_bytes(&new);
        let (initial, model) = used(&new, &below, random);
        for more in [4096, 3 * MIB] {
            let file = CrashFile::new(initial.clone());
            let mut writer = open(&file, 1);
            writer.resize(new.size + more).unwrap();
            Box::new(writer).close().unwrap();
            let mut larger = model.clone();
            larger.resize(usize::try_from(new.size + more).unwrap(), 0);
            let mut seen = [0, 0];
            for _ in 0..soak::rounds(30, 300) {
                let cut = any_cut(&file, 0, random);
                let image = if random.chance(1, 2) {
                    file.killed_at(cut)
                } else {
                    file.power_lost_at(cut, SECTOR, random)
                };
                let found = survivors(&image, &below, random);
                let is_larger = found.len() > model.len();
                assert_same(&found, if is_larger { &larger } else { &model });
                seen[usize::from(is_larger)] += 1;
                // A resize that was over is not undone.
                assert!(is_larger || cut.events < now(&file).events);
            }
            assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
        }
    }
    tell("resizing");
}

#[test]
fn a_table_moves_or_stays() {
    let random = &mut Random::new(14);
    for kind in [Kind::Dynamic, Kind::Differencing] {
        let new = disk(kind, 4 * MIB, MIB, 512);
        let initial = MemoryFile::default();
        create_vhdx(&initial, &new).unwrap();
        let writer = open(&initial, 9);
        write(&writer, MIB + 512, &[7; 1024]).unwrap();
        Box::new(writer).close().unwrap();
        let size = 260 << 30;
        let file = CrashFile::new(initial.into_bytes());
        let mut writer = open(&file, 1);
        writer.resize(size).unwrap();
        let resized = now(&file).events;
        write(&writer, size - 512, &[8; 512]).unwrap();
        writer.commit().unwrap();
        let mut seen = [0, 0];
        let mut cuts: Vec<Cut> =
            (0..soak::rounds(30, 300)).map(|_| any_cut(&file, 0, random)).collect();
        for cut in file.cuts_before_flushes() {
            let times = soak::rounds(20, 100);
            cuts.extend((0..times).map(|_| cut));
            POINTS.set(POINTS.get() + times);
        }
        for cut in cuts {
            let image = file.power_lost_at(cut, SECTOR, random);
            no_errors(&image);
            let image = MemoryFile::new(image);
            drop(open(&image, 2));
            no_errors(&image.to_bytes());
            let disk = Vhdx::open(&image).unwrap();
            assert!(disk.size() == size || disk.size() == new.size && cut.events < resized);
            seen[usize::from(disk.size() == size)] += 1;
            let imprint_blockio::Extent::Data { offset, len, .. } =
                disk.resolve(MIB + 512, 1024).unwrap()
            else {
                panic!("what was there is lost after {cut:?}");
            };
            let mut bytes = [0; 1024];
            image.read_exact_at(&mut bytes, offset).unwrap();
            assert_eq!((bytes, len), ([7; 1024], 1024));
        }
        assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    }
    tell("moving the table of");
}

#[test]
fn a_disk_has_either_parent() {
    let random = &mut Random::new(15);
    let new = disk(Kind::Differencing, 3 * MIB, MIB, 512);
    let below = parent_bytes(&new);
    for name in ["b", &"longer".repeat(1000)] {
        let (initial, model) = used(&new, &below, random);
        let file = CrashFile::new(initial);
        let mut writer = open(&file, 1);
        let before = writer.parent().cloned();
        let mut other = parent(name);
        other.identity = imprint_winvalues::Guid([3; 16]);
        writer.rebase(&other).unwrap();
        let after = writer.parent().cloned();
        let mut seen = [0, 0];
        for _ in 0..soak::rounds(40, 600) {
            let cut = any_cut(&file, 0, random);
            let image = file.power_lost_at(cut, SECTOR, random);
            assert_same(&survivors(&image, &below, random), &model);
            let disk = Vhdx::open(&image).unwrap();
            let is_new = disk.parent() == after.as_ref();
            assert!(is_new || disk.parent() == before.as_ref(), "{:?}", disk.parent());
            seen[usize::from(is_new)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    }
    tell("rebasing");
}

#[test]
fn an_identity_is_old_or_new_but_never_before_its_contents() {
    let random = &mut Random::new(16);
    let new = disk(Kind::Dynamic, 3 * MIB, MIB, 512);
    let (initial, model) = used(&new, &[0; 3 << 20], random);
    let file = CrashFile::new(initial.clone());
    let before = Vhdx::open(&initial).unwrap().identity();
    let writer = open(&file, 1);
    let from = now(&file).events;
    write(&writer, 0, &[0xee; 4096]).unwrap();
    writer.commit().unwrap();
    for _ in 0..soak::rounds(40, 600) {
        let cut = any_cut(&file, from, random);
        let image = file.power_lost_at(cut, SECTOR, random);
        let disk = Vhdx::open(&image).unwrap();
        let changed = contents(&disk, &[]) != model;
        let identity = disk.identity();
        assert!(identity == before || identity == Some(ids(1).data_write));
        assert!(!changed || identity != before, "changed without a new identity at {cut:?}");
    }
    tell("giving an identity to");
}

#[test]
fn qemu_replays_our_logs() {
    let random = &mut Random::new(17);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk.vhdx");
    let raw = directory.path().join("disk.raw");
    let (name, raw_name) = (path.to_str().unwrap(), raw.to_str().unwrap());
    let mut replayed = 0;
    for new in disks().iter().filter(|new| new.kind != Kind::Differencing) {
        let (initial, model) = used(new, &vec![0; usize::try_from(new.size).unwrap()], random);
        let file = CrashFile::new(initial);
        let _history = work(new, &file, &model, random);
        for _ in 0..soak::rounds(12, 100) {
            let cut = any_cut(&file, 0, random);
            let image = if random.chance(1, 2) {
                file.killed_at(cut)
            } else {
                file.power_lost_at(cut, SECTOR, random)
            };
            let shown = contents(&Vhdx::open(&image).unwrap(), &[]);
            let mut pending = 0;
            check_vhdx(&image, &Progress::new(), &mut |finding| {
                pending += u32::from(matches!(finding, imprint_vdisk::Finding::PendingLog { .. }));
            })
            .unwrap();
            replayed += pending;
            fs_err::write(&path, &image).unwrap();
            fs_err::write(&raw, &shown).unwrap();
            let qemu = require("qemu-img");
            run(&qemu, ["check", "-q", "-f", "vhdx", "-r", "all", name]);
            run(&qemu, ["compare", "-f", "raw", "-F", "vhdx", raw_name, name]);
        }
    }
    assert!(replayed > 5, "{replayed} logs");
    tell("writing, judged by qemu-img,");
}
