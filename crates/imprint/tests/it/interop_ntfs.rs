//! NTFS volumes: what Windows keeps of a file goes through our mounts and wimlib's own reading and
//! writing of volumes, in both directions. The volume is filled by setting the driver's attributes;
//! wimlib, which needs no mount, says what is on it.

use std::collections::BTreeMap;

use imprint_testkit::census::census;
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{Kind, Mount, ntfs_volume};

use crate::interop_trees::seven_zip;
use crate::world::World;

/// Owned by administrators, open to everyone; the mask makes descriptors differ.
fn descriptor(mask: u8) -> String {
    let administrators = "01020000000000052000000020020000";
    format!(
        "0x0100048014000000240000000000000034000000{administrators}{administrators}\
         02001c000100000000031400{mask:02x}011f00010100000000000100000000"
    )
}

/// Reparse data of a symbolic link or a junction.
fn link(tag: u32, target: &str, shown: &str, relative: bool) -> String {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (target, shown) = (wide(target), wide(shown));
    let junction = tag == 0xa000_0003;
    let end = if junction { 2 } else { 0 };
    let mut data = Vec::new();
    for number in [0, target.len(), target.len() + end, shown.len()] {
        data.extend(u16::try_from(number).unwrap().to_le_bytes());
    }
    if !junction {
        data.extend(u32::from(relative).to_le_bytes());
    }
    for text in [target, shown] {
        data.extend(text);
        data.resize(data.len() + end, 0);
    }
    let mut whole = tag.to_le_bytes().to_vec();
    whole.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    whole.extend(data);
    whole.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Fills a mounted volume.
fn fill(world: &World, at: &str) {
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        for size in [0, 1, 700, 4096, 65_537, 300_000] {
            world.write(&format!("{at}/data/{kind:?}/{size}"), kind.bytes(size, number as u64));
        }
    }
    let (symlink, relative, junction) = (
        link(0xa000_000c, r"\??\C:\data\Text", r"C:\data\Text", false),
        link(0xa000_000c, r"data\Text\700", r"data\Text\700", true),
        link(0xa000_0003, r"\??\C:\data", r"C:\data", false),
    );
    let (one, two) = (descriptor(0xff), descriptor(0xa9));
    world.shell(&format!(
        "cd {at}
        mkdir 'Program Files' junction && touch 'empty file with a long name.text' symlink relative
        echo hello > 'Program Files/A rather long name.txt' && echo x > other && echo odd > odd
        ln other links-1 && ln other 'Program Files/links 2' && ln data/Text/0 links-empty
        dos() {{ setfattr -h -n system.ntfs_dos_name -v \"$2\" \"$1\"; }}
        dos 'Program Files' PROGRA~1 && dos 'Program Files/A rather long name.txt' ARATHE~1.TXT
        dos 'empty file with a long name.text' EMPTYF~1.TEX
        for n in 1 2 3; do setfattr -n user.stream$n -v \"named stream $n\" odd; done
        setfattr -n user.Zone.Identifier -v '[ZoneTransfer]' other && setfattr -n user.empty odd
        setfattr -n user.of.directory -v 'stream of a directory' 'Program Files'
        head -c 60000 data/Random/65537 | base64 -w0 | head -c 60000 > ../value
        python3 -c 'import os; os.setxattr(\"odd\", \"user.large\", open(\"../value\", \"rb\").read())'
        reparse() {{ setfattr -h -n system.ntfs_reparse_data -v $2 $1; }}
        reparse symlink {symlink}; reparse relative {relative}; reparse junction {junction}
        setfattr -h -n system.ntfs_acl -v {one} odd; setfattr -h -n system.ntfs_acl -v {two} other
        setfattr -h -n system.ntfs_acl -v {one} 'Program Files'
        setfattr -n system.ntfs_object_id -v 0x{id} odd
        setfattr -h -n system.ntfs_attrib_be -v 0x00002023 odd
        setfattr -h -n system.ntfs_attrib_be -v 0x00000006 'Program Files'
        setfattr -h -n system.ntfs_attrib_be -v 0x00000001 data/Text/700
        n=0; find . -depth | while read -r name; do n=$((n+1))
          times=$(printf '0x01d5%04x00000000 01d6%04x00000001 01d7%04x00000002 01d8%04x00000003' $n $n $n $n)
          setfattr -h -n system.ntfs_times_be -v \"$(echo $times | tr -d ' ')\" \"$name\"
        done",
        id = "0123456789abcdef".repeat(2),
    ));
}

/// What wimlib's listing of an image says of each path. A link group is named after its first path.
fn listing(world: &World, wim: &str, image: &str) -> BTreeMap<String, String> {
    let text = world.wimlib(&["dir", wim, image, "--detailed"]);
    let mut groups = BTreeMap::new();
    let mut found = BTreeMap::new();
    for entry in text.split(&"-".repeat(76)).skip(1) {
        let mut lines = Vec::new();
        let mut path = "";
        for line in entry.lines() {
            match line.split_once('=').map(|(label, value)| (label.trim(), value.trim())) {
                Some(("Full Path", value)) => path = value,
                Some(("Link Group ID", "0x0000000000000000")) => {}
                Some(("Link Group ID", group)) => {
                    let first = groups.entry(group.to_owned()).or_insert_with(|| path.to_owned());
                    lines.push(format!("one file with {first}"));
                }
                // Where the data is in the file is the writer's affair.
                Some(("Offset in WIM" | "Compressed size" | "Reference Count" | "Flags", _)) => {}
                // The formatting program leaves zeros behind the descriptor of the root.
                Some(("Security Descriptor", _)) if path == "\"/\"" => {}
                _ if line.is_empty() => {}
                _ => lines.push(line.trim().to_owned()),
            }
        }
        found.insert(path.to_owned(), lines.join("\n"));
    }
    found
}

#[track_caller]
fn assert_same(one: &BTreeMap<String, String>, two: &BTreeMap<String, String>, what: &str) {
    let paths: Vec<_> = one.keys().collect();
    assert_eq!(paths, two.keys().collect::<Vec<_>>(), "{what}");
    for (path, facts) in one {
        assert_eq!(facts, &two[path], "{what}: {path}");
    }
}

const MOUNTED: &str = "streams_interface=xattr,noatime";

/// A world with a full volume `a` and wimlib's image of it.
fn world() -> (World, BTreeMap<String, String>) {
    let world = World::new();
    ntfs_volume(&world.path("a"), 96);
    let mount = Mount::ntfs(&world.path("a"), &world.path("mount"), MOUNTED);
    fill(&world, "mount");
    drop(mount);
    world.wimlib(&["capture", "a", "theirs.wim", "--compress=lzx"]);
    let truth = listing(&world, "theirs.wim", "1");
    assert!(truth.len() > 45, "{truth:?}");
    let text = truth.values().cloned().collect::<String>();
    for word in ["stream3", "ARATHE~1.TXT", "0xa0000003", "Object ID", "0x00002023", "one file"] {
        assert!(text.contains(word), "{word} is not on the volume: {text}");
    }
    (world, truth)
}

/// What wimlib finds on a volume.
fn on_volume(world: &World, volume: &str) -> BTreeMap<String, String> {
    world.wimlib(&["capture", volume, "judge.wim", "--compress=none"]);
    let found = listing(world, "judge.wim", "1");
    fs_err::remove_file(world.path("judge.wim")).unwrap();
    found
}

#[test]
fn wimlib_finds_all_of_a_volume_in_what_we_capture() {
    let (world, truth) = world();
    let mount = Mount::ntfs(&world.path("a"), &world.path("mount"), "ro");
    for (file, options) in [
        ("none.wim", &["--compress=none"][..]),
        ("xpress.wim", &["--compress=xpress", "--check"]),
        ("lzx.wim", &["--compress=lzx"]),
    ] {
        world.done(&[&["capture", "mount", file, "--norpfix"], options].concat());
        world.wimlib(&["verify", file]);
        assert_same(&truth, &listing(&world, file, "1"), file);
        ntfs_volume(&world.path("b"), 96);
        world.wimlib(&["apply", file, "1", "b"]);
        assert_same(&truth, &on_volume(&world, "b"), &format!("{file} applied by wimlib"));
    }
    world.wimlib(&["append", "a", "lzx.wim", "again"]);
    assert_same(&truth, &listing(&world, "lzx.wim", "2"), "appended by wimlib");
    world.done(&["append", "mount", "theirs.wim", "again", "--norpfix"]);
    world.wimlib(&["verify", "theirs.wim"]);
    assert_same(&truth, &listing(&world, "theirs.wim", "2"), "appended by us");
    drop(mount);
}

#[test]
fn wimlib_finds_all_of_an_image_on_the_ntfs_volume_we_apply_it_to() {
    let (world, truth) = world();
    ntfs_volume(&world.path("b"), 96);
    let mount = Mount::ntfs(&world.path("b"), &world.path("target"), MOUNTED);
    world.done(&["apply", "theirs.wim", "1", "target", "--norpfix"]);
    drop(mount);
    assert_same(&truth, &on_volume(&world, "b"), "applied by us");
}

/// What the strict checker and other programs find wrong with a volume: nothing.
#[track_caller]
fn assert_sound(world: &World, volume: &str) {
    let path = world.path(volume);
    assert_eq!(volumes::check(&path, 0, Strictness::Strict), "");
    assert_eq!(volumes::complaints(&path), "");
}

#[test]
fn wimlib_finds_all_of_an_image_on_the_volume_we_make_of_it() {
    let (world, truth) = world();
    for (number, options) in [
        &[][..],
        &["--cluster-size=512"],
        &["--cluster-size=2K"],
        &["--cluster-size=8K"],
        &["--cluster-size=64K"],
    ]
    .into_iter()
    .enumerate()
    {
        let volume = format!("volume{number}");
        world.shell(&format!("truncate -s 128M {volume}"));
        let words = ["apply", "theirs.wim", "1", &volume, "--format", "--label=Sample"];
        world.done(&[&words, options].concat());
        assert_sound(&world, &volume);
        assert_same(&truth, &on_volume(&world, &volume), &format!("{options:?}"));
    }
}

#[test]
fn wimlib_finds_all_of_a_volume_in_what_we_capture_without_mounting_it() {
    let (world, truth) = world();
    world.done(&["capture", "a", "ours.wim", "--compress=none"]);
    world.wimlib(&["verify", "ours.wim"]);
    assert_same(&truth, &listing(&world, "ours.wim", "1"), "captured by us");
    world.shell("truncate -s 96M b");
    world.done(&["apply", "ours.wim", "1", "b", "--format"]);
    assert_same(&truth, &on_volume(&world, "b"), "captured and applied by us");
}

/// What 7-Zip's listing says of each path and stream.
fn seven_listing(world: &World, wim: &str) -> BTreeMap<String, Vec<String>> {
    let text = seven_zip(world, &["l", "-slt", "-sns", wim]);
    let (_, entries) = text.split_once("----------\n").unwrap();
    let entry = |entry: &str| {
        let path = entry.lines().next().unwrap().to_owned();
        // The writer's affair; it may give a directory and a link main data, which is empty.
        let other = ["Packed Size", "Method", "iNode", "Alternate Streams"];
        let kept = |line: &&str| !other.iter().any(|label| line.starts_with(label));
        (path, entry.lines().filter(kept).map(str::to_owned).collect())
    };
    let all = entries.split("\n\n").filter(|text| !text.is_empty()).map(entry);
    all.filter(|(path, _)| !path.ends_with(':')).collect()
}

#[test]
fn what_7zip_sees_of_our_ntfs_image_is_what_it_sees_of_wimlibs() {
    let (world, _) = world();
    let mount = Mount::ntfs(&world.path("a"), &world.path("mount"), "ro");
    world.done(&["capture", "mount", "ours.wim", "--norpfix"]);
    drop(mount);
    let (ours, theirs) = (seven_listing(&world, "ours.wim"), seven_listing(&world, "theirs.wim"));
    assert!(ours.contains_key("Path = odd:stream1"), "{ours:?}");
    assert_eq!(ours, theirs);
    // Links that are absolute are made to point into the directory: both must be unpacked to one.
    let unpacked = |wim: &str| {
        seven_zip(&world, &["x", "-y", "-oout", wim]);
        let census = census(&world.path("out"));
        world.shell("rm -rf out");
        census.without(|path, _| path.is_empty() || path.ends_with(b":") || path.ends_with(b":_"))
    };
    let (ours, theirs) = (unpacked("ours.wim"), unpacked("theirs.wim"));
    assert!(ours.0.contains_key(&b"odd:large"[..]));
    theirs.assert_same(&ours, "unpacked by 7-Zip");
}
