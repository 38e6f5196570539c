//! Reading what other programs wrote.

use imprint_codec::Format;
use imprint_wim::{
    BlobSet, Coding, HeaderFlags, Limits, Location, OpenError, ReadError, SetError, Version, Wim,
};
use imprint_winvalues::tree::{Content, NameId, StreamKind};
use imprint_winvalues::{Attributes, reparse};

use super::fixtures::{self, EMPTY, WHOLE};
use super::sample;

fn open(name: &str) -> Wim<Vec<u8>> {
    Wim::open(fixtures::bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_file_opens_and_lists_what_was_captured() {
    for (name, lists) in WHOLE {
        let wim = open(name);
        assert!(wim.blobs().notes().is_empty(), "{name}: {:?}", wim.blobs().notes());
        for (list, index) in lists.iter().zip(1..) {
            let image = wim.read_tree(index).unwrap_or_else(|e| panic!("{name} {index}: {e:?}"));
            assert_eq!(image.warnings, [], "{name}");
            let found: Vec<_> = fixtures::files(&image.tree)
                .into_iter()
                .map(|(path, hash)| (path, hash.map_or(EMPTY.to_owned(), |h| h.to_string())))
                .collect();
            let expected: Vec<_> =
                fixtures::list(list).into_iter().map(|l| (l.path, l.hash)).collect();
            assert_eq!(found, expected, "{name} {index}");
        }
    }
}

#[test]
fn every_blob_has_its_hash_and_size() {
    for (name, lists) in WHOLE {
        let wim = open(name);
        for blob in wim.blobs().iter() {
            wim.verify_blob(blob).unwrap_or_else(|e| panic!("{name} {}: {e:?}", blob.hash));
            assert_eq!(wim.read_blob(blob, blob.size).unwrap().len() as u64, blob.size);
            assert!(matches!(wim.read_blob(blob, blob.size - 1), Err(ReadError::TooLarge { .. })));
        }
        for line in lists.iter().flat_map(|list| fixtures::list(list)).filter(|l| l.size > 0) {
            let blob = wim.blobs().iter().find(|blob| blob.hash.to_string() == line.hash);
            // Deltas and split parts hold only some.
            assert!(blob.is_some() || ["delta.wim", "split.swm"].contains(&name), "{name}");
            assert!(blob.is_none_or(|blob| blob.size == line.size), "{name} {}", line.path);
        }
    }
}

#[test]
fn codings_are_those_the_files_were_made_with() {
    let coding = |format, size| Some(Coding::new(format, size).unwrap());
    for (name, version, expected) in [
        ("none.wim", Version::Normal, None),
        ("7zip.wim", Version::Normal, None),
        ("xpress.wim", Version::Normal, coding(Format::Xpress, 32 << 10)),
        ("xpress-4k.wim", Version::Normal, coding(Format::Xpress, 4 << 10)),
        ("lzx.wim", Version::Normal, coding(Format::Lzx, 32 << 10)),
        ("lzx-2m.wim", Version::Normal, coding(Format::Lzx, 2 << 20)),
        ("lzms.wim", Version::Solid, coding(Format::Lzms, 32 << 10)),
        ("solid-lzx.wim", Version::Solid, coding(Format::Lzms, 128 << 10)),
    ] {
        let wim = open(name);
        assert_eq!((wim.header().version, wim.coding()), (version, expected), "{name}");
    }
    let solid = open("solid-lzms.wim");
    let codings: Vec<_> = solid.blobs().solid_resources().iter().map(|s| s.coding).collect();
    assert_eq!(codings, [Coding::new(Format::Lzms, 64 << 20).unwrap(); 2]);
    assert!(solid.blobs().iter().all(|blob| matches!(blob.location, Location::Solid { .. })));
    let lzx = open("solid-lzx.wim").blobs().solid_resources()[0].coding;
    assert_eq!(lzx, Coding::new(Format::Lzx, 32 << 10).unwrap());
    let xpress = open("solid-xpress.wim").blobs().solid_resources()[0].coding;
    assert_eq!(xpress, Coding::new(Format::Xpress, 4096).unwrap());
}

#[test]
fn chunks_are_yielded_one_after_another() {
    for (name, chunk_size) in [("xpress-4k.wim", 4096), ("lzx-2m.wim", 2 << 20)] {
        let wim = open(name);
        let blob = wim.blobs().iter().max_by_key(|blob| blob.size).unwrap();
        let mut reader = wim.blob_reader(blob).unwrap();
        let mut sizes = Vec::new();
        while let Some(bytes) = reader.next_chunk().unwrap() {
            sizes.push(bytes.len() as u64);
        }
        assert_eq!(reader.remaining(), 0);
        assert_eq!(sizes.iter().sum::<u64>(), blob.size);
        let (last, full) = sizes.split_last().unwrap();
        assert!(full.iter().all(|&size| size == chunk_size) && *last <= chunk_size, "{name}");
        assert_eq!(full.len() as u64, (blob.size - 1) / chunk_size);
        let Location::Resource(header) = blob.location else { panic!("{name} is solid") };
        assert_eq!(wim.chunk_map(&header).unwrap().len(), sizes.len() as u64);
    }
}

#[test]
fn the_xml_data_is_read() {
    let wim = open("lzx.wim");
    let image = wim.info().image(2).unwrap();
    assert_eq!((image.name.as_str(), image.flags.as_deref()), ("Second", Some("Professional")));
    let windows = image.windows.unwrap();
    assert_eq!((windows.arch, windows.version.unwrap().build), (Some(9), 26_100));
    let note = wim.info().property(2, "VENDOR/NOTE").unwrap();
    assert_eq!(note.as_deref(), Some("kept & <unknown>"));
    assert_eq!(open("none.wim").info().image(1).unwrap().description.unwrap(), "made by wimlib");
    for (name, _) in WHOLE.iter().filter(|(name, _)| !name.ends_with("swm")) {
        let wim = open(name);
        for index in 1..=wim.image_count() {
            let image = wim.info().image(index).unwrap();
            let tree = wim.read_tree(index).unwrap().tree;
            if *name != "7zip.wim" {
                assert_eq!(image.dir_count + image.file_count, tree.names().len() as u64, "{name}");
            }
            assert!(image.creation_time.is_some(), "{name}");
        }
    }
}

#[test]
fn boot_image_and_integrity_table_are_found() {
    let wim = open("lzx.wim");
    assert_eq!(wim.header().boot_index, 1);
    assert_eq!(wim.header().boot_metadata, wim.metadata_entry(1).unwrap().header);
    assert_eq!(wim.verify_integrity(|_, _| {}).unwrap(), Some(Ok(())));
    assert_eq!(open("none.wim").verify_integrity(|_, _| {}).unwrap(), None);
    let mut bytes = fixtures::bytes("lzx.wim");
    bytes[300] ^= 1;
    let bad = Wim::open(bytes).unwrap().verify_integrity(|_, _| {}).unwrap().unwrap().unwrap_err();
    assert_eq!((bad.index, bad.start), (0, 208));
}

#[test]
fn what_ntfs_keeps_is_read() {
    let wim = open("ntfs-dirs.wim");
    let tree = wim.read_tree(1).unwrap().tree;
    let file = |path: &str| tree.file_of(tree.find(path).unwrap()).unwrap();
    let contents = |content: &Content| match content {
        Content::Blob(hash) => {
            let blob = wim.blobs().find(hash).unwrap();
            String::from_utf8_lossy(&wim.read_blob(blob, 1000).unwrap()).into_owned()
        }
        _ => String::new(),
    };
    let streams = |path: &str| {
        let streams = file(path).streams.iter();
        streams.map(|s| (s.name.to_string(), contents(&s.content))).collect::<Vec<_>>()
    };
    let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        streams("streams.txt"),
        [
            pair("", "main\n"),
            pair("empty", ""),
            pair("first", "a stream\n"),
            pair("Zone.Identifier", "[ZoneTransfer]\r\nZoneId=3\r\n"),
        ]
    );
    assert_eq!(streams("with-streams"), [pair("note", "of a directory\n")]);
    assert_eq!(streams("only-stream"), [pair("data", "hidden\n")]);
    let id = file("streams.txt").extras.as_ref().unwrap().object_id.as_ref().unwrap();
    assert_eq!(id[..4], [0x00, 0x11, 0x22, 0x33]);

    let short = |path: &str| tree.name(tree.find(path).unwrap()).unwrap().short_name.to_string();
    assert_eq!(short("Program Files"), "PROGRA~1");
    assert_eq!(short("Program Files/long file name.txt"), "LONGFI~1.TXT");
    let linked = |path: &str| tree.name(tree.find(path).unwrap()).unwrap().file();
    assert_eq!(linked("link-a"), linked("Program Files/link-b"));
    assert_eq!(file("link-a").links(), 2);

    let wanted =
        Attributes::READONLY | Attributes::HIDDEN | Attributes::SYSTEM | Attributes::ARCHIVE;
    assert_eq!(file("attributes").attributes, wanted);
    let security = file("attributes").security.unwrap();
    assert_eq!(Some(security), file("same-acl").security);
    assert_eq!(tree.security.get(security).unwrap()[..4], [1, 0, 4, 0x80]);
    assert_ne!(tree.file_of(NameId::ROOT).unwrap().security, Some(security));

    let junction = file("junction");
    let info = junction.reparse.unwrap();
    assert_eq!((info.tag, info.not_fixed), (reparse::TAG_JUNCTION, false));
    let Content::Blob(hash) = &junction.reparse_data().unwrap().content else { panic!("no blob") };
    let data = wim.read_blob(wim.blobs().find(hash).unwrap(), 1000).unwrap();
    let link = reparse::Link::parse(info.tag, &data).unwrap();
    assert_eq!(link.substitute.to_string(), r"\??\C:\Target");
}

#[test]
fn what_linux_keeps_is_read() {
    let wim = open("unix.wim");
    let tree = wim.read_tree(1).unwrap().tree;
    let extras = |path: &str| {
        let file = tree.file_of(tree.find(path).unwrap()).unwrap();
        file.extras.as_deref().unwrap().clone()
    };
    let unix = extras("owned").unix.unwrap();
    assert_eq!((unix.uid, unix.gid, unix.mode), (1000, 1001, 0o100_750));
    let null = extras("null").unix.unwrap();
    assert_eq!((null.mode & 0o170_000, null.rdev), (0o020_000, 0x103));
    assert_eq!(extras("fifo").unix.unwrap().mode & 0o170_000, 0o010_000);
    let attributes: Vec<_> = extras("owned")
        .extended_attributes
        .iter()
        .map(|a| (String::from_utf8_lossy(&a.name).into_owned(), a.value.to_vec()))
        .collect();
    assert!(attributes.contains(&("user.note".to_owned(), b"a value".to_vec())), "{attributes:?}");
    assert!(attributes.contains(&("user.empty".to_owned(), Vec::new())));
    assert_eq!(*extras("dir").extended_attributes[0].value, [0x00, 0xff, 0x10]);
    let link = tree.file_of(tree.find("absolute").unwrap()).unwrap();
    assert_eq!(link.streams[0].kind, StreamKind::Reparse);
    assert!(link.reparse.unwrap().not_fixed);
}

#[test]
fn blobs_of_a_set_are_found_in_any_part() {
    let parts = ["split2.swm", "split.swm", "split3.swm"].map(open);
    let [second, first, third] = parts;
    second.read_tree(1).unwrap_err();
    let mut set = BlobSet::new(second);
    assert_eq!(set.check_parts(), Err(SetError::MissingParts { missing: vec![1, 3], total: 3 }));
    set.push(first);
    set.push(third);
    set.check_parts().unwrap();
    let primary = set.primary().unwrap();
    assert_eq!(primary.header().part_number, 1);
    let mut parts_used = [false; 3];
    for index in 1..=2 {
        for (_, file) in primary.read_tree(index).unwrap().tree.files() {
            for stream in &file.streams {
                let Content::Blob(hash) = &stream.content else { continue };
                let (number, wim, blob) = set.find(hash).unwrap();
                wim.verify_blob(blob).unwrap();
                parts_used[number] = true;
            }
        }
    }
    assert_eq!(parts_used, [true; 3]);
}

#[test]
fn sets_that_do_not_belong_together_are_refused() {
    let message = |names: &[&str]| {
        let mut wims = names.iter().map(|name| open(name));
        let mut set = BlobSet::new(wims.next().unwrap());
        wims.for_each(|wim| set.push(wim));
        set.check_parts().map_err(|error| error.to_string())
    };
    assert_eq!(message(&["split.swm"]).unwrap_err(), "parts 2 to 3 of 3 are missing");
    assert_eq!(
        message(&["split.swm", "split2.swm", "split2.swm"]).unwrap_err(),
        "part 2 is given twice"
    );
    assert_eq!(message(&["none.wim", "xpress.wim"]), Ok(()));
    let mut foreign = fixtures::bytes("split3.swm");
    foreign[0x18] ^= 1;
    let mut set = BlobSet::new(open("split.swm"));
    set.push(Wim::open(foreign).unwrap());
    let error = set.check_parts().unwrap_err().to_string();
    assert!(error.starts_with("part 3 has GUID "), "{error}");
}

#[test]
fn a_delta_finds_the_rest_in_its_base() {
    let mut set = BlobSet::new(open("delta.wim"));
    let tree = set.wims()[0].read_tree(1).unwrap().tree;
    let hashes: Vec<_> = fixtures::files(&tree).into_iter().filter_map(|(_, hash)| hash).collect();
    assert!(hashes.iter().any(|hash| set.find(hash).is_none()));
    set.push(open("xpress.wim"));
    assert!(hashes.iter().all(|hash| set.find(hash).is_some()));
    assert_eq!(set.primary().unwrap().header().guid, set.wims()[0].header().guid);
}

#[test]
fn files_of_other_kinds_are_refused() {
    let error = Wim::open(fixtures::bytes("pipable.wim")).unwrap_err();
    assert!(matches!(error, OpenError::Pipable));
    assert_eq!(error.to_string(), "pipable WIM files are not supported");
    let error = |bytes: &[u8]| Wim::open(bytes.to_vec()).unwrap_err();
    let short = error(b"MSWIM");
    assert_eq!(short.to_string(), "failed to read WIM header (208 bytes at offset 0x0)");
    let source = std::error::Error::source(&short).unwrap().to_string();
    assert_eq!(source, "208 bytes wanted at offset 0x0, but the storage ends at 0x5");
    assert_eq!(
        error(&[0; 300]).to_string(),
        "WIM header: magic should be 0x4d4957534d, but is 0x0 (at offset 0x0)"
    );
    let mut encrypted = imprint_wim::WimWriter::create(
        imprint_blockio::MemoryFile::default(),
        sample::options(None),
    )
    .unwrap();
    let tree = imprint_winvalues::tree::Tree::new(sample::directory());
    encrypted.add_image(&tree, sample::info("x")).unwrap();
    let mut bytes = encrypted.finish(imprint_wim::FinishOptions::default()).unwrap().into_bytes();
    // An ESD says so in its XML data, whose length stays the same here.
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let find = |text: &str| bytes.windows(2 * text.len()).rposition(|w| w == utf16(text)).unwrap();
    let (from, to) = (find("<TOTALBYTES>"), find("</WIM>"));
    let said = format!("{:<1$}", "<ESD><ENCRYPTED/></ESD>", (to - from) / 2);
    bytes[from..to].copy_from_slice(&utf16(&said));
    assert!(matches!(error(&bytes), OpenError::Encrypted));
}

#[test]
fn limits_are_the_callers() {
    let message = |name: &str, limits| {
        let wim = Wim::open_with(fixtures::bytes(name), limits).map_err(|e| e.to_string())?;
        wim.read_tree(1).map_err(|e| e.to_string())?;
        let blob = wim.blobs().iter().max_by_key(|blob| blob.size).unwrap();
        wim.read_blob(blob, u64::MAX).map(drop).map_err(|e| e.to_string())
    };
    let default = Limits::default();
    assert_eq!(message("lzx-2m.wim", default), Ok(()));
    assert_eq!(
        message("lzx-2m.wim", Limits { chunk: 1 << 20, ..default }).unwrap_err(),
        "chunk should have at most 1048576 bytes, but has 2097152"
    );
    assert_eq!(
        message("none.wim", Limits { metadata: 1000, ..default }).unwrap_err(),
        "metadata should have at most 1000 bytes, but has 2488"
    );
    let xml = message("none.wim", Limits { xml: 10, ..default }).unwrap_err();
    assert!(
        xml.starts_with("WIM header: size of the XML data should be at most 10, but is"),
        "{xml}"
    );
}

#[test]
fn images_that_are_not_there_are_refused() {
    let wim = open("none.wim");
    for index in [0, 2, u32::MAX] {
        let error = wim.read_tree(index).unwrap_err();
        assert_eq!(error.to_string(), format!("image should be one of 1 to 1, but is {index}"));
    }
    assert_eq!(
        open("split2.swm").metadata_bytes(1).unwrap_err().to_string(),
        "metadata is not in this file, which is part 2 of 3"
    );
    assert!(open("split2.swm").header().flags.contains(HeaderFlags::SPANNED));
}

#[test]
fn changed_bytes_are_noticed() {
    let mut bytes = fixtures::bytes("none.wim");
    let wim = Wim::open(bytes.clone()).unwrap();
    let metadata = wim.metadata_entry(1).unwrap().header;
    let blob = wim.blobs().iter().next().unwrap().clone();
    let Location::Resource(resource) = blob.location else { panic!("solid") };
    for offset in [metadata.offset, resource.offset] {
        bytes[usize::try_from(offset).unwrap()] ^= 1;
    }
    let wim = Wim::open(bytes).unwrap();
    for error in [
        wim.read_tree(1).unwrap_err(),
        wim.verify_blob(&blob).unwrap_err(),
        wim.read_blob(&blob, u64::MAX).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("resource: SHA-1 should be "), "{error}");
    }
    let error = wim.verify_blob(&blob).unwrap_err().to_string();
    assert!(error.contains(&format!("should be {}", blob.hash)), "{error}");
    assert!(error.ends_with(&format!("(at offset {:#x})", resource.offset)), "{error}");
}

/// A file whose blob table and XML data are compressed: no program writes that, wimlib reads it.
#[test]
fn compressed_tables_are_read() {
    let coding = Coding::with_default_chunks(Format::Lzx);
    let mut bytes = sample::wim(Some(coding), &[1, 2], imprint_wim::FinishOptions::default());
    let wim = Wim::open(bytes.clone()).unwrap();
    let mut header = wim.header().clone();
    for place in [&mut header.blob_table, &mut header.xml] {
        let start = usize::try_from(place.offset).unwrap();
        let end = start + usize::try_from(place.stored_size).unwrap();
        let stored = sample::compress(coding, &bytes[start..end]).unwrap();
        place.offset = bytes.len() as u64;
        place.stored_size = stored.len() as u64;
        place.flags |= imprint_wim::ResourceFlags::COMPRESSED;
        bytes.extend(stored);
    }
    bytes[..208].copy_from_slice(&header.to_bytes());
    let again = sample::verify(bytes.clone());
    assert_eq!((again.image_count(), again.blobs().len()), (2, wim.blobs().len()));
    assert_eq!(again.info().image(2), wim.info().image(2));

    // Changed in place, they are written as all programs write them.
    let file = imprint_blockio::MemoryFile::new(bytes);
    let mut writer = imprint_wim::WimWriter::append(Wim::open(file).unwrap()).unwrap();
    writer.remove_image(1).unwrap();
    let file = writer.finish(imprint_wim::FinishOptions::default()).unwrap();
    let plain = sample::verify(file.into_bytes());
    assert!(!plain.header().blob_table.is_compressed() && !plain.header().xml.is_compressed());
}

#[test]
fn files_left_by_a_stopped_writer_are_read_if_their_tables_are_there() {
    let mut bytes = fixtures::bytes("none.wim");
    bytes[0x10] |= 0x40;
    bytes.extend([0xaa; 1000]);
    let wim = Wim::open(bytes).unwrap();
    assert!(wim.header().flags.contains(HeaderFlags::WRITE_IN_PROGRESS));
    wim.read_tree(1).unwrap();
    assert_eq!(wim.file_len(), wim.file().len() as u64);
}
