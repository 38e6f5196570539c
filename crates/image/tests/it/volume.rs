//! Volumes that are made, filled and read without being mounted.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use imprint_image::volume::{FormatOptions, NtfsSource, NtfsTarget};
use imprint_image::{Capabilities, Target};
use imprint_ntfs::Volume;
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{Random, soak};
use imprint_winvalues::tree::{ExtendedAttribute, File, NameId, StreamKind, Tree};
use imprint_winvalues::{Attributes, FileTime, WinName};

use crate::conformance::{
    Delivery, Summary, add, apply, assert_same, check_source, check_target, directory, everything,
    file, read, reparse_point, set_times, stream,
};
use crate::host_apply::{junction, noise, scratch, symbolic_link};

type Device = fs_err::File;

/// A target on a new file of so many MiB.
fn target(path: &Path, mebibytes: u64, cluster_size: u32) -> NtfsTarget<Device> {
    drop(Device::create(path).unwrap());
    let device = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    device.set_len(mebibytes << 20).unwrap();
    let options = FormatOptions {
        cluster_size: Some(cluster_size),
        label: "Sample".into(),
        serial: 7,
        now: FileTime(133_000_000_000_000_000),
        no_acls: false,
        no_attributes: false,
    };
    NtfsTarget::new(device, path.display().to_string(), 0, 512, options).unwrap()
}

fn source(path: &Path) -> NtfsSource<Device> {
    let volume = Volume::open(Device::open(path).unwrap()).unwrap();
    NtfsSource::new(volume, NonZeroUsize::new(3).unwrap())
}

pub(crate) fn summary(path: &Path) -> Summary {
    let (summary, skipped) = read(&source(path), &everything());
    assert_eq!(skipped, []);
    summary
}

/// What the strict checker and other programs find wrong with a volume: nothing.
#[track_caller]
pub(crate) fn judge(path: &Path) {
    assert_eq!(volumes::check(path, 0, Strictness::Strict), "");
    let device = fs_err::File::open(path).unwrap();
    let report = imprint_ntfs::check(&device, &imprint_progress::Progress::new());
    assert_eq!(report.unwrap().findings, []);
    assert_eq!(volumes::complaints(path), "");
}

/// An owner and nothing else; `number` makes descriptors differ.
fn descriptor(number: u8) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 0x80, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, number, 2, 0, 0]);
    bytes
}

/// Gives everything a descriptor: without one, files get what Windows gives to new ones.
pub(crate) fn secure(tree: &mut Tree) {
    let ids: Vec<_> = (0..9).map(|number| tree.security.insert(&descriptor(number))).collect();
    for (id, file) in tree.files_mut() {
        file.security = ids[id.0 as usize % ids.len()];
    }
}

/// A tree with a bit of all that NTFS keeps.
pub(crate) fn sample() -> Tree {
    let mut tree = Tree::new(directory());
    add(&mut tree, "empty", file(b""));
    let small = add(&mut tree, "Windows/System32/small.dll", file(b"small"));
    tree.name_mut(small).unwrap().short_name = "SMALL~1.DLL".into();
    let linked = tree.name(small).unwrap().file();
    tree.link(NameId::ROOT, "second name".into(), linked).unwrap();
    add(&mut tree, "Windows/large.bin", file(&noise(3_000_000, 3)));
    let mut streams = file(&noise(700, 1));
    streams.streams.push(stream(StreamKind::Data, "one", b"named"));
    streams.streams.push(stream(StreamKind::Data, "two", &noise(100_000, 2)));
    streams.attributes = Attributes::HIDDEN | Attributes::READONLY;
    streams.extras_mut().object_id = Some((1..=64).collect());
    add(&mut tree, "streams", streams);
    let mut folder = directory();
    folder.streams.push(stream(StreamKind::Data, "of folder", b"stream of a directory"));
    add(&mut tree, "folder", folder);
    let mut extended = file(b"ea");
    extended.extras_mut().extended_attributes = vec![
        ExtendedAttribute { name: (*b"ONE").into(), flags: 0, value: (*b"1").into() },
        ExtendedAttribute { name: (*b"TWO").into(), flags: 0x80, value: noise(900, 5).into() },
    ];
    add(&mut tree, "extended", extended);
    add(&mut tree, "link", symbolic_link("small", true));
    add(&mut tree, "junction", junction(r"\??\C:\Windows"));
    add(&mut tree, "other", reparse_point(0x8000_0019, &noise(9000, 4)));
    secure(&mut tree);
    tree
}

#[test]
fn the_target_keeps_all_it_says() {
    let folder = scratch();
    let path = folder.path().join("volume");
    check_target(&sample(), || {
        let path: PathBuf = path.clone();
        (target(&path, 32, 4096), Box::new(move || summary(&path)))
    });
}

#[test]
fn the_source_gives_the_same_each_time() {
    let folder = scratch();
    let path = folder.path().join("volume");
    let mut target = target(&path, 32, 4096);
    assert_eq!(apply(&mut target, &sample(), Delivery::Whole), []);
    judge(&path);
    check_source(&source(&path), &everything());
}

/// A random name, sometimes one that differs in case only from others.
fn name(random: &mut Random) -> WinName {
    let most = if random.chance(1, 9) { 200 } else { 12 };
    let length = 1 + random.below(most);
    let unit = |random: &mut Random| match random.below(8) {
        0 => 0x3b1 + u16::try_from(random.below(24)).unwrap(),
        1 => 0x4e00 + u16::try_from(random.below(80)).unwrap(),
        2 => b'A'.into(),
        _ => u16::from(b'a') + u16::try_from(random.below(5)).unwrap(),
    };
    let units: Vec<u16> = (0..length).map(|_| unit(random)).collect();
    WinName::from_units(&units)
}

fn data(random: &mut Random) -> Vec<u8> {
    let size = match random.below(6) {
        0 => 0,
        1 => 1 + random.below(64),
        2 => 500 + random.below(500),
        3 => 4096 * random.below(4),
        4 => random.below(20_000),
        _ => random.below(300_000),
    };
    noise(usize::try_from(size).unwrap(), u32::try_from(random.below(1000)).unwrap())
}

fn decorate(random: &mut Random, file: &mut File) {
    set_times(file, random.below(1_000_000));
    let flags = [Attributes::READONLY, Attributes::HIDDEN, Attributes::ARCHIVE, Attributes::SYSTEM];
    if !file.is_directory() && random.below(2) == 0 {
        file.attributes |= flags[usize::try_from(random.below(4)).unwrap()];
        file.attributes -= Attributes::NORMAL;
    }
    for number in 0..random.below(12).saturating_sub(7) * random.below(6) {
        let name = format!("stream {number}");
        file.streams.push(stream(StreamKind::Data, &name, &data(random)));
    }
    if random.below(10) == 0 {
        file.extras_mut().object_id =
            Some(noise(64, u32::try_from(random.below(1 << 30)).unwrap()).into());
    }
    if random.below(10) == 0 {
        let value = data(random);
        let value = value[..value.len().min(3000)].into();
        let one = ExtendedAttribute { name: (*b"RANDOM").into(), flags: 0, value };
        file.extras_mut().extended_attributes = vec![one];
    }
}

pub(crate) fn random_tree(random: &mut Random) -> Tree {
    let mut tree = Tree::new(directory());
    let mut folders = vec![NameId::ROOT];
    let mut files = Vec::new();
    for _ in 0..40 + random.below(400) {
        let parent = folders[usize::try_from(random.below(folders.len() as u64)).unwrap()];
        let name = name(random);
        let taken = |child: &NameId| tree.name(*child).is_some_and(|child| child.name == name);
        if tree.name(parent).unwrap().children().iter().any(taken) {
            continue;
        }
        if random.below(5) == 0 && !files.is_empty() {
            let of = files[usize::try_from(random.below(files.len() as u64)).unwrap()];
            // Many names of one file now and then.
            tree.link(parent, name, of).unwrap();
            continue;
        }
        let is_directory = random.below(4) == 0;
        let mut new = if is_directory { directory() } else { file(&data(random)) };
        decorate(random, &mut new);
        let id = tree.add(parent, name, new).unwrap();
        if is_directory {
            folders.push(id);
        } else {
            files.push(tree.name(id).unwrap().file());
        }
        if random.below(6) == 0 {
            let short = format!("S{:05}~1.X", id.0);
            tree.name_mut(id).unwrap().short_name = short.as_str().into();
        }
    }
    secure(&mut tree);
    tree
}

#[test]
fn random_trees_come_back_and_nobody_complains() {
    let folder = scratch();
    for round in 0..soak::rounds(8, 400) {
        let mut random = Random::new(u64::from(round));
        let tree = random_tree(&mut random);
        let path = folder.path().join("volume");
        let cluster = 512 << random.below(5);
        let mut target = target(&path, 192, cluster);
        let kept: Capabilities = target.capabilities();
        let skipped = apply(&mut target, &tree, Delivery::WholeByThreads);
        assert_eq!(skipped, [], "round {round}");
        drop(target);
        judge(&path);
        let expected = Summary::in_hand(&tree).kept(&kept);
        assert_same(&summary(&path).kept(&kept), &expected);
    }
}

/// Where a name of a file stands in its record, and where the record begins.
fn place_of(bytes: &[u8], name: &str) -> (usize, usize) {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let found = bytes.windows(units.len()).enumerate().filter(|(_, part)| **part == *units);
    let in_record = found.map(|(at, _)| (at, at / 1024 * 1024));
    let mut all = in_record.filter(|(_, record)| bytes[*record..].starts_with(b"FILE"));
    all.next().unwrap()
}

#[test]
fn what_a_damaged_volume_lost_is_listed() {
    let folder = scratch();
    let path = folder.path().join("volume");
    let mut tree = Tree::new(directory());
    let first = add(&mut tree, "first", file(b"data"));
    let linked = tree.name(first).unwrap().file();
    let parent = add(&mut tree, "folder", directory());
    tree.link(parent, "second".into(), linked).unwrap();
    secure(&mut tree);
    assert_eq!(apply(&mut target(&path, 32, 4096), &tree, Delivery::Whole), []);
    let mut bytes = fs_err::read(&path).unwrap();
    let (name, record) = place_of(&bytes, "second");
    // The security id in `$STANDARD_INFORMATION`, and the directory of the second name.
    bytes[record + 0x38 + 0x18 + 0x34..][..4].copy_from_slice(&0x999_u32.to_le_bytes());
    bytes[name - 66..][..4].copy_from_slice(&20_000_u32.to_le_bytes());
    fs_err::write(&path, bytes).unwrap();
    let (summary, skipped) = read(&source(&path), &everything());
    assert_eq!(summary.0[r"\first"].security, None);
    let text = format!("{skipped:?}");
    assert_eq!(skipped.len(), 2, "{text}");
    assert!(text.contains("no whole descriptor with the id 0x999"), "{text}");
    assert!(text.contains("(second)") && text.contains("directory 20000 of this name"), "{text}");
}

#[test]
fn a_reparse_point_without_its_guid_is_listed_and_not_written() {
    let folder = scratch();
    let path = folder.path().join("volume");
    let mut tree = Tree::new(directory());
    // Not Microsoft's: a GUID stands before the data.
    add(&mut tree, "short", reparse_point(0x13, b"8 bytes."));
    add(&mut tree, "long", reparse_point(0x13, b"a GUID, 16 bytes and data"));
    secure(&mut tree);
    let skipped = apply(&mut target(&path, 32, 4096), &tree, Delivery::Whole);
    let text = format!("{skipped:?}");
    assert_eq!(skipped.len(), 1, "{text}");
    assert!(text.contains("short") && text.contains("ReparsePoints"), "{text}");
    judge(&path);
    let text = format!("{:?}", summary(&path));
    assert!(text.contains("short") && text.contains("long"), "{text}");
}
