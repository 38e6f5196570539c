//! Measures decompression against libwim: the same chunks, the same run, pass after pass in turn.
//!
//! libwim compresses the chunks (both sides then decode what a real encoder wrote), a child process
//! times libwim, this process times ours. CPU time of the working thread counts, not wall time, and
//! the best of several passes is taken, so that other load on the machine matters little.

mod chunks;
mod peer;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use imprint_codec::{Decompressor, Format};

use crate::chunks::Chunks;
use crate::peer::{Peer, PeerOptions};

/// Compare the speed of our decompressors with libwim's.
#[derive(Parser)]
#[command(name = "codec-speed")]
struct Cli {
    /// Files, or directories of files, whose bytes are compressed (directories in sorted order).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Compression format.
    #[arg(long, value_enum, default_value = "lzx")]
    format: FormatName,
    /// Chunk size in bytes [default: that of the format].
    #[arg(long, value_name = "N")]
    chunk_size: Option<u32>,
    /// Level at which libwim compresses the chunks.
    #[arg(long, value_name = "N", default_value_t = 50)]
    level: u32,
    /// Take at most this many bytes of the files.
    #[arg(long, value_name = "BYTES", default_value_t = 120_000_000)]
    limit: u64,
    /// Passes over all chunks, of which the best counts.
    #[arg(long, value_name = "N", default_value_t = 5)]
    passes: u32,
    /// The peer's shared library, instead of the one found by its soname.
    #[arg(long, value_name = "PATH")]
    peer_lib: Option<PathBuf>,
    /// Keep the compressed chunks here, and use them if they are already here.
    #[arg(long, value_name = "PATH")]
    keep_chunks: Option<PathBuf>,
    /// Leave the peer out: time only our side (for a profiler); needs chunks that were kept.
    #[arg(long, requires = "keep_chunks")]
    alone: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatName {
    Xpress,
    Lzx,
    Lzms,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Xpress => Self::Xpress,
            FormatName::Lzx => Self::Lzx,
            FormatName::Lzms => Self::Lzms,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let format = Format::from(cli.format);
    let chunk_size = cli.chunk_size.unwrap_or_else(|| format.default_chunk_size());
    let scratch = tempfile::tempdir()?;
    let plain_path = scratch.path().join("plain");
    let plain = chunks::read_files(&cli.files, cli.limit)?;
    fs_err::write(&plain_path, &plain)?;

    let options = PeerOptions { format, chunk_size, library: cli.peer_lib.as_deref() };
    let chunks_path = cli.keep_chunks.unwrap_or_else(|| scratch.path().join("chunks"));
    if !chunks_path.exists() {
        peer::make_chunks(&options, cli.level, &plain_path, &chunks_path)?;
    }
    let chunks = Chunks::load(&chunks_path)?;
    let mut decompressor = Decompressor::new(format, chunk_size)?;
    check_ours(&chunks, &plain, &mut decompressor)?;

    let mut ours = Duration::MAX;
    let mut theirs = Duration::MAX;
    if cli.alone {
        for _ in 0..cli.passes {
            ours = ours.min(one_pass(&chunks, &mut decompressor)?);
        }
    } else {
        let mut peer = Peer::start(&options, &chunks_path)?;
        peer.check(&plain_path)?;
        for _ in 0..cli.passes {
            theirs = theirs.min(peer.one_pass()?);
            ours = ours.min(one_pass(&chunks, &mut decompressor)?);
        }
    }
    report(&chunks, format, chunk_size, ours, (!cli.alone).then_some(theirs));
    Ok(())
}

/// Decompresses every chunk and compares it with the plain bytes.
fn check_ours(
    chunks: &Chunks,
    plain: &[u8],
    decompressor: &mut Decompressor,
) -> anyhow::Result<()> {
    let mut out = Vec::new();
    let mut rest = plain;
    for (number, chunk) in chunks.iter().enumerate() {
        let Some((expected, after)) = rest.split_at_checked(chunk.plain_len) else {
            bail!("the chunks do not belong to these files");
        };
        rest = after;
        if chunk.is_raw() {
            continue;
        }
        out.resize(chunk.plain_len, 0);
        decompressor
            .decompress(chunk.stored, &mut out)
            .with_context(|| format!("failed to decompress chunk {number}"))?;
        if out != expected {
            bail!("chunk {number} differs from the plain bytes");
        }
    }
    Ok(())
}

/// Decompresses every compressed chunk once.
fn one_pass(chunks: &Chunks, decompressor: &mut Decompressor) -> anyhow::Result<Duration> {
    // Written to here: pages that are touched first in the pass would be charged to it.
    let mut out = vec![0xAA; chunks.largest()];
    let began = thread_time();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_raw()) {
        if let Some(out) = out.get_mut(..chunk.plain_len) {
            decompressor.decompress(chunk.stored, out)?;
        }
    }
    Ok(thread_time() - began)
}

/// CPU time this thread has used.
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[expect(clippy::print_stdout, reason = "the program's result")]
fn report(
    chunks: &Chunks,
    format: Format,
    chunk_size: u32,
    ours: Duration,
    theirs: Option<Duration>,
) {
    let (plain, stored) = chunks.compressed_totals();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let speed = |time: Duration| plain as f64 / 1e6 / time.as_secs_f64();
    println!("{format}, chunks of {chunk_size} bytes: {plain} bytes from {stored}");
    println!("ours   {:8.1} MB/s", speed(ours));
    if let Some(theirs) = theirs {
        println!("libwim {:8.1} MB/s", speed(theirs));
        println!("ratio  {:8.3}", speed(ours) / speed(theirs));
    }
}
