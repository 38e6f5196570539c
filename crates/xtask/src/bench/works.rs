//! What is measured, and the targets.
//!
//! In the arguments, words in capitals stand for paths: `TREE` and `SECOND` are the two versions of
//! the corpus, `INPUT` the WIM both sides read, `OUT` the WIM a side writes, `DIR` the folder a side
//! applies to.

/// One thing both sides do.
pub(super) struct Work {
    pub(super) name: &'static str,
    /// The compression of the WIM the work starts from, if it starts from one.
    pub(super) input: Option<&'static str>,
    /// Whether it changes that WIM: each run then gets a copy of it as `OUT`.
    pub(super) changes_input: bool,
    pub(super) peer: &'static [&'static str],
    /// Ours; several where one figure of the peer is compared with several of our levels.
    pub(super) variants: &'static [Variant],
}

impl Work {
    /// Whether it makes a tree of files.
    pub(super) fn applies(&self) -> bool {
        self.peer.contains(&"DIR")
    }
}

/// One way in which we do a work, with its targets.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// Our time divided by the peer's may be this at most.
    pub(super) time: f64,
    /// Our size divided by the peer's may be this at most, where a size comes out: what is quick
    /// because it compresses less is not quicker.
    pub(super) size: Option<f64>,
}

/// Whose turn it is, with its arguments.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Ours(&'static [&'static str]),
    Peer(&'static [&'static str]),
}

/// Peak memory of ours, in any work, in MiB.
pub(super) const MEMORY_MIB: f64 = 100.0;

macro_rules! capture {
    ($compression:literal) => {
        &["capture", "TREE", "OUT", concat!("--compress=", $compression), "--threads=2"]
    };
}

macro_rules! read_work {
    ($verb:literal, $compression:literal, [$($argument:literal),*], $time:literal) => {
        Work {
            name: concat!($verb, " ", $compression),
            input: Some($compression),
            changes_input: false,
            peer: &[$verb, $($argument),*],
            variants: &[Variant {
                name: concat!($verb, " ", $compression),
                arguments: &[$verb, $($argument),*],
                time: $time,
                size: None,
            }],
        }
    };
}

pub(super) const ALL: [Work; 10] = [
    Work {
        name: "capture none",
        input: None,
        changes_input: false,
        peer: capture!("none"),
        variants: &[Variant {
            name: "capture none",
            arguments: capture!("none"),
            time: 0.80,
            size: Some(1.01),
        }],
    },
    Work {
        name: "capture XPRESS",
        input: None,
        changes_input: false,
        peer: capture!("XPRESS"),
        variants: &[Variant {
            name: "capture XPRESS",
            arguments: capture!("XPRESS"),
            time: 0.80,
            size: Some(1.01),
        }],
    },
    Work {
        name: "capture LZX",
        input: None,
        changes_input: false,
        peer: capture!("LZX"),
        variants: &[
            Variant {
                name: "capture LZX, default level",
                arguments: capture!("LZX"),
                time: 0.80,
                size: Some(1.0),
            },
            Variant {
                name: "capture LZX:40 against the peer's default level",
                arguments: capture!("LZX:40"),
                time: 0.25,
                size: Some(1.01),
            },
        ],
    },
    Work {
        name: "capture LZX:20",
        input: None,
        changes_input: false,
        peer: capture!("LZX:20"),
        variants: &[Variant {
            name: "capture LZX:20",
            arguments: capture!("LZX:20"),
            time: 0.80,
            size: Some(1.0),
        }],
    },
    read_work!("apply", "none", ["INPUT", "1", "DIR"], 0.75),
    read_work!("apply", "XPRESS", ["INPUT", "1", "DIR"], 0.65),
    read_work!("apply", "LZX", ["INPUT", "1", "DIR"], 0.60),
    read_work!("verify", "XPRESS", ["INPUT"], 0.55),
    read_work!("verify", "LZX", ["INPUT"], 0.55),
    Work {
        name: "append LZX",
        input: Some("LZX"),
        changes_input: true,
        peer: &["append", "SECOND", "OUT", "second", "--threads=2"],
        variants: &[Variant {
            name: "append the second version, LZX",
            arguments: &["append", "SECOND", "OUT", "second", "--threads=2"],
            time: 0.70,
            size: Some(1.01),
        }],
    },
];
