//! Where the partitions of a layout come to lie.

use std::ops::Range;

use imprint_winvalues::Guid;

use crate::layout::{GptEntryDisk, GptHeaderDisk};
use crate::wanted::MIB;
use crate::{
    Contents, GptAttributes, Layout, Partition, PartitionType, PlanError, Size, TableId, TableKind,
    Wanted,
};

/// Entries of a GPT, as all programs make it: 16 KiB of them.
pub(crate) const ENTRIES: u32 = 128;
/// Bytes of them.
pub(crate) const ENTRIES_LEN: u64 = ENTRIES as u64 * size_of::<GptEntryDisk>() as u64;
/// Entries of an MBR.
const MBR_ENTRIES: usize = 4;
/// What an MBR can count.
const MBR_SECTORS: u64 = 1 << 32;

/// A partition and what is to be made in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The partition, as it is read once the plan is written.
    pub partition: Partition,
    /// What it is to hold.
    pub contents: Contents,
    /// The label of the volume in it.
    pub label: String,
}

/// A partition table that is to be written, with every place and identifier decided.
///
/// **Contract.** Partitions begin and end at multiples of 1 MiB, lie inside the device and behind each
/// other; what is written is read as exactly these partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) id: TableId,
    pub(crate) len: u64,
    pub(crate) sector_size: u32,
    pub(crate) partitions: Vec<Planned>,
}

impl Plan {
    /// Places the partitions of `layout` on a device of `len` bytes. The identifiers are random: that
    /// of the disk, then those of the partitions ([`Layout::identifiers`] says how many).
    ///
    /// # Errors
    /// [`PlanError`] if the device has too little room or the layout asks for what its table cannot
    /// hold.
    pub fn new(
        layout: &Layout,
        len: u64,
        sector_size: u32,
        identifiers: &[Guid],
    ) -> Result<Self, PlanError> {
        if !matches!(sector_size, 512 | 4096) {
            return Err(PlanError::SectorSize { sector_size });
        }
        check(layout)?;
        let Some((disk, ids)) = identifiers.split_first() else {
            return Err(PlanError::Identifiers { expected: layout.identifiers(), actual: 0 });
        };
        if ids.len() < layout.partitions.len() {
            let (expected, actual) = (layout.identifiers(), identifiers.len());
            return Err(PlanError::Identifiers { expected, actual });
        }
        let places = place(layout, room(layout.table, len, sector_size))?;
        let wishes = layout.partitions.iter().zip(ids).zip(places);
        let partitions = (1..)
            .zip(wishes)
            .map(|(number, ((wanted, &id), place))| {
                planned(layout.table, number, wanted, id, place)
            })
            .collect();
        let id = match layout.table {
            TableKind::Gpt => TableId::Gpt(*disk),
            TableKind::Mbr => TableId::Mbr(signature(disk)),
        };
        Ok(Self { id, len, sector_size, partitions })
    }

    /// By which the disk will be told apart, and the kind of the table.
    #[must_use]
    pub const fn id(&self) -> TableId {
        self.id
    }

    /// The size of the device in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a device with a plan is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The sector size the table counts in, bytes.
    #[must_use]
    pub const fn sector_size(&self) -> u32 {
        self.sector_size
    }

    /// The partitions, in the order of their numbers and places.
    #[must_use]
    pub fn partitions(&self) -> &[Planned] {
        &self.partitions
    }

    /// Bytes at the device's end that no partition takes.
    #[must_use]
    pub fn unused(&self) -> u64 {
        self.len - self.partitions.last().map_or(0, |last| last.partition.end())
    }
}

/// A signature of a disk is never 0, which is that of a disk without one.
fn signature(id: &Guid) -> u32 {
    let bytes = id.0.first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(bytes).max(1)
}

/// Refuses what no table of this kind can hold.
fn check(layout: &Layout) -> Result<(), PlanError> {
    let (count, most) = match layout.table {
        TableKind::Gpt => (layout.partitions.len(), ENTRIES as usize),
        TableKind::Mbr => (layout.partitions.len(), MBR_ENTRIES),
    };
    if count > most {
        return Err(PlanError::TooMany { table: layout.table, most, count });
    }
    let (mut rest, mut active) = (None, None);
    for (number, wanted) in (1..).zip(&layout.partitions) {
        check_wanted(layout.table, number, wanted)?;
        if wanted.size == Size::Rest
            && let Some(first) = rest.replace(number)
        {
            return Err(PlanError::SecondRest { first, second: number });
        }
        if wanted.active
            && let Some(first) = active.replace(number)
        {
            return Err(PlanError::SecondActive { first, second: number });
        }
    }
    Ok(())
}

fn check_wanted(table: TableKind, number: u32, wanted: &Wanted) -> Result<(), PlanError> {
    let (kind, fits) = (
        wanted.kind,
        match (table, wanted.kind) {
            (TableKind::Gpt, PartitionType::Gpt(id)) => id != Guid::default(),
            // An extended partition would have to hold something, a protective one a GPT.
            (TableKind::Mbr, PartitionType::Mbr(byte)) => {
                !matches!(byte, 0 | crate::mbr::PROTECTIVE) && !wanted.kind.is_extended()
            }
            (TableKind::Gpt, PartitionType::Mbr(_)) | (TableKind::Mbr, PartitionType::Gpt(_)) => {
                false
            }
        },
    );
    if !fits {
        return Err(PlanError::Kind { number, table, kind });
    }
    let units = wanted.name.encode_utf16().count();
    if units > size_of::<[u16; 36]>() / 2 {
        return Err(PlanError::Name { number, units });
    }
    let only_gpt = !wanted.name.is_empty() || wanted.attributes != GptAttributes::empty();
    match table {
        TableKind::Gpt if wanted.active => {
            Err(PlanError::NotKept { number, table, what: "active" })
        }
        TableKind::Mbr if only_gpt => {
            Err(PlanError::NotKept { number, table, what: "name or attributes" })
        }
        TableKind::Gpt | TableKind::Mbr => Ok(()),
    }
}

/// The bytes of a device that partitions may take: whole MiB. Empty if there are none.
fn room(table: TableKind, len: u64, sector_size: u32) -> Range<u64> {
    let sector = u64::from(sector_size);
    let whole = len / sector * sector;
    let end = match table {
        TableKind::Gpt => whole.saturating_sub(sector + ENTRIES_LEN),
        // As Windows does it: it needs room there to make a disk a dynamic one.
        TableKind::Mbr => whole.saturating_sub(MIB).min((MBR_SECTORS - 1) * sector),
    };
    MIB..(end / MIB * MIB).max(MIB)
}

/// Where each partition lies.
fn place(layout: &Layout, room: Range<u64>) -> Result<Vec<Range<u64>>, PlanError> {
    let all = room.end - room.start;
    let fixed = |size| match size {
        Size::Bytes(bytes) => bytes.max(1).checked_next_multiple_of(MIB).unwrap_or(u64::MAX),
        Size::Percent(percent) => (all / 100 * u64::from(percent) / MIB * MIB).max(MIB),
        Size::Rest => 0,
    };
    let sizes = layout.partitions.iter().map(|wanted| fixed(wanted.size));
    let taken = sizes.clone().fold(0_u64, u64::saturating_add);
    let has_rest = layout.partitions.iter().any(|wanted| wanted.size == Size::Rest);
    let least = if has_rest { taken.saturating_add(MIB) } else { taken };
    if least > all {
        return Err(PlanError::TooSmall { needed: least, room: all });
    }
    let mut start = room.start;
    let mut places = Vec::with_capacity(layout.partitions.len());
    for (wanted, size) in layout.partitions.iter().zip(sizes) {
        let size = if wanted.size == Size::Rest { all - taken } else { size };
        places.push(start..start + size);
        start += size;
    }
    Ok(places)
}

fn planned(table: TableKind, number: u32, wanted: &Wanted, id: Guid, place: Range<u64>) -> Planned {
    let partition = Partition {
        number,
        start: place.start,
        len: place.end - place.start,
        kind: wanted.kind,
        id: (table == TableKind::Gpt).then_some(id),
        name: wanted.name.clone(),
        attributes: wanted.attributes,
        active: wanted.active,
    };
    Planned { partition, contents: wanted.contents, label: wanted.label.clone() }
}

const _: () = assert!(size_of::<GptHeaderDisk>() <= 512, "a header lies in one sector");
