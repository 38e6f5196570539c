//! Gives hostile disks to verbs and holds what they do against the rules.

use std::os::unix::fs::symlink;

use imprint_testkit::{soak, tools};

use crate::hostile::meter::{Did, Meter};
use crate::world::World;

/// Most memory a run may have.
const MEMORY: u64 = 64 << 20;

/// What each verb is asked to do with a disk; `FILE` is its name, `NEW` one that is free.
const VERBS: [&[&str]; 11] = [
    &["convert", "FILE", "NEW.img"],
    &["merge", "FILE"],
    &["check", "FILE"],
    &["compact", "FILE"],
    &["info", "FILE"],
    &["map", "FILE"],
    &["flatten", "FILE", "NEW.vhdx"],
    &["resize", "FILE", "1G", "--force"],
    &["child", "FILE", "NEW"],
    &["rebase", "FILE", "in/other"],
    &["check", "FILE", "--repair", "NEW"],
];

/// Which verbs must refuse a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// All: it cannot be opened.
    ByAll,
    /// Those that read all of it.
    ByReaders,
    /// Those that use what the disk holds: two structures take the same bytes.
    ByUsers,
    /// None may be harmed by it, whatever they say.
    Perhaps,
}

/// A disk and what is to become of it.
pub(super) struct Sample<'a> {
    pub(super) what: &'a str,
    /// Its name in the folder `in`.
    pub(super) file: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) refused: Refused,
}

/// The identities of disks are never the same twice.
fn without_ids(line: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let words = line.split(' ').map(|word| match word.strip_suffix([',', ':']) {
        Some(id) if is_id(id) => word.replace(id, "ID"),
        _ if is_id(word) => "ID".to_owned(),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) struct Trial {
    pub(super) world: World,
    meter: Meter,
    runs: usize,
    memory: u64,
    /// Runs that ended otherwise than they should have.
    wrong: Vec<String>,
    /// What converting said.
    pub(super) said: Vec<String>,
}

impl Trial {
    pub(super) fn new() -> Self {
        let world = World::new();
        world.write("outside/file", b"outside");
        world.write("keep/README", b"");
        fs_err::create_dir(world.path("in")).unwrap();
        let meter = Meter::new(&world);
        Self { world, meter, runs: 0, memory: 0, wrong: Vec::new(), said: Vec::new() }
    }

    /// Puts files beside the disks that come.
    pub(super) fn beside(&self, name: &str, bytes: &[u8]) {
        self.world.write(&format!("keep/{name}"), bytes);
    }

    /// Gives a disk to verbs: to all in long runs, else to the first and two others in turn.
    pub(super) fn check(&mut self, sample: &Sample<'_>) {
        let others = VERBS.len() - 1;
        let count = if soak::is_on() { others } else { 2 };
        let verbs = (0..count).map(|turn| 1 + (self.runs + turn) % others);
        for verb in [0].into_iter().chain(verbs.collect::<Vec<_>>()) {
            self.run(sample, VERBS[verb]);
        }
    }

    /// Gives a disk to every verb.
    pub(super) fn check_all(&mut self, sample: &Sample<'_>) {
        VERBS.iter().for_each(|verb| drop(self.run(sample, verb)));
    }

    fn run(&mut self, sample: &Sample<'_>, verb: &[&str]) -> Did {
        let (input, output) = (self.world.path("in"), self.world.path("out"));
        for folder in [&input, &output] {
            if folder.exists() {
                fs_err::remove_dir_all(folder).unwrap();
            }
        }
        self.world.shell("cp -a keep in; mkdir out");
        let name = format!("in/{}", sample.file);
        self.world.write(&name, sample.bytes);
        let ending = sample.file.rsplit('.').next().unwrap();
        let words = verb.iter().map(|word| match *word {
            "FILE" => name.clone(),
            "NEW" => format!("out/new.{ending}"),
            word => word.replace("NEW", "out/new"),
        });
        let words: Vec<String> = words.collect();
        let did = self.traced(&words);
        let what = format!("{}: {words:?}: {did:?}", sample.what);
        // What is refused can be saved.
        let name = if verb.contains(&"--repair") { "repair" } else { verb[0] };
        self.judge(sample, name, &did, &what);
        if did.status == 1 && verb[0] == "convert" {
            let line = did.said.lines().next().unwrap_or_default();
            self.said.push(format!("{}: {}", sample.what, without_ids(line)));
        }
        did
    }

    /// Runs `imprint disk` and looks at the files it opened.
    fn traced(&mut self, words: &[String]) -> Did {
        let strace = tools::require("strace");
        let strace = strace.to_str().unwrap();
        let calls =
            "trace=open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,unlink,unlinkat";
        let options = [strace, "-f", "-qq", "-y", "-s", "4096", "-o", "trace", "-e", calls];
        let program = [env!("CARGO_BIN_EXE_imprint"), "disk"];
        let words = words.iter().map(String::as_str);
        let all: Vec<&str> = options.into_iter().chain(program).chain(words).collect();
        let did = self.meter.run(&all);
        self.check_opened();
        fs_err::remove_file(self.world.path("trace")).unwrap();
        self.runs += 1;
        self.memory = self.memory.max(did.memory);
        did
    }

    /// Only files of the folders of the disks, and what programs need, were opened.
    fn check_opened(&self) {
        let trace = self.world.read("trace");
        let trace = String::from_utf8_lossy(&trace);
        let here = self.world.path("").canonicalize().unwrap();
        let folders = ["in", "out"].map(|folder| format!("{}/{folder}", here.display()));
        let opened = opened(&trace);
        for path in &opened {
            assert!(is_ours(path, &folders), "{path} was opened:\n{trace}");
        }
        assert!(!opened.is_empty(), "nothing is traced: {trace}");
    }

    fn judge(&mut self, sample: &Sample<'_>, verb: &str, did: &Did, what: &str) {
        let expected = match (sample.refused, verb) {
            (Refused::ByAll, _)
            | (Refused::ByReaders, "convert" | "flatten" | "map" | "check")
            | (
                Refused::ByUsers,
                "convert" | "flatten" | "map" | "check" | "merge" | "compact" | "resize" | "child"
                | "rebase",
            ) => &[1_i64][..],
            (Refused::ByReaders | Refused::ByUsers | Refused::Perhaps, _) => &[0, 1, 3],
        };
        if !expected.contains(&did.status) {
            self.wrong.push(what.to_owned());
        }
        assert!(!did.said.contains("panicked"), "{what}");
        assert!(did.memory * 1024 < MEMORY, "{what}");
        if did.status == 1 {
            assert!(did.said.contains("error: ") || verb == "check", "{what}");
            assert!(!self.world.has("out/new.img"), "{what}");
        }
        if sample.refused == Refused::ByAll {
            let now = self.world.read(&format!("in/{}", sample.file));
            assert!(now == sample.bytes, "the file was changed: {what}");
        }
        assert_eq!(self.world.names(), ["in", "keep", "out", "outside"], "{what}");
        assert_eq!(self.world.read("outside/file"), b"outside", "{what}");
        let kept = self.world.snapshot("outside", crate::world::Modes::Compare);
        assert_eq!(kept.len(), 2, "{what}");
    }

    /// Makes a link beside the disks.
    pub(super) fn link(&self, name: &str, target: &str) {
        symlink(target, self.world.path(&format!("keep/{name}"))).unwrap();
    }

    pub(super) fn end(&self, name: &str) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        println!("{name}: {} runs, at most {} KiB", self.runs, self.memory);
    }
}

/// The files that were opened: `openat(AT_FDCWD</world>, "in/a.vhd", O_RDONLY) = 3</world/in/a.vhd>`.
fn opened(trace: &str) -> Vec<&str> {
    let lines = trace.lines().filter(|line| line.contains("open") || line.contains("creat("));
    let results = lines.filter_map(|line| line.rsplit_once(" = ")?.1.split_once('<'));
    results.map(|(_, path)| path.trim_end_matches('>')).collect()
}

/// Whether a file is in one of the folders, or one that every program opens.
fn is_ours(path: &str, folders: &[String]) -> bool {
    let system = ["/etc/ld.so.", "/lib/", "/lib64/", "/usr/lib", "/proc/self/", "/sys/fs/cgroup/"];
    let process = path.starts_with("/proc/") && !path.contains("/fd/");
    let mut starts = folders.iter().map(String::as_str).chain(system);
    process || starts.any(|start| path.starts_with(start))
}

#[test]
fn foreign_files_are_seen() {
    let trace = "12 openat(AT_FDCWD</w>, \"in/a\", O_RDONLY|O_CLOEXEC) = 3</w/in/a>\n\
                 12 openat(AT_FDCWD</w>, \"in/b\", O_RDONLY) = -1 ENOENT (No such file)\n\
                 13 openat(AT_FDCWD</w>, \"in/passwd\", O_RDONLY) = 4</etc/passwd>\n";
    let found = opened(trace);
    assert_eq!(found, ["/w/in/a", "/etc/passwd"]);
    let ours = found.iter().map(|path| is_ours(path, &["/w/in".to_owned()]));
    assert_eq!(ours.collect::<Vec<_>>(), [true, false]);
}
