//! Data that unpacks to much, or is not what its hash says.

use imprint_testkit::Kind;
use sha1::{Digest, Sha1};

use super::meter::Meter;
use super::sample::{entries, number, sample};
use super::trial::{MEMORY, Trial, VERBS};
use crate::world::World;

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
