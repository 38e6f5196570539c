//! The other side: libwim, driven by `scripts/peer_codec.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use imprint_codec::Format;

/// The script itself, so that the program runs from anywhere.
const SCRIPT: &str = include_str!("../../scripts/peer_codec.py");

/// What the peer works with.
pub(crate) struct PeerOptions<'a> {
    /// Compression format.
    pub(crate) format: Format,
    /// Chunk size in bytes.
    pub(crate) chunk_size: u32,
    /// The library's path, if not the one found by its soname.
    pub(crate) library: Option<&'a Path>,
}

impl PeerOptions<'_> {
    /// A call of the script.
    pub(crate) fn command(&self, verb: &str, files: &[&Path]) -> Command {
        let mut command = Command::new("python3");
        command.args(["-c", SCRIPT, verb]).args(files);
        command.args(["--format", &self.format.to_string().to_lowercase()]);
        command.args(["--chunk-size", &self.chunk_size.to_string()]);
        if let Some(library) = self.library {
            command.arg("--peer-lib").arg(library);
        }
        command
    }
}

/// Has the peer compress `plain` into a chunks file.
pub(crate) fn make_chunks(
    options: &PeerOptions<'_>,
    level: u32,
    plain: &Path,
    chunks: &Path,
) -> anyhow::Result<()> {
    let mut command = options.command("make", &[plain, chunks]);
    command.args(["--level", &level.to_string()]).stdout(Stdio::null());
    let status = command.status().context("failed to run python3")?;
    ensure!(status.success(), "the peer could not compress: {status}");
    Ok(())
}

/// A running peer that works on request.
pub(crate) struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the peer.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("failed to run python3")?;
        let requests = child.stdin.take().context("the peer has no input")?;
        let answers = child.stdout.take().context("the peer has no output")?;
        Ok(Self { child, requests, answers: BufReader::new(answers) })
    }

    /// Sends a line and returns the line that comes back.
    pub(crate) fn ask(&mut self, request: &str) -> anyhow::Result<String> {
        writeln!(self.requests, "{request}").context("the peer has ended")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "the peer has ended");
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Nothing can be done about a child that is already gone.
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}
