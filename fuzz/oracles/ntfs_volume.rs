//! Parts of a volume, as they are and with their update sequences made right. What opens can be swept, read, and
//! looked into: every file or an error, no value longer than it says, runs inside the volume, and every name of a
//! directory in order is found.
//!
//! An input is the boot sector and parts of the volume: where each begins and how long it is, in sectors, two bytes
//! each, and its bytes. What no part covers is zeros.

use std::sync::LazyLock;

use imprint_ntfs::{Overlay, RecordNumber, Swept, SweptValue, UpCase, Volume};

/// Bytes of the volume.
const LENGTH: usize = 2 << 20;
/// Bytes of a sector.
const SECTOR: usize = 512;
/// Records that are looked at, so that an input takes little time.
const RECORDS: u64 = 256;
/// Names of a directory that are looked at.
const NAMES: usize = 200;
/// Bytes of a value that are read.
const READ: u64 = 100_000;

pub(crate) fn check(bytes: &[u8]) {
    let mut volume = lay_out(bytes);
    check_volume(&volume);
    for at in (0..LENGTH).step_by(SECTOR) {
        mend(&mut volume[at..]);
    }
    check_volume(&volume);
}

/// Puts the parts of an input where they belong.
pub(crate) fn lay_out(bytes: &[u8]) -> Vec<u8> {
    let mut volume = vec![0; LENGTH];
    let (boot, mut parts) = bytes.split_at(bytes.len().min(SECTOR));
    volume[..boot.len()].copy_from_slice(boot);
    while let Some((&[a, b, c, d], rest)) = parts.split_first_chunk() {
        let [at, length] = [[a, b], [c, d]].map(|pair| usize::from(u16::from_le_bytes(pair)));
        let (part, rest) = rest.split_at(rest.len().min(length * SECTOR));
        let target = volume.get_mut(at * SECTOR..).unwrap_or_default();
        target.iter_mut().zip(part).for_each(|(to, &from)| *to = from);
        parts = rest;
    }
    volume
}

/// Makes the update sequence of a record or an index block right.
fn mend(bytes: &mut [u8]) {
    let (start, sectors) = match bytes.first_chunk() {
        Some(b"FILE") => (0x30, 2),
        Some(b"INDX") => (0x28, 8),
        _ => return,
    };
    let Some(bytes) = bytes.get_mut(..sectors * SECTOR) else { return };
    bytes[4..8].copy_from_slice(&[start, 0, u8::try_from(sectors).unwrap() + 1, 0]);
    let start = usize::from(start);
    let number = [bytes[start], bytes[start + 1]];
    for end in (1..=sectors).map(|sector| sector * SECTOR) {
        bytes[end - 2..end].copy_from_slice(&number);
    }
}

fn check_volume(bytes: &[u8]) {
    let Ok(volume) = Volume::open(bytes) else { return };
    let geometry = *volume.geometry();
    let _found = volume.security_index().map(|index| {
        for id in [0, 0x100, 0x101] {
            let _read = volume.security_descriptor(&index, id);
        }
    });
    volume.sweep(0..RECORDS, |number, found| match found {
        Ok(file) => {
            assert_eq!(file.reference.record, number);
            read(&volume, &file, geometry.clusters());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    });
    let _told = volume.information();
    let _told = volume.state().map(|state| state.reasons());
    let _counted = volume.record_bits().map(|mut bits| bits.count_set());
    check_used(&volume, geometry.clusters());
    static UPCASE: LazyLock<UpCase> = LazyLock::new(UpCase::windows);
    for number in (0..RECORDS).map(RecordNumber) {
        check_directory(&volume, number, &UPCASE);
    }
}

/// Ranges of used clusters lie in the volume, in order, with something free between them.
fn check_used(volume: &Volume<&[u8]>, clusters: u64) {
    let Ok(ranges) = volume.used_ranges() else { return };
    let mut free_from = 0;
    for range in ranges.map_while(Result::ok) {
        assert!(range.length > 0 && (free_from == 0 || range.first.0 > free_from));
        free_from = range.first.0 + range.length;
        assert!(free_from <= clusters);
    }
}

/// What is listed is found, if all names are and they are in their order: else one may stand where nobody looks.
fn check_directory(volume: &Volume<&[u8]>, number: RecordNumber, upcase: &UpCase) {
    let Ok(Some(directory)) = volume.directory(number) else { return };
    let Ok(entries) = directory.entries() else { return };
    let found: Vec<_> = entries.take(NAMES).collect();
    let is_whole = found.len() < NAMES && found.iter().all(Result::is_ok);
    let listed: Vec<_> = found.into_iter().map_while(Result::ok).collect();
    let in_order = listed.is_sorted_by(|a, b| upcase.order(&a.name, &b.name).is_lt());
    for entry in &listed {
        let found = directory.lookup(&entry.name, upcase);
        if is_whole && in_order {
            assert_eq!(found.unwrap().as_ref(), Some(entry));
        } else if let Ok(Some(found)) = found {
            assert!(upcase.compare(&found.name, &entry.name).is_eq());
        }
    }
}

fn read(volume: &Volume<&[u8]>, file: &Swept, clusters: u64) {
    for stream in &file.streams {
        let SweptValue::Clusters(value) = &stream.value else { continue };
        for run in value.runs() {
            assert!(run.lcn.is_none_or(|lcn| lcn.0 + run.length <= clusters));
        }
        let length = value.size().min(READ);
        let mut bytes = vec![0xee; usize::try_from(length).unwrap()];
        if volume.read_value(value, &mut bytes, 0).is_ok() {
            let last = value.size() - length.min(100);
            let mut tail = vec![0; usize::try_from(length.min(100)).unwrap()];
            let _read = volume.read_value(value, &mut tail, last);
        }
        assert!(volume.read_value(value, &mut [0; 2], value.size()).is_err());
    }
    let Overlay::Compressed(data) = file.overlay() else { return };
    let Ok(mut reader) = volume.system_reader(&data) else { return };
    let mut bytes = vec![0xee; usize::try_from(data.size().min(READ)).unwrap()];
    if reader.read(&mut bytes, 0).is_ok() {
        let mut again = vec![0; bytes.len()];
        again.chunks_mut(1000).enumerate().for_each(|(number, part)| {
            reader.read(part, number as u64 * 1000).unwrap();
        });
        assert!(again == bytes);
    }
    assert!(reader.read(&mut [0; 2], data.size()).is_err());
}
