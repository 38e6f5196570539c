//! What a volume says of itself, and whether it was left in order.

mod log;

use std::fmt;

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::WinName;
use zerocopy::FromBytes;

pub use log::LogState;

use crate::layout::VolumeInformationDisk;
use crate::{
    AttributeKind, Corruption, File, FileValue, ReadError, RecordNumber, Structure, Volume,
};

/// `$Volume`.
const VOLUME: RecordNumber = RecordNumber(3);
/// What Windows keeps its memory in while it hibernates.
const HIBERNATION_FILE: &str = "hiberfil.sys";
/// Bytes of the header of that file. One that is shorter belongs to a Windows on another volume.
const HIBERNATION_HEADER: u64 = 4096;

/// What `$Volume` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeInformation {
    /// The label; empty if it has none.
    pub label: WinName,
    /// The version of NTFS, major and minor: 3.1 since Windows XP.
    pub version: (u8, u8),
    /// What is to be done with the volume.
    pub flags: VolumeFlags,
}

/// The flags of `$Volume`. Unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeFlags(pub u16);

impl VolumeFlags {
    /// It must be checked.
    pub const DIRTY: Self = Self(0x1);
    /// `$LogFile` is to get another size.
    pub const RESIZE_LOG: Self = Self(0x2);
    /// It is to be made a volume of a newer version.
    pub const UPGRADE: Self = Self(0x4);
    /// Windows NT 4 used it.
    pub const MOUNTED_BY_NT4: Self = Self(0x8);
    /// The journal is being removed.
    pub const DELETE_JOURNAL: Self = Self(0x10);
    /// Object ids are to be repaired.
    pub const REPAIR_OBJECT_IDS: Self = Self(0x20);
    /// chkdsk has not ended its work.
    pub const CHKDSK_UNDERWAY: Self = Self(0x4000);
    /// chkdsk changed it.
    pub const CHANGED_BY_CHKDSK: Self = Self(0x8000);

    /// Whether all of these are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The names of those that are set; unknown ones have none.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let known = [
            (Self::DIRTY, "dirty"),
            (Self::RESIZE_LOG, "resize_log"),
            (Self::UPGRADE, "upgrade"),
            (Self::MOUNTED_BY_NT4, "mounted_by_nt4"),
            (Self::DELETE_JOURNAL, "delete_journal"),
            (Self::REPAIR_OBJECT_IDS, "repair_object_ids"),
            (Self::CHKDSK_UNDERWAY, "chkdsk_underway"),
            (Self::CHANGED_BY_CHKDSK, "changed_by_chkdsk"),
        ];
        known.into_iter().filter_map(move |(flag, name)| self.contains(flag).then_some(name))
    }
}

/// Whether a Windows that uses the volume sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hibernation {
    /// The volume has no `hiberfil.sys`.
    NoFile,
    /// It has one, in which no Windows sleeps.
    Awake,
    /// It has one in which Windows sleeps.
    Asleep,
    /// It has one without a whole header, which is that of a Windows on another volume. ntfs-3g takes it for asleep.
    Elsewhere,
}

/// Whether the volume was left in order, by all that knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeState {
    /// The flags of `$Volume`.
    pub flags: VolumeFlags,
    /// Whether Windows sleeps.
    pub hibernation: Hibernation,
    /// What `$LogFile` says.
    pub log: LogState,
    /// Whether an edit of ours was cut off whose changes are complete: the next one finishes it.
    pub interrupted: bool,
}

impl VolumeState {
    /// Why the volume must not be changed, and may not read as Windows would; empty if it was left in order.
    #[must_use]
    pub fn reasons(&self) -> Vec<Unclean> {
        if self.interrupted {
            // It explains the rest.
            return vec![Unclean::Interrupted];
        }
        let hibernates = matches!(self.hibernation, Hibernation::Asleep | Hibernation::Elsewhere);
        let log = match self.log {
            LogState::Empty | LogState::Clean => None,
            LogState::Open => Some(Unclean::LogOpen),
            LogState::Cached => Some(Unclean::LogCached),
            LogState::Damaged => Some(Unclean::LogDamaged),
        };
        let found = [
            self.flags.contains(VolumeFlags::DIRTY).then_some(Unclean::Dirty),
            self.flags.contains(VolumeFlags::CHKDSK_UNDERWAY).then_some(Unclean::ChkdskUnderway),
            hibernates.then_some(Unclean::Hibernated),
            log,
        ];
        found.into_iter().flatten().collect()
    }
}

/// Why a volume must not be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unclean {
    /// The flag in `$Volume` is set.
    Dirty,
    /// chkdsk was stopped.
    ChkdskUnderway,
    /// Windows sleeps and will go on with what it knows of the volume.
    Hibernated,
    /// `$LogFile` was not closed.
    LogOpen,
    /// Windows shut down in part only and keeps what it knows of the volume.
    LogCached,
    /// `$LogFile` says nothing that can be understood.
    LogDamaged,
    /// An edit of ours was cut off.
    Interrupted,
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dirty => "it is marked as dirty",
            Self::ChkdskUnderway => "chkdsk has not ended its work on it",
            Self::Hibernated => "Windows hibernates on it",
            Self::LogOpen => "its $LogFile was not closed",
            Self::LogCached => "Windows still keeps parts of it in memory (fast startup)",
            Self::LogDamaged => "its $LogFile has no whole restart page",
            Self::Interrupted => "an edit was cut off; the next one, or a repair, finishes it",
        })
    }
}

impl<D: ReadAt> Volume<D> {
    /// Reads what `$Volume` says.
    ///
    /// # Errors
    /// [`ReadError`], also if it does not say its version.
    pub fn information(&self) -> Result<VolumeInformation, ReadError> {
        let file = self.file(VOLUME)?;
        let label = resident(file.as_ref(), AttributeKind::VOLUME_NAME);
        let label = WinName::from_le_bytes(label.map_or(&[], |(bytes, _)| bytes));
        let kind = AttributeKind::VOLUME_INFORMATION;
        let (value, at) = resident(file.as_ref(), kind).unwrap_or((&[], 0));
        let Ok((disk, _)) = VolumeInformationDisk::read_from_prefix(value) else {
            let expected = Expected::AtLeast(size_of::<VolumeInformationDisk>() as u64);
            let (structure, field) = (Structure::Attribute(VOLUME, kind), "bytes of value");
            let actual = value.len() as u64;
            return Err(Corruption::number(structure, at, field, expected, actual).into());
        };
        let flags = VolumeFlags(disk.flags.get());
        Ok(VolumeInformation { label, version: (disk.major, disk.minor), flags })
    }

    /// Finds out whether the volume was left in order.
    ///
    /// # Errors
    /// [`ReadError`] in what tells it: `$Volume`, `$LogFile`, `$UpCase`, the root directory, `hiberfil.sys`.
    pub fn state(&self) -> Result<VolumeState, ReadError> {
        let flags = self.information()?.flags;
        let interrupted = crate::is_interrupted(self).unwrap_or(false);
        let (hibernation, log) = (self.hibernation()?, self.log_state()?);
        Ok(VolumeState { flags, hibernation, log, interrupted })
    }

    fn hibernation(&self) -> Result<Hibernation, ReadError> {
        let Some(found) = self.find(HIBERNATION_FILE, &self.upcase()?)? else {
            return Ok(Hibernation::NoFile);
        };
        let file = self.file(found.record)?;
        let Some(value) = main_data(file.as_ref()) else { return Ok(Hibernation::Elsewhere) };
        let clusters = match value {
            FileValue::Clusters(clusters) if clusters.size() >= HIBERNATION_HEADER => clusters,
            FileValue::Clusters(_) | FileValue::Resident(_) => return Ok(Hibernation::Elsewhere),
        };
        let mut mark = [0; 4];
        self.read_value(clusters, &mut mark, 0)?;
        // Windows before Vista wrote it small.
        Ok(if mark.eq_ignore_ascii_case(b"hibr") {
            Hibernation::Asleep
        } else {
            Hibernation::Awake
        })
    }
}

/// The first value of a type that stands in the record, and where its attribute is.
fn resident(file: Option<&File>, kind: AttributeKind) -> Option<(&[u8], u64)> {
    let mut attributes = file.into_iter().flat_map(|file| &file.attributes);
    attributes.find_map(|attribute| match &attribute.value {
        FileValue::Resident(value) if attribute.kind == kind => Some((&**value, attribute.offset)),
        _ => None,
    })
}

/// The value of a file's main data.
fn main_data(file: Option<&File>) -> Option<&FileValue> {
    let mut attributes = file.into_iter().flat_map(|file| &file.attributes);
    let found = attributes.find(|a| a.kind == AttributeKind::DATA && a.name.is_empty());
    found.map(|attribute| &attribute.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: VolumeState = VolumeState {
        flags: VolumeFlags(0),
        hibernation: Hibernation::Awake,
        log: LogState::Clean,
        interrupted: false,
    };

    #[track_caller]
    fn check(state: VolumeState, expected: &[Unclean]) {
        assert_eq!(state.reasons(), expected);
    }

    #[test]
    fn each_sign_of_disorder_is_a_reason() {
        check(FINE, &[]);
        check(
            VolumeState { flags: VolumeFlags(1), interrupted: true, ..FINE },
            &[Unclean::Interrupted],
        );
        check(VolumeState { hibernation: Hibernation::NoFile, log: LogState::Empty, ..FINE }, &[]);
        check(VolumeState { flags: VolumeFlags(0x8002), ..FINE }, &[]);
        check(VolumeState { flags: VolumeFlags(0x8001), ..FINE }, &[Unclean::Dirty]);
        check(VolumeState { flags: VolumeFlags(0x4000), ..FINE }, &[Unclean::ChkdskUnderway]);
        for hibernation in [Hibernation::Asleep, Hibernation::Elsewhere] {
            check(VolumeState { hibernation, ..FINE }, &[Unclean::Hibernated]);
        }
        check(VolumeState { log: LogState::Open, ..FINE }, &[Unclean::LogOpen]);
        check(VolumeState { log: LogState::Cached, ..FINE }, &[Unclean::LogCached]);
        check(
            VolumeState { flags: VolumeFlags(1), log: LogState::Damaged, ..FINE },
            &[Unclean::Dirty, Unclean::LogDamaged],
        );
    }

    #[test]
    fn flags_have_names() {
        let names: Vec<_> = VolumeFlags(0xffff).names().collect();
        assert_eq!(names.len(), 8);
        assert_eq!(VolumeFlags(0x41).names().collect::<Vec<_>>(), ["dirty"]);
    }
}
