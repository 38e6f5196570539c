//! The beginning of a volume, boot sector and `$MFT`, as it is and with its records made whole. What opens can be
//! swept and read: every file or an error, no value longer than it says, and runs inside the volume.

use std::io;

use imprint_blockio::ReadAt;
use imprint_ntfs::{Swept, SweptValue, Volume};

/// Bytes of the volume; behind the input they are zeros.
const LENGTH: u64 = 2 << 20;
/// Records that are looked at, so that an input takes little time.
const RECORDS: u64 = 256;
/// Bytes of a value that are read.
const READ: u64 = 100_000;

pub(crate) fn check(bytes: &[u8]) {
    check_volume(bytes);
    let mut mended = bytes.to_vec();
    for record in mended.chunks_exact_mut(1024).filter(|record| record.starts_with(b"FILE")) {
        mend(record);
    }
    check_volume(&mended);
}

/// Makes the update sequence of a record right.
fn mend(record: &mut [u8]) {
    record[4..8].copy_from_slice(&[0x30, 0, 3, 0]);
    let number = [record[0x30], record[0x31]];
    for end in [510, 1022] {
        record[end..end + 2].copy_from_slice(&number);
    }
}

/// Bytes with zeros behind them.
struct Padded<'a>(&'a [u8]);

impl ReadAt for Padded<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > LENGTH) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.fill(0);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.0.get(start..).unwrap_or_default();
        let length = found.len().min(buf.len());
        buf[..length].copy_from_slice(&found[..length]);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(LENGTH)
    }
}

fn check_volume(bytes: &[u8]) {
    let Ok(volume) = Volume::open(Padded(bytes)) else { return };
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
}

fn read(volume: &Volume<Padded<'_>>, file: &Swept, clusters: u64) {
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
}
