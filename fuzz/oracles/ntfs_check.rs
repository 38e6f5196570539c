//! Damage to a sound volume: an input is a list of changes to its metadata, made before the update sequences, so that
//! they are not what is found first. Whatever was changed, the check ends, and tells of something; it tells of nothing
//! where nothing was changed. Then the volume is repaired, which ends as well. An input that begins with a zero is the beginning of a volume instead, with zeros behind.

use std::sync::OnceLock;

use imprint_blockio::{MemoryFile, ReadAt as _};
use imprint_ntfs::{
    FillOptions, Filling, Plan, RepairOptions, Report, StreamSize, check as check_volume, repair,
};
use imprint_progress::Progress;
use imprint_winvalues::tree::{
    Content, Extras, File, NameId, ReparseInfo, Stream, StreamKind, Tree,
};
use imprint_winvalues::{Attributes, BlobHash, FileTime, WinName};

/// Bytes of the volume.
const LENGTH: usize = 4 << 20;
/// Bytes of a volume that an input is the beginning of.
const WHOLE: usize = 2 << 20;
/// Bytes of a record, and of an index block.
const RECORD: usize = 1024;
const BLOCK: usize = 4096;

pub(crate) fn check(input: &[u8]) {
    match input.split_first() {
        None => {}
        Some((0, bytes)) => {
            let mut volume = bytes.to_vec();
            volume.resize(WHOLE, 0);
            let _report = run(&volume);
        }
        Some((_, changes)) => change(changes),
    }
}

fn run(volume: &[u8]) -> Option<Report> {
    let report = check_volume(&volume, &Progress::new()).ok()?;
    let mut told = 0;
    for finding in &report.findings {
        assert!(!finding.to_string().is_empty());
        assert!(report.counts.contains_key(&finding.rule));
        told += 1;
    }
    let counted: u64 = report.counts.values().sum();
    assert!(told <= counted && (told == 0) == (counted == 0));
    Some(report)
}

/// Each change: where (three bytes, counted in the places where metadata is), how many bytes, the bytes.
fn change(mut input: &[u8]) {
    let sound = sound();
    let mut volume = sound.bytes.clone();
    while let Some((&[a, b, c, length], rest)) = input.split_first_chunk() {
        let (bytes, rest) = rest.split_at(usize::from(length % 9).min(rest.len()));
        let place = usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap() % sound.places.len();
        let at = sound.places[place] * 16;
        volume[at..at + bytes.len()].copy_from_slice(bytes);
        input = rest;
    }
    let is_changed = volume != sound.bytes;
    for place in &sound.protected {
        protect(&mut volume[place.clone()]);
    }
    let report = run(&volume);
    if !is_changed {
        assert_eq!(report.map(|report| report.findings), Some(Vec::new()));
        return;
    }
    let device = MemoryFile::new(volume);
    let options = RepairOptions { now: FileTime(1 << 56), force: true };
    let Ok(repaired) = repair(&device, &options, &Progress::new()) else { return };
    // What was mended stays so: a second repair has nothing to do where the first had nothing left.
    if repaired.after.findings.is_empty() {
        let again = repair(&device, &options, &Progress::new()).unwrap();
        assert!(again.steps.is_empty() && again.before == repaired.after);
    }
}

/// A sound volume, its sectors joined.
struct Sound {
    bytes: Vec<u8>,
    /// Places of metadata, counted in 16 bytes.
    places: Vec<usize>,
    /// Records and index blocks.
    protected: Vec<std::ops::Range<usize>>,
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let mut bytes = fill();
        let mut protected = Vec::new();
        for at in (0..LENGTH).step_by(RECORD) {
            if bytes[at..].starts_with(b"FILE") {
                protected.push(at..at + RECORD);
            } else if bytes[at..].starts_with(b"INDX") {
                protected.push(at..at + BLOCK);
            }
        }
        for place in &protected {
            join(&mut bytes[place.clone()]);
        }
        // What is of one byte throughout is free, or the log, or the bitmap's end.
        let is_plain =
            |at: &usize| bytes[at * 16..][..16].iter().all(|&byte| byte == 0 || byte == 0xff);
        let places = (0..LENGTH / 16).filter(|at| !is_plain(at)).collect();
        Sound { bytes, places, protected }
    })
}

fn sequence(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[4], bytes[5]]))
}

/// Puts the true last bytes of each sector back.
fn join(bytes: &mut [u8]) {
    let at = sequence(bytes);
    for sector in 0..bytes.len() / 512 {
        let kept = [bytes[at + 2 + sector * 2], bytes[at + 3 + sector * 2]];
        bytes[sector * 512 + 510..][..2].copy_from_slice(&kept);
    }
}

/// The opposite, where the update sequence is where it was.
fn protect(bytes: &mut [u8]) {
    let at = sequence(bytes);
    let sectors = bytes.len() / 512;
    if at + 2 + sectors * 2 > 510 {
        return;
    }
    let number = [bytes[at], bytes[at + 1]];
    for sector in 0..sectors {
        let end = sector * 512 + 510;
        let last = [bytes[end], bytes[end + 1]];
        bytes[at + 2 + sector * 2..][..2].copy_from_slice(&last);
        bytes[end..][..2].copy_from_slice(&number);
    }
}

/// A volume with directories of several nodes, links in several records, streams, a reparse point, an object id.
fn fill() -> Vec<u8> {
    let mut tree = Tree::new(File::new(Attributes::DIRECTORY));
    let mut sizes = Vec::new();
    let folder = tree.add(NameId::ROOT, "folder".into(), File::new(Attributes::DIRECTORY)).unwrap();
    let inner = tree.add(folder, "inner".into(), File::new(Attributes::DIRECTORY)).unwrap();
    for number in 0..80 {
        let name = format!("one of many names {number}");
        let file = File::new(Attributes::ARCHIVE);
        tree.add(folder, name.as_str().into(), file).unwrap();
    }
    let mut add = |name: &str, bytes: usize, change: fn(&mut File)| {
        let mut file = File::new(Attributes::ARCHIVE);
        change(&mut file);
        let content = Content::Blob(BlobHash([0; 20]));
        let kind = if file.reparse.is_some() { StreamKind::Reparse } else { StreamKind::Data };
        file.streams = vec![Stream { kind, name: WinName::default(), content }];
        let name = tree.add(inner, name.into(), file).unwrap();
        let file = tree.name(name).unwrap().file();
        sizes.push((StreamSize { file, stream: 0, size: bytes as u64 }, bytes));
        file
    };
    add("data", 50_000, |_| {});
    add("short", 30, |file| {
        file.extras = Some(Box::new(Extras {
            object_id: Some((*b"0123456789abcdef").into()),
            ..Extras::default()
        }));
    });
    add("point", 20, |file| {
        file.attributes |= Attributes::REPARSE_POINT;
        file.reparse = Some(ReparseInfo { tag: 0xa000_000c, reserved: 0, not_fixed: true });
    });
    let linked = add("linked", 3000, |_| {});
    for number in 0..20 {
        let name = format!("another name of the same file {number}");
        tree.link(NameId::ROOT, name.as_str().into(), linked).unwrap();
    }
    let options = FillOptions {
        size: LENGTH as u64,
        sector_size: 512,
        cluster_size: Some(512),
        label: "Sample".into(),
        serial: 7,
        hidden_sectors: 0,
        now: FileTime(133_000_000_000_000_000),
        no_acls: false,
        no_attributes: false,
    };
    let streams: Vec<StreamSize> = sizes.iter().map(|(size, _)| *size).collect();
    let plan = Plan::new(&tree, &streams, options).unwrap();
    let file = MemoryFile::new(vec![0; LENGTH]);
    let filling = Filling::begin(&file, plan).unwrap();
    for (size, bytes) in sizes {
        filling.write(size.file, size.stream, 0, &vec![0; bytes]).unwrap();
        filling.complete(size.file, size.stream);
    }
    filling.finish(&tree).unwrap();
    let mut bytes = vec![0; LENGTH];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
