//! A medium that breaks, or is full, at any call while a disk is written: an error and no panic, and
//! what was committed is there, even if the power fails next.

use imprint_blockio::{Resize, Sparse};
use imprint_testkit::{CrashFile, FailingFile, Fault, Limit, Random, SparseMemory, soak};
use imprint_vdisk::{
    Container, Format, Kind, NewDisk, OpenError, Reshape, Vhd, VhdWriter, Vhdx, VhdxWriter,
    WritableContainer, create_vhd, create_vhdx,
};

use crate::crash_support::no_errors;
use crate::vhdx_model::{Change, MIB, contents};
use crate::{vhd_support, vhdx_model};

/// One thing done to a disk.
#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    Commit,
    Resize(u64),
    Rebase,
}

/// What a disk may show: the last commit, and all that was written since.
#[derive(Clone)]
struct Allowed {
    committed: Vec<u8>,
    written: Vec<Vec<u8>>,
}

impl Allowed {
    fn written(&self) -> &[u8] {
        self.written.last().unwrap_or(&self.committed)
    }

    fn commit(&mut self) {
        if let Some(last) = self.written.pop() {
            self.committed = last;
        }
        self.written.clear();
    }

    #[track_caller]
    fn check(&self, found: &[u8], what: &str) {
        let states = || self.written.iter().chain([&self.committed]);
        assert!(states().any(|state| state.len() == found.len()), "{what}: {}", found.len());
        for (index, sector) in found.chunks(512).enumerate() {
            let at = index * 512..index * 512 + sector.len();
            // What a state does not reach is zeros there.
            let right = states().any(|state| match state.get(at.clone()) {
                Some(bytes) => bytes == sector,
                None => sector.iter().all(|&byte| byte == 0),
            });
            assert!(right, "{what}: sector {index} is neither old nor new");
        }
    }
}

fn disks(format: Format) -> Vec<NewDisk> {
    match format {
        Format::Vhdx => vec![
            vhdx_model::disk(Kind::Dynamic, 2 * MIB + 512, MIB, 512),
            vhdx_model::disk(Kind::Fixed, MIB, MIB, 512),
            vhdx_model::disk(Kind::Differencing, 2 * MIB + 8192, MIB, 4096),
        ],
        Format::Vhd | Format::Raw => [Kind::Dynamic, Kind::Fixed, Kind::Differencing]
            .map(|kind| vhd_support::new_disk(kind, 50 << 10, Some(4096)))
            .to_vec(),
    }
}

fn steps(new: &NewDisk, random: &mut Random) -> Vec<Step> {
    let mut size = new.size;
    (0..4 + random.index(5))
        .map(|_| match random.index(8) {
            0 | 1 => Step::Commit,
            2 if new.kind != Kind::Fixed => {
                size += 4096 * random.below(200);
                Step::Resize(size)
            }
            3 if new.kind == Kind::Differencing => Step::Rebase,
            _ => Step::Change(Change::random(random, &NewDisk { size, ..new.clone() })),
        })
        .collect()
}

/// Opens a file of either format for writing.
fn open<'a, T: Sparse + Resize + Send + Sync + 'a>(
    format: Format,
    file: T,
) -> Result<Box<dyn Reshape + 'a>, OpenError> {
    Ok(match format {
        Format::Vhdx => Box::new(VhdxWriter::open(file, vhdx_model::ids(1))?),
        Format::Vhd | Format::Raw => Box::new(VhdWriter::open(file, vhd_support::ids(3))?),
    })
}

/// Does the steps until one fails.
fn perform(disk: &mut dyn Reshape, steps: &[Step], allowed: &mut Allowed) -> Result<(), String> {
    for step in steps {
        let mut next = allowed.written().to_vec();
        match step {
            Step::Change(change) => {
                change.apply(&mut next);
                allowed.written.push(next);
                change.perform(disk).map_err(|error| error.to_string())?;
            }
            Step::Commit => {
                disk.commit().map_err(|error| error.to_string())?;
                allowed.commit();
            }
            Step::Resize(size) => {
                next.resize(usize::try_from(*size).unwrap(), 0);
                allowed.written.push(next);
                disk.resize(*size).map_err(|error| error.to_string())?;
                allowed.commit();
            }
            Step::Rebase => {
                let other = vhdx_model::parent(&"other".repeat(20));
                disk.rebase(&other).map_err(|error| error.to_string())?;
                allowed.commit();
            }
        }
    }
    disk.commit().map_err(|error| error.to_string())?;
    allowed.commit();
    Ok(())
}

fn shown(format: Format, file: &SparseMemory, below: &[u8], what: &str) -> Vec<u8> {
    let disk: Result<Box<dyn Container + '_>, _> = match format {
        Format::Vhdx => Vhdx::open(file).map(|disk| Box::new(disk) as _),
        Format::Vhd | Format::Raw => Vhd::open(file).map(|disk| Box::new(disk) as _),
    };
    contents(&*disk.unwrap_or_else(|error| panic!("{what}: {error}")), below)
}

/// Runs the steps on a medium that fails after some operations; answers whether it did.
fn trial(new: &NewDisk, format: Format, seed: u64, fault: Fault, operations: u64) -> bool {
    let random = &mut Random::new(seed);
    let what = format!("{format} {} seed {seed} {fault:?} {operations}", new.kind);
    let start = SparseMemory::default();
    match format {
        Format::Vhdx => create_vhdx(&start, new).unwrap(),
        Format::Vhd | Format::Raw => Box::new(create_vhd(&start, new).unwrap()).close().unwrap(),
    }
    let below = vhdx_model::parent_bytes(new);
    let mut allowed = Allowed { committed: below.clone(), written: Vec::new() };
    let used = steps(new, random);
    let before = steps(new, random);
    // Something stands there already.
    let only_changes = before.iter().filter(|step| matches!(step, Step::Change(_)));
    let changes: Vec<Step> = only_changes.filter(|step| fits(step, new.size)).cloned().collect();
    let mut writer = open(format, &start).unwrap();
    perform(&mut *writer, &changes, &mut allowed).unwrap();
    drop(writer);

    let file = FailingFile::new(CrashFile::from(start), fault, Limit::Operations(operations));
    if let Ok(mut disk) = open(format, &file) {
        let result = perform(&mut *disk, &used, &mut allowed);
        assert_eq!(result.is_err(), file.has_failed(), "{what}: {result:?}");
        if result.is_err() {
            // Nothing more gets into the file.
            let count = allowed.written.len();
            assert!(disk.commit().is_err(), "{what}");
            assert_eq!(count, allowed.written.len());
        }
    }
    let failed = file.has_failed();
    let file = file.into_inner();
    let end = file.cut_at_moment(file.moments());
    let torn = file.power_lost(end, 512, random);
    for left in [file.killed(end), torn] {
        no_errors(format, &left, &what);
        let found = shown(format, &left, &below, &what);
        allowed.check(&found, &what);
        // Another session mends what is left, and shows the same.
        drop(open(format, &left).unwrap_or_else(|error| panic!("{what}: {error}")));
        crate::crash_support::same(&shown(format, &left, &below, &what), &found, &what);
    }
    failed
}

fn fits(step: &Step, size: u64) -> bool {
    match step {
        Step::Change(change) => {
            let (at, bytes) = change.bytes();
            (at + bytes.len()) as u64 <= size
        }
        Step::Commit | Step::Resize(_) | Step::Rebase => true,
    }
}

fn check(format: Format, seeds: u32) {
    let mut points = 0;
    for seed in 0..u64::from(seeds) {
        for new in disks(format) {
            for fault in [Fault::Broken, Fault::Full] {
                let mut operations = 0;
                while trial(&new, format, seed, fault, operations) {
                    points += 1;
                    operations += 1;
                }
                assert!(operations > 3, "{operations}");
            }
        }
    }
    println!("{points} failures of the medium under a {format} file");
}

#[test]
fn vhd_files_survive_a_medium_that_fails() {
    check(Format::Vhd, soak::rounds(4, 40));
}

#[test]
fn vhdx_files_survive_a_medium_that_fails() {
    check(Format::Vhdx, soak::rounds(1, 6));
}
