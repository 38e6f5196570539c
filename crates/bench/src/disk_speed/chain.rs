//! Making a chain.

use std::io;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err::File;
use imprint_blockio::{ReadAt, Sparse, Stored, WriteAt};
use imprint_image::disk::{
    ChainOptions, Fresh, Naming, Shape, create_child, create_disk, open_chain_for_writing,
};
use imprint_vdisk::{Format, Kind};
use imprint_winvalues::FileTime;

/// Data goes to the disks of a chain in pieces of this many bytes.
const PIECE: u64 = 64 << 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The raw file with the contents.
    raw: PathBuf,
    /// A folder for the chain.
    folder: PathBuf,
    /// Format of the disks.
    #[arg(long, value_enum, default_value = "vhdx")]
    format: FormatName,
    /// Number of disks.
    #[arg(long, default_value_t = 4)]
    depth: u64,
    /// Put all data into the leaf instead of spreading it over all disks.
    #[arg(long)]
    leaf_only: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatName {
    Vhd,
    Vhdx,
}

pub(crate) fn make(options: &Options) -> anyhow::Result<()> {
    let (format, ending) = match options.format {
        FormatName::Vhd => (Format::Vhd, "vhd"),
        FormatName::Vhdx => (Format::Vhdx, "vhdx"),
    };
    let raw = File::open(&options.raw)?;
    let size = ReadAt::len(&raw)?;
    let path = |level: u64| options.folder.join(format!("{level}.{ending}"));
    let fresh = Fresh { now: now(), random: &random };
    let naming = Naming { durable: false, ..Naming::default() };
    let chain = ChainOptions { format: None, folders: Vec::new() };
    for level in 0..options.depth {
        if level == 0 {
            let shape = Shape {
                format,
                kind: Kind::Dynamic,
                block_size: None,
                sector_size: 512,
                physical_sector_size: 4096,
            };
            create_disk(&path(0), shape, size, naming, &fresh)?;
        } else {
            create_child(&path(level - 1), &path(level), None, &chain, naming, &fresh)?;
        }
        let opened = open_chain_for_writing(&path(level), &chain, fresh.write_ids()?)?;
        copy(&raw, &opened.chain, |number| {
            if options.leaf_only {
                level + 1 == options.depth
            } else {
                level_of(number, options.depth) == level
            }
        })?;
        opened.chain.close()?;
    }
    Ok(())
}

/// The disk that a piece goes to: neighbours are scattered, always in the same way.
fn level_of(number: u64, depth: u64) -> u64 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % depth
}

/// Copies the pieces with data that `wanted` wants.
fn copy(
    raw: &(impl Sparse + ?Sized),
    target: &impl WriteAt,
    wanted: impl Fn(u64) -> bool,
) -> io::Result<()> {
    let size = raw.len()?;
    let mut buf = vec![0; usize::try_from(PIECE).unwrap_or_default()];
    let mut at = 0;
    while at < size {
        let length = (size - at).min(PIECE);
        let hole = matches!(raw.stored(at, length)?, Stored::Hole(hole) if hole == length);
        if !hole && wanted(at / PIECE) {
            let piece = buf.get_mut(..usize::try_from(length).unwrap_or_default());
            let piece = piece.unwrap_or_default();
            raw.read_exact_at(piece, at)?;
            target.write_all_at(piece, at)?;
        }
        at += length;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a disk has a date")]
fn now() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(since.as_secs().try_into().unwrap_or(i64::MAX), since.subsec_nanos())
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
