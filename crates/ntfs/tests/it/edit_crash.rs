//! Edits cut off at every moment: what is left is the volume before a commit or after it.

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_ntfs::{
    EditOptions, Editor, FileValue, NewFile, RecordNumber, Volume, is_interrupted, mark_clean,
    recover,
};
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{CrashFile, Cut, Kind, Random, SparseMemory, ntfs_volume, soak};
use imprint_winvalues::{Attributes, FileTime, WinName};

const OPTIONS: EditOptions = EditOptions { now: FileTime(133_000_000_000_000_000), force: false };

/// A volume after a commit, and which of its bytes matter.
struct State {
    bytes: Vec<u8>,
    /// Of each cluster, how many bytes.
    used: Vec<usize>,
    cluster: usize,
}

impl State {
    fn new(bytes: Vec<u8>) -> Self {
        let volume = Volume::open(MemoryFile::new(bytes.clone())).unwrap();
        let cluster = usize::try_from(volume.geometry().cluster_size).unwrap();
        let value = |record| {
            let file = volume.file(RecordNumber(record)).unwrap().unwrap();
            let data = file.attributes.into_iter().find(|found| found.kind.0 == 0x80).unwrap();
            let FileValue::Clusters(value) = data.value else { panic!("it is in clusters") };
            value
        };
        let bitmap = value(6);
        let mut bits = vec![0; usize::try_from(bitmap.size()).unwrap()];
        volume.read_value(&bitmap, &mut bits, 0).unwrap();
        let used = bits.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
        let mut used: Vec<usize> = used.map(|bit| usize::from(bit) * cluster).collect();
        // What lies in the last cluster of `$MFT` behind its end is free, too.
        let table = value(0);
        let last = table.runs().last().unwrap();
        let lcn = last.lcn.unwrap().0 + last.length - 1;
        let within = table.size() - (last.end().0 - 1) * cluster as u64;
        used[usize::try_from(lcn).unwrap()] = usize::try_from(within).unwrap();
        Self { bytes, used, cluster }
    }

    /// Where a volume differs from this one; what is free may hold anything.
    fn difference(&self, other: &[u8]) -> Option<usize> {
        let clusters = self.bytes.chunks(self.cluster).zip(other.chunks(self.cluster));
        let mut differing = clusters.zip(&self.used).enumerate();
        let first = differing.find(|(_, ((mine, other), used))| mine[..**used] != other[..**used]);
        first.map(|(number, ((mine, other), _))| {
            let within = mine.iter().zip(other).position(|(mine, other)| mine != other);
            number * self.cluster + within.unwrap_or(0)
        })
    }

    /// Whether a volume is this one.
    fn is(&self, other: &[u8]) -> bool {
        self.difference(other).is_none()
    }
}

/// Makes a volume, edits it in several commits, and returns what they left.
fn edit(crash: &CrashFile) -> Vec<State> {
    let mut states = vec![State::new(crash.to_bytes())];
    let mut editor = Editor::open(crash, OPTIONS).unwrap();
    let root = editor.find("").unwrap().unwrap();
    let directory = NewFile {
        name: "directory".into(),
        is_directory: true,
        attributes: Attributes::ARCHIVE,
        ..NewFile::default()
    };
    let directory = editor.create(root, &directory).unwrap();
    let mut random = Random::new(5);
    for round in 0..4_u32 {
        for number in 0..20 {
            let name = format!("a file of round {round} with a name so long {number}");
            let new = NewFile { name: name.as_str().into(), ..NewFile::default() };
            let file = editor.create(directory, &new).unwrap();
            let data = Kind::Random.bytes(random.index(20_000), 3);
            let size = data.len() as u64;
            let read = |buf: &mut [u8], offset: u64| {
                let start = usize::try_from(offset).unwrap();
                buf.copy_from_slice(&data[start..start + buf.len()]);
                Ok(())
            };
            editor.write_stream(file, &WinName::default(), size, read).unwrap();
        }
        if round > 0 {
            for number in 0..10 {
                let name = format!("a file of round {} with a name so long {number}", round - 1);
                editor.remove(directory, &name.as_str().into()).unwrap();
            }
        }
        editor.commit().unwrap();
        states.push(State::new(crash.to_bytes()));
    }
    states
}

/// What is left after a cut, mended: it must be one of the states, and `least` or a later one.
fn check(states: &[State], left: &SparseMemory, what: &str) -> usize {
    let volume = Volume::open(left).unwrap_or_else(|error| panic!("{what}: {error}"));
    let interrupted = is_interrupted(&volume).unwrap();
    drop(volume);
    let recovered = recover(left).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(interrupted, recovered, "{what}");
    if !recovered {
        mark_clean(left).unwrap();
    }
    let bytes = left.to_bytes();
    let found = states.iter().rposition(|state| state.is(&bytes));
    found.unwrap_or_else(|| {
        let first: Vec<Option<usize>> =
            states.iter().map(|state| state.difference(&bytes)).collect();
        panic!("{what}: neither as before nor as after a commit, but differs at {first:x?}")
    })
}

fn volume() -> CrashFile {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    ntfs_volume(&path, 8);
    CrashFile::new(fs_err::read(&path).unwrap())
}

/// The cuts to try: in the short form not all.
fn sample(crash: &CrashFile) -> Vec<Cut> {
    let step = if soak::is_on() { 1 } else { 3 };
    let mut cuts: Vec<Cut> = crash.cuts().into_iter().rev().step_by(step).collect();
    cuts.reverse();
    cuts
}

/// The state that is durable for certain at a cut: that of the last commit that returned.
fn check_order(found: &mut usize, now: usize, what: &str) {
    assert!(now >= *found, "{what}: a commit was lost");
    *found = now;
}

#[test]
fn killed_anywhere_an_edit_is_there_or_not() {
    let crash = volume();
    let states = edit(&crash);
    let mut found = 0;
    for cut in sample(&crash) {
        let what = format!("killed at {cut:?}");
        check_order(&mut found, check(&states, &crash.killed(cut), &what), &what);
    }
    assert_eq!(found, 4, "the last commit is there in the end");
}

#[test]
fn no_power_anywhere_and_an_edit_is_there_or_not() {
    let crash = volume();
    let states = edit(&crash);
    let mut random = Random::new(11);
    let cuts = sample(&crash);
    for round in 0..soak::rounds(2, 50) {
        for &cut in &cuts {
            let what = format!("no power at {cut:?} in round {round}");
            check(&states, &crash.power_lost(cut, 512, &mut random), &what);
        }
    }
    // What a commit returned for is durable.
    let last = crash.cuts_before_flushes();
    assert!(last.len() >= 4 * 5);
}

#[test]
fn no_power_while_an_edit_is_finished_and_it_is_finished_later() {
    let crash = volume();
    let states = edit(&crash);
    let mut random = Random::new(13);
    let mut finished = 0;
    for cut in sample(&crash) {
        let left = crash.power_lost(cut, 512, &mut random);
        if !is_interrupted(&Volume::open(&left).unwrap()).unwrap() {
            continue;
        }
        let again = CrashFile::new(left.to_bytes());
        recover(&again).unwrap();
        let cuts = again.cuts();
        // Some of them, as there are so many.
        let step = if soak::is_on() { 1 } else { 23 };
        for cut in cuts.iter().skip(finished % step).step_by(step) {
            let what = format!("no power at {cut:?} while finishing");
            check(&states, &again.power_lost(*cut, 512, &mut random), &what);
        }
        finished += 1;
    }
    assert!(finished > 4);
}

#[test]
fn what_is_left_is_sound_for_others_too() {
    let crash = volume();
    let states = edit(&crash);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    let cuts = crash.cuts();
    let mut random = Random::new(12);
    for cut in cuts.iter().step_by(cuts.len() / 12) {
        let left = crash.power_lost(*cut, 512, &mut random);
        check(&states, &left, "sampled");
        recover(&left).unwrap();
        mark_clean(&left).unwrap();
        fs_err::write(&path, left.to_bytes()).unwrap();
        crate::check::assert_sound(&path);
        assert_eq!(volumes::check(&path, 0, Strictness::Strict), "", "{cut:?}");
    }
    assert!(states.iter().all(|state| state.bytes.len() as u64 == crash.len().unwrap()));
}
