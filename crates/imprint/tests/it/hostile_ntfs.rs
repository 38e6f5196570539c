//! NTFS volumes made to do harm: after each class of faults that drivers were broken by, one field of a sound volume is
//! changed and the volume captured. There is a clear message, or what is lost is listed; no hang, little memory.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use imprint_testkit::volumes::Bytes;
use imprint_testkit::{Mount, ntfs_volume};

use crate::hostile::meter::{Did, Meter};
use crate::world::World;

/// Most memory a run may have, KiB: the volume has 16 MiB.
const MEMORY: u64 = 80 << 10;

/// A class of faults.
struct Case {
    name: &'static str,
    /// Where it was found in drivers.
    known: &'static str,
    damage: fn(&mut Bytes),
    outcome: Outcome,
}

/// What becomes of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It cannot be captured.
    Refused,
    /// These paths are left out, and below them, and each is listed; all others are there.
    Lost(&'static [&'static str]),
    /// Nothing is lost.
    Whole,
}
use Outcome::{Lost, Refused, Whole};

const SI: usize = 0x10;
const LIST: usize = 0x20;
const NAME: usize = 0x30;
const DATA: usize = 0x80;
const ROOT: usize = 0x90;
const ALLOCATION: usize = 0xa0;
const BITMAP: usize = 0xb0;
const REPARSE: usize = 0xc0;
const EA: usize = 0xe0;

const CASES: &[Case] = &[
    Case {
        name: "attributes begin behind the used bytes",
        known: "CVE-2021-33285",
        damage: |v| {
            let at = v.record(v.named("victim"));
            v.set(at + 0x14, 2, 0x3f8);
            v.set(at + 0x18, 4, 0x40);
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "more bytes are used than there are",
        known: "CVE-2021-33289",
        damage: |v| v.set(v.record(v.named("victim")) + 0x18, 4, 0xffff_fff8),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a name is longer than its attribute",
        known: "CVE-2021-33286, CVE-2021-35266",
        damage: |v| v.set(v.value(v.named("victim"), NAME, "") + 0x40, 1, 0xff),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "an attribute is longer than its record",
        known: "CVE-2021-39258, CVE-2021-39259",
        damage: |v| v.set(v.attribute(v.named("victim"), NAME, "") + 4, 4, 0x7fff_fff8),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "an attribute has no length",
        known: "CVE-2021-39258",
        damage: |v| v.set(v.attribute(v.named("victim"), NAME, "") + 4, 4, 0),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a value is longer than its attribute",
        known: "CVE-2021-39263, CVE-2021-33287",
        damage: |v| v.set(v.attribute(v.named("small"), DATA, "") + 16, 4, 0xffff_ffff),
        outcome: Lost(&["/small"]),
    },
    Case {
        name: "a value begins behind its attribute",
        known: "CVE-2021-39263",
        damage: |v| v.set(v.attribute(v.named("small"), DATA, "") + 20, 2, 0xfff8),
        outcome: Lost(&["/small"]),
    },
    Case {
        name: "times and attributes are cut short",
        known: "CVE-2021-39260",
        damage: |v| v.set(v.attribute(v.named("victim"), SI, "") + 16, 4, 8),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "an attribute has a type that is none",
        known: "CVE-2021-39255",
        damage: |v| v.set(v.attribute(v.named("extended"), EA, ""), 4, 0xe8),
        // What it was nobody knows; what is unknown is no loss.
        outcome: Whole,
    },
    Case {
        name: "the attribute list is where it is not",
        known: "CVE-2021-39251",
        damage: |v| v.set(v.attribute(v.named("many"), LIST, "") + 32, 2, 0xfff0),
        outcome: Lost(&["/many"]),
    },
    Case {
        name: "an entry of the attribute list has no length",
        known: "CVE-2022-40284",
        damage: |v| {
            let at = v.run(v.named("many"), LIST, "");
            v.set(at + 4, 2, 0);
        },
        outcome: Lost(&["/many"]),
    },
    Case {
        name: "the attribute list names its own record as another",
        known: "CVE-2021-39251",
        damage: |v| {
            let record = v.named("many");
            let at = v.run(record, LIST, "");
            // All entries, so that each leads to the first record, which has few of them.
            let mut entry = at;
            while v.number(entry + 4, 2) >= 0x1a && entry < at + 4096 {
                v.set(entry + 0x10, 6, record as u64);
                entry += v.number(entry + 4, 2);
            }
        },
        outcome: Lost(&["/many"]),
    },
    Case {
        name: "the attribute list is larger than any",
        known: "CVE-2022-40284",
        damage: |v| {
            let at = v.attribute(v.named("many"), LIST, "");
            for field in [0x28, 0x30, 0x38] {
                v.set(at + field, 8, 1 << 40);
            }
        },
        outcome: Lost(&["/many"]),
    },
    Case {
        name: "a run leads out of the volume",
        known: "CVE-2021-39253, CVE-2021-46790",
        damage: |v| {
            let pairs = v.pairs(v.named("victim"), DATA, "");
            let lengths = usize::from(v.0[pairs] & 15);
            v.0[pairs + lengths + 2] = 0x7f;
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a run has a negative length",
        known: "CVE-2021-39253",
        damage: |v| {
            let pairs = v.pairs(v.named("victim"), DATA, "");
            v.0[pairs + 1] = 0xff;
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a pair of a run is longer than the attribute",
        known: "CVE-2021-39253",
        damage: |v| {
            let pairs = v.pairs(v.named("victim"), DATA, "");
            v.0[pairs] = 0x88;
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a pair of a run has numbers of fifteen bytes",
        known: "CVE-2021-39253",
        damage: |v| {
            let pairs = v.pairs(v.named("victim"), DATA, "");
            v.0[pairs] = 0xff;
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "runs begin behind their attribute",
        known: "CVE-2021-39254",
        damage: |v| v.set(v.attribute(v.named("victim"), DATA, "") + 32, 2, 0xffff),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a value is larger than its runs",
        known: "CVE-2021-33287",
        damage: |v| v.set(v.attribute(v.named("victim"), DATA, "") + 0x30, 8, 1 << 40),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "more is initialised than there is",
        known: "CVE-2021-35269",
        damage: |v| v.set(v.attribute(v.named("victim"), DATA, "") + 0x38, 8, 1 << 62),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "the first and the last cluster are exchanged",
        known: "CVE-2021-39254",
        damage: |v| v.set(v.attribute(v.named("victim"), DATA, "") + 0x10, 8, u64::MAX - 1),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a compression unit has too many clusters",
        known: "CVE-2021-39261",
        damage: |v| v.set(v.attribute(v.named("packed"), DATA, "") + 0x22, 1, 63),
        outcome: Lost(&["/compressed/packed"]),
    },
    Case {
        name: "compressed data refers to what is before it",
        known: "CVE-2021-39262",
        damage: |v| {
            let at = v.run(v.named("packed"), DATA, "");
            // A chunk that begins with a back reference.
            v.0[at + 2..at + 8].copy_from_slice(&[0xff; 6]);
        },
        outcome: Lost(&["/compressed/packed"]),
    },
    Case {
        name: "a compressed chunk is longer than its unit",
        known: "CVE-2021-39262",
        damage: |v| {
            let at = v.run(v.named("packed"), DATA, "");
            let mut chunk = at;
            while v.number(chunk, 2) != 0 && chunk < at + 8192 {
                let length = (v.number(chunk, 2) & 0xfff) + 3;
                v.set(chunk, 2, 0xbfff);
                chunk += length;
            }
        },
        outcome: Lost(&["/compressed/packed"]),
    },
    Case {
        name: "a file is encrypted that says it is not",
        known: "CVE-2021-35269",
        damage: |v| v.set(v.attribute(v.named("victim"), DATA, "") + 12, 2, 0x4000),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a named stream is damaged",
        known: "CVE-2021-33287",
        damage: |v| {
            let pairs = v.pairs(v.named("streams"), DATA, "long");
            v.0[pairs] = 0x10;
        },
        outcome: Lost(&["/streams:long"]),
    },
    Case {
        name: "a named stream of compressed data is damaged",
        known: "CVE-2021-39262",
        damage: |v| {
            let at = v.run(v.named("packed"), DATA, "stream");
            v.0[at + 2..at + 8].copy_from_slice(&[0xff; 6]);
        },
        outcome: Lost(&["/compressed/packed:stream"]),
    },
    Case {
        name: "a reparse point is longer than its value",
        known: "CVE-2021-39263",
        damage: |v| v.set(v.value(v.named("pointing"), REPARSE, "") + 4, 2, 0xffff),
        outcome: Lost(&["/pointing"]),
    },
    Case {
        name: "an extended attribute is longer than its value",
        known: "CVE-2021-39263",
        damage: |v| v.set(v.value(v.named("extended"), EA, "") + 6, 2, 0xffff),
        outcome: Lost(&["/extended"]),
    },
    Case {
        name: "a record has no update sequence",
        known: "CVE-2021-39256, count 0",
        damage: |v| v.set(v.record(v.named("victim")) + 6, 2, 0),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "an update sequence is behind its record",
        known: "CVE-2021-39256",
        damage: |v| v.set(v.record(v.named("victim")) + 4, 2, 0xfffe),
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a record was torn",
        known: "none: power loss",
        damage: |v| {
            let at = v.record(v.named("victim")) + 510;
            v.0[at] ^= 1;
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a record is a part of itself",
        known: "CVE-2021-35268, MFT self-reference",
        damage: |v| {
            let record = v.named("victim");
            let at = v.record(record);
            let sequence = v.number(at + 0x10, 2) as u64;
            v.set(at + 0x20, 8, sequence << 48 | record as u64);
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a directory is in itself",
        known: "none: a circle",
        damage: |v| {
            let record = v.named("folder");
            let name = v.value(record, NAME, "");
            let sequence = v.number(v.record(record) + 0x10, 2) as u64;
            v.set(name, 8, sequence << 48 | record as u64);
        },
        outcome: Lost(&["/folder"]),
    },
    Case {
        name: "two directories are in each other",
        known: "none: a circle",
        damage: |v| {
            let records = ["folder", "inner"].map(|name| v.named(name));
            let sequence = v.number(v.record(records[1]) + 0x10, 2) as u64;
            let name = v.value(records[0], NAME, "");
            v.set(name, 8, sequence << 48 | records[1] as u64);
        },
        outcome: Lost(&["/folder"]),
    },
    Case {
        name: "a file is in no directory",
        known: "none: an orphan",
        damage: |v| {
            let name = v.value(v.named("victim"), NAME, "");
            v.set(name, 6, 0xffff_ffff);
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "a file is in a file",
        known: "none: an orphan",
        damage: |v| {
            let (name, file) = (v.value(v.named("victim"), NAME, ""), v.named("small"));
            let sequence = v.number(v.record(file) + 0x10, 2) as u64;
            v.set(name, 8, sequence << 48 | file as u64);
        },
        outcome: Lost(&["/victim"]),
    },
    Case {
        name: "the root of an index is longer than its value",
        known: "CVE-2021-39252, CVE-2021-39256",
        damage: |v| {
            let at = v.value(v.named("folder"), ROOT, "$I30");
            v.set(at + 0x14, 4, 0xffff_fff8);
        },
        // A capture asks records, not indexes.
        outcome: Whole,
    },
    Case {
        name: "an index is its own child",
        known: "CVE-2021-39257, INDX loop",
        damage: |v| {
            // Its first block says that it has children, and that it is the first of them.
            let block = v.run(5, ALLOCATION, "$I30");
            v.0[block + 0x24] = 1;
            let entry = block + 0x18 + v.number(block + 0x18, 4);
            v.0[entry + 12] |= 1;
            let end = entry + v.number(entry + 8, 2);
            v.set(end - 8, 8, 0);
        },
        outcome: Whole,
    },
    Case {
        name: "the blocks of an index lead out of the volume",
        known: "CVE-2021-39252",
        damage: |v| {
            let pairs = v.pairs(5, ALLOCATION, "$I30");
            let lengths = usize::from(v.0[pairs] & 15);
            v.0[pairs + lengths + 1] = 0x80;
        },
        outcome: Whole,
    },
    Case {
        name: "the map of clusters is shorter than the volume",
        known: "CVE-2021-39257, CVE-2021-46790",
        damage: |v| {
            let at = v.attribute(6, DATA, "");
            v.set(at + 0x30, 8, 8);
            v.set(at + 0x38, 8, 8);
        },
        outcome: Whole,
    },
    Case {
        name: "the map of records is gone",
        known: "CVE-2021-33289",
        damage: |v| {
            let at = v.attribute(0, BITMAP, "");
            v.set(at + 0x30, 8, 0);
            v.set(at + 0x38, 8, 0);
        },
        outcome: Whole,
    },
    Case {
        name: "the mirror of the first records is another",
        known: "CVE-2021-35267",
        damage: |v| {
            let at = v.run(1, DATA, "");
            v.0[at..at + 4096].fill(0xff);
        },
        outcome: Whole,
    },
    Case {
        name: "the table of upper case is cut short",
        known: "CVE-2022-40284",
        damage: |v| {
            let at = v.attribute(10, DATA, "");
            v.set(at + 0x30, 8, 3);
            v.set(at + 0x38, 8, 3);
        },
        outcome: Whole,
    },
    Case {
        name: "the table of records is itself a part",
        known: "MFT self-reference",
        damage: |v| {
            let at = v.record(0);
            v.set(at + 0x20, 8, 1 << 48);
        },
        // It is listed as a file that cannot be read; all others can.
        outcome: Lost(&[]),
    },
    Case {
        name: "the table of records is larger than its runs",
        known: "CVE-2021-33289",
        damage: |v| v.set(v.attribute(0, DATA, "") + 0x30, 8, 1 << 50),
        outcome: Refused,
    },
    Case {
        name: "the table of records leads out of the volume",
        known: "CVE-2021-33289",
        damage: |v| {
            let pairs = v.pairs(0, DATA, "");
            let lengths = usize::from(v.0[pairs] & 15);
            v.0[pairs + lengths + 1] = 0x80;
        },
        outcome: Refused,
    },
    Case {
        name: "the table of records is a hole without end",
        known: "sparse 16 EiB file",
        damage: |v| {
            let at = v.attribute(0, DATA, "");
            let clusters = 1_u64 << 40;
            v.set(at + 0x18, 8, clusters - 1);
            for field in [0x28, 0x30, 0x38] {
                v.set(at + field, 8, clusters << 12);
            }
            let pairs = v.pairs(0, DATA, "");
            v.0[pairs] = 6;
            v.set(pairs + 1, 6, clusters);
            v.0[pairs + 7] = 0;
        },
        outcome: Refused,
    },
    Case {
        name: "the table of records goes on in a hole",
        known: "sparse 16 EiB file",
        damage: |v| {
            let (at, pairs) = (v.attribute(0, DATA, ""), v.pairs(0, DATA, ""));
            let first = v.number(at + 0x18, 8) as u64 + 1;
            let hole = 0x3f_ffff;
            v.set(at + 0x18, 8, first + hole - 1);
            for field in [0x28, 0x30, 0x38] {
                v.set(at + field, 8, (first + hole) << 12);
            }
            let end = pairs + 1 + usize::from((v.0[pairs] & 15) + (v.0[pairs] >> 4));
            v.0[end] = 3;
            v.set(end + 1, 3, hole);
            v.0[end + 4] = 0;
        },
        outcome: Refused,
    },
    Case {
        name: "clusters have no size",
        known: "CVE-2021-46790",
        damage: |v| v.0[13] = 0,
        outcome: Refused,
    },
    Case {
        name: "records have a size of 2 to the 127th",
        known: "CVE-2021-33289",
        damage: |v| v.0[0x40] = 0x81,
        outcome: Refused,
    },
    Case {
        name: "the table of records is where the volume is not",
        known: "CVE-2021-33289",
        damage: |v| v.set(0x30, 8, u64::MAX >> 1),
        outcome: Refused,
    },
    Case {
        name: "the volume is longer than its device",
        known: "CVE-2021-46790",
        damage: |v| v.set(0x28, 8, u64::MAX),
        outcome: Refused,
    },
    Case {
        name: "the root directory is none",
        known: "CVE-2021-35268",
        damage: |v| {
            let at = v.record(5);
            v.set(at + 0x16, 2, 0);
        },
        outcome: Refused,
    },
];

/// A volume with a bit of all that can be damaged.
fn sound(world: &World) -> Bytes {
    let path = world.path("volume");
    ntfs_volume(&path, 16);
    {
        let options = "compression,streams_interface=windows";
        let mount = Mount::ntfs(&path, &world.path("mount"), options);
        assert!(mount.path().exists());
        world.shell(
            "cd mount
            head -c 100000 /dev/zero | tr '\\0' v > victim
            printf small > small; printf main > streams; printf kept > streams:short
            head -c 9000 /dev/zero | tr '\\0' s > streams:long
            mkdir folder folder/inner compressed; printf data > folder/inner/file
            setfattr -h -n system.ntfs_attrib_be -v 0x00000800 compressed
            yes 'text of a compressed file' | head -c 60000 > compressed/packed
            yes 'text of a stream of it' | head -c 60000 > compressed/packed:stream
            : > pointing
            setfattr -h -n system.ntfs_reparse_data -v 0x130000800800000001020304050607ff pointing
            printf e > extended
            setfattr -n system.ntfs_ea -v 0x10000000000301004f4e450031000000 extended
            printf many > many; mkdir names
            n=0; while [ $n -lt 120 ]; do n=$((n+1)); ln many \"names/name $n of a file with many\"; done",
        );
    }
    Bytes(fs_err::read(path).unwrap())
}

/// Captures the volume and lists what is in the image.
fn capture(world: &World, meter: &mut Meter) -> (Did, BTreeSet<String>) {
    if world.has("w.wim") {
        fs_err::remove_file(world.path("w.wim")).unwrap();
    }
    let words = ["capture", "volume", "w.wim", "--compress=none", "--threads=2", "--quiet"];
    let did = meter.imprint(&words);
    if ![0, 3].contains(&did.status) {
        return (did, BTreeSet::new());
    }
    let listing = world.done(&["dir", "w.wim", "1", "--detailed", "--json"]).json();
    let mut paths = BTreeSet::new();
    for entry in listing["images"][0]["entries"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        paths.insert(path.to_owned());
        for stream in entry["streams"].as_array().unwrap() {
            let name = stream["name"].as_str().unwrap();
            if !name.is_empty() {
                paths.insert(format!("{path}:{name}"));
            }
        }
    }
    (did, paths)
}

/// Whether a path is one of these, or below one, or a stream of one, or another name of the file with many.
fn is_lost(path: &str, lost: &[&str]) -> bool {
    lost.iter().any(|lost| {
        let rest = path.strip_prefix(lost);
        let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']));
        below || *lost == "/many" && path.starts_with("/names/")
    })
}

/// Messages without what depends on the version of the program that made the volume.
fn steady(said: &str) -> String {
    let mut text = String::new();
    for line in said.lines() {
        let mut rest = line;
        // The number of the update sequence tells how often the record was written.
        let most = if line.contains("last bytes of a sector") { 0 } else { 3 };
        while let Some(at) = rest.find("0x") {
            let (start, number) = rest.split_at(at + 2);
            let digits = number.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(number.len());
            text += start;
            let (number, tail) = number.split_at(digits);
            text += if digits > most { "..." } else { number };
            rest = tail;
        }
        writeln!(text, "{rest}").unwrap();
    }
    text
}

#[test]
fn volumes_made_to_do_harm_do_none() {
    let world = World::new();
    let good = sound(&world);
    let mut meter = Meter::new(&world);
    let (did, all) = capture(&world, &mut meter);
    assert_eq!(did.status, 0, "{did:?}");
    assert!(all.contains("/streams:long") && all.contains("/compressed/packed:stream"), "{all:?}");
    let (mut told, mut wrong) = (String::new(), String::new());
    for Case { name, known, damage, outcome } in CASES {
        let mut bytes = good.clone();
        damage(&mut bytes);
        assert!(bytes.0 != good.0, "{name}: nothing was damaged");
        world.write("volume", &bytes.0);
        let (did, found) = capture(&world, &mut meter);
        let status = match outcome {
            Refused => 1,
            Lost(_) => 3,
            Whole => 0,
        };
        let lost = if let Lost(lost) = outcome { lost } else { &[][..] };
        let expected: BTreeSet<_> =
            all.iter().filter(|path| !is_lost(path, lost) && status != 1).cloned().collect();
        let bad = [
            (did.status != status).then_some("the status"),
            (did.memory > MEMORY).then_some("the memory"),
            did.said.contains("panicked").then_some("a panic"),
            (status != 1 && found != expected).then_some("the files"),
            (status == 3 && !did.said.contains("left out: ")).then_some("nothing is listed"),
        ];
        for bad in bad.into_iter().flatten() {
            let missing: Vec<_> = expected.difference(&found).take(5).collect();
            let more: Vec<_> = found.difference(&expected).take(5).collect();
            writeln!(wrong, "{name}: {bad}: {did:?}, missing {missing:?}, more {more:?}").unwrap();
        }
        writeln!(told, "{name} ({known}): {}\n{}", did.status, steady(&did.said)).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!("hostile_ntfs", told);
}
