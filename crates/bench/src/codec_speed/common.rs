//! What both measurements take and need.

use std::path::{Path, PathBuf};
use std::time::Duration;

use imprint_codec::Format;

use crate::peer::PeerOptions;

/// Options of both measurements.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Files, or directories of files (in sorted order).
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Compression format.
    #[arg(long, value_enum, default_value = "lzx")]
    format: FormatName,
    /// Chunk size in bytes [default: that of the format].
    #[arg(long, value_name = "N")]
    chunk_size: Option<u32>,
    /// Passes over all chunks, of which the best counts.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) passes: u32,
    /// The peer's shared library, instead of the one found by its soname.
    #[arg(long, value_name = "PATH")]
    peer_lib: Option<PathBuf>,
    /// Leave the peer out: time only our side (for a profiler).
    #[arg(long)]
    pub(crate) alone: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatName {
    Xpress,
    Lzx,
    Lzms,
}

impl Common {
    pub(crate) fn format(&self) -> Format {
        match self.format {
            FormatName::Xpress => Format::Xpress,
            FormatName::Lzx => Format::Lzx,
            FormatName::Lzms => Format::Lzms,
        }
    }

    pub(crate) fn chunk_size(&self) -> u32 {
        self.chunk_size.unwrap_or_else(|| self.format().default_chunk_size())
    }

    pub(crate) fn peer(&self) -> PeerOptions<'_> {
        PeerOptions {
            format: self.format(),
            chunk_size: self.chunk_size(),
            library: self.peer_lib.as_deref(),
        }
    }

    /// The regular files among and below [`Self::files`].
    pub(crate) fn paths(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for path in &self.files {
            collect(path, &mut paths)?;
        }
        Ok(paths)
    }
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

/// CPU time this thread has used.
pub(crate) fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Millions of bytes in a second.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn speed(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}
