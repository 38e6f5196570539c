//! `disk-speed`: makes chains of disks with the contents of a raw file, and measures small random reads
//! through them beside the same reads of the raw file.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "this program talks to a person")]

mod chain;
mod read;

use std::path::PathBuf;

use clap::Parser;

/// Measures chains of disks.
#[derive(Parser)]
enum Command {
    /// Make a chain, `0` to `N-1` with the format as ending, the last being the leaf.
    Chain(chain::Options),
    /// Read 4 KiB at random places that hold data, from the raw file and through the chain, in turn.
    Read(read::Options),
}

/// A raw file and the leaf of a chain with the same contents.
#[derive(clap::Args)]
struct Sides {
    /// The raw file.
    raw: PathBuf,
    /// The leaf.
    leaf: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Chain(options) => chain::make(&options),
        Command::Read(options) => read::measure(&options),
    }
}
