//! Measures compression against libwim: the same chunks, the same run, pass after pass in turn.
//!
//! Each file is cut into chunks of its own, as a WIM does it. A child process times libwim, this process
//! times ours; CPU time of the working thread counts, and the best of several passes is taken. Every
//! chunk of ours is decompressed again before anything is timed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use imprint_codec::{Compressor, Decompressor, Format, Level};

/// The peer, so that the program runs from anywhere.
const SCRIPT: &str = include_str!("../../scripts/peer_codec.py");

/// Compare the speed and the results of our compressors with libwim's.
#[derive(Parser)]
#[command(name = "compress-speed")]
struct Cli {
    /// Files, or directories of files (in sorted order).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Compression format.
    #[arg(long, value_enum, default_value = "lzx")]
    format: FormatName,
    /// Chunk size in bytes [default: that of the format].
    #[arg(long, value_name = "N")]
    chunk_size: Option<u32>,
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
    /// Passes over all chunks, of which the best counts.
    #[arg(long, value_name = "N", default_value_t = 3)]
    passes: u32,
    /// The peer's shared library, instead of the one found by its soname.
    #[arg(long, value_name = "PATH")]
    peer_lib: Option<PathBuf>,
    /// Leave the peer out: time only our side (for a profiler).
    #[arg(long)]
    alone: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatName {
    Xpress,
    Lzx,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Xpress => Self::Xpress,
            FormatName::Lzx => Self::Lzx,
        }
    }
}

/// What one side did: the best time and the total size.
#[derive(Clone, Copy)]
struct Result {
    time: Duration,
    size: u64,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let format = Format::from(cli.format);
    let chunk_size = cli.chunk_size.unwrap_or_else(|| format.default_chunk_size());
    let mut paths = Vec::new();
    for path in &cli.files {
        collect(path, &mut paths)?;
    }
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    for path in paths.iter().step_by(cli.every.max(1)) {
        let mut bytes = fs_err::read(path)?;
        bytes.truncate(cli.file_limit);
        chunks.extend(bytes.chunks(chunk_size as usize).map(<[u8]>::to_vec));
    }

    let mut compressor = Compressor::new(format, chunk_size, Level(cli.level))?;
    check(&chunks, &mut compressor)?;
    let mut ours = Result { time: Duration::MAX, size: 0 };
    let mut theirs = None;
    if cli.alone {
        for _ in 0..cli.passes {
            ours = better(ours, one_pass(&chunks, &mut compressor));
        }
    } else {
        let mut peer = Peer::start(&cli, format, chunk_size, &chunks)?;
        for _ in 0..cli.passes {
            let pass = peer.one_pass()?;
            theirs = Some(theirs.map_or(pass, |best| better(best, pass)));
            ours = better(ours, one_pass(&chunks, &mut compressor));
        }
    }
    report(&cli, format, chunks.iter().map(Vec::len).sum(), ours, theirs);
    Ok(())
}

fn better(a: Result, b: Result) -> Result {
    Result { time: a.time.min(b.time), size: b.size }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let metadata = fs_err::symlink_metadata(path)?;
    if metadata.is_dir() {
        let mut inside = Vec::new();
        for entry in fs_err::read_dir(path)? {
            inside.push(entry?.path());
        }
        inside.sort();
        for path in inside {
            collect(&path, files)?;
        }
    } else if metadata.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}

/// Compresses every chunk and decompresses it again.
fn check(chunks: &[Vec<u8>], compressor: &mut Compressor) -> anyhow::Result<()> {
    let mut decompressor = Decompressor::new(compressor.format(), compressor.chunk_size())?;
    let (mut packed, mut again) = (Vec::new(), Vec::new());
    for (number, chunk) in chunks.iter().enumerate() {
        packed.resize(chunk.len(), 0);
        if let Some(packed) = compressor.compress(chunk, &mut packed).and_then(|n| packed.get(..n))
        {
            again.resize(chunk.len(), 0);
            decompressor
                .decompress(packed, &mut again)
                .with_context(|| format!("failed to decompress chunk {number}"))?;
            ensure!(again == *chunk, "chunk {number} differs after decompression");
        }
    }
    Ok(())
}

/// Compresses every chunk once.
fn one_pass(chunks: &[Vec<u8>], compressor: &mut Compressor) -> Result {
    let mut out = vec![0; compressor.chunk_size() as usize];
    let mut size = 0;
    let began = thread_time();
    for chunk in chunks {
        size += compressor.compress(chunk, &mut out).unwrap_or(chunk.len()) as u64;
    }
    Result { time: thread_time() - began, size }
}

/// CPU time this thread has used.
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// libwim, driven by the script.
struct Peer {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    /// The chunks, as long as the peer may read them.
    _chunks: tempfile::NamedTempFile,
}

impl Peer {
    fn start(
        cli: &Cli,
        format: Format,
        chunk_size: u32,
        chunks: &[Vec<u8>],
    ) -> anyhow::Result<Self> {
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
        let mut command = Command::new("python3");
        command.args(["-c", SCRIPT, "pack"]).arg(file.path());
        command.args(["--format", &format.to_string().to_lowercase()]);
        command.args(["--chunk-size", &chunk_size.to_string()]);
        command.args(["--level", &cli.peer_level.unwrap_or(cli.level).to_string()]);
        if let Some(library) = &cli.peer_lib {
            command.arg("--peer-lib").arg(library);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("failed to run python3")?;
        let answers = child.stdout.take().context("the peer has no output")?;
        Ok(Self { child, answers: BufReader::new(answers), _chunks: file })
    }

    fn one_pass(&mut self) -> anyhow::Result<Result> {
        let requests = self.child.stdin.as_mut().context("the peer has no input")?;
        writeln!(requests, "pass").context("the peer has ended")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let (time, size) = answer.trim_end().split_once(' ').context("the peer has ended")?;
        Ok(Result { time: Duration::from_nanos(time.parse()?), size: size.parse()? })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing can be done about a child that is already gone.
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}

#[expect(clippy::print_stdout, reason = "the program's result")]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(cli: &Cli, format: Format, plain: usize, ours: Result, theirs: Option<Result>) {
    let line = |name: &str, level: u32, side: Result| {
        let speed = plain as f64 / 1e6 / side.time.as_secs_f64();
        println!("{name} level {level:3}: {:11} bytes {speed:8.2} MB/s", side.size);
    };
    println!("{format}: {plain} bytes");
    line("ours  ", cli.level, ours);
    if let Some(theirs) = theirs {
        line("libwim", cli.peer_level.unwrap_or(cli.level), theirs);
        let size = ours.size as f64 / theirs.size as f64;
        let time = ours.time.as_secs_f64() / theirs.time.as_secs_f64();
        println!("size ratio {size:.4}, time ratio {time:.3}");
    }
}
