//! Writers that are killed, lose power or run out of room.

use imprint_blockio::MemoryFile;
use imprint_testkit::{CrashFile, Cut, FailingFile, Fault, Kind, Limit, Random, soak};
use imprint_wim::{
    BlobEnd, FinishOptions, IntegrityChange, OpenError, ReadError, Wim, WimWriter, WriteError,
};
use imprint_winvalues::tree::{NameId, Tree};

use super::sample::{self, data, directory, hash, info, options, snapshot, store, tree};

const ADD: FinishOptions = FinishOptions { integrity: IntegrityChange::Add };

/// A tree with enough data to be written in several calls.
fn large_tree() -> Tree {
    let mut large = tree(2);
    large.add(NameId::ROOT, "large".into(), data(&Kind::Records.bytes(1_500_000, 4))).unwrap();
    large
}

/// Adds an image: small blobs gathered, a large one in pieces, one that is taken back.
fn add_image<F: imprint_blockio::Resize>(writer: &mut WimWriter<F>) -> Result<(), WriteError> {
    let streamed = Kind::Random.bytes(1_200_000, 8);
    writer.begin_raw_blob(streamed.len() as u64)?;
    for piece in streamed.chunks(100_000) {
        writer.push_chunk(piece)?;
    }
    writer.abort_blob();
    writer.begin_raw_blob(streamed.len() as u64)?;
    for piece in streamed.chunks(300_000) {
        writer.push_chunk(piece)?;
    }
    let BlobEnd::Written = writer.end_blob(hash(&streamed))? else { panic!("raw blobs fit") };
    let mut tree = large_tree();
    tree.add(NameId::ROOT, "streamed".into(), data(&streamed)).unwrap();
    for (_, file) in tree.files_mut() {
        for stream in &mut file.streams {
            if let imprint_winvalues::tree::Content::Inline(bytes) = &stream.content {
                let hash = hash(bytes);
                writer.write_stored(hash, bytes.len() as u64, false, &[bytes])?;
                stream.content = imprint_winvalues::tree::Content::Blob(hash);
            }
        }
    }
    writer.add_image(&tree, info("appended"))?;
    Ok(())
}

fn verify_all(bytes: Vec<u8>) -> u32 {
    sample::verify(bytes).image_count()
}

/// Appends to a file that remembers its writes. Returns it and what it held.
fn appended() -> (CrashFile, Vec<u8>) {
    let old = sample::wim(None, &[1], ADD);
    let file = CrashFile::new(old.clone());
    let mut writer = WimWriter::append(Wim::open(&file).unwrap()).unwrap();
    add_image(&mut writer).unwrap();
    writer.finish(FinishOptions::default()).unwrap();
    (file, old)
}

#[test]
fn a_killed_append_leaves_the_old_file_and_can_be_repeated() {
    let (file, old) = appended();
    let new = file.to_bytes();
    // The header's 208 bytes lie in one page: the system writes them as a whole or not at all.
    let cuts = file.cuts();
    let header = cuts.iter().rfind(|cut| cut.bytes > 0).unwrap().events;
    let cuts: Vec<_> =
        cuts.into_iter().filter(|cut| cut.events != header || cut.bytes == 0).collect();
    assert!(cuts.len() > 20, "{} moments", cuts.len());
    let mut finished = 0;
    for cut in cuts {
        let bytes = file.killed_at(cut);
        assert_eq!(bytes[208..old.len()], old[208..], "{cut:?}");
        match verify_all(bytes.clone()) {
            1 => {
                assert_eq!(finished, 0, "the new image is lost again at {cut:?}");
                let again = MemoryFile::new(bytes);
                let mut writer = WimWriter::append(Wim::open(&again).unwrap()).unwrap();
                add_image(&mut writer).unwrap();
                writer.finish(FinishOptions::default()).unwrap();
                assert!(again.into_bytes() == new, "repeated after {cut:?}");
            }
            images => {
                assert_eq!(images, 2);
                assert!(bytes == new, "{cut:?}");
                finished += 1;
            }
        }
    }
    // Behind the header's write, and behind the flush after it.
    assert_eq!(finished, 2);
}

#[test]
fn a_torn_header_is_the_old_or_the_new_one() {
    // The header lies in one sector; within it disks do not tear.
    let (file, _) = appended();
    let header = file.cuts().into_iter().rfind(|cut| cut.bytes > 0).unwrap();
    let (before, after) = (
        file.killed_at(Cut { events: header.events, bytes: 0 }),
        file.killed_at(Cut { events: header.events + 1, bytes: 0 }),
    );
    let changed: Vec<_> = (0..before.len()).filter(|&at| before[at] != after[at]).collect();
    assert!(changed.iter().all(|&at| at < 208), "the last write is the header's");
    assert_eq!((verify_all(before), verify_all(after)), (1, 2));
}

#[test]
fn an_append_survives_a_power_cut_at_any_moment() {
    let (file, old) = appended();
    let mut random = Random::new(11);
    let mut seen = [0_u32; 3];
    let rounds = soak::rounds(3, 200);
    for cut in file.cuts() {
        for _ in 0..rounds {
            // Inside the header's own sector a disk writes all or nothing.
            let bytes = file.power_lost_at(cut, 512, &mut random);
            if bytes[..208] != old[..208] && bytes[..208] != file.to_bytes()[..208] {
                let cut_in_header = cut.bytes > 0;
                assert!(cut_in_header, "{cut:?}");
                continue;
            }
            let images = verify_all(bytes);
            seen[images as usize] += 1;
        }
    }
    assert!(seen[1] > 0 && seen[2] > 0, "{seen:?}");
}

#[test]
fn a_killed_capture_never_looks_whole() {
    let file = CrashFile::default();
    let mut writer = WimWriter::create(&file, options(None)).unwrap();
    add_image(&mut writer).unwrap();
    writer.finish(ADD).unwrap();
    let mut random = Random::new(12);
    let mut whole = 0;
    for cut in file.cuts() {
        for bytes in [file.killed_at(cut), file.power_lost_at(cut, 512, &mut random)] {
            match Wim::open(bytes.clone()) {
                Ok(_) => {
                    assert_eq!(verify_all(bytes), 1);
                    whole += 1;
                }
                Err(OpenError::Unfinished | OpenError::Corruption(_) | OpenError::Io { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(whole >= 2, "{whole}");
}

#[test]
fn a_full_or_broken_disk_is_reported_and_the_old_file_stays() {
    let old = sample::wim(None, &[1], ADD);
    for fault in [Fault::Full, Fault::Broken] {
        let mut failures = 0;
        for limit in (0..30).map(Limit::Operations).chain((0..8).map(|n| Limit::Bytes(n * 500_000)))
        {
            let wim = Wim::open(FailingFile::new(MemoryFile::new(old.clone()), fault, limit));
            let wim = match wim {
                Ok(wim) => wim,
                Err(OpenError::Io { source, .. }) => {
                    assert_eq!(source.raw_os_error(), fault.error().raw_os_error());
                    continue;
                }
                Err(other) => panic!("{other}"),
            };
            let file = wim.into_file();
            let result = (|| {
                let wim = Wim::open(&file).map_err(|_unreadable| None)?;
                let mut writer = WimWriter::append(wim).map_err(Some)?;
                add_image(&mut writer).map_err(Some)?;
                writer.finish(FinishOptions::default()).map_err(Some)?;
                Ok::<_, Option<WriteError>>(())
            })();
            let failed = file.has_failed();
            assert_eq!(result.is_err(), failed, "{limit:?} {result:?}");
            match result {
                Err(Some(
                    WriteError::Io { source, .. } | WriteError::Read(ReadError::Io { source, .. }),
                )) => {
                    assert_eq!(source.raw_os_error(), fault.error().raw_os_error());
                    failures += 1;
                }
                Err(Some(other)) => panic!("{other}"),
                Err(None) | Ok(()) => {}
            }
            let images = verify_all(file.into_inner().into_bytes());
            assert!(images == 1 || images == 2);
        }
        assert!(failures > 5, "{failures} failures");
    }
}

#[test]
fn a_failed_write_takes_back_only_the_blob() {
    let memory = MemoryFile::default();
    let file = FailingFile::new(&memory, Fault::Full, Limit::Bytes(1_000_000));
    let mut writer = WimWriter::create(&file, options(None)).unwrap();
    let small = sample::store_blob(&mut writer, b"small");
    let position = writer.position();
    let large = vec![1; 2_000_000];
    assert!(writer.write_stored(hash(&large), 2_000_000, false, &[&large]).is_err());
    assert!(!writer.has_blob(&hash(&large)));
    assert!(writer.has_blob(&small));
    assert!(writer.position() <= position);
    let mut tree = Tree::new(directory());
    store(&mut writer, &mut tree);
    assert_eq!(snapshot(&tree).len(), 1);
}
