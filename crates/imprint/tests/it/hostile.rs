//! Files made to do harm, given to every verb: a clear error with its place, little memory, an end in
//! time, and nothing written outside the target.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use imprint_testkit::census::census;
use imprint_testkit::{Kind, Random, soak, tools};
use sha1::{Digest, Sha1};

use crate::world::World;

/// Runs programs one after the other and tells what each took. The most memory a program had is
/// known only to whoever waits for it, and the standard library does not ask.
struct Meter {
    child: Child,
    jobs: Option<ChildStdin>,
    results: BufReader<ChildStdout>,
}

const METER: &str = r#"
import json, os, subprocess, sys, tempfile, threading
for line in sys.stdin:
    words = json.loads(line)
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        timer = threading.Timer(60, child.kill)
        timer.start()
        _, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read(20000).decode(errors="replace")
    print(json.dumps([child.returncode, used.ru_maxrss, text]), flush=True)
"#;

/// What a program did: status (negative: killed by this signal), most memory in KiB, all it said.
#[derive(Debug)]
struct Did {
    status: i64,
    memory: u64,
    said: String,
}

impl Meter {
    fn new(world: &World) -> Self {
        let mut child = Command::new(tools::require("python3"))
            .args(["-c", METER])
            .current_dir(world.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let jobs = child.stdin.take();
        let results = BufReader::new(child.stdout.take().unwrap());
        Self { child, jobs, results }
    }

    fn imprint(&mut self, words: &[&str]) -> Did {
        let program = [env!("CARGO_BIN_EXE_imprint")];
        let line = serde_json::to_string(&[&program[..], words].concat()).unwrap();
        writeln!(self.jobs.as_mut().unwrap(), "{line}").unwrap();
        let mut result = String::new();
        self.results.read_line(&mut result).unwrap();
        let (status, memory, said) = serde_json::from_str(&result).unwrap();
        Did { status, memory, said }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let ended = self.child.wait();
        assert!(ended.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Most memory a run may have, beyond the size of its input.
const MEMORY: u64 = 64 << 20;

/// What each verb is asked to do with the file `w.wim`.
const VERBS: [&[&str]; 7] = [
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

struct Trial {
    world: World,
    meter: Meter,
    runs: u32,
    refused: u32,
    memory: u64,
    /// Messages without structure and position.
    unplaced: BTreeSet<String>,
}

impl Trial {
    fn new() -> Self {
        let world = World::new();
        world.write("src/new", b"new data");
        world.write("outside/file", b"outside");
        let meter = Meter::new(&world);
        Self { world, meter, runs: 0, refused: 0, memory: 0, unplaced: BTreeSet::new() }
    }

    /// Gives a damaged file to verbs: to all in long runs, else to two in turn.
    fn check(&mut self, what: &str, bytes: &[u8]) {
        let count = if soak::is_on() { VERBS.len() } else { 2 };
        for _ in 0..count {
            let verb = VERBS[usize::try_from(self.runs).unwrap() % VERBS.len()];
            self.run(what, bytes, verb);
        }
    }

    fn run(&mut self, what: &str, bytes: &[u8], words: &[&str]) -> Did {
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

    fn end(self, name: &str) {
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

fn get(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut value = [0; 8];
    value[..width].copy_from_slice(&bytes[at..at + width]);
    u64::from_le_bytes(value)
}

fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    usize::try_from(get(bytes, at, width)).unwrap()
}

/// A field: name, offset and width in bytes.
type Field = (String, usize, usize);

fn field(name: &str, at: usize, width: usize) -> Field {
    (name.to_owned(), at, width)
}

/// The four fields of a resource header.
fn resource(name: &str, at: usize) -> [Field; 4] {
    [("stored size", 0, 7), ("flags", 7, 1), ("offset", 8, 8), ("size", 16, 8)]
        .map(|(part, offset, width)| field(&format!("{name} {part}"), at + offset, width))
}

/// Values that fields should not have, and those around the one there is.
fn values(now: u64, width: usize, file: usize) -> Vec<u64> {
    let max = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let mut values = vec![0, max, now.wrapping_add(1), max / 2 + 1];
    if soak::is_on() {
        values.extend([1, 7, 8, 102, 4096, max / 2, max - 1, file as u64, now ^ 1, now ^ 0x10]);
        values.extend([now.wrapping_sub(1), now.wrapping_mul(2), 1 << 30, 1 << 32, 1 << 50]);
        values.extend((0..8 * width).map(|bit| now ^ (1 << bit)));
    }
    values.retain(|value| *value <= max && *value != now);
    values.sort_unstable();
    values.dedup();
    values
}

/// Where the entries of the blob table are.
fn entries(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let (at, length) = (number(bytes, 0x38, 8), number(bytes, 0x30, 7));
    (at..at + length).step_by(50)
}

/// All fields outside metadata: header, blob table, chunk tables, solid headers, integrity table.
fn fields(bytes: &[u8]) -> Vec<Field> {
    let mut fields = vec![
        field("magic", 0, 8),
        field("header size", 8, 4),
        field("version", 0x0c, 4),
        field("flags", 0x10, 4),
        field("chunk size", 0x14, 4),
        field("part number", 0x28, 2),
        field("total parts", 0x2a, 2),
        field("image count", 0x2c, 4),
        field("boot index", 0x78, 4),
    ];
    for (name, at) in
        [("blob table", 0x30), ("XML", 0x48), ("boot metadata", 0x60), ("integrity", 0x7c)]
    {
        fields.extend(resource(name, at));
    }
    for at in entries(bytes) {
        fields.extend(resource("entry", at));
        fields.push(field("entry part", at + 24, 2));
        fields.push(field("entry references", at + 26, 4));
        fields.push(field("entry hash", at + 30, 8));
        let (flags, offset) = (bytes[at + 7], number(bytes, at + 8, 8));
        if flags & 0x14 == 4 {
            fields.push(field("chunk offset", offset, 4));
        } else if flags & 0x10 != 0 && get(bytes, at + 16, 8) == 1 << 32 {
            fields
                .extend([field("solid size", offset, 8), field("solid chunk size", offset + 8, 4)]);
            fields.extend([field("solid format", offset + 12, 4), field("chunk", offset + 16, 4)]);
        }
    }
    let integrity = number(bytes, 0x84, 8);
    if integrity != 0 {
        fields.extend([field("integrity size", integrity, 4)]);
        fields.extend([field("integrity count", integrity + 4, 4)]);
        fields.extend([field("integrity chunk size", integrity + 8, 4)]);
    }
    fields
}

/// Gives every field every value to all verbs.
fn damage(trial: &mut Trial, name: &str, base: &[u8], fields: &[Field], fix: impl Fn(&mut [u8])) {
    for (what, at, width) in fields {
        for value in values(get(base, *at, *width), *width, base.len()) {
            let mut bytes = base.to_vec();
            bytes[*at..at + width].copy_from_slice(&value.to_le_bytes()[..*width]);
            fix(&mut bytes);
            trial.check(&format!("{name}: {what} at {at:#x} is {value:#x}"), &bytes);
        }
    }
}

/// A small file by wimlib, of a tree with several kinds of files.
fn sample(options: &[&str]) -> Vec<u8> {
    let world = World::new();
    world.write("t/small", b"small");
    world.write("t/text", Kind::Text.bytes(70_000, 1));
    world.write("t/noise", Kind::Random.bytes(5_000, 2));
    world.write("t/directory/deep/file", b"deep");
    world.write("t/empty", b"");
    world.shell("ln t/small t/directory/linked; ln -s ../small t/directory/symbolic");
    let words = ["capture", "t", "w.wim", "name", "--unix-data", "--check"];
    world.wimlib(&[&words[..], options].concat());
    world.read("w.wim")
}

#[test]
fn every_field_of_header_and_tables_out_of_range_is_named_by_every_verb() {
    let mut trial = Trial::new();
    for (name, options) in [
        ("none", &["--compress=none"][..]),
        ("xpress", &["--compress=xpress"]),
        ("solid", &["--solid", "--solid-chunk-size=64K"]),
    ] {
        let base = sample(options);
        let fields = fields(&base);
        assert!(fields.len() > 60, "{}", fields.len());
        damage(&mut trial, name, &base, &fields, |_| ());
    }
    assert!(trial.refused * 3 > trial.runs, "{} of {}", trial.refused, trial.runs);
    trial.end("fields");
}

/// Where the uncompressed metadata of the first image is, and its entry of the blob table.
fn metadata(bytes: &[u8]) -> (usize, usize, usize) {
    let entry = entries(bytes).find(|at| bytes[at + 7] & 2 != 0).unwrap();
    (number(bytes, entry + 8, 8), number(bytes, entry + 16, 8), entry)
}

/// Makes the hash of changed metadata right again, and takes the integrity table away.
fn sign(bytes: &mut [u8]) {
    let (at, length, entry) = metadata(bytes);
    let hash = Sha1::digest(&bytes[at..at + length]);
    bytes[entry + 30..entry + 50].copy_from_slice(&hash);
    bytes[0x7c..0x94].fill(0);
}

/// All fields of metadata, found by walking it.
fn metadata_fields(bytes: &[u8]) -> Vec<Field> {
    let (start, length, _) = metadata(bytes);
    let mut fields =
        vec![field("security length", start, 4), field("security count", start + 4, 4)];
    let mut at = start + number(bytes, start, 4).next_multiple_of(8);
    while at + 8 <= start + length {
        let length = number(bytes, at, 8).next_multiple_of(8);
        fields.push(field("length", at, 8));
        if length <= 8 {
            at += 8;
            continue;
        }
        for (name, offset, width) in [
            ("attributes", 8, 4),
            ("security id", 0x0c, 4),
            ("subdirectory offset", 0x10, 8),
            ("hash", 0x40, 8),
            ("link group or reparse tag", 0x58, 8),
            ("number of streams", 0x60, 2),
            ("length of short name", 0x62, 2),
            ("length of name", 0x64, 2),
            ("name", 0x66, 2),
        ] {
            fields.push(field(name, at + offset, width));
        }
        let names = number(bytes, at + 0x62, 2) + number(bytes, at + 0x64, 2);
        let tail = at + (0x66 + names + 4).next_multiple_of(8);
        if tail + 8 < at + length {
            fields.extend([field("item tag", tail, 4), field("item length", tail + 4, 4)]);
        }
        let streams = number(bytes, at + 0x60, 2);
        at += length;
        for _ in 0..streams {
            fields.extend([field("stream length", at, 8), field("stream hash", at + 0x10, 8)]);
            fields.push(field("length of stream name", at + 0x24, 2));
            at += number(bytes, at, 8).next_multiple_of(8);
        }
    }
    fields
}

#[test]
fn every_field_of_metadata_out_of_range_is_named_by_every_verb() {
    let mut trial = Trial::new();
    let base = sample(&["--compress=none"]);
    let fields = metadata_fields(&base);
    assert!(fields.len() > 100, "{}", fields.len());
    damage(&mut trial, "metadata", &base, &fields, sign);
    assert!(trial.refused > 100, "{}", trial.refused);
    trial.end("metadata");
}

#[test]
fn bytes_changed_anywhere_and_files_cut_anywhere_do_no_harm() {
    let mut trial = Trial::new();
    let mut random = Random::new(7);
    for options in [&["--compress=none"][..], &["--compress=lzx"], &["--solid"]] {
        let base = sample(options);
        for round in 0..soak::rounds(25, 1500) {
            let mut bytes = base.clone();
            for _ in 0..=random.index(4) {
                // Half of them in the tables at the end.
                let from = if random.chance(1, 2) { bytes.len().saturating_sub(3000) } else { 0 };
                let at = from + random.index(bytes.len() - from);
                bytes[at] = random.byte();
            }
            if round % 5 == 0 {
                bytes.truncate(random.index(bytes.len()));
            }
            trial.check(&format!("round {round} of {options:?}"), &bytes);
        }
    }
    trial.end("random changes");
}

/// A file by wimlib whose metadata can be changed by looking for names.
struct Crafted {
    bytes: Vec<u8>,
}

impl Crafted {
    fn new() -> Self {
        let world = World::new();
        for name in ["AA", "B", "C_victim12345678", "DDDDDDDD", "E.victim", "LINKAA", "G"] {
            world.write(&format!("t/{name}"), name);
        }
        world.write("t/dir1/file", b"attack");
        world.write("t/dir2/file", b"attack too");
        std::os::unix::fs::symlink("../../outside", world.path("t/goes-out")).unwrap();
        world.wimlib(&["capture", "t", "w.wim", "one", "--compress=none"]);
        Self { bytes: world.read("w.wim") }
    }

    /// Where the entry of this name is.
    fn entry(&self, name: &str) -> usize {
        let (start, length, _) = metadata(&self.bytes);
        let mut needle = u16::try_from(name.len() * 2).unwrap().to_le_bytes().to_vec();
        needle.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        needle.extend([0, 0]);
        let data = &self.bytes[start..start + length];
        let found = data.windows(needle.len()).position(|window| window == needle);
        start + found.unwrap_or_else(|| panic!("no {name}")) - 0x64
    }

    fn rename(&mut self, from: &str, to: &str) -> &mut Self {
        let at = self.entry(from) + 0x66;
        let to: Vec<u8> = to.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(to.len(), from.len() * 2);
        self.bytes[at..at + to.len()].copy_from_slice(&to);
        self
    }

    /// Makes one directory's list of entries that of another. Answers the offset it had.
    fn set_list(&mut self, name: &str, list: u64) -> u64 {
        let at = self.entry(name) + 0x10;
        let before = get(&self.bytes, at, 8);
        self.bytes[at..at + 8].copy_from_slice(&list.to_le_bytes());
        before
    }

    fn signed(mut self) -> Vec<u8> {
        sign(&mut self.bytes);
        self.bytes
    }
}

/// Ways to write an image's files.
const WAYS: [&[&str]; 5] = [
    &["apply", "w.wim", "1", "out/all"],
    &["apply", "w.wim", "1", "out/all", "--include-invalid-names", "--unix-data", "--rpfix"],
    &["extract", "w.wim", "1", "--dest-dir=out/all"],
    &["extract", "w.wim", "1", "*", "--dest-dir=out/all", "--include-invalid-names"],
    &["extract", "w.wim", "1", "/*", "--dest-dir=out/all", "--preserve-dir-structure"],
];

#[test]
fn names_that_lead_out_of_the_target_write_nothing_there() {
    let mut trial = Trial::new();
    for (from, to) in [
        ("AA", ".."),
        ("B", "."),
        ("B", "/"),
        ("B", "\\"),
        ("B", "\0"),
        ("C_victim12345678", "../../outside/ab"),
        ("C_victim12345678", "..\\..\\outside\\xy"),
        ("C_victim12345678", "/proc/self/cwd/x"),
        ("C_victim12345678", "C:\\outside\\file1"),
        ("DDDDDDDD", "../../xx"),
        ("E.victim", "E:victim"),
        ("E.victim", "\\\\?\\C:\\x"),
        ("LINKAA", "COM1.a"),
        ("LINKAA", "NUL:$D"),
        ("AA", "\u{202e}a"),
    ] {
        for way in WAYS {
            let mut crafted = Crafted::new();
            crafted.rename(from, to);
            let what = format!("{from} is {to:?}");
            let bytes = crafted.signed();
            let did = trial.run(&what, &bytes, way);
            assert!(did.status != 1 || way[0] == "extract", "{what} {did:?}");
        }
    }
    trial.end("names");
}

#[test]
fn links_that_lead_out_of_the_target_are_not_written_through() {
    let mut trial = Trial::new();
    let data = |trial: &Trial| trial.world.has("out/all/dir2/file");
    for way in WAYS {
        // A link with entries below it.
        let mut crafted = Crafted::new();
        let list = crafted.set_list("dir1", 0);
        crafted.set_list("goes-out", list);
        trial.run("entries below a link", &crafted.signed(), way);

        // A link and a directory of one name, in both orders.
        for (link, directory) in [("goes-out", "DDDDDDDD"), ("DDDDDDDD", "goes-out")] {
            let mut crafted = Crafted::new();
            let list = crafted.set_list("dir1", 0);
            let at = crafted.entry("DDDDDDDD");
            crafted.bytes[at + 8..at + 12].copy_from_slice(&0x10_u32.to_le_bytes());
            crafted.bytes[at + 0x40..at + 0x54].fill(0);
            crafted.set_list("DDDDDDDD", list);
            crafted.rename(if link == "goes-out" { directory } else { link }, "goes-out");
            trial.run("a link and a directory of one name", &crafted.signed(), way);
        }
        assert!(!data(&trial));
    }
    trial.end("links");

    // One image makes the link, the next has a directory there.
    let world = World::new();
    world.write("outside/file", b"outside");
    world.write("one/plain", b"1");
    std::os::unix::fs::symlink("../outside", world.path("one/x")).unwrap();
    world.write("two/x/file", b"attack");
    world.write("two/x/new", b"attack");
    world.wimlib(&["capture", "one", "w.wim", "one", "--compress=none"]);
    world.wimlib(&["append", "two", "w.wim", "two"]);
    world.done(&["apply", "w.wim", "1", "out"]);
    let ran = world.imprint(&["apply", "w.wim", "2", "out"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.err.contains(r"left out: \x"), "{ran:?}");
    assert_eq!(world.read("outside/file"), b"outside");
    assert!(!world.has("outside/new"));
}

#[test]
fn trees_without_an_end_are_refused_with_their_place() {
    let mut trial = Trial::new();
    let crafted = Crafted::new();
    let (start, _, _) = metadata(&crafted.bytes);
    let root = start + number(&crafted.bytes, start, 4).next_multiple_of(8);
    let root_list = get(&crafted.bytes, root + 0x10, 8);
    let mut cyclic = Crafted::new();
    cyclic.set_list("dir1", root_list);
    // A directory that is its own.
    let mut own = Crafted::new();
    let (start, at) = (metadata(&own.bytes).0, own.entry("dir2"));
    let list = start + usize::try_from(own.set_list("dir1", 0)).unwrap();
    own.set_list("dir1", (list - start) as u64);
    own.bytes.copy_within(at + 8..at + 0x18, list + 8);
    own.bytes[list + 0x10..list + 0x18].copy_from_slice(&((list - start) as u64).to_le_bytes());
    own.bytes[list + 0x40..list + 0x54].fill(0);
    for (what, crafted) in [("cyclic", cyclic), ("its own", own)] {
        let bytes = crafted.signed();
        for verb in VERBS.iter().skip(1).take(5) {
            let did = trial.run(what, &bytes, verb);
            assert_eq!(did.status, 1, "{what} {verb:?} {did:?}");
            let words = "directories contain each other or share their entries (at offset 0x";
            assert!(did.said.contains(words), "{what} {verb:?} {did:?}");
        }
    }
    trial.end("trees");
}

#[test]
fn little_data_that_unpacks_to_much_takes_little_memory() {
    let world = World::new();
    // 100 MiB of zeros, and 1000 files that refer to one blob.
    world.shell("mkdir -p t/many && truncate -s 100M t/zeros && echo same > t/many/0");
    for number in 1..1000 {
        world.write(&format!("t/many/{number}"), b"same\n");
    }
    world.wimlib(&["capture", "t", "w.wim", "bomb", "--compress=lzx", "--chunk-size=2M"]);
    let size = fs_err::metadata(world.path("w.wim")).unwrap().len();
    assert!(size < 2 << 20, "{size}");
    let mut meter = Meter::new(&world);
    for words in &VERBS[..6] {
        world.shell("rm -rf out && mkdir out");
        let did = meter.imprint(words);
        assert_eq!(did.status, 0, "{words:?} {did:?}");
        assert!(did.memory * 1024 < MEMORY + size, "{words:?}: {} KiB", did.memory);
    }
}

#[test]
fn data_with_a_wrong_hash_is_named_with_its_place_by_every_verb_that_reads_it() {
    let mut trial = Trial::new();
    for options in [&["--compress=none"][..], &["--compress=xpress"], &["--solid"]] {
        let mut bytes = sample(options);
        // The hash of the blob of "text" in the blob table, with metadata that still asks for it.
        let hash = Sha1::digest(Kind::Text.bytes(70_000, 1));
        let other = bytes.clone();
        let at = entries(&other).find(|at| other[at + 30..at + 50] == hash[..]).unwrap();
        let (flags, offset) = (bytes[at + 7], number(&bytes, at + 8, 8));
        if flags & 4 == 0 && flags & 0x10 == 0 {
            bytes[offset + 5] ^= 1;
        } else {
            // Two blobs of one size would do; the table then says the wrong thing of both.
            let noise = Sha1::digest(Kind::Random.bytes(5_000, 2));
            let noise = entries(&other).find(|at| other[at + 30..at + 50] == noise[..]).unwrap();
            bytes.copy_within(at + 30..at + 50, noise + 30);
            bytes[at + 30..at + 50].copy_from_slice(&other[noise + 30..noise + 50]);
        }
        bytes[0x7c..0x94].fill(0);
        for verb in [VERBS[1], VERBS[3]] {
            let did = trial.run(&format!("{options:?}"), &bytes, verb);
            assert!(matches!(did.status, 1 | 3), "{options:?} {verb:?} {did:?}");
            assert!(did.said.contains("have the SHA-1"), "{options:?} {verb:?} {did:?}");
            assert!(did.said.contains("(at offset 0x"), "{options:?} {verb:?} {did:?}");
        }
        let lzx = ["export", "w.wim", "all", "out/new.wim", "--threads=2", "--compress=lzx"];
        let did = trial.run(&format!("{options:?}"), &bytes, &lzx);
        assert_eq!(did.status, 1, "{options:?} {did:?}");
        assert!(did.said.contains("have the SHA-1"), "{options:?} {did:?}");
    }
    trial.end("wrong hashes");
}
