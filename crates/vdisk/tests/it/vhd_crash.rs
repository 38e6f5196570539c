//! Power cuts at every moment of a session with a VHD file.

use imprint_blockio::MemoryFile;
use imprint_testkit::{CrashFile, Cut, Random, soak};
use imprint_vdisk::{
    Container, Kind, NewParent, Reshape, Vhd, VhdWriter, WritableContainer, create_vhd,
};
use imprint_winvalues::{FileTime, Guid};

use crate::vhd_support::{assert_sound, change, contents, ids, new_disk};

/// What a session did up to some call.
struct Mark {
    /// Calls that were over.
    events: usize,
    /// The contents when the last commit was over.
    committed: Vec<u8>,
    /// The contents as they are now, if no commit comes.
    written: Vec<u8>,
    /// The sizes the disk may have.
    sizes: [usize; 2],
}

struct Session {
    file: CrashFile,
    parent: Vec<u8>,
    marks: Vec<Mark>,
}

fn parent_at(name: &str) -> NewParent {
    NewParent {
        identity: Guid::default(),
        modified: FileTime::from_unix(1_600_000_000, 0),
        relative: format!(r".\{name}.vhd"),
        absolute: None,
    }
}

/// A disk with some contents, in a file that is durable.
fn start(kind: Kind, sectors: u64, random: &mut Random) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut parent = vec![0; usize::try_from(sectors * 512).unwrap()];
    if kind == Kind::Differencing {
        random.fill(&mut parent);
    }
    let mut model = parent.clone();
    let file = MemoryFile::default();
    let disk = create_vhd(&file, &new_disk(kind, sectors * 512, Some(4096))).unwrap();
    for _ in 0..random.index(6) {
        change(&disk, &mut model, random);
    }
    Box::new(disk).close().unwrap();
    (file.into_bytes(), parent, model)
}

/// Writes, commits, resizes and rebases at random.
fn run(kind: Kind, seed: u64, reshaping: bool) -> Session {
    let mut random = Random::new(seed);
    let sectors = 8 + random.below(200);
    let (bytes, parent, mut model) = start(kind, sectors, &mut random);
    let file = CrashFile::new(bytes);
    let mut committed = model.clone();
    let mut marks = Vec::new();
    // Where the calls of the file stand: a flush counts, a read does not.
    let events = |file: &CrashFile| file.cuts().last().map_or(0, |cut| cut.events);
    let mut mark = |file: &CrashFile, committed: &[u8], written: &[u8], sizes| {
        let (committed, written) = (committed.to_vec(), written.to_vec());
        marks.push(Mark { events: events(file), committed, written, sizes });
    };
    mark(&file, &committed, &model, [model.len(); 2]);
    let mut disk = VhdWriter::open(&file, ids(3)).unwrap();
    for _ in 0..3 + random.index(5) {
        match random.index(if reshaping { 5 } else { 3 }) {
            0 | 1 => change(&disk, &mut model, &mut random),
            2 => {
                disk.commit().unwrap();
                committed = model.clone();
            }
            3 => {
                let before = model.len();
                let size = before + 512 * random.index(2000);
                // From here on the disk may be larger; the change itself commits.
                let mut larger = model.clone();
                larger.resize(size, 0);
                mark(&file, &committed, &larger, [before, size]);
                disk.resize(size as u64).unwrap();
                model = larger;
                committed = model.clone();
            }
            _ if kind == Kind::Differencing => {
                mark(&file, &committed, &model, [model.len(); 2]);
                let name = "n".repeat(1 + random.index(250));
                disk.rebase(&parent_at(&name)).unwrap();
                committed = model.clone();
            }
            _ => {}
        }
        mark(&file, &committed, &model, [model.len(); 2]);
    }
    drop(disk);
    Session { file, parent, marks }
}

/// What is left after a crash at `cut` must hold each sector of the last commit, or what was written to it
/// since.
fn check_cut(session: &Session, cut: Cut, random: &mut Random, what: &str) {
    let left = session.file.power_lost_at(cut, 512, random);
    let disk = Vhd::open(left.as_slice()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let before = session.marks.iter().rev().find(|mark| mark.events <= cut.events).unwrap();
    let after = session.marks.iter().find(|mark| mark.events > cut.events).unwrap_or(before);
    let size = usize::try_from(disk.size()).unwrap();
    let sizes = [before.sizes, after.sizes].concat();
    assert!(sizes.contains(&size), "{what}: {size} is none of {sizes:?}");
    let found = contents(&disk, &session.parent);
    let allowed = [&before.committed, &before.written, &after.written];
    for (index, sector) in found.chunks(512).enumerate() {
        let range = index * 512..index * 512 + sector.len();
        let right = allowed.iter().any(|bytes| match bytes.get(range.clone()) {
            Some(expected) => expected == sector,
            None => sector.iter().all(|&byte| byte == 0),
        });
        // A sector written several times since the last commit may hold any of it.
        let between = session
            .marks
            .iter()
            .filter(|mark| mark.events <= after.events && mark.committed == before.committed);
        let right =
            right || between.clone().any(|mark| mark.written.get(range.clone()) == Some(sector));
        assert!(right, "{what}: sector {index} is neither old nor new");
    }
    assert_sound(&left);

    // Opening for writing mends what the crash left, and the disk goes on.
    let file = MemoryFile::new(left);
    let writer = VhdWriter::open(&file, ids(8)).unwrap();
    assert!(contents(&writer, &session.parent) == found, "{what}: mending changed contents");
    let mut model = found;
    let mut parent = session.parent.clone();
    parent.resize(model.len(), 0);
    for _ in 0..3 {
        change(&writer, &mut model, random);
    }
    Box::new(writer).close().unwrap();
    let bytes = file.into_bytes();
    let disk = Vhd::open(bytes.as_slice()).unwrap();
    assert_eq!(disk.warnings(), [], "{what}");
    assert!(contents(&disk, &parent) == model, "{what}: not what was written afterwards");
    assert_sound(&bytes);
}

#[track_caller]
fn check(kind: Kind, reshaping: bool) {
    let mut points = 0;
    for seed in 0..u64::from(soak::rounds(40, 400)) {
        let session = run(kind, seed, reshaping);
        let mut random = Random::new(seed ^ 0x5eed);
        let cuts = session.file.cuts();
        for _ in 0..25 {
            // A sector is written whole or not at all; everything here is.
            let Cut { events, bytes } = *random.pick(&cuts);
            let cut = Cut { events, bytes: bytes / 512 * 512 };
            check_cut(&session, cut, &mut random, &format!("{kind} seed {seed} {cut:?}"));
            points += 1;
        }
    }
    println!("{points} crash points of a {kind} VHD, reshaped: {reshaping}");
}

#[test]
fn dynamic_disks_survive_power_cuts() {
    check(Kind::Dynamic, false);
}

#[test]
fn differencing_disks_survive_power_cuts() {
    check(Kind::Differencing, false);
}

#[test]
fn resizing_survives_power_cuts() {
    check(Kind::Dynamic, true);
}

#[test]
fn resizing_and_rebasing_survive_power_cuts() {
    check(Kind::Differencing, true);
}

/// Each call of a change of the parent counts, so all of them are tried, and more than once.
#[test]
fn rebasing_survives_power_cuts_at_every_call() {
    let mut points = 0;
    for seed in 0..u64::from(soak::rounds(6, 40)) {
        let mut random = Random::new(seed ^ 0x2eba5e);
        let (bytes, parent, model) = start(Kind::Differencing, 40, &mut random);
        let file = CrashFile::new(bytes);
        let mut disk = VhdWriter::open(&file, ids(3)).unwrap();
        disk.rebase(&parent_at(&"n".repeat(1 + random.index(250)))).unwrap();
        drop(disk);
        let sizes = [model.len(); 2];
        let mark = Mark { events: 0, committed: model.clone(), written: model, sizes };
        let session = Session { file, parent, marks: vec![mark] };
        for events in 0..=session.file.cut_at_byte(u64::MAX).events {
            for _ in 0..30 {
                let cut = Cut { events, bytes: 0 };
                check_cut(&session, cut, &mut random, &format!("rebase seed {seed} {cut:?}"));
                points += 1;
            }
        }
    }
    println!("{points} crash points of rebasing a VHD");
}
