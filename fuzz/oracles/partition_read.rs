//! Whole devices: every partition lies inside, none overlaps another, their numbers rise, and all is
//! the same when it is read again. Each input is tried as it is, and with checksums made right, which
//! fuzzing alone hardly gets past.

use imprint_blockio::FlatDevice;
use imprint_partition::PartitionTable;

pub(crate) fn check(bytes: &[u8]) {
    for sector_size in [512, 4096] {
        check_device(bytes.to_vec(), sector_size);
        let mut sealed = bytes.to_vec();
        let sector = sector_size as usize;
        let last = (bytes.len() / sector).saturating_sub(1);
        for header in [1, last] {
            let _too_short = seal(&mut sealed, header * sector, sector);
        }
        check_device(sealed, sector_size);
    }
}

/// Makes the checksums of the GPT header at byte `header` right.
fn seal(bytes: &mut [u8], header: usize, sector: usize) -> Option<()> {
    let field = |at: usize| {
        let field = bytes.get(header + at..header + at + 4)?;
        Some(u32::from_le_bytes(field.try_into().ok()?) as usize)
    };
    let (size, entries, len) = (field(12)?, field(72)?, field(80)?.checked_mul(field(84)?)?);
    let start = entries.checked_mul(sector)?;
    if let Some(all) = bytes.get(start..start.checked_add(len)?) {
        let sum = crc32fast::hash(all);
        bytes.get_mut(header + 88..header + 92)?.copy_from_slice(&sum.to_le_bytes());
    }
    bytes.get_mut(header + 16..header + 20)?.fill(0);
    let sum = crc32fast::hash(bytes.get(header..header.checked_add(size)?)?);
    bytes.get_mut(header + 16..header + 20)?.copy_from_slice(&sum.to_le_bytes());
    Some(())
}

fn check_device(bytes: Vec<u8>, sector_size: u32) {
    let len = bytes.len() as u64;
    let device = FlatDevice::new(bytes, sector_size);
    let Ok(Some(table)) = PartitionTable::read(&device) else { return };
    assert_eq!(PartitionTable::read(&device).expect("it could be read"), Some(table.clone()));
    let partitions = table.partitions();
    assert!(partitions.windows(2).all(|pair| pair[0].number < pair[1].number));
    let mut real: Vec<_> =
        partitions.iter().filter(|partition| !partition.kind.is_extended()).collect();
    real.sort_by_key(|partition| partition.start);
    assert!(real.windows(2).all(|pair| pair[0].end() <= pair[1].start));
    assert!(partitions.iter().all(|found| found.len > 0 && found.end() <= len));
}
