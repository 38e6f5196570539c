//! Files that Windows compressed, written to volumes through the driver of ntfs-3g.

use std::path::Path;

use imprint_codec::{Compressor, Format, Level};
use imprint_ntfs::{Overlay, RecordNumber, Swept, SweptValue, SystemFormat, Volume};
use imprint_testkit::{Kind, Mount, ntfs_volume, tools};

/// The chunks of a file, each compressed if that makes it smaller.
fn chunks(data: &[u8], format: Format, chunk_size: usize) -> Vec<Vec<u8>> {
    let size = u32::try_from(chunk_size).unwrap();
    let mut compressor = Compressor::new(format, size, Level::default()).unwrap();
    let mut room = vec![0; chunk_size];
    let mut one = |chunk: &[u8]| match compressor.compress(chunk, &mut room) {
        Some(length) => room[..length].to_vec(),
        None => chunk.to_vec(),
    };
    data.chunks(chunk_size).map(&mut one).collect()
}

/// The stream for a file of `size` bytes.
fn stream(size: u64, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut table = Vec::new();
    let mut end = 0_u64;
    for chunk in chunks.iter().rev().skip(1).rev() {
        end += chunk.len() as u64;
        let bytes = end.to_le_bytes();
        table.extend_from_slice(if size > u32::MAX.into() { &bytes } else { &bytes[..4] });
    }
    [table, chunks.concat()].concat()
}

/// Makes a file that is compressed by that algorithm.
fn make(at: &Path, name: &str, size: u64, stream: &[u8], algorithm: u8) {
    let file = fs_err::File::create(at.join(name)).unwrap();
    file.set_len(size).unwrap();
    drop(file);
    fs_err::write(at.join(format!("{name}:WofCompressedData")), stream).unwrap();
    let reparse = format!("0x1700008010000000010000000200000001000000{algorithm:02x}000000");
    let path = at.join(name);
    let words = ["-h", "-n", "system.ntfs_reparse_data", "-v", &reparse].map(AsRef::as_ref);
    tools::run(&tools::require("setfattr"), words.into_iter().chain([path.as_os_str()]));
}

fn open(path: &Path) -> Volume<fs_err::File> {
    Volume::open(fs_err::File::open(path).unwrap()).unwrap()
}

fn find(volume: &Volume<fs_err::File>, name: &str) -> Swept {
    let found = volume.find(name, &volume.upcase().unwrap()).unwrap().unwrap();
    volume.look(found.record).unwrap().unwrap()
}

/// Makes a volume with one such file, called `file`.
fn volume_with(path: &Path, size: u64, stream: &[u8], algorithm: u8) {
    ntfs_volume(path, 48);
    let at = path.with_extension("at");
    let mount = Mount::ntfs(path, &at, "rw,streams_interface=windows");
    make(mount.path(), "file", size, stream, algorithm);
}

const ALGORITHMS: [(SystemFormat, Format, usize); 4] = [
    (SystemFormat::Xpress4K, Format::Xpress, 4096),
    (SystemFormat::Lzx, Format::Lzx, 32_768),
    (SystemFormat::Xpress8K, Format::Xpress, 8192),
    (SystemFormat::Xpress16K, Format::Xpress, 16_384),
];

#[test]
fn interop_every_part_of_a_compressed_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    // Text is compressed; the noise in its middle is not.
    let mut data = Kind::Text.bytes(200_005, 1);
    data[70_000..140_000].copy_from_slice(&Kind::Random.bytes(70_000, 2));
    for (algorithm, (kind, format, chunk_size)) in (0..).zip(ALGORITHMS) {
        let chunks = chunks(&data, format, chunk_size);
        let compressed = chunks.iter().filter(|chunk| chunk.len() < chunk_size).count();
        assert!((2..chunks.len()).contains(&compressed));
        volume_with(&path, data.len() as u64, &stream(data.len() as u64, &chunks), algorithm);
        let volume = open(&path);
        let file = find(&volume, "file");
        let Overlay::Compressed(found) = file.overlay() else { panic!("{:?}", file.overlay()) };
        assert_eq!((found.format(), found.size()), (kind, data.len() as u64));
        let mut reader = volume.system_reader(&found).unwrap();
        for step in [data.len(), 65_536, chunk_size, chunk_size - 1, 999] {
            let mut read = vec![0xee; data.len()];
            for (number, part) in read.chunks_mut(step).enumerate() {
                reader.read(part, (number * step) as u64).unwrap();
            }
            assert!(read == data, "{kind} in steps of {step}");
        }
        let error = reader.read(&mut [0; 6], 200_000).unwrap_err().to_string();
        assert!(error.contains("range should end at or before 0x30d45"), "{error}");
    }
}

/// From 4 GiB on, ends of chunks have 8 bytes.
#[test]
fn interop_files_above_4_gib_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let zeros = chunks(&[0; 32_768], Format::Lzx, 32_768).remove(0);
    for size in [(4_u64 << 30) - 1, 4 << 30, (4 << 30) + 70_005] {
        let count = usize::try_from(size.div_ceil(32_768)).unwrap();
        let last = usize::try_from(size - (count as u64 - 1) * 32_768).unwrap();
        let mut all = vec![zeros.clone(); count - 1];
        all.push(Kind::Random.bytes(last, 3));
        volume_with(&path, size, &stream(size, &all), 1);
        let volume = open(&path);
        let Overlay::Compressed(found) = find(&volume, "file").overlay() else { panic!() };
        let mut reader = volume.system_reader(&found).unwrap();
        let mut read = vec![1; last + 10];
        reader.read(&mut read, size - last as u64 - 10).unwrap();
        assert_eq!(read[..10], [0; 10]);
        assert!(read[10..] == Kind::Random.bytes(last, 3), "{size}");
        reader.read(&mut read[..5], 2 << 30).unwrap();
        assert_eq!(read[..5], [0; 5]);
    }
}

#[test]
fn interop_hostile_streams_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let data = Kind::Text.bytes(10_000, 1);
    let chunks = chunks(&data, Format::Xpress, 4096);
    let good = stream(10_000, &chunks);
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let mut stream = good.clone();
        change(&mut stream);
        volume_with(&path, 10_000, &stream, 0);
        let volume = open(&path);
        let Overlay::Compressed(found) = find(&volume, "file").overlay() else { panic!() };
        let read = volume.system_reader(&found).and_then(|mut reader| {
            let mut read = vec![0; 10_000];
            reader.read(&mut read, 0).map(|()| read)
        });
        match read {
            Ok(read) => assert!(expected.is_empty() && read == data, "{expected}"),
            Err(error) => {
                let text = error.to_string();
                assert!(!expected.is_empty() && text.contains(expected), "{text}");
            }
        }
    };
    check(&|_| {}, "");
    check(&|stream| stream.truncate(7), "chunk table should end at or before 0x7, but ends at 0x8");
    check(&|stream| stream.truncate(8), "chunk should end at or before 0x0");
    check(&|stream| stream[..4].fill(0), "bytes of a chunk should be from 1 to 4096, but is 0");
    check(&|stream| stream[..4].fill(0xff), "chunk should end at or before 0x");
    check(&|stream| stream[4..8].fill(0), "bytes of a chunk should be from 1 to 4096, but is 0");
    check(&|stream| stream[1] += 0x0a, "bytes of a chunk should be from 1 to 4096, but is ");
    check(&|stream| stream[8..100].fill(0xff), "failed to decompress $DATA of file record 64");
    // A byte more than what it is for.
    check(&|stream| stream.extend([0; 4096]), "bytes of a chunk should be from 1 to 1808, but is ");
}

#[test]
fn interop_other_overlays_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 16);
    {
        let mount = Mount::ntfs(&path, &folder.path().join("at"), "rw,streams_interface=windows");
        make(mount.path(), "unknown", 10, b"0123456789", 4);
        fs_err::write(mount.path().join("wim"), b"").unwrap();
        fs_err::write(mount.path().join("alone"), b"").unwrap();
        let set = |name: &str, value: &str| {
            let path = mount.path().join(name);
            let words = ["-h", "-n", "system.ntfs_reparse_data", "-v", value].map(AsRef::as_ref);
            tools::run(&tools::require("setfattr"), words.into_iter().chain([path.as_os_str()]));
        };
        set("wim", "0x1700008010000000010000000100000001000000ffffffff");
        set("alone", "0x170000801000000001000000020000000100000000000000");
    }
    let volume = open(&path);
    let overlay = |name| find(&volume, name).overlay();
    assert!(matches!(overlay("unknown"), Overlay::Unknown));
    assert!(matches!(overlay("alone"), Overlay::Unknown));
    assert!(matches!(overlay("wim"), Overlay::Wim));
    let system = volume.look(RecordNumber(10)).unwrap().unwrap();
    assert!(matches!(system.overlay(), Overlay::None));
    assert!(matches!(&system.streams[0].value, SweptValue::Clusters(_)));
}
