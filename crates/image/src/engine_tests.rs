//! Tests of the engine as a whole, on files in memory: what goes in comes out, and what is broken is
//! told.

use std::num::NonZeroUsize;

use imprint_blockio::MemoryFile;
use imprint_codec::{Format, Level};
use imprint_progress::Progress;
use imprint_testkit::Kind as Data;
use imprint_wim::{Coding, CreateOptions, FinishOptions, ImageInfo, Location, Wim, WimWriter};
use imprint_winvalues::Guid;

use crate::memory::{Behaviour, MemorySource, MemoryTarget};
use crate::{
    ExportImage, ExportOptions, SkipReason, Skipped, StoreOptions, apply, export, store, verify,
};

fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn store_options(n: usize) -> StoreOptions<'static> {
    StoreOptions {
        level: Level::FAST,
        threads: threads(n),
        uncompressed: &|path| path.ends_with(".mp3"),
    }
}

fn create(coding: Option<Coding>) -> WimWriter<MemoryFile> {
    let options = CreateOptions { coding, guid: Guid([7; 16]), rp_fix: false };
    WimWriter::create(MemoryFile::default(), options).unwrap()
}

/// Captures into a new file; answers its bytes and what was left out.
fn capture(source: &MemorySource, coding: Option<Coding>, n: usize) -> (Vec<u8>, Vec<Skipped>) {
    let mut writer = create(coding);
    let mut tree = source.tree();
    let outcome =
        store(source, &mut tree, &mut writer, &store_options(n), &Progress::new()).unwrap();
    let info = ImageInfo { name: "one".to_owned(), ..ImageInfo::default() };
    assert_eq!(writer.add_image(&tree, info).unwrap(), 1);
    (writer.finish(FinishOptions::default()).unwrap().into_bytes(), outcome.skipped)
}

fn sample() -> MemorySource {
    let mut source = MemorySource::default()
        .file("empty", Vec::new())
        .file("one", vec![1])
        .file("text", Data::Text.bytes(5_000, 1))
        .file("text again", Data::Text.bytes(5_000, 1))
        .file("music.mp3", Data::Text.bytes(90_000, 2))
        .file("large/text", Data::Text.bytes(3_500_001, 3))
        .file("large/random", Data::Random.bytes(2_500_000, 4))
        .file("large/text again", Data::Text.bytes(3_500_001, 3))
        .file("large/same size", Data::X86.bytes(3_500_001, 5))
        .file("large/just", Data::X86.bytes(1 << 20, 6))
        .file("large/two", Data::Zeros.bytes(2 << 20, 7));
    for number in 0..300_usize {
        let data = Data::X86.bytes(number * 97 % 70_000, number as u64 % 50);
        source = source.file(&format!("many/{number}"), data);
    }
    source
}

fn codings() -> [Option<Coding>; 3] {
    [
        None,
        Some(Coding::with_default_chunks(Format::Xpress)),
        Some(Coding::with_default_chunks(Format::Lzx)),
    ]
}

fn apply_all(wims: &[Wim<Vec<u8>>], n: usize) -> (MemoryTarget, Vec<Skipped>) {
    let tree = wims[0].read_tree(1).unwrap().tree;
    let mut target = MemoryTarget::default();
    let outcome = apply(wims, &tree, &mut target, threads(n), &Progress::new()).unwrap();
    (target, outcome.skipped)
}

#[test]
fn what_is_captured_comes_back_whatever_the_coding_and_the_threads() {
    let source = sample();
    for coding in codings() {
        let (bytes, skipped) = capture(&source, coding, 1);
        assert_eq!(skipped, []);
        assert_eq!(capture(&source, coding, 4).0, bytes, "threads must not show ({coding:?})");
        let wims = [Wim::open(bytes).unwrap()];
        for n in [1, 3] {
            let (target, skipped) = apply_all(&wims, n);
            assert_eq!(skipped, []);
            assert_eq!(target.into_files(), source.expected());
            let report = verify(&wims, threads(n), &Progress::new()).unwrap();
            assert_eq!((report.faults, report.images), (vec![], 1));
        }
    }
}

#[test]
fn duplicates_are_stored_once_and_incompressible_data_as_it_is() {
    let (bytes, _) = capture(&sample(), Some(Coding::with_default_chunks(Format::Lzx)), 3);
    let wim = Wim::open(bytes).unwrap();
    let of_size = |size| wim.blobs().iter().filter(move |blob| blob.size == size);
    assert_eq!(of_size(3_500_001).count(), 2);
    assert_eq!(of_size(5_000).count(), 1);
    assert_eq!(of_size(5_000).next().unwrap().references, 2);
    let is_compressed = |size| match of_size(size).next().unwrap().location {
        Location::Resource(header) => header.is_compressed(),
        Location::Solid { .. } => panic!("not written here"),
    };
    assert!(is_compressed(3_500_001));
    assert!(!is_compressed(2_500_000), "random");
    assert!(!is_compressed(90_000), "excluded from compression");
}

#[test]
fn files_that_cannot_be_read_are_left_out_and_told() {
    let large = || Data::Text.bytes(5_000_000, 9);
    let source = MemorySource::default()
        .file("good", Data::Text.bytes(100, 1))
        .odd_file("locked", vec![1, 2, 3], Behaviour::Unreadable)
        .odd_file("large locked", large(), Behaviour::Unreadable)
        .odd_file("large bad", large(), Behaviour::FailsAt(2_500_000))
        .odd_file("large shrunk", large(), Behaviour::Resized(3_000_000))
        .file("large good", large());
    for n in [1, 3] {
        let (bytes, skipped) =
            capture(&source, Some(Coding::with_default_chunks(Format::Xpress)), n);
        let told: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                r"\locked: failed to read: permission denied",
                r"\large locked: failed to read: permission denied",
                r"\large bad: failed to read: bad sector",
                r"\large shrunk: changed while it was read: should be 5000000 bytes, but is 3000000",
            ]
        );
        let wims = [Wim::open(bytes).unwrap()];
        let (target, skipped) = apply_all(&wims, n);
        assert_eq!(skipped, []);
        assert_eq!(target.into_files(), source.expected());
        assert_eq!(wims[0].read_tree(1).unwrap().tree.names().len(), 3);
    }
}

#[test]
fn files_that_grow_or_shrink_are_told_and_kept_as_read() {
    let source = MemorySource::default()
        .odd_file("log", Data::Text.bytes(1_000, 1), Behaviour::Resized(1_500))
        .odd_file("cut", Data::Text.bytes(1_000, 2), Behaviour::Resized(10))
        .odd_file("gone", Data::Text.bytes(1_000, 3), Behaviour::Resized(0))
        .odd_file("large log", Data::Text.bytes(2_000_000, 4), Behaviour::Resized(2_000_100));
    let (bytes, skipped) = capture(&source, None, 2);
    let changed = |s: &Skipped| matches!(s.reason, SkipReason::Changed { .. });
    assert_eq!(skipped.iter().filter(|s| changed(s)).count(), 4);
    let (target, skipped) = apply_all(&[Wim::open(bytes).unwrap()], 2);
    assert_eq!(skipped, []);
    let sizes: Vec<_> = target.into_files().into_iter().map(|(p, d)| (p, d.len())).collect();
    let expected = [(r"\cut", 10), (r"\large log", 2_000_000), (r"\log", 1_500)];
    assert_eq!(sizes, expected.map(|(p, n)| (p.to_owned(), n)));
}

#[test]
fn damaged_data_is_told_and_not_left_behind() {
    let source = sample();
    let (bytes, _) = capture(&source, None, 2);
    let sound = Wim::open(bytes.clone()).unwrap();
    let offset = |size| {
        let blob = sound.blobs().iter().find(|b| b.size == size).unwrap();
        let Location::Resource(header) = blob.location else { panic!("not solid") };
        usize::try_from(header.offset).unwrap()
    };
    let mut damaged = bytes;
    damaged[offset(5_000) + 17] ^= 1;
    damaged[offset(2_500_000) + 2_400_000] ^= 1;
    let wims = [Wim::open(damaged).unwrap()];
    for n in [1, 3] {
        let (target, skipped) = apply_all(&wims, n);
        let mut paths: Vec<_> = skipped.iter().map(|s| s.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, [r"\large\random", r"\text", r"\text again"]);
        assert!(skipped.iter().all(|s| matches!(s.reason, SkipReason::Damaged { .. })));
        let mut expected = source.expected();
        expected.retain(|path, _| !paths.contains(&path.as_str()));
        assert_eq!(target.into_files(), expected);
        let report = verify(&wims, threads(n), &Progress::new()).unwrap();
        assert_eq!(report.faults.len(), 2);
    }
}

#[test]
fn images_are_exported_into_any_coding() {
    let source = sample();
    for from in codings() {
        let (bytes, _) = capture(&source, from, 2);
        let wims = [Wim::open(bytes).unwrap()];
        for to in codings() {
            for recompress in [false, true] {
                let mut writer = create(to);
                let which = ExportImage { wim: 0, image: 1, name: Some("two"), description: None };
                let options = ExportOptions { store: store_options(3), recompress };
                let done = export(&wims, &which, &mut writer, &options, &Progress::new()).unwrap();
                assert_eq!(done.recompressed == 0, from == to && !recompress);
                let bytes = writer.finish(FinishOptions::default()).unwrap().into_bytes();
                let exported = [Wim::open(bytes).unwrap()];
                let report = verify(&exported, threads(2), &Progress::new()).unwrap();
                assert_eq!(report.faults, []);
                let (target, skipped) = apply_all(&exported, 2);
                assert_eq!(skipped, []);
                assert_eq!(target.into_files(), source.expected());
            }
        }
    }
}
