//! How often storage is asked: every call costs, on a network most of all.

use std::io;
use std::sync::Mutex;

use imprint_blockio::{MemoryFile, ReadAt, Resize, WriteAt};
use imprint_wim::{FinishOptions, IntegrityChange, Wim, WimWriter};
use imprint_winvalues::tree::{NameId, Tree};

use super::fixtures;
use super::sample::{self, data, directory, info, options, store};

/// Offset and length of calls.
type Calls = Vec<(u64, usize)>;

/// What was done to a file.
#[derive(Debug, Default)]
struct Watched {
    file: MemoryFile,
    reads: Mutex<Calls>,
    writes: Mutex<Calls>,
    flushes: Mutex<u32>,
}

impl Watched {
    fn new(bytes: Vec<u8>) -> Self {
        Self { file: MemoryFile::new(bytes), ..Self::default() }
    }

    /// The calls since the last time this was asked: reads, writes, flushes.
    fn calls(&self) -> (Calls, Calls, u32) {
        let take = |list: &Mutex<Vec<_>>| std::mem::take(&mut *list.lock().unwrap());
        let flushes = std::mem::take(&mut *self.flushes.lock().unwrap());
        (take(&self.reads), take(&self.writes), flushes)
    }
}

impl ReadAt for Watched {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.lock().unwrap().push((offset, buf.len()));
        self.file.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

impl WriteAt for Watched {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.writes.lock().unwrap().push((offset, buf.len()));
        self.file.write_all_at(buf, offset)
    }

    fn flush(&self) -> io::Result<()> {
        *self.flushes.lock().unwrap() += 1;
        Ok(())
    }
}

impl Resize for Watched {
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

const ADD: FinishOptions = FinishOptions { integrity: IntegrityChange::Add };

#[test]
fn opening_reads_header_and_tables_only() {
    for (name, reads) in [("none.wim", 3), ("lzx.wim", 3), ("solid-lzms.wim", 5)] {
        let file = Watched::new(fixtures::bytes(name));
        let wim = Wim::open(&file).unwrap();
        // Header, XML data, blob table, and the head of each solid resource.
        assert_eq!(file.calls().0.len(), reads, "{name}");
        wim.read_tree(1).unwrap();
        let (tree_reads, _, _) = file.calls();
        assert!(tree_reads.len() <= 2, "{name}: {tree_reads:?}");
        wim.info().image(1).unwrap();
        wim.metadata_entry(1).unwrap();
        assert_eq!(file.calls().0, []);
    }
}

#[test]
fn a_blob_is_read_with_one_call_for_its_table_and_one_for_each_chunk() {
    let file = Watched::new(fixtures::bytes("xpress-4k.wim"));
    let wim = Wim::open(&file).unwrap();
    let blob = wim.blobs().iter().max_by_key(|blob| blob.size).unwrap().clone();
    file.calls();
    wim.verify_blob(&blob).unwrap();
    let (reads, _, _) = file.calls();
    assert_eq!(reads.len() as u64, 1 + blob.size.div_ceil(4096));
    // Small blobs of one chunk need no table.
    let small = wim.blobs().iter().min_by_key(|blob| blob.size).unwrap().clone();
    wim.verify_blob(&small).unwrap();
    assert!(file.calls().0.len() <= 2);
}

#[test]
fn many_small_blobs_cost_few_writes() {
    let file = Watched::default();
    let mut writer = WimWriter::create(&file, options(None)).unwrap();
    let mut tree = Tree::new(directory());
    for number in 0..2000_u32 {
        let name = format!("file {number}");
        let bytes = vec![number.to_le_bytes(); 100].concat();
        tree.add(NameId::ROOT, name.as_str().into(), data(&bytes)).unwrap();
    }
    store(&mut writer, &mut tree);
    writer.add_image(&tree, info("many")).unwrap();
    writer.finish(FinishOptions::default()).unwrap();
    let (reads, writes, flushes) = file.calls();
    assert_eq!(reads, [], "a new file is not read");
    // The first header, less than two MiB of everything else, the last header.
    assert!(writes.len() <= 5, "{writes:?}");
    assert_eq!(writes.first().copied(), Some((0, 208)));
    assert_eq!(writes.last().copied(), Some((0, 208)));
    assert_eq!(flushes, 2);
}

#[test]
fn appending_hashes_only_what_is_new() {
    let mut large = Tree::new(directory());
    let noise = imprint_testkit::Kind::Random.bytes(25 << 20, 1);
    large.add(NameId::ROOT, "large".into(), data(&noise)).unwrap();
    let file = Watched::default();
    let mut writer = WimWriter::create(&file, options(None)).unwrap();
    store(&mut writer, &mut large);
    writer.add_image(&large, info("large")).unwrap();
    writer.finish(ADD).unwrap();
    file.calls();

    let mut writer = WimWriter::append(Wim::open(&file).unwrap()).unwrap();
    let mut small = Tree::new(directory());
    small.add(NameId::ROOT, "small".into(), data(b"small")).unwrap();
    store(&mut writer, &mut small);
    writer.add_image(&small, info("small")).unwrap();
    writer.finish(FinishOptions::default()).unwrap();
    let (reads, writes, _) = file.calls();
    let read: usize = reads.iter().map(|(_, length)| length).sum();
    // Two full stretches of 10 MiB keep their hashes; the third was not full.
    assert!(read < 6 << 20, "{read} bytes read");
    let written: usize = writes.iter().map(|(_, length)| length).sum();
    assert!(written < 10_000, "{written} bytes written");
    sample::verify(file.file.to_bytes());
}

#[test]
fn looking_things_up_while_writing_asks_nothing() {
    let file = Watched::new(sample::wim(None, &[1], ADD));
    let mut writer = WimWriter::append(Wim::open(&file).unwrap()).unwrap();
    file.calls();
    let known = sample::hash(b"one line\r\n");
    assert!(writer.has_blob(&known) && writer.knows_size(10) && !writer.knows_size(11));
    assert_eq!(writer.blob_size(&known), Some(10));
    writer.write_stored(known, 10, false, &[b"one line\r\n"]).unwrap();
    writer.begin_blob(5).unwrap();
    writer.push_chunk(b"12345").unwrap();
    writer.abort_blob();
    assert_eq!(file.calls(), (Vec::new(), Vec::new(), 0));
}
