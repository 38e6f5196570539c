//! Layout files: whatever is understood is placed inside the device or refused, and what is placed is
//! written and read as it was planned.

use imprint_blockio::{FlatDevice, MemoryFile};
use imprint_partition::{Layout, PartitionTable, Plan};
use imprint_winvalues::Guid;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(layout) = Layout::parse(text) else { return };
    let identifiers: Vec<_> = (0..layout.identifiers())
        .map(|number| Guid::from_random([u8::try_from(number).unwrap_or(0); 16]))
        .collect();
    for (len, sector_size) in [(8 << 20, 512), (8 << 20, 4096), (u64::MAX, 512)] {
        let Ok(plan) = Plan::new(&layout, len, sector_size, &identifiers) else { continue };
        let mut free = 0;
        for planned in plan.partitions() {
            assert!(planned.partition.start >= free && planned.partition.len > 0);
            free = planned.partition.end();
        }
        assert!(free <= len);
        if len > 8 << 20 {
            continue;
        }
        let device = FlatDevice::new(MemoryFile::new(vec![0; 8 << 20]), sector_size);
        plan.write(&device).expect("memory takes all");
        let table = PartitionTable::read(&device).expect("it is whole").expect("it is there");
        let planned = plan.partitions().iter().map(|planned| &planned.partition);
        // In names a zero is the end.
        let names = planned.clone().any(|partition| partition.name.contains('\0'));
        assert!(names || table.partitions().iter().eq(planned));
    }
}
