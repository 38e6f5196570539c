//! Tables made by hand, with all the oddities that files have.

use imprint_codec::Format;
use imprint_winvalues::{BlobHash, Guid};
use zerocopy::IntoBytes;

use super::{BlobTable, Location, SOLID_MARK, TableContext, TableNotes, parse};
use crate::chunk_map::SolidHeader;
use crate::error::ReadError;
use crate::header::{Header, Version, new_header};
use crate::layout::{BlobEntryDisk, SolidHeaderDisk};
use crate::resource::{Coding, ResourceFlags, ResourceHeader};

const FILE: u64 = 1_000_000;
const TABLE: u64 = 900_000;
const LZX: Coding = Coding { format: Format::Lzx, chunk_size: 32 << 10 };

/// A table entry with the values most have.
#[derive(Clone, Copy)]
struct Entry {
    stored: u64,
    flags: u8,
    offset: u64,
    size: u64,
    part: u16,
    references: u32,
    hash: u8,
}

const RAW: Entry =
    Entry { stored: 100, flags: 0, offset: 208, size: 100, part: 1, references: 1, hash: 1 };
const METADATA: Entry = Entry { flags: 2, hash: 0xee, ..RAW };
/// A solid resource; its uncompressed size comes from the header `table` makes up.
const SOLID: Entry = Entry { stored: 1000, flags: 0x10, size: SOLID_MARK, hash: 0, ..RAW };
/// A blob of 100 bytes in a solid resource.
const MEMBER: Entry = Entry { stored: 100, flags: 0x10, offset: 0, size: 0, ..RAW };

fn bytes(entries: &[Entry]) -> Vec<u8> {
    let disk = |entry: &Entry| BlobEntryDisk {
        resource: ResourceHeader {
            stored_size: entry.stored,
            flags: ResourceFlags::from_bits_retain(entry.flags),
            offset: entry.offset,
            size: entry.size,
        }
        .to_disk(),
        part_number: entry.part.into(),
        references: entry.references.into(),
        hash: [entry.hash; 20],
    };
    entries.iter().flat_map(|entry| disk(entry).as_bytes().to_vec()).collect()
}

fn header(images: u32) -> Header {
    let mut header = new_header(Some(LZX), Guid::default(), false);
    header.version = Version::Solid;
    header.image_count = images;
    header.blob_table.offset = TABLE;
    header
}

/// Reads a table; solid resources at offset `n` hold `n` bytes.
fn read(header: &Header, entries: &[Entry]) -> Result<BlobTable, ReadError> {
    let context = TableContext { header, coding: header.coding().unwrap(), file_len: FILE };
    parse(&bytes(entries), context, |offset| {
        let disk = SolidHeaderDisk {
            size: offset.into(),
            chunk_size: (32 << 10).into(),
            format: 2.into(),
        };
        Ok(disk.as_bytes().try_into().unwrap())
    })
}

fn table(entries: &[Entry]) -> BlobTable {
    read(&header(0), entries).unwrap()
}

fn message(entries: &[Entry]) -> String {
    read(&header(0), entries).unwrap_err().to_string()
}

fn hash(byte: u8) -> BlobHash {
    BlobHash([byte; 20])
}

#[test]
fn oddities_are_passed_over_and_counted() {
    let table = table(&[
        RAW,
        Entry { offset: 500, ..RAW },
        Entry { hash: 0, ..RAW },
        Entry { hash: 2, size: 0, stored: 0, ..RAW },
        Entry { hash: 3, part: 2, ..RAW },
        Entry { references: 0, ..METADATA },
        METADATA,
        Entry { hash: 4, references: 0, ..RAW },
    ]);
    let expected = TableNotes {
        duplicates: 1,
        empty: 1,
        without_hash: 1,
        other_parts: 1,
        unused_metadata: 1,
        surplus_metadata: 1,
    };
    assert_eq!(table.notes(), expected);
    assert_eq!(table.iter().map(|blob| blob.hash).collect::<Vec<_>>(), [hash(1), hash(4)]);
    assert_eq!(table.find(&hash(4)).unwrap().references, 0);
    let Location::Resource(first) = table.find(&hash(1)).unwrap().location else { panic!() };
    assert_eq!(first.offset, 208, "the first of two entries counts");
}

#[test]
fn metadata_belongs_to_images_in_table_order() {
    let later = Entry { offset: 5000, hash: 0xaa, ..METADATA };
    let table = read(&header(2), &[later, RAW, METADATA]).unwrap();
    let offsets: Vec<_> = table.all_metadata().iter().map(|entry| entry.header.offset).collect();
    assert_eq!(offsets, [5000, 208]);
    assert_eq!(table.metadata(1).unwrap().hash, hash(0xaa));
    assert_eq!((table.metadata(0), table.metadata(3)), (None, None));
    assert_eq!(
        read(&header(3), &[later, METADATA]).unwrap_err().to_string(),
        "WIM header: image count should be 2, but is 3 (at offset 0x2c)"
    );
    let shared = Entry { references: 2, ..METADATA };
    assert_eq!(
        message(&[RAW, shared]),
        "blob table: reference count of metadata should be 1, but is 2 (at offset 0xdbbec)"
    );
}

#[test]
fn parts_other_than_the_first_hold_no_metadata() {
    let mut header = header(2);
    (header.part_number, header.total_parts) = (2, 2);
    let table = read(&header, &[Entry { part: 2, ..METADATA }, Entry { part: 2, ..RAW }]).unwrap();
    assert_eq!(table.all_metadata(), []);
    assert_eq!((table.len(), table.notes().surplus_metadata), (1, 1));
    assert_eq!(table.iter().next().unwrap().part, 2);
}

#[test]
fn blobs_of_a_solid_run_are_counted_through_its_resources() {
    let table = table(&[
        Entry { offset: 300, ..SOLID },
        Entry { offset: 100, ..MEMBER },
        Entry { offset: 0, hash: 2, ..MEMBER },
        Entry { offset: 250, stored: 50, hash: 3, ..MEMBER },
        Entry { offset: 400, ..SOLID },
        Entry { offset: 300, hash: 4, ..MEMBER },
        Entry { offset: 600, hash: 5, ..MEMBER },
        Entry { hash: 6, ..RAW },
        Entry { offset: 500, ..SOLID },
        Entry { offset: 400, hash: 7, ..MEMBER },
    ]);
    let place = |byte| match table.find(&hash(byte)).unwrap().location {
        Location::Solid { resource, offset } => (resource, offset),
        Location::Resource(header) => (usize::MAX, header.offset),
    };
    let places: Vec<_> = (1..=7).map(place).collect();
    assert_eq!(places, [(0, 100), (0, 0), (0, 250), (1, 0), (1, 300), (usize::MAX, 208), (2, 400)]);
    let solid = table.solid_resources();
    assert_eq!(solid.iter().map(|solid| solid.size).collect::<Vec<_>>(), [300, 400, 500]);
    assert_eq!(solid[1].solid_header(), SolidHeader { size: 400, coding: LZX });
    assert_eq!(table.find(&hash(3)).unwrap().size, 50);
}

#[test]
fn faulty_solid_runs_are_refused() {
    assert_eq!(
        message(&[Entry { offset: 300, ..SOLID }, Entry { offset: 201, ..MEMBER }]),
        "blob table: blob in a solid resource should end at or before 0x12c, but ends at 0x12d \
         (at offset 0xdbbda)"
    );
    assert_eq!(
        message(&[MEMBER]),
        "blob table: blob in a solid resource should end at or before 0x0, but ends at 0x64 \
         (at offset 0xdbba8)"
    );
    let straddling = [
        Entry { offset: 300, ..SOLID },
        Entry { offset: 300, ..SOLID },
        Entry { offset: 250, ..MEMBER },
    ];
    assert!(message(&straddling).contains("should end at or before 0x12c, but ends at 0x15e"));
    let overlapping = [
        Entry { offset: 300, ..SOLID },
        Entry { offset: 100, ..MEMBER },
        Entry { offset: 199, hash: 2, ..MEMBER },
    ];
    assert_eq!(
        message(&overlapping),
        "blob table: blob in a solid resource overlaps the one before it (at offset 0xdbc0c)"
    );
    let metadata = [Entry { offset: 300, ..SOLID }, Entry { flags: 0x12, ..MEMBER }];
    assert_eq!(
        message(&metadata),
        "blob table: flags of a blob in a solid resource should be 0x10, but is 0x12 \
         (at offset 0xdbbd9)"
    );
    let short = [Entry { stored: 15, ..SOLID }];
    assert!(message(&short).contains("stored size of a solid resource should be at least 16"));
    let huge = [Entry { offset: 900_000, stored: 26, ..SOLID }];
    assert_eq!(
        message(&huge),
        "solid resource: uncompressed size should be at most 65536, but is 900000 \
         (at offset 0xdbba0)"
    );
    let outside = [Entry { offset: FILE - 10, ..SOLID }];
    assert!(message(&outside).contains("resource should end at or before 0xf4240"));
}

#[test]
fn repeated_blobs_of_a_solid_resource_do_not_overlap() {
    let table = table(&[Entry { offset: 300, ..SOLID }, MEMBER, MEMBER]);
    assert_eq!((table.len(), table.notes().duplicates), (1, 1));
}

#[test]
fn the_solid_flag_means_nothing_in_the_normal_version() {
    let mut header = header(0);
    header.version = Version::Normal;
    let table = read(&header, &[Entry { flags: 0x10, ..RAW }]).unwrap();
    assert!(matches!(table.find(&hash(1)).unwrap().location, Location::Resource(_)));
    assert!(table.solid_resources().is_empty());
}

#[test]
fn resources_must_lie_inside_the_file() {
    assert_eq!(
        message(&[Entry { offset: FILE - 99, ..RAW }]),
        "blob table: resource should end at or before 0xf4240, but ends at 0xf4241 \
         (at offset 0xdbba0)"
    );
    assert_eq!(
        message(&[RAW, Entry { offset: u64::MAX, hash: 2, ..RAW }]),
        "blob table: resource offset should end at or before 0xf4240, but ends at \
         0xffffffffffffffff (at offset 0xdbbda)"
    );
}

#[test]
fn sizes_must_agree_with_how_a_resource_is_stored() {
    assert_eq!(
        message(&[Entry { size: 101, ..RAW }]),
        "blob table: stored size should be 101, but is 100 (at offset 0xdbba0)"
    );
    let compressed = Entry { flags: 4, ..RAW };
    assert_eq!(table(&[Entry { size: 32 << 10, ..compressed }]).len(), 1);
    assert_eq!(
        message(&[Entry { size: 1 << 40, ..compressed }]),
        "blob table: stored size should be from 301989880 to 1099780063224, but is 100 \
         (at offset 0xdbba0)"
    );
    assert_eq!(
        message(&[Entry { size: 99, ..compressed }]),
        "blob table: stored size should be from 1 to 99, but is 100 (at offset 0xdbba0)"
    );
    let mut without = header(0);
    without.flags = crate::HeaderFlags::empty();
    assert_eq!(
        read(&without, &[compressed]).unwrap_err().to_string(),
        "blob table: resource is marked as compressed, but the file has no compression format \
         (at offset 0xdbba7)"
    );
}

#[test]
fn bytes_behind_the_last_whole_entry_are_ignored() {
    let mut cut = bytes(&[RAW, RAW]);
    cut.truncate(99);
    let header = header(0);
    let context = TableContext { header: &header, coding: Some(LZX), file_len: FILE };
    let table = parse(&cut, context, |_| panic!("no solid resource")).unwrap();
    assert_eq!(table.len(), 1);
    assert!(!table.is_empty());
}
