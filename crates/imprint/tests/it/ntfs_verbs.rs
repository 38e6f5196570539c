//! `imprint ntfs`: volumes filled through ntfs-3g's driver, looked at without it.

use std::collections::BTreeMap;

use imprint_testkit::{Kind, Mount, ntfs_volume, volumes};
use serde_json::Value;

use crate::world::{Ran, World};

/// Administrators own it and everybody may read it.
const DESCRIPTOR: &str = "0x010004801400000024000000000000003400000001020000000000052000000020020000\
                          0102000000000005200000002002000002001c0001000000000314008900120001010000\
                          0000000100000000";
const OBJECT_ID: &str = "0x0123456789abcdef0123456789abcdef";
/// Of a symbolic link to `data`, relative.
const LINK: &str = "0x0c0000a01c0000000000080008000800010000006400610074006100640061007400\
                    6100";

/// Prints what the driver says of each file.
const SAY: &str = "
import os
names = \"attrib_be times_be acl dos_name reparse_data object_id\".split()
for folder, folders, files in os.walk(\"at\"):
    for path in sorted(os.path.join(folder, name) for name in folders + files):
        print(\"=\" + path[3:])
        for name in names:
            try:
                value = os.getxattr(path, \"system.ntfs_\" + name, follow_symlinks=False)
            except OSError:
                continue
            print(name + \"=\" + value.hex())
";

/// A volume with files of all kinds, called `volume`, and what the driver says of them.
struct Filled {
    world: World,
    /// By path: what the driver says, `name=value` in a line.
    said: BTreeMap<String, String>,
}

fn filled() -> Filled {
    let world = World::new();
    ntfs_volume(&world.path("volume"), 32);
    let at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw,noatime");
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        for size in [0, 1, 700, 65_537, 1_300_000] {
            world.write(&format!("at/data/{kind:?}/{size}"), kind.bytes(size, number as u64));
        }
    }
    world.shell(&format!(
        "cd at && mkdir 'Program Files' && touch link
        echo hello > 'Program Files/A rather long name.txt' && echo gr\u{fc}n > gr\u{fc}n
        ln gr\u{fc}n other && echo odd > 'odd:name' && truncate -s 3000000 holes
        setfattr -h -n system.ntfs_dos_name -v PROGRA~1 'Program Files'
        setfattr -h -n system.ntfs_dos_name -v ARATHE~1.TXT 'Program Files/A rather long name.txt'
        setfattr -n user.stream -v 'named stream' gr\u{fc}n
        setfattr -n user.of.directory -v 'of a directory' 'Program Files'
        setfattr -h -n system.ntfs_reparse_data -v {LINK} link
        setfattr -h -n system.ntfs_acl -v {DESCRIPTOR} gr\u{fc}n
        setfattr -n system.ntfs_object_id -v {OBJECT_ID} gr\u{fc}n
        setfattr -h -n system.ntfs_attrib_be -v 0x00002023 gr\u{fc}n
        python3 -c 'import os; os.setxattr(\"gr\u{fc}n\", \"system.ntfs_ea\", \
        bytes([16, 0, 0, 0, 0, 3, 4, 0]) + b\"ABC\\0\" + b\"wort\")'
        mkdir large && cd large && seq -f 'file number %05g' 3000 | xargs touch"
    ));
    let text = world.shell(&format!("python3 -c '{SAY}'"));
    drop(at);
    let mut said = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        match line.strip_prefix('=') {
            Some(name) => last = format!("/{name}"),
            None => *said.entry(last.clone()).or_insert_with(String::new) += &format!("{line}\n"),
        }
    }
    Filled { world, said }
}

/// The words behind `ntfs`, which must be done.
#[track_caller]
fn ntfs(world: &World, words: &[&str]) -> Ran {
    world.done(&[&["ntfs"], words].concat())
}

fn path_of(entry: &Value) -> String {
    entry["path"].as_str().unwrap().to_owned()
}

#[test]
fn interop_listings_show_what_the_driver_shows() {
    let Filled { world, said } = filled();
    let listed = ntfs(&world, &["ls", "volume", "-lR", "--json"]).json();
    assert_eq!(listed["trouble"].as_array().unwrap().len(), 0);
    let entries = listed["entries"].as_array().unwrap();
    let mut paths: Vec<String> = entries.iter().map(path_of).collect();
    paths.sort();
    assert_eq!(paths, said.keys().cloned().collect::<Vec<_>>());
    // Text is the same.
    let text = ntfs(&world, &["ls", "volume", "-R"]).out;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, paths);
    let text = ntfs(&world, &["ls", "volume", "program files"]).out;
    assert_eq!(text, "A rather long name.txt\n");
    let text = ntfs(&world, &["ls", "volume", r"\PROGRA~1\", "--all"]).out;
    assert_eq!(text, "A rather long name.txt\nARATHE~1.TXT\n");
    let text = ntfs(&world, &["ls", "volume", "--all"]).out;
    assert!(text.starts_with("$AttrDef\n$BadClus\n$Bitmap\n"), "{text}");
    let text = ntfs(&world, &["ls", "volume", "/link", "-l"]).out;
    assert!(text.starts_with("l") && text.ends_with(" link -> data\n"), "{text}");
}

#[test]
fn interop_files_are_known_as_the_driver_knows_them() {
    let Filled { world, said } = filled();
    for (path, said) in said.iter().filter(|(path, _)| !path.starts_with("/large/")) {
        let fact = |name: &str| {
            said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
        };
        let found = ntfs(&world, &["stat", "volume", path, "--json"]).json();
        let bits = format!("{:08x}", found["attributes"].as_u64().unwrap());
        let is_directory = found["is_directory"].as_bool().unwrap();
        assert_eq!(bits, fact("attrib_be"), "{path}");
        assert_eq!(found["security"]["descriptor"].as_str().unwrap(), fact("acl"), "{path}");
        let times = fact("times_be");
        let names = ["creation_time", "last_write_time", "last_access_time", "change_time"];
        for (number, name) in names.iter().enumerate() {
            let ticks =
                u64::from_str_radix(times.get(number * 16..number * 16 + 16).unwrap(), 16).unwrap();
            let expected = imprint_winvalues::FileTime(ticks).to_string();
            assert_eq!(found[name].as_str().unwrap(), expected, "{path}: {name}");
        }
        let short = found["names"].as_array().unwrap().iter().find(|n| n["namespace"] == "dos");
        let short = short.map(|name| name["name"].as_str().unwrap().to_owned());
        let expected = fact("dos_name");
        let expected = (0..expected.len() / 2)
            .map(|at| {
                u8::from_str_radix(expected.get(at * 2..at * 2 + 2).unwrap(), 16).unwrap() as char
            })
            .collect::<String>();
        assert_eq!(short.unwrap_or_default(), expected, "{path}");
        let main = found["values"].as_array().unwrap().iter();
        let main = main.filter(|value| value["kind"] == "$DATA" && value["name"] == "").count();
        assert_eq!(main == 1, !is_directory, "{path}");
    }
    let found = ntfs(&world, &["stat", "volume", "/GR\u{dc}N", "--json"]).json();
    assert_eq!(found["security"]["sddl"], "O:BAG:BAD:(A;OICI;FR;;;WD)");
    assert_eq!(found["security"]["owner"], "S-1-5-32-544");
    assert_eq!(found["object_id"]["id"], "67452301-ab89-efcd-0123-456789abcdef");
    assert_eq!(found["extended_attributes"][0]["name"], "ABC");
    assert_eq!(found["extended_attributes"][0]["value"], "776f7274");
    let names = found["names"].as_array().unwrap().iter();
    let mut full: Vec<_> = names.map(|name| name["full"]["path"].as_str().unwrap()).collect();
    full.sort_unstable();
    assert_eq!(full, ["/gr\u{fc}n", "/other"]);
    let found = ntfs(&world, &["stat", "volume", "link", "--json"]).json();
    assert_eq!(found["reparse_point"]["target"], "data");
    assert_eq!(found["reparse_point"]["kind"], "relative symbolic link");
    let text = ntfs(&world, &["stat", "volume", "holes"]).out;
    assert!(
        text.contains("$DATA, 3000000 bytes, 0 allocated, 0 runs, 0 initialised, sparse\n"),
        "{text}"
    );
    let text = ntfs(&world, &["stat", "volume"]).out;
    assert!(text.starts_with("File record:          5 (use count 5)\nKind:                 dir"));
}

#[test]
fn interop_data_is_what_was_written() {
    let Filled { world, .. } = filled();
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        for size in [0, 1, 700, 65_537, 1_300_000] {
            let path = format!("data/{kind:?}/{size}");
            let found = ntfs(&world, &["cat", "volume", &path]).bytes;
            assert!(found == kind.bytes(size, number as u64), "{path}");
        }
    }
    let cat = |words: &[&str]| ntfs(&world, &[&["cat", "volume"], words].concat()).bytes;
    assert!(cat(&["/holes"]) == vec![0; 3_000_000]);
}

#[test]
fn streams_have_names() {
    let Filled { world, .. } = filled();
    let cat = |words: &[&str]| world.imprint(&[&["ntfs", "cat", "volume"], words].concat());
    assert_eq!(cat(&["/gr\u{fc}n:stream"]).out, "named stream");
    assert_eq!(cat(&["/gr\u{fc}n:stream:$DATA"]).out, "named stream");
    assert_eq!(cat(&["/gr\u{fc}n", "--stream=stream"]).out, "named stream");
    assert_eq!(cat(&["/Program Files:of.directory"]).out, "of a directory");
    // A name with a colon is a name.
    assert_eq!(cat(&["odd:name"]).out, "odd\n");
    let record = ntfs(&world, &["stat", "volume", "other", "--json"]).json()["record"].to_string();
    assert_eq!(cat(&["--record", &record]).out, "gr\u{fc}n\n");
    for (words, why) in [
        (&["/data"][..], "/data on volume is a directory"),
        (&["/gr\u{fc}n:other"], "/gr\u{fc}n on volume has no stream of this name"),
        (&["/nothing"], "volume has no file /nothing"),
        (&["/nothing:stream"], "volume has no file /nothing"),
        (&["--record=100000"], "file record 100000"),
    ] {
        let ran = cat(words);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.contains(why), "{ran:?}");
    }
}

#[test]
fn interop_compressed_data_is_plain_and_encrypted_data_is_refused() {
    let world = World::new();
    ntfs_volume(&world.path("volume"), 16);
    let at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw,compression");
    world.shell("mkdir at/folder && setfattr -h -n system.ntfs_attrib_be -v 0x00000810 at/folder");
    let text = Kind::Text.bytes(300_000, 1);
    world.write("at/folder/text", &text);
    world.write("at/secret", vec![7; 5000]);
    drop(at);
    assert!(ntfs(&world, &["cat", "volume", "folder/text"]).bytes == text);
    let found = ntfs(&world, &["stat", "volume", "folder/text", "--json"]).json();
    let data = found["values"].as_array().unwrap().iter().find(|v| v["kind"] == "$DATA").unwrap();
    assert_eq!((&data["compressed"], &data["size"]), (&true.into(), &300_000.into()));
    assert!(data["allocated"].as_u64().unwrap() < 300_000, "{data}");
    let found = ntfs(&world, &["stat", "volume", "secret", "--json"]).json();
    let record = usize::try_from(found["record"].as_u64().unwrap()).unwrap();
    let mut bytes = world.read("volume");
    // mkntfs puts $MFT at the fourth cluster.
    let record = &mut bytes[4 * 4096 + record * 1024..][..1024];
    let mut at = usize::from(record[0x14]);
    while record[at] != 0x80 {
        at += usize::from(record[at + 4]);
    }
    record[at + 13] |= 0x40;
    world.write("volume", bytes);
    let ran = world.imprint(&["ntfs", "cat", "volume", "secret"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains("/secret on volume is encrypted"), "{ran:?}");
}

#[test]
fn volumes_that_were_not_left_in_order_are_captured_with_a_warning() {
    let world = World::new();
    ntfs_volume(&world.path("volume"), 16);
    assert_eq!(world.done(&["capture", "volume", "a.wim"]).err.matches("warning").count(), 0);
    // It sets the flag, so that Windows checks the volume.
    world.shell("ntfsfix volume > fix.log");
    for words in [&["capture", "volume", "a.wim"][..], &["append", "volume", "a.wim", "Two"]] {
        let ran = world.done(words);
        let expected = "warning: volume was not left in order: it is marked as dirty\n";
        assert!(ran.err.contains(expected), "{ran:?}");
    }
    let found = ntfs(&world, &["info", "volume", "--json"]).json();
    assert_eq!((&found["clean"], &found["log"]), (&Value::from(false), &Value::from("empty")));
    assert_eq!(found["reasons"][0], "it is marked as dirty");
    assert_eq!(found["flag_names"][0], "dirty");
    let text = ntfs(&world, &["info", "volume"]).out;
    assert!(text.contains("State:                it is marked as dirty\n"), "{text}");
}

#[test]
fn empty_volumes_are_made() {
    let world = World::new();
    for (options, cluster) in
        [(&[][..], 4096), (&["--label=Sch\u{fc}ler", "--cluster-size=64K"], 65_536)]
    {
        world.shell("rm -f d.raw && truncate -s 64M d.raw");
        let ran = ntfs(&world, &[&["format", "d.raw"], options].concat());
        assert!(ran.out.contains(&format!("clusters of {cluster} bytes on d.raw")), "{ran:?}");
        volumes::judge(&world.path("d.raw"));
        let found = ntfs(&world, &["info", "d.raw", "--json"]).json();
        assert_eq!(found["clean"], true);
        assert_eq!(found["cluster_size"], cluster);
        let label = if options.is_empty() { "" } else { "Sch\u{fc}ler" };
        assert_eq!(found["label"], label);
        assert_eq!(ntfs(&world, &["ls", "d.raw"]).out, "");
    }
    // What is there stays, whatever it is.
    let before = world.read("d.raw");
    let ran = world.imprint(&["ntfs", "format", "d.raw"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("d.raw is not empty: volume without a partition table"), "{ran:?}");
    assert!(world.read("d.raw") == before);
    ntfs(&world, &["format", "d.raw", "--force", "--cluster-size=4096"]);
    volumes::judge(&world.path("d.raw"));
    world.shell("truncate -s 64M e.raw && mke2fs -q e.raw && cp e.raw before");
    assert_eq!(world.imprint(&["ntfs", "format", "e.raw"]).status, Some(1));
    world.shell("cmp e.raw before");
}

#[test]
fn volumes_are_made_on_partitions_of_any_disk() {
    let world = World::new();
    world.write(
        "layout.toml",
        "table = \"gpt\"\n[[partition]]\ntype = \"esp\"\nsize = \"40 MiB\"\nformat = \"fat32\"\n\
         [[partition]]\ntype = \"basic-data\"\nsize = \"rest\"\nformat = \"ntfs\"\n",
    );
    world.done(&["disk", "create", "d.vhdx", "--size=128M"]);
    world.done(&["disk", "partition", "d.vhdx", "--layout=layout.toml"]);
    let ran = world.imprint(&["ntfs", "format", "d.vhdx"]);
    assert!(ran.err.contains("d.vhdx has partitions (1, 2), and none is named"), "{ran:?}");
    let ran = world.imprint(&["ntfs", "format", "d.vhdx:1"]);
    assert!(ran.err.contains("d.vhdx:1 is not empty: volume"), "{ran:?}");
    ntfs(&world, &["format", "d.vhdx:2", "--label=Storage"]);
    let found = ntfs(&world, &["info", "d.vhdx:2", "--json"]).json();
    assert_eq!((&found["label"], &found["hidden_sectors"]), (&"Storage".into(), &83_968.into()));
    world.shell("truncate -s 0 volume");
    world.done(&["disk", "convert", "d.vhdx", "d.raw"]);
    world.shell("dd if=d.raw of=volume bs=1M skip=41 count=86 status=none && ntfsfix -n volume");
}

#[test]
fn damage_is_told_and_the_rest_is_shown() {
    let world = World::new();
    ntfs_volume(&world.path("volume"), 16);
    let at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw,noatime");
    world.write("at/damaged", b"1");
    world.write("at/whole", b"2");
    drop(at);
    let found = ntfs(&world, &["stat", "volume", "damaged", "--json"]).json();
    let record = usize::try_from(found["record"].as_u64().unwrap()).unwrap();
    let mut bytes = world.read("volume");
    // mkntfs puts $MFT at the fourth cluster.
    bytes[4 * 4096 + record * 1024 + 510] ^= 1;
    world.write("volume", bytes);
    let ran = world.imprint(&["ntfs", "ls", "volume", "-l"]);
    assert_eq!((ran.status, ran.out.lines().count()), (Some(3), 2), "{ran:?}");
    let expected = format!("failed to read /damaged on volume: file record {record}: last bytes");
    assert!(ran.err.contains(&expected), "{ran:?}");
    assert_eq!(world.imprint(&["ntfs", "cat", "volume", "damaged"]).status, Some(1));
    assert_eq!(ntfs(&world, &["cat", "volume", "whole"]).out, "2");
}
