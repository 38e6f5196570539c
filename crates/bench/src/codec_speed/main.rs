//! Measures our codecs against libwim: the same chunks, the same run, pass after pass in turn.
//!
//! A child process times libwim, this process times ours. CPU time of the working thread counts, not
//! wall time, and the best of several passes is taken, so that other load on the machine matters
//! little. What is measured is checked first.

mod chunks;
mod common;
mod compress;
mod decompress;
mod peer;

use clap::Parser;

/// Compare the speed of our codecs with libwim's.
#[derive(Parser)]
#[command(name = "codec-speed")]
enum Cli {
    /// Chunks that libwim compressed, decompressed by both.
    Decompress(decompress::Options),
    /// Chunks of files, compressed by both.
    Compress(compress::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse() {
        Cli::Decompress(options) => decompress::run(&options),
        Cli::Compress(options) => compress::run(&options),
    }
}
