//! Sizes at which formats change: 4 GiB, many names, long names, many blobs.

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_codec::{Compressor, Format, Level};
use imprint_testkit::soak;
use imprint_testkit::tools::{require, run};
use imprint_wim::{BlobEnd, Coding, FinishOptions, IntegrityChange, Location, Wim, WimWriter};
use imprint_winvalues::tree::{Content, NameId, Stream, StreamKind, Tree};
use imprint_winvalues::{BlobHash, WinName};

use super::sample::{self, assert_same, directory, file, hash, info, options};

const KEEP: FinishOptions = FinishOptions { integrity: IntegrityChange::Keep };

/// SHA-1 of zeros.
fn hash_of_zeros(mut size: u64) -> BlobHash {
    use sha1::{Digest, Sha1};
    let zeros = vec![0; 1 << 20];
    let mut hasher = Sha1::new();
    while size > 0 {
        let piece = usize::try_from(size).unwrap_or(usize::MAX).min(zeros.len());
        hasher.update(&zeros[..piece]);
        size -= piece as u64;
    }
    BlobHash(hasher.finalize().into())
}

/// Writes a file of `size` zeros in chunks of 2 MiB.
fn write_zeros(size: u64, hash: BlobHash) -> Vec<u8> {
    let coding = Coding::new(Format::Lzx, 2 << 20).unwrap();
    let mut compressor = Compressor::new(coding.format, coding.chunk_size, Level::FAST).unwrap();
    let mut compress = |length: usize| {
        let mut out = vec![0; length];
        let stored = compressor.compress(&vec![0; length], &mut out).unwrap_or(length);
        out.truncate(stored);
        out
    };
    let chunk_size = u64::from(coding.chunk_size);
    let full = compress(2 << 20);
    let mut writer = WimWriter::create(MemoryFile::default(), options(Some(coding))).unwrap();
    writer.begin_blob(size).unwrap();
    for _ in 0..size / chunk_size {
        writer.push_chunk(&full).unwrap();
    }
    if !size.is_multiple_of(chunk_size) {
        let rest = usize::try_from(size % chunk_size).unwrap();
        let stored = if rest < 100 { vec![0; rest] } else { compress(rest) };
        writer.push_chunk(&stored).unwrap();
    }
    assert_eq!(writer.end_blob(hash).unwrap(), BlobEnd::Written);
    let mut tree = Tree::new(directory());
    let mut zeros = file(imprint_winvalues::Attributes::SPARSE_FILE);
    let content = Content::Blob(hash);
    zeros.streams.push(Stream { kind: StreamKind::Data, name: WinName::default(), content });
    tree.add(NameId::ROOT, "zeros".into(), zeros).unwrap();
    writer.add_image(&tree, info("zeros")).unwrap();
    writer.finish(KEEP).unwrap().into_bytes()
}

#[test]
fn chunk_tables_change_at_four_gigabytes() {
    for (size, width) in [((1_u64 << 32) - 1, 4), (1 << 32, 8), ((1 << 32) + 1, 8)] {
        // The contents are verified in long runs only; here the hash is any.
        let long = soak::is_on();
        let hash = if long { hash_of_zeros(size) } else { hash(b"any") };
        let bytes = write_zeros(size, hash);
        let wim = Wim::open(bytes.clone()).unwrap();
        let blob = wim.blobs().find(&hash).unwrap();
        assert_eq!(blob.size, size);
        let Location::Resource(header) = blob.location else { panic!("solid") };
        let chunks = size.div_ceil(2 << 20);
        assert_eq!(header.table_len(wim.coding()), (chunks - 1) * width);
        let map = wim.chunk_map(&header).unwrap();
        assert_eq!(map.len(), chunks);
        assert_eq!(map.iter().map(|chunk| u64::from(chunk.size)).sum::<u64>(), size);
        assert_eq!(wim.info().image(1).unwrap().total_bytes, size);
        if long {
            wim.verify_blob(blob).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("zeros.wim");
            fs_err::write(&path, bytes).unwrap();
            run(&require("wimlib-imagex"), ["verify", path.to_str().unwrap()]);
        } else {
            let mut reader = wim.blob_reader(blob).unwrap();
            assert!(reader.next_chunk().unwrap().unwrap().iter().all(|&byte| byte == 0));
        }
    }
}

#[test]
fn a_hundred_thousand_names_in_a_directory() {
    let mut tree = Tree::new(directory());
    let many = tree.add(NameId::ROOT, "many".into(), directory()).unwrap();
    for number in 0..100_000_u64 {
        // Neither sorted nor of one length.
        let name = format!("File {}", number * 7919 % 1_000_003);
        let file = file(imprint_winvalues::Attributes::NORMAL);
        tree.add(many, name.as_str().into(), file).unwrap();
    }
    let mut writer = WimWriter::create(MemoryFile::default(), options(None)).unwrap();
    writer.add_image(&tree, info("many")).unwrap();
    let bytes = writer.finish(KEEP).unwrap().into_bytes();
    let wim = Wim::open(bytes.clone()).unwrap();
    assert_same(&wim.read_tree(1).unwrap().tree, &tree);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.wim");
    fs_err::write(&path, bytes).unwrap();
    let report = run(&require("wimlib-imagex"), ["dir", path.to_str().unwrap(), "1"]);
    assert_eq!(report.lines().count(), 100_002);
}

#[test]
fn paths_of_thirty_thousand_letters() {
    let mut tree = Tree::new(directory());
    let mut parent = NameId::ROOT;
    let mut length = 0;
    for number in 0.. {
        let name = format!("{number:0>250}");
        length += name.len() + 1;
        if length > 32_767 {
            break;
        }
        parent = tree.add(parent, name.as_str().into(), directory()).unwrap();
    }
    tree.add(parent, "f".into(), sample::data(b"")).unwrap();
    let mut writer = WimWriter::create(MemoryFile::default(), options(None)).unwrap();
    writer.add_image(&tree, info("long")).unwrap();
    let bytes = writer.finish(KEEP).unwrap().into_bytes();
    assert_same(&Wim::open(bytes.clone()).unwrap().read_tree(1).unwrap().tree, &tree);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.wim");
    fs_err::write(&path, bytes).unwrap();
    let report = run(&require("wimlib-imagex"), ["dir", path.to_str().unwrap(), "1"]);
    assert!(report.lines().any(|line| line.len() > 32_600 && line.ends_with("/f")));
}

#[test]
fn a_hundred_thousand_blobs() {
    let bytes_of = |number: u32| number.to_le_bytes();
    let mut writer = WimWriter::create(MemoryFile::default(), options(None)).unwrap();
    let mut tree = Tree::new(directory());
    for number in 0..100_000_u32 {
        let bytes = bytes_of(number);
        let hash = hash(&bytes);
        writer.write_stored(hash, 4, false, &[&bytes]).unwrap();
        let mut file = file(imprint_winvalues::Attributes::NORMAL);
        let content = Content::Blob(hash);
        file.streams.push(Stream { kind: StreamKind::Data, name: WinName::default(), content });
        tree.add(NameId::ROOT, number.to_string().as_str().into(), file).unwrap();
    }
    writer.add_image(&tree, info("blobs")).unwrap();
    let file = writer.finish(KEEP).unwrap();
    let mut stored = [0; 4];
    let wim = Wim::open(file).unwrap();
    assert_eq!(wim.blobs().len(), 100_000);
    for number in (0..100_000).step_by(997) {
        let blob = wim.blobs().find(&hash(&bytes_of(number))).unwrap();
        let Location::Resource(header) = blob.location else { panic!("solid") };
        wim.file().read_exact_at(&mut stored, header.offset).unwrap();
        assert_eq!((stored, blob.references), (bytes_of(number), 1));
    }
    assert!(wim.blobs().find(&hash(b"none")).is_none());
}
