//! Decompression: libwim compresses the chunks, so that both sides decode what a real encoder wrote.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use imprint_codec::Decompressor;

use crate::chunks::Chunks;
use crate::common::{Common, speed, thread_time};
use crate::peer::{self, Peer};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Level at which libwim compresses the chunks.
    #[arg(long, value_name = "N", default_value_t = 50)]
    level: u32,
    /// Take at most this many bytes of the files.
    #[arg(long, value_name = "BYTES", default_value_t = 120_000_000)]
    limit: u64,
    /// Keep the compressed chunks here, and use them if they are already here.
    #[arg(long, value_name = "PATH")]
    keep_chunks: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Options { common, level, keep_chunks, .. } = options;
    let scratch = tempfile::tempdir()?;
    let plain_path = scratch.path().join("plain");
    let plain = read_files(options)?;
    fs_err::write(&plain_path, &plain)?;
    let chunks_path = keep_chunks.clone().unwrap_or_else(|| scratch.path().join("chunks"));
    if !chunks_path.exists() {
        peer::make_chunks(&common.peer(), *level, &plain_path, &chunks_path)?;
    }
    let chunks = Chunks::load(&chunks_path)?;
    let mut decompressor = Decompressor::new(common.format(), common.chunk_size())?;
    check(&chunks, &plain, &mut decompressor)?;

    let mut peer = None;
    if !common.alone {
        let mut started = Peer::start(common.peer().command("serve", &[&chunks_path]))?;
        let answer = started.ask(&format!("check {}", plain_path.display()))?;
        ensure!(answer == "equal", "the peer reports: {answer}");
        peer = Some(started);
    }
    let (mut ours, mut theirs) = (Duration::MAX, None);
    for _ in 0..common.passes {
        if let Some(peer) = &mut peer {
            let nanoseconds = peer.ask("pass")?.parse().context("the peer's time is no number")?;
            let pass = Duration::from_nanos(nanoseconds);
            theirs = Some(theirs.map_or(pass, |best: Duration| best.min(pass)));
        }
        ours = ours.min(one_pass(&chunks, &mut decompressor)?);
    }
    report(common, &chunks, ours, theirs);
    Ok(())
}

/// The bytes of all files, one after the other.
fn read_files(options: &Options) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for path in options.common.paths()? {
        let room = options.limit.saturating_sub(bytes.len() as u64);
        fs_err::File::open(path)?.take(room).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Decompresses every chunk and compares it with the plain bytes.
fn check(chunks: &Chunks, plain: &[u8], decompressor: &mut Decompressor) -> anyhow::Result<()> {
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
        ensure!(out == expected, "chunk {number} differs from the plain bytes");
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

#[expect(clippy::print_stdout, reason = "the program's result")]
fn report(common: &Common, chunks: &Chunks, ours: Duration, theirs: Option<Duration>) {
    let (format, chunk_size) = (common.format(), common.chunk_size());
    let (plain, stored) = chunks.compressed_totals();
    println!("{format}, chunks of {chunk_size} bytes: {plain} bytes from {stored}");
    println!("ours   {:8.1} MB/s", speed(plain, ours));
    if let Some(theirs) = theirs {
        println!("libwim {:8.1} MB/s", speed(plain, theirs));
        println!("ratio  {:8.3}", speed(plain, ours) / speed(plain, theirs));
    }
}
