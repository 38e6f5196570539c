//! Files that Windows itself compressed: their streams are made like resources of WIM files, so wimlib and we make
//! them; ntfs-3g's driver puts them onto a volume.

use imprint_testkit::{Kind, Mount, ntfs_volume};

use crate::world::World;

/// What is compressed: text, noise, both.
const FILES: [&str; 4] = ["one chunk", "mixed", "long", "zeros"];

fn data(name: &str) -> Vec<u8> {
    match name {
        "one chunk" => Kind::Text.bytes(3000, 1),
        "mixed" => {
            let noise = Kind::Random.bytes(90_000, 2);
            [Kind::Text.bytes(70_001, 3), noise, Kind::X86.bytes(70_002, 4)].concat()
        }
        "long" => Kind::Text.bytes(1_500_000, 5),
        _ => vec![0; 300_000],
    }
}

/// The resource that a WIM file with one file in it has, which is compressed.
fn resource(world: &World, wim: &str) -> Vec<u8> {
    let listed = world.wimlib(&["info", wim, "--blobs"]);
    let number = |label: &str| {
        let is_data =
            |blob: &&str| blob.contains("RESHDR_FLAG_COMPRESSED") && !blob.contains("METADATA");
        let blob = listed.split("\n\n").find(is_data);
        let blob = blob.unwrap_or_else(|| panic!("nothing is compressed: {listed}"));
        let line = blob.lines().find(|line| line.trim_start().starts_with(label));
        let line = line.unwrap_or_else(|| panic!("no {label}: {listed}"));
        let text = line.split('=').nth(1).unwrap().trim().trim_end_matches(" bytes");
        let hex = text.strip_prefix("0x").map(|hex| usize::from_str_radix(hex, 16).unwrap());
        hex.unwrap_or_else(|| text.parse().unwrap())
    };
    let (start, length) = (number("Offset in WIM"), number("Compressed size"));
    world.read(wim)[start..start + length].to_vec()
}

/// How files are compressed: the algorithm's number, its name, its chunks, and whether by wimlib.
type Way = (u8, &'static str, &'static str, bool);

/// Fills the volume `volume` with compressed files, one of which may be damaged.
fn fill(world: &World, (algorithm, compress, chunk_size, by_wimlib): Way, damaged: Option<&str>) {
    ntfs_volume(&world.path("volume"), 32);
    let at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw,streams_interface=windows");
    for name in FILES {
        world.write("one/file", data(name));
        let (compress, chunk_size) =
            (format!("--compress={compress}"), format!("--chunk-size={chunk_size}"));
        let words = ["capture", "one", "one.wim", &compress, &chunk_size];
        if by_wimlib {
            world.wimlib(&words);
        } else {
            world.done(&words);
        }
        let size = data(name).len();
        let mut stream = resource(world, "one.wim");
        if damaged == Some(name) {
            stream[..100].fill(0);
        }
        world.write(&format!("at/{name}:WofCompressedData"), stream);
        world.shell(&format!(
            "cd at && truncate -s {size} '{name}' && echo other > '{name}:other'
            setfattr -h -n system.ntfs_reparse_data '{name}' \
            -v 0x1700008010000000010000000200000001000000{algorithm:02x}000000
            rm ../one.wim",
        ));
    }
    drop(at);
}

#[track_caller]
fn check(algorithm: u8, compress: &'static str, chunk_size: &'static str, by_wimlib: bool) {
    let world = World::new();
    fill(&world, (algorithm, compress, chunk_size, by_wimlib), None);
    for name in FILES {
        let printed = world.done(&["ntfs", "cat", "volume", name]).bytes;
        assert!(printed == data(name), "{name} by {compress} {chunk_size}");
        let other = world.done(&["ntfs", "cat", "volume", &format!("{name}:other")]).out;
        assert_eq!(other, "other\n");
    }
    let found = world.done(&["ntfs", "stat", "volume", "long", "--json"]).json();
    let expected =
        format!("{}{}", compress.to_uppercase(), if algorithm == 1 { "" } else { chunk_size });
    assert_eq!(found["reparse_point"]["compression"], expected);
    for threads in ["--threads=1", "--threads=4"] {
        world.done(&["capture", "volume", "a.wim", "--compress=xpress", threads]);
        world.wimlib(&["verify", "a.wim"]);
        world.shell("rm -rf back && wimlib-imagex apply a.wim 1 back > apply.log");
        for name in FILES {
            assert!(world.read(&format!("back/{name}")) == data(name), "{name}");
        }
        let listed = world.wimlib(&["dir", "a.wim", "1", "--detailed"]);
        for gone in ["WofCompressedData", "Reparse", "REPARSE_POINT", "SPARSE_FILE"] {
            assert!(!listed.contains(gone), "{listed}");
        }
        assert_eq!(listed.matches("Named data stream \"other\"").count(), FILES.len());
    }
}

#[test]
fn interop_files_compressed_by_wimlib_are_plain() {
    check(0, "xpress", "4K", true);
    check(1, "lzx", "32K", true);
    check(2, "xpress", "8K", true);
    check(3, "xpress", "16K", true);
}

#[test]
fn interop_files_compressed_by_us_are_plain() {
    check(0, "xpress", "4K", false);
    check(1, "lzx", "32K", false);
}

#[test]
fn files_that_are_damaged_are_left_out_and_others_stay_as_they_are() {
    let world = World::new();
    fill(&world, (0, "xpress", "4K", true), Some("long"));
    let at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw,streams_interface=windows");
    world.shell(
        "cd at && touch elsewhere && setfattr -h -n system.ntfs_reparse_data elsewhere \
        -v 0x1700008010000000010000000100000001000000ffffffff",
    );
    drop(at);
    let ran = world.imprint(&["ntfs", "cat", "volume", "long"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("bytes of a chunk should be from 1 to 4096, but is 0"), "{ran:?}");
    let ran = world.imprint(&["ntfs", "cat", "volume", "elsewhere"]);
    assert!(ran.err.contains("elsewhere on volume has its data in a WIM file"), "{ran:?}");
    let ran = world.imprint(&["capture", "volume", "a.wim", "--compress=none"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.err.contains("left out: \\long"), "{ran:?}");
    world.wimlib(&["verify", "a.wim"]);
    let listed = world.wimlib(&["dir", "a.wim", "1", "--detailed"]);
    assert_eq!(listed.matches("FILE_ATTRIBUTE_REPARSE_POINT").count(), 1, "{listed}");
    assert!(listed.contains("= 0x80000017"), "{listed}");
}
