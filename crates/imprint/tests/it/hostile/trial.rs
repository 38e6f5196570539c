//! Gives hostile files to verbs and holds what they do against the rules.

use std::collections::BTreeSet;

use imprint_testkit::census::census;
use imprint_testkit::soak;

use super::meter::{Did, Meter};
use crate::world::World;

/// Most memory a run may have, beyond the size of its input.
pub(super) const MEMORY: u64 = 64 << 20;

/// What each verb is asked to do with the file `w.wim`.
pub(super) const VERBS: [&[&str]; 7] = [
    &["info", "w.wim", "--header", "--blobs"],
    &["verify", "w.wim", "--threads=2"],
    &["dir", "w.wim", "1", "--detailed"],
    &["apply", "w.wim", "1", "out/all", "--threads=2"],
    &["extract", "w.wim", "1", "--dest-dir=out/some", "--threads=2"],
    &["export", "w.wim", "all", "out/new.wim", "--threads=2"],
    &["append", "src", "w.wim", "added", "--threads=2"],
];

/// Where things are expected to be after every run.
const NAMES: [&str; 4] = ["out", "outside", "src", "w.wim"];

pub(super) struct Trial {
    pub(super) world: World,
    meter: Meter,
    pub(super) runs: u32,
    pub(super) refused: u32,
    memory: u64,
    /// Messages without structure and position.
    unplaced: BTreeSet<String>,
}

impl Trial {
    pub(super) fn new() -> Self {
        let world = World::new();
        world.write("src/new", b"new data");
        world.write("outside/file", b"outside");
        let meter = Meter::new(&world);
        Self { world, meter, runs: 0, refused: 0, memory: 0, unplaced: BTreeSet::new() }
    }

    /// Gives a damaged file to verbs: to all in long runs, else to two in turn.
    pub(super) fn check(&mut self, what: &str, bytes: &[u8]) {
        let count = if soak::is_on() { VERBS.len() } else { 2 };
        for _ in 0..count {
            let verb = VERBS[usize::try_from(self.runs).unwrap() % VERBS.len()];
            self.run(what, bytes, verb);
        }
    }

    pub(super) fn run(&mut self, what: &str, bytes: &[u8], words: &[&str]) -> Did {
        self.world.write("w.wim", bytes);
        self.world.write("out/.keep", b"");
        let did = self.meter.imprint(words);
        let what = format!("{what}, {words:?}: {did:?}");
        assert!(matches!(did.status, 0 | 1 | 3), "{what}");
        assert!(!did.said.contains("panicked"), "{what}");
        assert!(did.memory * 1024 < MEMORY + bytes.len() as u64, "{what}");
        self.runs += 1;
        self.memory = self.memory.max(did.memory);
        if did.status == 1 {
            self.refused += 1;
            if !names_place(&did.said) {
                self.unplaced.insert(what.clone());
            }
            // What is refused is left as it was.
            assert!(self.world.read("w.wim") == bytes, "the file was changed: {what}");
        }
        if did.status == 3 {
            assert!(did.said.contains("left out: "), "{what}");
        }
        self.check_outside(&what);
        fs_err::remove_dir_all(self.world.path("out")).unwrap();
        did
    }

    fn check_outside(&self, what: &str) {
        assert_eq!(self.world.names(), NAMES, "{what}");
        let outside = census(&self.world.path("outside"));
        assert_eq!(outside.0.len(), 2, "{what}: {outside:?}");
        assert_eq!(self.world.read("outside/file"), b"outside", "{what}");
        assert_eq!(self.world.read("src/new"), b"new data", "{what}");
    }

    pub(super) fn end(self, name: &str) {
        let Self { runs, refused, memory, unplaced, .. } = &self;
        let first: Vec<_> = unplaced.iter().take(20).collect();
        assert!(unplaced.is_empty(), "{} messages without a place: {first:#?}", unplaced.len());
        println!("{name}: {runs} runs, {refused} refused, at most {memory} KiB");
    }
}

/// Whether a message says where in the file the fault is.
fn names_place(said: &str) -> bool {
    // Behind the first three: states of the whole file, and what is missing from it.
    [
        "offset 0x",
        "is damaged between bytes",
        "as its integrity table shows",
        "are not as its integrity table says",
        "are missing",
        "file cannot be changed in place",
        "is in none of the files given",
        "there is no image ",
        "compression to LZMS is not supported",
    ]
    .iter()
    .any(|words| said.contains(words))
}
