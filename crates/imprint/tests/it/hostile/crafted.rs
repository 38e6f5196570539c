//! Names, links and trees made to lead out of the target or nowhere.

use super::sample::{get, metadata, number, sign};
use super::trial::{Trial, VERBS};
use crate::world::World;

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
