//! What the tests of VHD files share.

use imprint_blockio::{Extent, Resize, Sparse};
use imprint_progress::Progress;
use imprint_testkit::Random;
use imprint_vdisk::{
    Container, Finding, Kind, NewDisk, NewParent, Severity, VhdWriter, WriteIds, check_vhd,
};
use imprint_winvalues::{FileTime, Guid};

pub(crate) fn ids(seed: u8) -> WriteIds {
    let guid = |n| Guid::from_random([n; 16]);
    WriteIds { file_write: guid(1), data_write: guid(seed), log: guid(2) }
}

pub(crate) fn new_disk(kind: Kind, size: u64, block_size: Option<u32>) -> NewDisk {
    let parent = NewParent {
        identity: Guid::from_random([9; 16]),
        modified: FileTime::from_unix(1_700_000_000, 0),
        relative: r".\base.vhd".to_owned(),
        absolute: Some(r"D:\imprint\base.vhd".to_owned()),
    };
    NewDisk {
        kind,
        size,
        block_size,
        sector_size: 512,
        physical_sector_size: 512,
        identity: Guid::from_random([7; 16]),
        file_write: Guid::default(),
        disk_id: Guid::default(),
        created: FileTime::from_unix(1_700_000_000, 0),
        parent: (kind == Kind::Differencing).then_some(parent),
    }
}

/// The disk's contents, over those of its parent.
#[track_caller]
pub(crate) fn contents(disk: &dyn Container, parent: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.size()).unwrap()];
    let mut at = 0;
    while at < bytes.len() {
        let extent = disk.resolve(at as u64, (bytes.len() - at) as u64).unwrap();
        let end = at + usize::try_from(extent.len()).unwrap();
        match extent {
            Extent::Data { offset, .. } => {
                disk.storage().read_exact_at(&mut bytes[at..end], offset).unwrap();
            }
            Extent::Zero { .. } => {}
            Extent::Parent { .. } => {
                // What the parent does not have reads as zeros.
                let there = parent.len().min(end);
                if at < there {
                    bytes[at..there].copy_from_slice(&parent[at..there]);
                }
            }
        }
        at = end;
    }
    bytes
}

/// One change at random: sectors that are written or made zero, mostly few.
pub(crate) fn change<T: Sparse + Resize>(
    disk: &VhdWriter<T>,
    model: &mut [u8],
    random: &mut Random,
) {
    use imprint_vdisk::WritableContainer;
    let sectors = model.len() / 512;
    let first = random.index(sectors);
    let most = if random.chance(1, 8) { sectors } else { 20 };
    let count = 1 + random.index((sectors - first).min(most));
    let range = first * 512..(first + count) * 512;
    if random.chance(1, 5) {
        model[range.clone()].fill(0);
        disk.write_zeroes(range.start as u64, range.len() as u64).unwrap();
    } else {
        random.fill(&mut model[range.clone()]);
        disk.write(&model[range.clone()], range.start as u64).unwrap();
    }
}

/// All that checking finds.
#[track_caller]
pub(crate) fn findings(file: &impl Sparse) -> Vec<Finding> {
    let mut found = Vec::new();
    check_vhd(file, &Progress::new(), &mut |finding| found.push(finding)).unwrap();
    found
}

/// Nothing worse than wasted room and a footer to be restored.
#[track_caller]
pub(crate) fn assert_sound(file: &impl Sparse) {
    let errors: Vec<_> = findings(file)
        .into_iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .map(|finding| finding.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
