//! Writing files and changing them.

use imprint_blockio::MemoryFile;
use imprint_codec::Format;
use imprint_wim::{
    BlobEnd, Coding, Copied, FinishOptions, HeaderFlags, IntegrityChange, Location, Refusal, Wim,
    WimWriter, WriteError,
};
use imprint_winvalues::tree::{Content, NameId, Tree};

use super::fixtures;
use super::sample::{
    self, assert_same, directory, hash, info, options, store, store_blob, tree, verify,
};

const KEEP: FinishOptions = FinishOptions { integrity: IntegrityChange::Keep };
const ADD: FinishOptions = FinishOptions { integrity: IntegrityChange::Add };

fn codings() -> Vec<Option<Coding>> {
    let coding = |format, size| Some(Coding::new(format, size).unwrap());
    vec![
        None,
        coding(Format::Xpress, 4 << 10),
        coding(Format::Xpress, 32 << 10),
        coding(Format::Lzx, 32 << 10),
        coding(Format::Lzx, 64 << 10),
    ]
}

fn append(bytes: Vec<u8>) -> WimWriter<MemoryFile> {
    WimWriter::append(Wim::open(MemoryFile::new(bytes)).unwrap()).unwrap()
}

#[test]
fn images_come_back_as_they_were_written() {
    for coding in codings() {
        let wim = verify(sample::wim(coding, &[1, 2], ADD));
        assert_eq!(wim.coding(), coding);
        assert_eq!(wim.image_count(), 2);
        for (index, seed) in [(1, 1), (2, 2)] {
            let image = wim.read_tree(index).unwrap();
            assert_same(&image.tree, &tree(seed));
            let info = wim.info().image(index).unwrap();
            assert_eq!(info.name, format!("Image {seed}"));
            assert_eq!((info.dir_count, info.file_count), (4, 9));
            assert_eq!(info.hard_link_bytes, 5);
            assert_eq!(info.creation_time, Some(sample::TIME));
        }
    }
}

#[test]
fn what_images_share_is_stored_once() {
    let wim = verify(sample::wim(None, &[1, 1], KEEP));
    let small = wim.blobs().find(&hash(b"one line\r\n")).unwrap();
    assert_eq!(small.references, 4);
    let linked = wim.blobs().find(&hash(b"owned")).unwrap();
    assert_eq!(linked.references, 4, "two names in each of two images");
    let once = sample::wim(None, &[1], KEEP).len();
    let added = wim.file_len() - once as u64;
    assert!(added < 6_000, "{added} bytes for the second image");
}

#[test]
fn a_new_file_is_unfinished_until_the_end() {
    let file = MemoryFile::new(vec![0xff; 5000]);
    let mut writer = WimWriter::create(&file, options(None)).unwrap();
    let error = Wim::open(file.to_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "WIM file is incomplete: writing it was never finished");
    store_blob(&mut writer, &vec![1; 2_000_000]);
    Wim::open(file.to_bytes()).unwrap_err();
    writer.finish(KEEP).unwrap();
    let wim = verify(file.to_bytes());
    assert_eq!(wim.image_count(), 0);
    assert_eq!(wim.blobs().len(), 0, "what no image refers to is left out of the table");
    assert!(!wim.header().flags.contains(HeaderFlags::WRITE_IN_PROGRESS));
}

#[test]
fn streamed_blobs_equal_blobs_written_at_once() {
    for coding in codings() {
        let mut writer = WimWriter::create(MemoryFile::default(), options(coding)).unwrap();
        let bytes = imprint_testkit::Kind::Text.bytes(300_000, 5);
        let stored = coding.and_then(|coding| sample::compress(coding, &bytes));
        if stored.is_some() {
            writer.begin_blob(bytes.len() as u64).unwrap();
        } else {
            writer.begin_raw_blob(bytes.len() as u64).unwrap();
        }
        match (&stored, coding) {
            (Some(stored), Some(coding)) => {
                let map = {
                    let header = imprint_wim::ResourceHeader {
                        stored_size: stored.len() as u64,
                        flags: imprint_wim::ResourceFlags::COMPRESSED,
                        offset: 0,
                        size: bytes.len() as u64,
                    };
                    let table = &stored[..usize::try_from(header.table_len(Some(coding))).unwrap()];
                    imprint_wim::ChunkMap::parse(&header, coding, table).unwrap()
                };
                for chunk in map.iter() {
                    let start = usize::try_from(chunk.offset).unwrap();
                    writer.push_chunk(&stored[start..][..chunk.stored as usize]).unwrap();
                }
            }
            _ => bytes.chunks(4096).for_each(|piece| writer.push_chunk(piece).unwrap()),
        }
        assert_eq!(writer.end_blob(hash(&bytes)).unwrap(), BlobEnd::Written);
        assert!(writer.knows_size(300_000) && !writer.knows_size(299_999));
        let mut one_file = Tree::new(directory());
        one_file.add(NameId::ROOT, "a".into(), sample::data(&bytes)).unwrap();
        store(&mut writer, &mut one_file);
        writer.add_image(&one_file, info("streamed")).unwrap();
        let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
        let blob = wim.blobs().find(&hash(&bytes)).unwrap();
        let Location::Resource(header) = blob.location else { panic!("solid") };
        assert_eq!(header.stored_size, stored.map_or(bytes.len(), |s| s.len()) as u64);
        assert_eq!(wim.read_blob(blob, 300_000).unwrap(), bytes);
    }
}

#[test]
fn a_streamed_blob_that_does_not_shrink_is_taken_back() {
    let coding = Some(Coding::new(Format::Xpress, 4096).unwrap());
    let mut writer = WimWriter::create(MemoryFile::default(), options(coding)).unwrap();
    let bytes = imprint_testkit::Kind::Random.bytes(3_000_000, 1);
    let before = writer.position();
    writer.begin_blob(bytes.len() as u64).unwrap();
    bytes.chunks(4096).for_each(|chunk| writer.push_chunk(chunk).unwrap());
    assert_eq!(writer.end_blob(hash(&bytes)).unwrap(), BlobEnd::NotSmaller);
    assert_eq!(writer.position(), before);
    writer.begin_raw_blob(bytes.len() as u64).unwrap();
    bytes.chunks(100_000).for_each(|piece| writer.push_chunk(piece).unwrap());
    assert_eq!(writer.end_blob(hash(&bytes)).unwrap(), BlobEnd::Written);

    // One chunk that does not shrink needs no second writing.
    writer.begin_blob(4096).unwrap();
    writer.push_chunk(&bytes[..4096]).unwrap();
    assert_eq!(writer.end_blob(hash(&bytes[..4096])).unwrap(), BlobEnd::Written);

    let mut tree = Tree::new(directory());
    tree.add(NameId::ROOT, "a".into(), sample::data(&bytes)).unwrap();
    tree.add(NameId::ROOT, "b".into(), sample::data(&bytes[..4096])).unwrap();
    store(&mut writer, &mut tree);
    writer.add_image(&tree, info("raw")).unwrap();
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_eq!(wim.blobs().len(), 2);
}

#[test]
fn a_blob_that_is_there_or_given_up_takes_no_room() {
    let mut writer = WimWriter::create(MemoryFile::default(), options(None)).unwrap();
    let first = store_blob(&mut writer, b"some bytes");
    let before = writer.position();
    store_blob(&mut writer, b"some bytes");
    writer.begin_blob(10).unwrap();
    writer.push_chunk(b"some").unwrap();
    writer.push_chunk(b" bytes").unwrap();
    assert_eq!(writer.end_blob(first).unwrap(), BlobEnd::Written);
    writer.begin_blob(10).unwrap();
    writer.push_chunk(b"some").unwrap();
    writer.abort_blob();
    writer.abort_blob();
    assert_eq!(writer.position(), before);
    assert_eq!(writer.blob_size(&first), Some(10));
}

#[test]
fn blobs_of_other_sizes_than_announced_are_refused() {
    let coding = Some(Coding::new(Format::Xpress, 4096).unwrap());
    let mut writer = WimWriter::create(MemoryFile::default(), options(coding)).unwrap();
    let before = writer.position();
    let check = |result: Result<(), WriteError>, text: &str| {
        assert_eq!(result.unwrap_err().to_string(), text);
    };
    check(writer.begin_blob(0), "blob should have 1 bytes, but has 0");
    check(writer.push_chunk(b"a"), "blob should be begun at this call");
    writer.begin_blob(5000).unwrap();
    check(writer.begin_blob(1), "blob should be ended at this call");
    check(writer.push_chunk(&[0; 4097]), "stored chunk should have 4096 bytes, but has 4097");
    check(writer.push_chunk(b""), "stored chunk should have 4096 bytes, but has 0");
    writer.push_chunk(&[0; 100]).unwrap();
    check(writer.end_blob(hash(b"x")).map(drop), "blob in chunks should have 2 bytes, but has 1");
    assert_eq!(writer.position(), before);
    writer.begin_raw_blob(3).unwrap();
    check(writer.push_chunk(b"four"), "rest of a blob should have 3 bytes, but has 4");
    writer.push_chunk(b"tw").unwrap();
    check(writer.end_blob(hash(b"x")).map(drop), "blob should have 3 bytes, but has 2");
    check(
        writer.write_stored(hash(b"x"), 4, false, &[b"abc"]),
        "stored blob should have 4 bytes, but has 3",
    );
    check(
        writer.write_stored(hash(b"x"), 9000, true, &[b"abc"]),
        "stored blob should have 11 bytes, but has 3",
    );
    writer.begin_blob(3).unwrap();
    assert!(matches!(writer.finish(KEEP), Err(WriteError::Order { .. })));
}

#[test]
fn appending_keeps_every_byte_of_the_old_file() {
    for coding in codings() {
        let old = sample::wim(coding, &[1], ADD);
        let mut writer = append(old.clone());
        assert_eq!(writer.image_count(), 1);
        let mut tree = tree(2);
        store(&mut writer, &mut tree);
        assert_eq!(writer.add_image(&tree, info("appended")).unwrap(), 2);
        let new = writer.finish(KEEP).unwrap().into_bytes();
        assert_eq!(new[208..old.len()], old[208..]);
        let wim = verify(new);
        assert_same(&wim.read_tree(2).unwrap().tree, &tree);
        assert!(wim.header().has_integrity());
        assert_eq!(wim.header().guid, options(None).guid);
        let notes = wim.blobs().find(&hash(b"one line\r\n")).unwrap();
        assert_eq!(notes.references, 4);
    }
}

#[test]
fn what_a_killed_writer_left_behind_is_overwritten() {
    let old = sample::wim(None, &[1], KEEP);
    let mut left_over = old.clone();
    left_over.extend(std::iter::repeat_n(0xaa, 5_000_000));
    let appended = |bytes| {
        let mut writer = append(bytes);
        let mut tree = tree(2);
        store(&mut writer, &mut tree);
        writer.add_image(&tree, info("appended")).unwrap();
        writer.finish(KEEP).unwrap().into_bytes()
    };
    assert!(appended(left_over) == appended(old));
}

#[test]
fn giving_up_an_append_leaves_the_file_as_it_was() {
    let old = sample::wim(None, &[1], ADD);
    let mut writer = append(old.clone());
    store_blob(&mut writer, &vec![3; 3_000_000]);
    writer.begin_blob(7).unwrap();
    assert!(writer.abandon().unwrap().into_bytes() == old);
    // What lies behind the tables is nobody's to cut.
    let longer = [old, vec![7; 100]].concat();
    assert!(append(longer.clone()).abandon().unwrap().into_bytes() == longer);
    let mut writer = append(longer.clone());
    store_blob(&mut writer, &vec![3; 3_000_000]);
    assert_eq!(writer.abandon().unwrap().into_bytes().len(), longer.len());
}

#[test]
fn edits_without_new_data_keep_the_blob_table() {
    let old = sample::wim(None, &[1, 2], ADD);
    let before = Wim::open(old.clone()).unwrap();
    let mut writer = append(old);
    writer.set_boot_index(2).unwrap();
    writer.info_mut().set_property(1, "NAME", "renamed").unwrap();
    writer.info_mut().set_property(1, "VENDOR/NOTE[1]", "a & b").unwrap();
    writer.set_read_only(true);
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_eq!(wim.header().blob_table, before.header().blob_table);
    assert_eq!(wim.header().boot_index, 2);
    assert_eq!(wim.header().boot_metadata, wim.metadata_entry(2).unwrap().header);
    assert_eq!(wim.info().find_image("renamed"), Some(1));
    assert_eq!(wim.info().property(1, "VENDOR/NOTE").unwrap().as_deref(), Some("a & b"));
    assert!(wim.header().has_integrity());
    let error = WimWriter::append(Wim::open(MemoryFile::new(wim.into_file())).unwrap());
    assert!(matches!(error, Err(WriteError::Refused(Refusal::ReadOnly))));
}

#[test]
fn integrity_tables_come_and_go() {
    let with = sample::wim(None, &[1], ADD);
    let table = Wim::open(with.clone()).unwrap().integrity_table().unwrap().unwrap();
    let without =
        append(with).finish(FinishOptions { integrity: IntegrityChange::Remove }).unwrap();
    let wim = verify(without.into_bytes());
    assert_eq!(wim.integrity_table().unwrap(), None);
    let again = verify(append(wim.into_file()).finish(ADD).unwrap().into_bytes());
    assert_eq!(again.integrity_table().unwrap(), Some(table));
}

#[test]
fn removed_images_take_their_own_blobs_with_them() {
    let old = sample::wim(None, &[1, 2, 3], KEEP);
    let mut writer = append(old);
    writer.set_boot_index(3).unwrap();
    writer.remove_image(2).unwrap();
    assert!(writer.remove_image(3).is_err());
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_eq!(wim.image_count(), 2);
    assert_eq!(wim.header().boot_index, 2);
    assert_eq!(wim.info().image(2).unwrap().name, "Image 3");
    assert_same(&wim.read_tree(2).unwrap().tree, &tree(3));
    let own = |seed| hash(&imprint_testkit::Kind::Text.bytes(100_000, seed));
    assert!(wim.blobs().find(&own(2)).is_none());
    assert!(wim.blobs().find(&own(3)).is_some());
    let shared = wim.blobs().find(&hash(b"one line\r\n")).unwrap();
    assert_eq!(shared.references, 4);
}

#[test]
fn a_removed_boot_image_is_booted_no_more() {
    let mut writer = append(sample::wim(None, &[1, 2], KEEP));
    writer.set_boot_index(1).unwrap();
    assert!(writer.set_boot_index(3).is_err());
    writer.remove_image(1).unwrap();
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_eq!(wim.header().boot_index, 0);
    assert_eq!(wim.header().boot_metadata, imprint_wim::ResourceHeader::default());
}

#[test]
fn replaced_images_are_counted_anew() {
    let mut writer = append(sample::wim(None, &[1, 2], KEEP));
    let mut small = Tree::new(directory());
    small.add(NameId::ROOT, "only".into(), sample::data(b"new contents")).unwrap();
    store(&mut writer, &mut small);
    let old = writer.info().image(1).unwrap();
    writer.replace_image(1, &small, &imprint_wim::TreeDetails::default(), old).unwrap();
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_same(&wim.read_tree(1).unwrap().tree, &small);
    let info = wim.info().image(1).unwrap();
    assert_eq!((info.name.as_str(), info.file_count, info.total_bytes), ("Image 1", 1, 12));
    assert_eq!(wim.blobs().find(&hash(b"one line\r\n")).unwrap().references, 2);
}

#[test]
fn images_and_blobs_are_copied_between_files() {
    for coding in codings() {
        let source = Wim::open(sample::wim(coding, &[1, 2], KEEP)).unwrap();
        let mut writer = WimWriter::create(MemoryFile::default(), options(coding)).unwrap();
        for blob in source.blobs().iter() {
            assert_eq!(writer.copy_blob(&source, blob).unwrap(), Copied::Yes);
        }
        assert_eq!(writer.copy_image(&source, 2, Some("copied"), Some("")).unwrap(), 1);
        writer.copy_image(&source, 2, Some("copied"), None).unwrap_err();
        let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
        assert_eq!(wim.metadata_bytes(1).unwrap(), source.metadata_bytes(2).unwrap());
        assert_same(&wim.read_tree(1).unwrap().tree, &tree(2));
        assert_eq!(wim.info().image(1).unwrap().name, "copied");
        assert_eq!(wim.blobs().find(&hash(b"one line\r\n")).unwrap().references, 2);
    }
    let source = Wim::open(sample::wim(None, &[1], KEEP)).unwrap();
    let coding = Some(Coding::with_default_chunks(Format::Lzx));
    let mut writer = WimWriter::create(MemoryFile::default(), options(coding)).unwrap();
    let blob = source.blobs().iter().next().unwrap();
    assert_eq!(writer.copy_blob(&source, blob).unwrap(), Copied::NeedsRecoding);
    writer.copy_image(&source, 1, None, None).unwrap();
    let wim = Wim::open(writer.finish(KEEP).unwrap().into_bytes()).unwrap();
    assert_eq!(wim.metadata_bytes(1).unwrap(), source.metadata_bytes(1).unwrap());
}

#[test]
fn trees_that_are_not_ready_are_refused() {
    let mut writer = WimWriter::create(MemoryFile::default(), options(None)).unwrap();
    let error = writer.add_image(&tree(1), info("inline")).unwrap_err();
    assert_eq!(error.to_string(), r"stream 0 of \copy.txt has no hash yet");
    let mut ready = tree(1);
    store(&mut writer, &mut ready);
    writer.add_image(&ready, info("once")).unwrap();
    let error = writer.add_image(&ready, info("once")).unwrap_err();
    assert_eq!(error.to_string(), r#"name "once" is used by image 1"#);
    let error = writer.add_image(&ready, info("a\u{1}b")).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"value of property "NAME" holds the character U+0001, which XML forbids"#
    );
    assert_eq!(verify(writer.finish(KEEP).unwrap().into_bytes()).image_count(), 1);
}

#[test]
fn images_may_refer_to_blobs_of_other_files() {
    let mut writer = WimWriter::create(MemoryFile::default(), options(None)).unwrap();
    let mut delta = Tree::new(directory());
    let name = delta.add(NameId::ROOT, "elsewhere".into(), sample::data(b"x")).unwrap();
    let file = delta.name(name).unwrap().file();
    delta.file_mut(file).unwrap().streams[0].content = Content::Blob(hash(b"x"));
    writer.add_image(&delta, info("delta")).unwrap();
    let wim = Wim::open(writer.finish(KEEP).unwrap().into_bytes()).unwrap();
    assert_eq!(wim.blobs().len(), 0);
    assert_eq!(wim.info().image(1).unwrap().total_bytes, 0);
    assert_same(&wim.read_tree(1).unwrap().tree, &delta);
}

#[test]
fn files_that_must_not_be_changed_say_why() {
    let refusal = |bytes: Vec<u8>| {
        WimWriter::append(Wim::open(MemoryFile::new(bytes)).unwrap()).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(fixtures::bytes("split.swm")),
        "file cannot be changed in place: it is part 1 of a split set of 3"
    );
    let mut busy = sample::wim(None, &[1], KEEP);
    busy[0x10] |= 0x40;
    assert_eq!(
        refusal(busy),
        "file cannot be changed in place: it is marked as being written by another program"
    );
    // Move the XML data in front of the resources.
    let mut odd = sample::wim(None, &[1], KEEP);
    let wim = Wim::open(odd.clone()).unwrap();
    let (table, xml) = (wim.header().blob_table, wim.header().xml);
    let room = 208..208 + usize::try_from(table.stored_size + xml.stored_size).unwrap();
    let tables = odd[usize::try_from(table.offset).unwrap()..].to_vec();
    odd[room.clone()].copy_from_slice(&tables[..room.len()]);
    odd[0x38..0x40].copy_from_slice(&208_u64.to_le_bytes());
    odd[0x50..0x58].copy_from_slice(&(208 + table.stored_size).to_le_bytes());
    let end = 208 + table.stored_size + xml.stored_size;
    assert!(refusal(odd).ends_with(&format!("behind the tables, which end at {end:#x}")));
}

#[test]
fn counts_that_are_too_low_lose_no_blob() {
    // WIMGAPI writes such files: every count but metadata's is 0 here.
    let mut bytes = sample::wim(None, &[1, 2], KEEP);
    let header = Wim::open(bytes.clone()).unwrap().header().clone();
    let start = usize::try_from(header.blob_table.offset).unwrap();
    let end = start + usize::try_from(header.blob_table.stored_size).unwrap();
    for entry in bytes[start..end].chunks_exact_mut(50).filter(|entry| entry[7] & 2 == 0) {
        entry[26..30].fill(0);
    }
    let mut writer = append(bytes.clone());
    writer.info_mut().set_property(1, "NAME", "kept").unwrap();
    let mut small = Tree::new(directory());
    small.add(NameId::ROOT, "f".into(), sample::data(b"f")).unwrap();
    store(&mut writer, &mut small);
    writer.add_image(&small, info("third")).unwrap();
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_eq!(wim.blobs().find(&hash(b"one line\r\n")).unwrap().references, 0);

    let mut writer = append(bytes);
    writer.remove_image(1).unwrap();
    let wim = verify(writer.finish(KEEP).unwrap().into_bytes());
    assert_eq!(wim.blobs().find(&hash(b"one line\r\n")).unwrap().references, 2);
    assert_same(&wim.read_tree(1).unwrap().tree, &tree(2));
}
