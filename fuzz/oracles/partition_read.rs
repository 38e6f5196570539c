//! Whole devices: every partition lies inside, none overlaps another, their numbers rise, and all is
//! the same when it is read again.

use imprint_blockio::FlatDevice;
use imprint_partition::PartitionTable;

/// Bytes at the end of an input that stand at the end of the device; zeros lie between.
const TAIL: usize = 34 * 512;
/// The device's size is that of the input and a hole, so that backups are far away.
const HOLE: usize = 1 << 20;

pub(crate) fn check(bytes: &[u8]) {
    check_device(bytes);
    if let Some((head, tail)) = bytes.len().checked_sub(TAIL).map(|at| bytes.split_at(at)) {
        let mut device = head.to_vec();
        device.resize(head.len() + HOLE, 0);
        device.extend_from_slice(tail);
        check_device(&device);
    }
}

fn check_device(bytes: &[u8]) {
    for sector_size in [512, 4096] {
        let device = FlatDevice::new(bytes.to_vec(), sector_size);
        let Ok(Some(table)) = PartitionTable::read(&device) else { continue };
        assert_eq!(PartitionTable::read(&device).expect("it could be read"), Some(table.clone()));
        let partitions = table.partitions();
        assert!(partitions.windows(2).all(|pair| pair[0].number < pair[1].number));
        let mut real: Vec<_> =
            partitions.iter().filter(|partition| !partition.kind.is_extended()).collect();
        real.sort_by_key(|partition| partition.start);
        assert!(real.windows(2).all(|pair| pair[0].end() <= pair[1].start));
        assert!(partitions.iter().all(|found| found.len > 0 && found.end() <= bytes.len() as u64));
    }
}
