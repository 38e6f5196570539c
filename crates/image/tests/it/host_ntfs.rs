//! Reading and writing an ntfs-3g mount, judged by wimlib's own reading of the volume.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_image::host::{HostSource, HostTarget, TargetOptions};
use imprint_image::{Capabilities, Capability, ScanOptions, SkipReason, Skipped, Target};
use imprint_progress::Progress;
use imprint_winvalues::reparse::TAG_SYMBOLIC_LINK;
use imprint_winvalues::tree::{ExtendedAttribute, File, NameId, StreamKind, Tree};
use imprint_winvalues::{Attributes, FileTime};
use sha1::{Digest, Sha1};
use tempfile::TempDir;

use crate::conformance::{
    Delivery, Entry, Summary, add, apply, assert_same, check_source, check_target, directory,
    everything, file, read, reparse_point, set_times, stream,
};
use crate::host_apply::{junction, noise, scratch, symbolic_link};

/// Runs a program and returns what it prints.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {text}{errors}", output.status);
    text
}

/// Makes an empty NTFS volume in a file.
fn volume(path: &Path) {
    let file = fs_err::File::create(path).unwrap();
    file.set_len(96 << 20).unwrap();
    run(Command::new("mkntfs").args(["-F", "-Q", "-q", "-s", "512", "-p", "0"]).arg(path));
}

/// A mounted volume. Mounting needs root and a FUSE device; without them these tests fail.
struct Mount {
    at: PathBuf,
}

impl Mount {
    fn new(volume: &Path, at: &Path, options: &str) -> Self {
        fs_err::create_dir_all(at).unwrap();
        run(Command::new("ntfs-3g").arg("-o").arg(options).args([volume, at]));
        Self { at: at.to_owned() }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // ntfs-3g lets go of the volume only when it is unmounted for good.
        let ended = Command::new("umount").arg(&self.at).status();
        assert!(ended.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

struct Volume {
    temporary: TempDir,
}

impl Volume {
    fn new() -> Self {
        let temporary = scratch();
        volume(&temporary.path().join("volume"));
        Self { temporary }
    }

    fn image(&self) -> PathBuf {
        self.temporary.path().join("volume")
    }

    fn mount(&self, options: &str) -> Mount {
        Mount::new(&self.image(), &self.temporary.path().join("mount"), options)
    }

    /// What a capture of the volume by wimlib holds, in its words.
    fn as_wimlib_sees_it(&self) -> String {
        let wim = self.temporary.path().join("judge.wim");
        run(Command::new("wimlib-imagex")
            .args(["capture", "--compress=none"])
            .args([&self.image(), &wim]));
        run(Command::new("wimlib-imagex").args(["dir", "--detailed"]).arg(&wim).arg("1"))
    }
}

/// Everyone may do everything; owned by administrators. `last` makes it different.
fn descriptor(last: u8) -> Vec<u8> {
    let mut bytes = b"\x01\0\x04\x80\x14\0\0\0\x24\0\0\0\0\0\0\0\x34\0\0\0".to_vec();
    let administrators = b"\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0\0";
    bytes.extend_from_slice(administrators);
    bytes.extend_from_slice(administrators);
    bytes.extend_from_slice(b"\x02\0\x1c\0\x01\0\0\0\0\x03\x14\0");
    bytes.extend_from_slice(&[last, 0x01, 0x1f, 0]);
    bytes.extend_from_slice(b"\x01\x01\0\0\0\0\0\x01\0\0\0\0");
    bytes
}

fn with_security(tree: &mut Tree, id: NameId, last: u8) {
    let security = tree.security.insert(&descriptor(last));
    let file = tree.name(id).unwrap().file();
    tree.file_mut(file).unwrap().security = security;
}

fn with_short_name(tree: &mut Tree, path: &str, short_name: &str) {
    let id = tree.find(path).unwrap();
    tree.name_mut(id).unwrap().short_name = short_name.into();
}

fn with_attributes(mut file: File, attributes: Attributes) -> File {
    file.attributes |= attributes;
    file.attributes -= Attributes::NORMAL;
    file
}

/// A tree with a bit of all that NTFS keeps and a mount shows.
fn sample() -> Tree {
    let hidden = Attributes::HIDDEN | Attributes::SYSTEM;
    let mut tree = Tree::new(with_attributes(directory(), hidden));
    add(&mut tree, "plain", file(b"plain"));
    add(&mut tree, "empty", file(b""));
    add(&mut tree, "same", file(b"plain"));
    add(&mut tree, "large", file(&noise(500_000, 3)));
    let odd = hidden | Attributes::READONLY | Attributes::ARCHIVE | Attributes::NOT_CONTENT_INDEXED;
    add(&mut tree, "Program Files/hidden", with_attributes(file(b"hidden"), odd));
    with_short_name(&mut tree, "Program Files", "PROGRA~1");
    add(&mut tree, "Program Files/long name of a file.text", file(b"short"));
    with_short_name(&mut tree, "Program Files/long name of a file.text", "LONGNA~1.TEX");
    add(&mut tree, "Program Files/empty with short name", file(b""));
    with_short_name(&mut tree, "Program Files/empty with short name", "EMPTYW~1");

    let mut streams = file(b"main");
    streams.streams.push(stream(
        StreamKind::Data,
        "Zone.Identifier",
        b"[ZoneTransfer]\r\nZoneId=3",
    ));
    streams.streams.push(stream(StreamKind::Data, "gr\u{fc}n", &noise(60_000, 4)));
    streams.streams.push(stream(StreamKind::Data, "same as plain", b"plain"));
    streams.streams.push(stream(StreamKind::Data, "nothing", b""));
    add(&mut tree, "streams", streams);
    let mut on_directory = directory();
    on_directory.streams.push(stream(StreamKind::Data, "of directory", b"stream"));
    add(&mut tree, "directory with stream", on_directory);
    let mut only_stream = file(b"");
    only_stream.streams.push(stream(StreamKind::Data, "only", b"this"));
    add(&mut tree, "stream of empty file", only_stream);

    add(&mut tree, "link", symbolic_link(r"\??\C:\plain", false));
    add(&mut tree, "relative link", symbolic_link(r"Program Files\hidden", true));
    add(&mut tree, "junction", junction(r"\??\C:\Program Files"));
    let mut surrogate =
        reparse_point(0x2000_0042, &[&[7; 16][..], b"data of a third party"].concat());
    surrogate.reparse.as_mut().unwrap().reserved = 5;
    add(&mut tree, "other reparse point", surrogate);

    let mut extras = file(b"extras");
    extras.extras_mut().object_id = Some(noise(64, 9).into());
    extras.extras_mut().extended_attributes = vec![
        ExtendedAttribute { name: (*b"FIRST").into(), flags: 0, value: (*b"value").into() },
        ExtendedAttribute { name: (*b"SECOND").into(), flags: 0x80, value: (*b"").into() },
    ];
    add(&mut tree, "extras", extras);

    let linked = add(&mut tree, "one", file(b"three names"));
    let linked = tree.name(linked).unwrap().file();
    let directory = tree.find("Program Files").unwrap();
    tree.link(NameId::ROOT, "another long name".into(), linked).unwrap();
    tree.link(directory, "three".into(), linked).unwrap();
    with_short_name(&mut tree, "another long name", "ANOTHE~1");

    for (id, file) in tree.files_mut() {
        set_times(file, u64::from(id.0) + 1);
    }
    let ids: Vec<NameId> = tree.names().map(|(id, _)| id).collect();
    for id in ids {
        with_security(&mut tree, id, u8::try_from(id.0 % 3).unwrap());
    }
    tree
}

fn source(mount: &Mount) -> HostSource {
    HostSource::new(&mount.at).unwrap()
}

fn target(mount: &Mount) -> HostTarget {
    HostTarget::new(&mount.at, TargetOptions::default()).unwrap()
}

#[test]
fn everything_ntfs_keeps_comes_back() {
    let mut volumes = Vec::new();
    let tree = sample();
    for delivery in [Delivery::Whole, Delivery::WholeByThreads, Delivery::Pieces(1000)] {
        let volume = Volume::new();
        let mount = volume.mount("streams_interface=xattr");
        let mut host = target(&mount);
        let kept = host.capabilities();
        assert!(kept.keeps(Capability::NamedStreams) && kept.keeps(Capability::ShortNames));
        assert_eq!(apply(&mut host, &tree, delivery), []);
        drop((host, mount));
        // Mounted anew, so that nothing stays in memory.
        let mount = volume.mount("ro");
        let back = check_source(&source(&mount), &everything());
        let mut expected = Summary::in_hand(&tree).kept(&kept);
        // It is there (see below), but the driver does not show that of a file with more names.
        expected.0.get_mut(r"\another long name").unwrap().short_name.clear();
        assert_same(&back.kept(&kept), &expected);
        drop(mount);
        volumes.push(volume);
    }
    for volume in &volumes {
        judge(&volume.as_wimlib_sees_it(), &Summary::in_hand(&tree));
    }
}

/// Compares wimlib's listing of an image with what should be there.
#[track_caller]
fn judge(listing: &str, expected: &Summary) {
    let mut entries: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in listing
        .split("----------------------------------------------------------------------------\n")
    {
        let mut lines = BTreeSet::new();
        let mut path = String::new();
        let mut stream = "";
        for line in block.lines() {
            if let Some(name) = line.strip_prefix('\t') {
                stream = name;
            } else if let Some((key, value)) = line.split_once('=') {
                let (key, value) = (key.trim(), value.trim().trim_matches('"'));
                match key {
                    "Full Path" => path = value.replace('/', "\\"),
                    "Short Name"
                    | "Attributes"
                    | "Security Descriptor"
                    | "Reparse Tag"
                    | "Link Count"
                    | "Object ID"
                    | "Birth Object ID"
                    | "Creation Time"
                    | "Last Write Time"
                    | "Last Access Time" => {
                        lines.insert(format!("{key}: {value}"));
                    }
                    "Hash" if !value.ends_with(&"0".repeat(40)) || stream.contains("Named") => {
                        lines.insert(format!("{stream} {value}"));
                    }
                    _ => {}
                }
            }
        }
        if !path.is_empty() {
            entries.insert(path, lines);
        }
    }
    for (path, entry) in &expected.0 {
        assert_eq!(entries.get(path), Some(&in_words_of_wimlib(entry)), "{path}");
    }
    assert_eq!(entries.len(), expected.0.len());
}

fn in_words_of_wimlib(entry: &Entry) -> BTreeSet<String> {
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, b| format!("{text}{b:02x}"));
    let mut lines = BTreeSet::from([
        format!("Short Name: {}", entry.short_name),
        format!("Attributes: {:#010x}", entry.attributes.bits()),
        format!("Security Descriptor: {}", hex(entry.security.as_deref().unwrap_or_default())),
        format!("Link Count: {}", entry.links.len()),
        format!("Creation Time: {}", date(entry.creation)),
        format!("Last Write Time: {}", date(entry.write)),
        format!("Last Access Time: {}", date(entry.access)),
    ]);
    if let Some(info) = entry.reparse {
        lines.insert(format!("Reparse Tag: {:#010x}", info.tag));
    }
    if let Some(id) = &entry.extras.object_id {
        lines.insert(format!("Object ID: 0x{}", hex(&id[..16])));
        lines.insert(format!("Birth Object ID: 0x{}", hex(&id[32..48])));
    }
    for ((kind, name), data) in &entry.streams {
        let words = match kind {
            StreamKind::Reparse => "Reparse point stream:".to_owned(),
            _ if name.is_empty() => "Unnamed data stream:".to_owned(),
            _ => format!("Named data stream \"{name}\":"),
        };
        let hash = if data.is_empty() { vec![0; 20] } else { Sha1::digest(data).to_vec() };
        if !data.is_empty() || !name.is_empty() {
            lines.insert(format!("{words} 0x{}", hex(&hash)));
        }
    }
    lines
}

/// A time as C prints it, in the days this test uses: those of April 2019.
fn date(time: FileTime) -> String {
    let text = time.to_string();
    assert!(text.starts_with("2019-04-17T"), "{text}");
    let clock = text.get(11..19).unwrap();
    format!("Wed Apr 17 {clock} 2019 UTC")
}

#[test]
fn what_wimlib_wrote_is_read() {
    let tree = sample();
    let ours = Volume::new();
    let mount = ours.mount("rw");
    assert_eq!(apply(&mut target(&mount), &tree, Delivery::Whole), []);
    drop(mount);
    ours.as_wimlib_sees_it();

    let theirs = Volume::new();
    let wim = ours.temporary.path().join("judge.wim");
    run(Command::new("wimlib-imagex").arg("apply").arg(&wim).arg("1").arg(theirs.image()));
    let scan = |volume: &Volume| {
        let mount = volume.mount("ro");
        read(&source(&mount), &everything())
    };
    let (ours, skipped) = scan(&ours);
    let (theirs, skipped_of_theirs) = scan(&theirs);
    // wimlib 1.13 keeps no extended attributes of NTFS volumes.
    let kept = Capabilities(
        [
            Capability::Attributes,
            Capability::SecurityDescriptors,
            Capability::ShortNames,
            Capability::NamedStreams,
            Capability::CreationTime,
            Capability::ObjectIds,
        ]
        .into(),
    );
    assert_same(&theirs.kept(&kept), &ours.kept(&kept));
    assert_eq!(skipped, skipped_of_theirs);
    assert_eq!(
        skipped,
        [
            Skipped {
                path: r"\another long name".into(),
                reason: SkipReason::Unreadable {
                    operation: "read short name",
                    error: "Too many links (os error 31)".into(),
                },
            },
            Skipped {
                path: r"\one".into(),
                reason: SkipReason::Unreadable {
                    operation: "read short name",
                    error: "Too many links (os error 31)".into(),
                },
            }
        ]
    );
}

/// A file with a stream larger than an extended attribute may be, and names with a colon.
fn large_streams() -> Tree {
    let mut tree = Tree::new(directory());
    let mut streams = file(b"main");
    streams.streams.push(stream(StreamKind::Data, "large", &noise(200_000, 5)));
    streams.streams.push(stream(StreamKind::Data, "large too", &noise(200_000, 5)));
    streams.streams.push(stream(StreamKind::Data, "small", b"small"));
    streams.streams.push(stream(StreamKind::Data, "empty", b""));
    add(&mut tree, "streams", streams);
    tree
}

#[test]
fn streams_as_files_may_be_large() {
    let volume = Volume::new();
    let tree = large_streams();
    let options = "streams_interface=windows";
    for delivery in [Delivery::Whole, Delivery::Pieces(70_000)] {
        let mount = volume.mount(options);
        let mut host = target(&mount);
        let kept = host.capabilities();
        assert!(kept.keeps(Capability::NamedStreams));
        assert_eq!(apply(&mut host, &tree, delivery), []);
        drop((host, mount));
        let mount = volume.mount(options);
        let (back, skipped) = read(&source(&mount), &everything());
        assert_eq!(skipped, []);
        let kept = Capabilities([Capability::NamedStreams].into());
        assert_same(&back.kept(&kept), &Summary::in_hand(&tree).kept(&kept));
    }

    let mount = volume.mount(options);
    let mut tree = Tree::new(directory());
    add(&mut tree, "streams:small", file(b"attack"));
    add(&mut tree, ":x", file(b""));
    let skipped = apply(&mut target(&mount), &tree, Delivery::Whole);
    assert_eq!(skipped.len(), 2);
    assert!(skipped.iter().all(|s| matches!(s.reason, SkipReason::Name { .. })));
    assert_eq!(fs_err::read(mount.at.join("streams:small")).unwrap(), b"small");
}

#[test]
fn streams_too_large_for_the_mount_are_listed() {
    let volume = Volume::new();
    let tree = large_streams();
    let mount = volume.mount("streams_interface=windows");
    assert_eq!(apply(&mut target(&mount), &tree, Delivery::Whole), []);
    drop(mount);
    let mount = volume.mount("streams_interface=xattr");
    let (_, skipped) = read(&source(&mount), &everything());
    let operations: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    let expected = r"\streams: failed to read named stream: Argument list too long (os error 7)";
    assert_eq!(operations, [expected, expected]);

    for delivery in [Delivery::Whole, Delivery::Pieces(4096)] {
        let skipped = apply(&mut target(&mount), &tree, delivery);
        let operations: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        let expected =
            r"\streams: failed to write named stream: Argument list too long (os error 7)";
        assert_eq!(operations, [expected, expected]);
    }
    drop(mount);

    let mount = volume.mount("streams_interface=none");
    let mut host = target(&mount);
    assert!(!host.capabilities().keeps(Capability::NamedStreams));
    let skipped = apply(&mut host, &tree, Delivery::Whole);
    let capability = Capability::NamedStreams;
    assert_eq!(skipped.len(), 4);
    assert!(skipped.iter().all(|s| s.reason == SkipReason::NotKept { capability }));
}

#[test]
fn a_volume_mounted_below_is_seen_as_what_it_is() {
    let volume = Volume::new();
    let mut tree = Tree::new(directory());
    let mut hidden = file(b"hidden");
    hidden.streams.push(stream(StreamKind::Data, "stream", b"named"));
    add(&mut tree, "hidden", with_attributes(hidden, Attributes::HIDDEN));
    let mount = volume.mount("rw");
    apply(&mut target(&mount), &tree, Delivery::Whole);
    let above = HostSource::new(volume.temporary.path()).unwrap();
    let (seen, skipped) = read(&above, &everything());
    assert_eq!(skipped, []);
    let entry = &seen.0[r"\mount\hidden"];
    assert_eq!(entry.attributes, Attributes::HIDDEN);
    assert!(entry.security.is_some());
    assert_eq!(entry.streams[&(StreamKind::Data, "stream".into())], b"named");
    assert_eq!(seen.0[r"\volume"].security, None);

    let without = ScanOptions { no_acls: true, ..everything() };
    let (seen, _) = read(&above, &without);
    assert_eq!(seen.0[r"\mount\hidden"].security, None);
}

#[test]
fn what_a_mount_hides_is_listed() {
    let volume = Volume::new();
    let mount = volume.mount("rw");
    let mut tree = Tree::new(directory());
    let mut overlay = reparse_point(0x8000_0017, &noise(16, 1));
    overlay.streams.push(stream(StreamKind::Data, "", b"main"));
    add(&mut tree, "overlay", overlay);
    assert_eq!(apply(&mut target(&mount), &tree, Delivery::Whole), []);
    std::os::unix::fs::symlink("target of link", mount.at.join("link of linux")).unwrap();
    run(Command::new("mkfifo").arg(mount.at.join("pipe of linux")));
    drop(mount);

    let mount = volume.mount("ro");
    let (seen, skipped) = read(&source(&mount), &everything());
    let link = &seen.0[r"\link of linux"];
    assert_eq!(link.attributes, Attributes::REPARSE_POINT);
    assert_eq!(link.reparse.unwrap().tag, TAG_SYMBOLIC_LINK);
    assert_eq!(seen.0[r"\overlay"].streams[&(StreamKind::Reparse, String::new())], noise(16, 1));
    let lines: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            r"\overlay: failed to read data behind reparse point: Operation not supported (os error 95)",
            r"\pipe of linux: images cannot hold a pipe",
        ]
    );
}

#[test]
fn properties_that_cannot_be_set_are_listed() {
    let volume = Volume::new();
    let mut tree = Tree::new(directory());
    let broken = add(&mut tree, "broken", file(b"data"));
    let security = tree.security.insert(b"no descriptor at all");
    let id = tree.name(broken).unwrap().file();
    tree.file_mut(id).unwrap().security = security;
    tree.file_mut(id).unwrap().attributes = Attributes::HIDDEN;
    let mount = volume.mount("rw");
    let apply_with = |options| {
        let mut host = HostTarget::new(&mount.at, options).unwrap();
        host.begin(&tree, &[], &Progress::new()).unwrap();
        let uses = [imprint_image::BlobUse { file: id, name: broken, stream: 0 }];
        host.put(&tree, &uses, b"data").unwrap();
        host.finish(&tree, &Progress::new())
    };
    let skipped = apply_with(TargetOptions::default()).unwrap();
    assert_eq!(skipped.len(), 1);
    assert!(skipped[0].to_string().starts_with(r"\broken: failed to set security descriptor"));
    let strict = TargetOptions { strict_acls: true, ..TargetOptions::default() };
    let error = apply_with(strict).unwrap_err().to_string();
    assert!(error.starts_with("failed to set security descriptor ") && error.ends_with("/broken"));

    let none = TargetOptions { no_acls: true, no_attributes: true, ..TargetOptions::default() };
    assert_eq!(apply_with(none).unwrap(), []);
    let (seen, _) = read(&source(&mount), &everything());
    assert_eq!(seen.0[r"\broken"].attributes, Attributes::ARCHIVE);
}

#[test]
fn files_whose_data_never_came_are_removed() {
    let volume = Volume::new();
    let mount = volume.mount("rw");
    let tree = sample();
    let mut host = target(&mount);
    host.begin(&tree, &[], &Progress::new()).unwrap();
    assert_eq!(host.finish(&tree, &Progress::new()).unwrap(), []);
    let (seen, _) = read(&source(&mount), &everything());
    let empty_in_the_image = |path: &str| {
        Summary::in_hand(&tree).0[path].streams.iter().all(|((kind, name), data)| {
            data.is_empty() || *kind != StreamKind::Data || !name.is_empty()
        })
    };
    for path in seen.0.keys() {
        assert!(empty_in_the_image(path), "{path} should not be there");
    }
    assert!(seen.0.contains_key(r"\empty"));
    assert!(!seen.0.contains_key(r"\one"));
}

#[test]
fn a_tree_comes_back_however_it_is_brought() {
    let volumes = scratch();
    let mut tree = sample();
    // See `everything_ntfs_keeps_comes_back`.
    let name = tree.find("another long name").unwrap();
    tree.name_mut(name).unwrap().short_name = "".into();
    let mut number = 0;
    check_target(&tree, || {
        number += 1;
        let image = volumes.path().join(format!("{number}"));
        volume(&image);
        let mount = Mount::new(&image, &volumes.path().join(format!("mount {number}")), "rw");
        let host = target(&mount);
        let read_back = move || {
            let (seen, skipped) = read(&source(&mount), &everything());
            assert_eq!(skipped, []);
            seen
        };
        (host, Box::new(read_back))
    });
}
