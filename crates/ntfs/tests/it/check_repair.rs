//! Damaged volumes that are repaired: sound for every checker afterwards, and with all files that were there.

use std::collections::BTreeMap;

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_ntfs::{
    FileValue, Namespace, RecordNumber, RepairError, RepairOptions, Repaired, Volume, repair,
};
use imprint_progress::Progress;
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{CrashFile, Random};
use imprint_winvalues::FileTime;

use crate::check::text;
use crate::check_volume::*;

const OPTIONS: RepairOptions =
    RepairOptions { now: FileTime(133_000_000_000_000_000), force: false };

/// All names of a volume by their path, and the record behind each.
fn paths(device: &impl ReadAt) -> BTreeMap<String, u64> {
    let volume = Volume::open(device).unwrap();
    let mut names = BTreeMap::new();
    volume.sweep(0..volume.records(), |number, swept| {
        let Ok(swept) = swept else { return };
        for name in swept.names {
            if name.namespace != Namespace::Dos {
                let own = (name.name.to_string(), name.parent.record.0);
                names.entry(number.0).or_insert_with(Vec::new).push(own);
            }
        }
    });
    let mut all = BTreeMap::new();
    for (record, own) in &names {
        for (name, parent) in own {
            let (mut path, mut at) = (name.clone(), *parent);
            for _ in 0..20 {
                let Some((name, parent)) = names.get(&at).and_then(|own| own.first()) else {
                    break;
                };
                if at == 5 {
                    break;
                }
                path = format!("{name}/{path}");
                at = *parent;
            }
            all.insert(path, *record);
        }
    }
    all
}

/// Every path leads through the indexes to its file.
#[track_caller]
fn assert_found(device: &impl ReadAt, expected: &BTreeMap<String, u64>) {
    let volume = Volume::open(device).unwrap();
    let upcase = volume.upcase().unwrap();
    for (path, record) in expected.iter().filter(|(path, _)| *path != ".") {
        let found = volume.find(path, &upcase).unwrap();
        assert_eq!(found.map(|found| found.record.0), Some(*record), "{path}");
    }
}

/// Damages a copy and repairs it.
#[track_caller]
fn run(sample: &Sample, damage: impl FnOnce(&mut Bytes)) -> (Repaired, MemoryFile) {
    let mut bytes = Bytes(sample.bytes.clone());
    damage(&mut bytes);
    let device = MemoryFile::new(bytes.0);
    let repaired = repair(&device, &OPTIONS, &Progress::new()).unwrap();
    (repaired, device)
}

/// Damage is mended, wholly, by these steps; all paths are there but those in `moved`, which is what they become.
#[track_caller]
fn check(sample: &Sample, steps: &[&str], moved: &[(&str, &str)], damage: impl FnOnce(&mut Bytes)) {
    let (repaired, device) = run(sample, damage);
    let done: Vec<String> = repaired.steps.iter().map(ToString::to_string).collect();
    assert_eq!(text(&repaired.after), "", "after {done:#?} of\n{}", text(&repaired.before));
    assert_eq!(done, steps, "of\n{}", text(&repaired.before));
    let mut expected = paths(&MemoryFile::new(sample.bytes.clone()));
    for (from, to) in moved {
        let old: Vec<String> =
            expected.keys().filter(|path| path.starts_with(from)).cloned().collect();
        assert!(!old.is_empty());
        for path in old {
            let record = expected.remove(&path).unwrap();
            if !to.is_empty() {
                expected.insert(path.replacen(from, to, 1), record);
            }
        }
    }
    assert_found(&device, &expected);
    let path = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(path.path(), device.to_bytes()).unwrap();
    assert_eq!(volumes::check(path.path(), 0, Strictness::Strict), "");
}

const MARK: &str = "removed the mark of a dirty volume and emptied $LogFile";

#[test]
fn copies_and_bitmaps_are_made_anew() {
    let sample = Sample::new();
    let last = sample.bytes.len() - 512;
    let large = Bytes(sample.bytes.clone()).named("large");
    check(&sample, &["took the boot sector from its copy", MARK], &[], |v| v.0[3] = b'X');
    let copied = "copied the boot sector to the last sector";
    check(&sample, &[copied, MARK], &[], |v| v.0[last + 20] ^= 1);
    let mirrored = "copied the first file records to $MFTMirr";
    check(&sample, &[mirrored, MARK], &[], |v| {
        let at = v.run(1, DATA, "");
        v.0[at + 0x60] ^= 1;
    });
    check(&sample, &["took file record 0 from its copy", MARK], &[], |v| v.0[Bytes::place(0)] = 0);
    check(&sample, &["took file record 0 from its copy", MARK], &[], |v| {
        v.record(0, |r| r.put(r.pairs(DATA, ""), 0x99, 1));
    });
    check(&sample, &["marked 1 file records as in use and 1 as free", MARK], &[], |v| {
        let at = v.run(0, BITMAP, "");
        v.0[at + large / 8] &= !(1 << (large % 8));
        // The record of the file that was removed.
        v.0[at + (large - 1) / 8] |= 1 << ((large - 1) % 8);
    });
    check(&sample, &["marked 9 clusters as in use and 3 as free", MARK], &[], |v| {
        let at = v.run(6, DATA, "");
        let lcn = v.run(large, DATA, "") / CLUSTER;
        assert!(lcn / 8 + 1 < 400);
        v.0[at + lcn / 8 + 1] = 0;
        v.0[at + 400] = 7;
        v.0[at + 511] &= 0x7f;
    });
    check(&sample, &[MARK], &[], |v| {
        v.record(3, |r| r.put(r.value(0x70, "") + 10, 1, 2));
        let at = v.run(1, DATA, "");
        v.0.copy_within(Bytes::place(3)..Bytes::place(4), at + 3 * RECORD);
    });
}

#[test]
fn directories_are_made_anew() {
    let sample = Sample::new();
    let bytes = Bytes(sample.bytes.clone());
    let (folder, file) = (bytes.named("folder"), bytes.named("file 007"));
    let index = format!("made the index of file record {folder} anew");
    let steps = [index.as_str(), MARK];
    check(&sample, &steps, &[], |v| v.block(folder, 0, |b| b.0[0] = b'X'));
    check(&sample, &steps, &[], |v| v.block(folder, 5, |b| b.put(b.entry(1) + 8, 7, 2)));
    check(&sample, &steps, &[], |v| {
        v.record(folder, |r| r.put(r.value(INDEX_ROOT, "$I30") + 16 + 16 + 16, 99, 8));
    });
    check(&sample, &steps, &[], |v| v.record(folder, |r| r.put(r.value(BITMAP, "$I30"), 1, 1)));
    check(&sample, &steps, &[], |v| v.block(folder, 0, |b| b.add(b.named("file 007") + 6, 1, 2)));
    check(&sample, &steps, &[], |v| {
        v.block(folder, 0, |b| {
            let at = b.named("file 007");
            b.0[at + 16 + 66] = b'x';
        });
    });
    let root = ["made the index of file record 5 anew", MARK];
    check(&sample, &root, &[], |v| v.block(5, 0, |b| b.put(0x1c, 0x40, 4)));
    let extend = ["made the index of file record 11 anew", MARK];
    check(&sample, &extend, &[], |v| {
        v.record(11, |r| r.add(r.value(INDEX_ROOT, "$I30") + 32 + 6, 1, 2));
    });
    // A file that was removed in part: its record is free.
    let freed = ["marked 0 file records as in use and 1 as free", index.as_str(), MARK];
    check(&sample, &freed, &[("folder/file 007", "")], |v| v.record(file, |r| r.put(0x16, 0, 2)));
    let rewritten = format!("wrote file record {file} anew");
    check(&sample, &[rewritten.as_str(), MARK], &[], |v| v.record(file, |r| r.put(0x12, 9, 2)));
}

#[test]
fn orphans_are_found() {
    let sample = Sample::new();
    let bytes = Bytes(sample.bytes.clone());
    let (folder, inner, file) =
        (bytes.named("folder"), bytes.named("inner"), bytes.named("file 007"));
    let found = |record: usize| format!("put file record {record} into a directory");
    let index = |record: usize| format!("made the index of file record {record} anew");
    let (repaired, device) = run(&sample, |v| {
        v.record(file, |r| r.put(r.value(FILE_NAME, ""), file, 6));
    });
    assert_eq!(text(&repaired.after), "");
    assert!(repaired.steps.iter().any(|step| step.to_string() == found(file)));
    let mut expected = paths(&MemoryFile::new(sample.bytes.clone()));
    expected.remove("folder/file 007");
    expected.insert("found.000/file 007".into(), file as u64);
    assert_found(&device, &expected);
    // The use count alone is no reason to move it.
    let steps = [found(file), index(folder), MARK.to_owned()];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    check(&sample, &steps, &[], |v| {
        v.record(file, |r| r.add(r.value(FILE_NAME, "") + 6, 1, 2));
    });
    // A directory in itself.
    let (repaired, device) = run(&sample, |v| {
        v.record(folder, |r| {
            let at = r.value(FILE_NAME, "");
            r.put(at, inner, 6);
            r.put(at + 6, 1, 2);
        });
    });
    assert_eq!(text(&repaired.after), "");
    let all = paths(&device);
    let path = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(path.path(), device.to_bytes()).unwrap();
    volumes::judge(path.path());
    let deep = all.keys().find(|path| path.ends_with("inner/deep")).unwrap();
    assert!(deep.starts_with("found.000/"), "{deep}");
    assert_found(&device, &all);
}

#[test]
fn views_are_made_anew() {
    let sample = Sample::new();
    let index = |record: usize| format!("made the index of file record {record} anew");
    let [reparse, objects, secure] = [26, 25, 9].map(index);
    check(&sample, &[&reparse, MARK], &[], |v| {
        v.record(26, |r| r.add(r.value(INDEX_ROOT, "$R") + 32 + 16, 1, 1));
    });
    check(&sample, &[&objects, MARK], &[], |v| {
        v.record(25, |r| r.add(r.value(INDEX_ROOT, "$O") + 32 + 32, 1, 1));
    });
    check(&sample, &[&secure, &secure, MARK], &[], |v| {
        v.record(9, |r| r.add(r.value(INDEX_ROOT, "$SII") + 32 + 16, 7, 4));
    });
    check(&sample, &[&secure, &secure, MARK], &[], |v| {
        v.record(9, |r| r.add(r.value(INDEX_ROOT, "$SDH") + 32 + 16, 7, 4));
    });
}

#[test]
fn what_cannot_be_mended_stays_marked_and_loses_nothing() {
    let sample = Sample::new();
    let bytes = Bytes(sample.bytes.clone());
    let (large, file) = (bytes.named("large"), bytes.named("file 007"));
    // The clusters of a broken record are not given to others.
    let (repaired, device) = run(&sample, |v| {
        v.0[Bytes::place(large)] = b'X';
        v.record(file, |r| r.put(0x12, 9, 2));
    });
    let left = text(&repaired.after);
    assert!(left.contains("[signature]") && left.contains("[lost-cluster]"), "{left}");
    // Its name is left, as the only trace.
    assert!(left.contains("entry \"large\" of directory 5: leads to a record that is damaged"));
    assert!(left.contains("it is marked as dirty") && !left.contains("[links]"), "{left}");
    let volume = Volume::open(&device).unwrap();
    let bitmap = volume.file(RecordNumber(6)).unwrap().unwrap();
    let same = |value: &FileValue| matches!(value, FileValue::Clusters(_));
    assert!(bitmap.attributes.iter().any(|found| same(&found.value)));
}

/// A record that was lost to zeros: its clusters are kept, and its directory, made anew, keeps its name.
#[test]
fn records_of_zeros_are_not_taken_for_free() {
    let sample = Sample::new();
    let large = Bytes(sample.bytes.clone()).named("large");
    let (repaired, _) = run(&sample, |v| v.0[Bytes::place(large)..][..RECORD].fill(0));
    let left = text(&repaired.after);
    assert!(left.contains("[lost-record]") && left.contains("[lost-cluster]"), "{left}");
    // Without clusters that belong to nothing there was no file.
    let gone = large - 1;
    let (repaired, _) = run(&sample, |v| {
        v.0[Bytes::place(gone)..][..RECORD].fill(0);
        let at = v.run(0, BITMAP, "");
        v.0[at + gone / 8] |= 1 << (gone % 8);
    });
    assert_eq!(text(&repaired.after), "");
}

/// A file of which an attribute cannot be understood is not written anew: it would lose it.
#[test]
fn files_that_are_not_understood_are_left_alone() {
    let sample = Sample::new();
    let large = Bytes(sample.bytes.clone()).named("large");
    let mut damaged = Vec::new();
    let (repaired, device) = run(&sample, |v| {
        v.record(large, |r| {
            r.put(0x12, 9, 2);
            r.put(r.pairs(DATA, ""), 0x99, 1);
        });
        damaged.extend_from_slice(&v.0[Bytes::place(large)..][..RECORD]);
    });
    assert!(text(&repaired.after).contains("[links]"));
    assert_eq!(device.to_bytes()[Bytes::place(large)..][..RECORD], damaged);
}

#[test]
fn a_sound_volume_is_not_written_to() {
    let sample = Sample::new();
    let crash = CrashFile::new(sample.bytes.clone());
    let repaired = repair(&crash, &OPTIONS, &Progress::new()).unwrap();
    assert_eq!((repaired.steps.len(), crash.bytes_written()), (0, 0));
}

#[test]
fn volumes_of_a_windows_that_sleeps_are_refused() {
    let mut bytes = Bytes(Sample::new().bytes);
    let log = bytes.run(2, DATA, "");
    // A restart page of a log that is in use.
    let page = &mut bytes.0[log..log + 512];
    page.fill(0);
    page[..8].copy_from_slice(b"RSTR\x1e\0\x09\0");
    page[16..24].copy_from_slice(&[0, 0x10, 0, 0, 0, 0x10, 0, 0]);
    page[24..30].copy_from_slice(&[0x30, 0, 1, 0, 1, 0]);
    page[0x38..0x40].copy_from_slice(&[1, 0, 0xff, 0xff, 0, 0, 0, 0]);
    let crash = CrashFile::new(bytes.0.clone());
    let error = repair(&crash, &OPTIONS, &Progress::new()).unwrap_err();
    assert!(matches!(error, RepairError::Asleep(_)), "{error}");
    assert_eq!(crash.bytes_written(), 0);
    let forced = RepairOptions { force: true, ..OPTIONS };
    assert_eq!(text(&repair(&crash, &forced, &Progress::new()).unwrap().after), "");
}

/// A repair that is cut off can be done again, and the result is the same files.
#[test]
fn a_repair_may_be_cut_off_anywhere() {
    let sample = Sample::new();
    let mut bytes = Bytes(sample.bytes.clone());
    let (folder, file) = (bytes.named("folder"), bytes.named("file 007"));
    let last = bytes.0.len() - 512;
    bytes.0[last + 20] ^= 1;
    let bitmap = bytes.run(6, DATA, "");
    bytes.0[bitmap + 400] = 7;
    bytes.block(folder, 0, |b| b.0[0] = b'X');
    bytes.record(file, |r| r.put(r.value(FILE_NAME, ""), file, 6));
    let crash = CrashFile::new(bytes.0);
    let repaired = repair(&crash, &OPTIONS, &Progress::new()).unwrap();
    assert_eq!(text(&repaired.after), "");
    let expected = paths(&MemoryFile::new(crash.to_bytes()));
    assert!(expected.contains_key("found.000/file 007"));
    let mut random = Random::new(5);
    let cuts = crash.cuts();
    for cut in cuts.iter().step_by(cuts.len().div_ceil(40).max(1)) {
        for left in [crash.killed_at(*cut), crash.power_lost_at(*cut, 512, &mut random)] {
            let device = MemoryFile::new(left);
            let again = repair(&device, &OPTIONS, &Progress::new()).unwrap();
            assert_eq!(text(&again.after), "", "{cut:?}");
            assert_eq!(
                paths(&device).keys().collect::<Vec<_>>(),
                expected.keys().collect::<Vec<_>>()
            );
            assert_found(&device, &paths(&device));
        }
    }
}
