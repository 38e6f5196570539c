//! Compression: each file is cut into chunks of its own, as a WIM does it.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use imprint_codec::{Compressor, Decompressor, Level};

use crate::common::{Common, speed, thread_time};
use crate::peer::Peer;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Our level.
    #[arg(long, value_name = "N", default_value_t = 50)]
    level: u32,
    /// libwim's level [default: the same].
    #[arg(long, value_name = "N")]
    peer_level: Option<u32>,
    /// Take every N-th file only.
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Take at most this many bytes of each file.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    file_limit: usize,
}

/// What one side did: the best time and the total size.
#[derive(Clone, Copy)]
struct Done {
    time: Duration,
    size: u64,
}

impl Done {
    /// The better of two passes; both have the same size.
    fn better(self, other: Self) -> Self {
        Self { time: self.time.min(other.time), size: other.size }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Options { common, level, .. } = options;
    let chunks = read_chunks(options)?;
    let mut compressor = Compressor::new(common.format(), common.chunk_size(), Level(*level))?;
    check(&chunks, &mut compressor)?;

    let file = chunks_file(&chunks)?;
    let mut peer = None;
    if !common.alone {
        let mut command = common.peer().command("pack", &[file.path()]);
        command.args(["--level", &options.peer_level().to_string()]);
        peer = Some(Peer::start(command)?);
    }
    let (mut ours, mut theirs) = (None::<Done>, None::<Done>);
    for _ in 0..common.passes {
        if let Some(peer) = &mut peer {
            let pass = peer_pass(peer)?;
            theirs = Some(theirs.map_or(pass, |best| best.better(pass)));
        }
        let pass = one_pass(&chunks, &mut compressor);
        ours = Some(ours.map_or(pass, |best| best.better(pass)));
    }
    let plain = chunks.iter().map(Vec::len).sum();
    report(options, plain, ours.context("there should be at least one pass")?, theirs);
    Ok(())
}

impl Options {
    fn peer_level(&self) -> u32 {
        self.peer_level.unwrap_or(self.level)
    }
}

fn read_chunks(options: &Options) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut chunks = Vec::new();
    for path in options.common.paths()?.iter().step_by(options.every.max(1)) {
        let mut bytes = fs_err::read(path)?;
        bytes.truncate(options.file_limit);
        let chunk_size = options.common.chunk_size() as usize;
        chunks.extend(bytes.chunks(chunk_size).map(<[u8]>::to_vec));
    }
    Ok(chunks)
}

/// The chunks as the peer takes them: all of them raw.
fn chunks_file(chunks: &[Vec<u8>]) -> anyhow::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    let mut header = u32::try_from(chunks.len())?.to_le_bytes().to_vec();
    for chunk in chunks {
        let size = u32::try_from(chunk.len())?.to_le_bytes();
        header.extend([size, size].concat());
    }
    file.write_all(&header)?;
    for chunk in chunks {
        file.write_all(chunk)?;
    }
    Ok(file)
}

/// Compresses every chunk and decompresses it again.
fn check(chunks: &[Vec<u8>], compressor: &mut Compressor) -> anyhow::Result<()> {
    let mut decompressor = Decompressor::new(compressor.format(), compressor.chunk_size())?;
    let (mut packed, mut again) = (Vec::new(), Vec::new());
    for (number, chunk) in chunks.iter().enumerate() {
        packed.resize(chunk.len(), 0);
        let size = compressor.compress(chunk, &mut packed);
        let Some(packed) = size.and_then(|size| packed.get(..size)) else { continue };
        again.resize(chunk.len(), 0);
        decompressor
            .decompress(packed, &mut again)
            .with_context(|| format!("failed to decompress chunk {number}"))?;
        ensure!(again == *chunk, "chunk {number} differs after decompression");
    }
    Ok(())
}

/// Compresses every chunk once.
fn one_pass(chunks: &[Vec<u8>], compressor: &mut Compressor) -> Done {
    let mut out = vec![0; compressor.chunk_size() as usize];
    let mut size = 0;
    let began = thread_time();
    for chunk in chunks {
        size += compressor.compress(chunk, &mut out).unwrap_or(chunk.len()) as u64;
    }
    Done { time: thread_time() - began, size }
}

fn peer_pass(peer: &mut Peer) -> anyhow::Result<Done> {
    let answer = peer.ask("pass")?;
    let (time, size) = answer.split_once(' ').context("the peer's answer is no pair")?;
    Ok(Done { time: Duration::from_nanos(time.parse()?), size: size.parse()? })
}

#[expect(clippy::print_stdout, reason = "the program's result")]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(options: &Options, plain: usize, ours: Done, theirs: Option<Done>) {
    let line = |name: &str, level: u32, side: Done| {
        let speed = speed(plain, side.time);
        println!("{name} level {level:3}: {:11} bytes {speed:8.2} MB/s", side.size);
    };
    println!("{}: {plain} bytes", options.common.format());
    line("ours  ", options.level, ours);
    if let Some(theirs) = theirs {
        line("libwim", options.peer_level(), theirs);
        let size = ours.size as f64 / theirs.size as f64;
        let time = ours.time.as_secs_f64() / theirs.time.as_secs_f64();
        println!("size ratio {size:.4}, time ratio {time:.3}");
    }
}
