//! Entries of directories.

use imprint_blockio::Expected;
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, WinName};
use zerocopy::FromBytes as _;

use crate::layout::{EntryDisk, LongDisk};
use crate::name::{self, Collector, ShortName};
use crate::time::DosTime;
use crate::{Corruption, Structure};

/// Where an entry stands: the byte of the volume, and of the first piece of its long name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub(crate) byte: u64,
    /// Its number in the directory, and that of its first piece.
    pub(crate) slots: (u32, u32),
}

/// A file or directory, as its directory says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The long name, or the short one if there is none.
    pub name: WinName,
    /// The short name beside a long one; empty if there is none.
    pub short_name: WinName,
    /// Read-only, hidden, system, directory, archive.
    pub attributes: Attributes,
    /// The times, taken as UTC. Last access has a date only.
    pub times: Times,
    /// Bytes of a file; 0 for directories.
    pub size: u32,
    /// Where the entry stands.
    pub place: Place,
    pub(crate) first: u32,
    pub(crate) stored_name: ShortName,
}

impl Entry {
    /// Whether it is a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        self.attributes.contains(Attributes::DIRECTORY)
    }
}

/// What a directory holds.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Its entries in their order, without `.` and `..`.
    pub entries: Vec<Entry>,
    /// Entries that have no name and are left out.
    pub faults: Vec<Corruption>,
    /// The label of the volume, if it stands here.
    pub(crate) label: Option<ShortName>,
    /// The slots in use: all before the end.
    pub(crate) used: Vec<bool>,
}

/// The bits of Windows that FAT has.
pub(crate) const KEPT: Attributes = Attributes::READONLY
    .union(Attributes::HIDDEN)
    .union(Attributes::SYSTEM)
    .union(Attributes::DIRECTORY)
    .union(Attributes::ARCHIVE);

impl Listing {
    /// Reads a directory whose bytes are these; `byte` says where on the volume an entry stands.
    pub(crate) fn new(bytes: &[u8], byte: impl Fn(u32) -> u64) -> Self {
        let mut listing = Self::default();
        let mut collector = Collector::default();
        let mut first_slot = None;
        for (slot, raw) in (0_u32..).zip(bytes.as_chunks::<{ EntryDisk::LEN }>().0) {
            let Ok(disk) = EntryDisk::read_from_bytes(raw) else { break };
            let [mark, ..] = disk.name;
            if mark == EntryDisk::END {
                break;
            }
            listing.used.push(mark != EntryDisk::FREE);
            if mark == EntryDisk::FREE {
                (collector, first_slot) = (Collector::default(), None);
            } else if disk.attributes & EntryDisk::ATTRIBUTES == EntryDisk::LONG {
                if let Ok(piece) = LongDisk::read_from_bytes(raw) {
                    if piece.order & LongDisk::LAST != 0 || first_slot.is_none() {
                        first_slot = Some(slot);
                    }
                    collector.push(&piece);
                }
            } else {
                let long = collector.take(&disk.name);
                let start = first_slot.take().filter(|_| long.is_some()).unwrap_or(slot);
                let place = Place { byte: byte(slot), slots: (start, slot) };
                listing.add(&disk, long, place);
            }
        }
        listing
    }

    fn add(&mut self, disk: &EntryDisk, long: Option<WinName>, place: Place) {
        if disk.attributes & EntryDisk::LABEL != 0 {
            self.label.get_or_insert(disk.name);
            return;
        }
        let is_dots = matches!(&disk.name, b".          " | b"..         ");
        if is_dots {
            return;
        }
        let short = name::short_text(&disk.name, disk.case);
        // Names with a zero or a slash cannot be had through any system.
        let illegal = |name: &WinName| {
            name.is_empty()
                || name.is_dots()
                || name.units().iter().any(|unit| matches!(unit, 0 | 0x2f | 0x5c))
        };
        let long = long.filter(|name| !illegal(name));
        if long.is_none() && illegal(&short) {
            let [first, ..] = disk.name;
            let expected = Expected::AtLeast(0x21);
            self.faults.push(Corruption::number(
                Structure::Directory,
                place.byte,
                "name",
                expected,
                first.into(),
            ));
            return;
        }
        let attributes = Attributes::from_bits_retain(disk.attributes.into()) & KEPT;
        let is_directory = attributes.contains(Attributes::DIRECTORY);
        let (name, short_name) = match long {
            Some(long) => (long, short),
            None => (short, WinName::default()),
        };
        self.entries.push(Entry {
            name,
            short_name,
            attributes,
            times: times(disk),
            size: if is_directory { 0 } else { disk.size.get() },
            place,
            first: u32::from(disk.first_high.get()) << 16 | u32::from(disk.first_low.get()),
            stored_name: disk.name,
        });
    }
}

fn times(disk: &EntryDisk) -> Times {
    let time = |date: u16, time, hundredths| DosTime { date, time, hundredths }.to_file_time();
    Times {
        creation: time(disk.created_date.get(), disk.created_time.get(), disk.created_hundredths),
        access: time(disk.accessed_date.get(), 0, 0),
        write: time(disk.written_date.get(), disk.written_time.get(), 0),
        change: None,
    }
}

/// Puts attributes and times into an entry.
pub(crate) fn describe(disk: &mut EntryDisk, attributes: Attributes, times: &Times) {
    let bits = (attributes & KEPT).bits();
    disk.attributes = u8::try_from(bits).unwrap_or(0);
    let (created, written) = (DosTime::new(times.creation), DosTime::new(times.write));
    disk.created_date = created.date.into();
    disk.created_time = created.time.into();
    disk.created_hundredths = created.hundredths;
    disk.accessed_date = DosTime::new(times.access).date.into();
    disk.written_date = written.date.into();
    disk.written_time = written.time.into();
}

/// Puts the first cluster into an entry.
pub(crate) fn set_first(disk: &mut EntryDisk, first: u32) {
    let [a, b, c, d] = first.to_le_bytes();
    disk.first_low = u16::from_le_bytes([a, b]).into();
    disk.first_high = u16::from_le_bytes([c, d]).into();
}
