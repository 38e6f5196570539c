//! What is measured of disk files, and the targets.
//!
//! In the arguments, words in capitals stand for paths: `RAW` is the volume, `OUT` the file a side
//! writes, `IN` the file both read; `LEAF` is that of a chain with the volume's contents.

/// How the name of a file ends, and what its format is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Raw,
    Vhd,
    Vhdx,
}

impl Ending {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
        }
    }

    /// What qemu calls the format.
    pub(super) const fn qemu(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Vhd => "vpc",
            Self::Vhdx => "vhdx",
        }
    }
}

/// What our side works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The volume, or what qemu-img made of it.
    Converted(Ending),
    /// A chain of four disks over which the data is spread.
    Chain,
    /// An empty disk and a child with all data, anew for each run; what is written is the parent.
    Child,
}

/// One thing that both sides do.
pub(super) struct Work {
    pub(super) name: &'static str,
    pub(super) input: Input,
    /// What `OUT` is.
    pub(super) output: Ending,
    pub(super) peer: &'static [&'static str],
    pub(super) ours: &'static [&'static str],
    /// Our time divided by the peer's may be this at most.
    pub(super) time: f64,
}

/// Peak memory of ours, in any work, in MiB.
pub(super) const MEMORY_MIB: f64 = 64.0;

/// 0.8 of the peer's speed.
const COPY: f64 = 1.25;

/// A merge ends with the removal of the child, so what was merged must be on stable storage: the peer
/// waits for that, too.
const DURABLE_COPY: [&str; 5] =
    ["sh", "-c", "cp --sparse=always \"$0\" \"$1\" && sync \"$1\"", "RAW", "OUT"];

/// But for merges the peers wait for no disk, so ours does not.
pub(super) const ALL: [Work; 8] = [
    Work {
        name: "convert raw to dynamic VHD",
        input: Input::Converted(Ending::Raw),
        output: Ending::Vhd,
        peer: &[
            "qemu-img",
            "convert",
            "-f",
            "raw",
            "-O",
            "vpc",
            "-o",
            "subformat=dynamic,force_size=on",
            "IN",
            "OUT",
        ],
        ours: &["disk", "convert", "IN", "OUT", "--kind=dynamic", "--no-sync"],
        time: 0.9,
    },
    Work {
        name: "convert raw to dynamic VHDX",
        input: Input::Converted(Ending::Raw),
        output: Ending::Vhdx,
        peer: &[
            "qemu-img",
            "convert",
            "-f",
            "raw",
            "-O",
            "vhdx",
            "-o",
            "subformat=dynamic",
            "IN",
            "OUT",
        ],
        ours: &["disk", "convert", "IN", "OUT", "--kind=dynamic", "--no-sync"],
        time: 1.0,
    },
    Work {
        name: "convert VHD to raw",
        input: Input::Converted(Ending::Vhd),
        output: Ending::Raw,
        peer: &["qemu-img", "convert", "-f", "vpc", "-O", "raw", "IN", "OUT"],
        ours: &["disk", "convert", "IN", "OUT", "--no-sync"],
        time: 1.0,
    },
    Work {
        name: "convert VHDX to raw",
        input: Input::Converted(Ending::Vhdx),
        output: Ending::Raw,
        peer: &["qemu-img", "convert", "-f", "vhdx", "-O", "raw", "IN", "OUT"],
        ours: &["disk", "convert", "IN", "OUT", "--no-sync"],
        time: 1.0,
    },
    Work {
        name: "flatten a VHD chain of 4",
        input: Input::Chain,
        output: Ending::Vhd,
        peer: &["cp", "--sparse=always", "RAW", "OUT"],
        ours: &["disk", "flatten", "LEAF", "OUT", "--no-sync"],
        time: COPY,
    },
    Work {
        name: "flatten a VHDX chain of 4",
        input: Input::Chain,
        output: Ending::Vhdx,
        peer: &["cp", "--sparse=always", "RAW", "OUT"],
        ours: &["disk", "flatten", "LEAF", "OUT", "--no-sync"],
        time: COPY,
    },
    Work {
        name: "merge a VHD child",
        input: Input::Child,
        output: Ending::Vhd,
        peer: &DURABLE_COPY,
        ours: &["disk", "merge", "LEAF"],
        time: COPY,
    },
    Work {
        name: "merge a VHDX child",
        input: Input::Child,
        output: Ending::Vhdx,
        peer: &DURABLE_COPY,
        ours: &["disk", "merge", "LEAF"],
        time: COPY,
    },
];

/// An empty child of a disk of 127 GB: seconds, and bytes on disk.
pub(super) const CHILD: (f64, u64) = (0.010, 5 << 20);

/// Small reads through a chain of 4: our speed divided by that of the raw file.
pub(super) const READS: f64 = 0.7;
