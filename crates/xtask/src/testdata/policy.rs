//! What should become of each file: most are sound, some are broken on purpose.

use imprint_testkit::disks::Reader;

/// What should become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Everything is there and is right.
    Sound,
    /// It can be listed; some of its data is damaged, which verify and apply must say.
    Damaged,
    /// Names in it cannot be had at the same time, or lead out of the target: they are left out.
    Odd,
    /// It is no container, nothing in it can be trusted, or it has a form we do not read: an error.
    Refused,
}

/// The files that are not sound. What is wrong with each stands in the README beside it.
const NOT_SOUND: [(&str, Policy); 7] = [
    // Sound, but pipable: a form of wimlib's own, see SHORTCOMINGS.md.
    ("wim-crate-wim-format/pipable-resource.wim", Policy::Refused),
    ("wim-wimlib/corrupted_file_1.wim", Policy::Damaged),
    ("wim-wimlib/corrupted_file_2.wim", Policy::Damaged),
    ("wim-wimlib/cyclic.wim", Policy::Refused),
    ("wim-wimlib/dotdot.wim", Policy::Odd),
    ("wim-wimlib/duplicate_names.wim", Policy::Odd),
    ("wim-wimlib/fuzzcorpus0.wim", Policy::Refused),
];

pub(super) fn of(file: &str) -> Policy {
    let entry = NOT_SOUND.iter().find(|(name, _)| *name == file);
    entry.map_or(Policy::Sound, |(_, policy)| *policy)
}

impl Policy {
    /// The exit codes `imprint verify` may have.
    pub(super) const fn verify_codes(self) -> &'static [i32] {
        match self {
            Self::Sound => &[0],
            Self::Damaged | Self::Refused => &[1],
            Self::Odd => &[0, 1, 3],
        }
    }

    /// The exit codes `imprint dir` may have.
    pub(super) const fn dir_codes(self) -> &'static [i32] {
        match self {
            Self::Sound | Self::Damaged | Self::Odd => &[0],
            Self::Refused => &[1],
        }
    }

    /// The exit codes `imprint apply` may have. 3 is right for a sound file too: a Linux directory
    /// cannot keep all that a Windows file has.
    pub(super) const fn apply_codes(self) -> &'static [i32] {
        match self {
            Self::Sound | Self::Odd => &[0, 3],
            Self::Damaged => &[1, 3],
            Self::Refused => &[1],
        }
    }
}

/// What is odd about a disk file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DiskPolicy {
    /// Words of the warnings that checking it gives.
    pub(super) findings: &'static [&'static str],
    /// The readers that can judge it, if not all of its kind can.
    pub(super) judges: Option<&'static [Reader]>,
    /// Its log waits to be replayed; the judges look at it afterwards.
    pub(super) replayed: bool,
}

/// The disk files that are odd. All were made by programs of others.
const ODD_DISKS: [(&str, DiskPolicy); 3] = [
    // The checksum of the dynamic header is wrong. qemu and 7-Zip refuse the file, libvhdi does not look.
    (
        "vhd-dfvfs/image.vhd",
        DiskPolicy {
            findings: &["checksum"],
            judges: Some(&[Reader::Vhdimount, Reader::Dissect]),
            replayed: false,
        },
    ),
    (
        "vhd-dfvfs/image-differential.vhd",
        DiskPolicy { findings: &["checksum"], judges: Some(&[Reader::Vhdimount]), replayed: false },
    ),
    // Other readers do not replay the log: 7-Zip refuses, libvhdi and dissect read what is old.
    (
        "vhd-qemu/iotest-dirtylog-10G-4M.vhdx",
        DiskPolicy { findings: &[], judges: None, replayed: true },
    ),
];

pub(super) fn of_disk(file: &str) -> DiskPolicy {
    let entry = ODD_DISKS.iter().find(|(name, _)| *name == file);
    entry.map_or_else(DiskPolicy::default, |(_, policy)| *policy)
}
