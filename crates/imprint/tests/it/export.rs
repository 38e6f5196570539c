//! Exports of damaged data: the error names the blob that is damaged, not one beside it.

use imprint_testkit::{Kind, tools};
use sha1::{Digest, Sha1};

use crate::world::{Ran, World};

/// Number of blobs in the file.
const BLOBS: usize = 5;
/// Bytes of each: a chunk of a solid resource, so that damage to one chunk is damage to one blob.
const SIZE: u32 = 64 << 10;

/// A file by wimlib with some blobs that compress well.
fn world(options: &[&str]) -> World {
    let world = World::new();
    for number in 0..BLOBS {
        world.write(&format!("src/{number}"), data(number));
    }
    world.wimlib(&[&["capture", "src", "a.wim", "One"][..], options].concat());
    world
}

fn data(number: usize) -> Vec<u8> {
    Kind::Text.bytes(usize::try_from(SIZE).unwrap(), u64::try_from(number).unwrap() + 1)
}

fn hash(number: usize) -> String {
    Sha1::digest(data(number)).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where the stored bytes of a blob begin.
fn place(world: &World, number: usize) -> usize {
    let document = world.done(&["info", "a.wim", "--blobs", "--json"]).json();
    let blobs = document["blobs"].as_array().unwrap();
    let blob = blobs.iter().find(|blob| blob["hash"] == hash(number)).unwrap();
    let get = |part: &str, name: &str| usize::try_from(blob[part][name].as_u64()?).ok();
    if let Some(offset) = get("resource", "offset") {
        return offset;
    }
    // Behind the solid resource's header and table: a length for each chunk, one chunk for each blob.
    let header = get("solid_resource", "offset").unwrap();
    let before = get("solid_resource", "blob_offset").unwrap() / usize::try_from(SIZE).unwrap();
    let file = world.read("a.wim");
    let length = |chunk: &[u8]| u32::from_le_bytes(chunk.try_into().unwrap());
    let table = file[header + 16..].chunks_exact(4).take(before).map(length);
    header + 16 + 4 * BLOBS + usize::try_from(table.sum::<u32>()).unwrap()
}

/// Makes the stored bytes of a blob such that no format can mean them. Of a resource with a chunk
/// table, which has one entry if there is one, the table stays.
fn damage(world: &World, number: usize) {
    let mut bytes = world.read("a.wim");
    let at = place(world, number) + 4;
    bytes[at..at + 1000].fill(0xff);
    world.write("bad.wim", bytes);
}

#[track_caller]
fn assert_names(ran: &Ran, number: usize) {
    assert_eq!(ran.status, Some(1), "{number} {ran:?}");
    for other in 0..BLOBS {
        assert_eq!(ran.err.contains(&hash(other)), other == number, "{number} {other} {ran:?}");
    }
}

#[test]
fn damaged_data_that_is_compressed_anew_is_named() {
    for (options, ways) in [
        (&["--compress=none"][..], &["--compress=xpress", "--compress=lzx:20"]),
        (&["--compress=xpress"], &["--recompress", "--compress=lzx:20"]),
        (&["--compress=lzx"], &["--recompress", "--compress=xpress"]),
        (&["--solid", "--solid-chunk-size=64K"], &["--compress=lzx:20", "--compress=none"]),
    ] {
        let world = world(options);
        for number in 0..BLOBS {
            damage(&world, number);
            for way in ways {
                for threads in ["--threads=1", "--threads=3"] {
                    let ran = world.imprint(&["export", "bad.wim", "1", "b.wim", way, threads]);
                    assert_names(&ran, number);
                    assert!(!world.has("b.wim"), "{options:?} {way}");
                }
            }
        }
    }
}

/// Runs an export under `strace`, which writes down or changes what reading does.
fn traced(world: &World, options: &[&str]) -> Ran {
    let mut command = std::process::Command::new(tools::require("strace"));
    command.current_dir(world.path("")).args(["-qq", "-o", "trace"]).args(options);
    command.arg(env!("CARGO_BIN_EXE_imprint")).args(["export", "a.wim", "1", "b.wim"]);
    Ran::new(&tools::output(&mut command))
}

#[test]
fn data_that_cannot_be_read_to_be_copied_is_named() {
    for options in [&["--compress=none"][..], &["--compress=lzx"]] {
        let world = world(options);
        let ran = traced(&world, &["-e", "trace=pread64"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let trace = String::from_utf8(world.read("trace")).unwrap();
        for number in 0..BLOBS {
            world.shell("rm -f b.wim");
            let end = format!(", {}) = ", place(&world, number));
            let call = trace.lines().position(|line| line.contains(&end)).unwrap() + 1;
            let inject = format!("inject=pread64:error=EIO:when={call}");
            let ran = traced(&world, &["-e", "trace=pread64", "-e", &inject]);
            assert_names(&ran, number);
            assert!(ran.err.contains("Input/output error (os error 5)"), "{ran:?}");
            assert!(!world.has("b.wim"), "{options:?}");
        }
    }
}

#[test]
fn damaged_data_that_is_copied_as_it_is_stored_is_named_by_verify() {
    for options in [&["--compress=none"][..], &["--compress=xpress"]] {
        let world = world(options);
        damage(&world, 2);
        world.done(&["export", "bad.wim", "1", "b.wim"]);
        let mut ran = world.imprint(&["verify", "b.wim"]);
        ran.err.push_str(&ran.out);
        assert_names(&ran, 2);
    }
}
