//! The codecs by themselves, measured by `codec-speed` of the bench crate.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::report::{Outcome, Row};
use crate::process;
use crate::workspace::Workspace;

/// Decompression in one format, one chunk after another on one thread.
pub(super) struct Codec {
    pub(super) name: &'static str,
    format: &'static str,
    /// Our MB/s divided by the peer's should be this at least.
    speed: f64,
}

pub(super) const ALL: [Codec; 2] = [
    Codec { name: "decompress LZX, one thread", format: "lzx", speed: 1.3 },
    Codec { name: "decompress XPRESS, one thread", format: "xpress", speed: 1.3 },
];

impl Codec {
    pub(super) fn run(
        &self,
        workspace: &Workspace,
        input: &Path,
        peer_lib: Option<&Path>,
    ) -> anyhow::Result<Row> {
        eprintln!("{}", self.name);
        let program = process::build(workspace, "imprint-bench", "codec-speed")?;
        let mut command = Command::new(program);
        command.arg("decompress").arg(input).args(["--format", self.format]);
        if let Some(library) = peer_lib {
            command.arg("--peer-lib").arg(library);
        }
        let output = String::from_utf8(process::output(&mut command)?)?;
        let speed = |side| speed(&output, side).with_context(|| format!("{side} in {output:?}"));
        let (ours, peer) = (speed("ours")?, speed("libwim")?);
        Ok(Row { name: self.name, outcome: Outcome::Speed { ours, peer, target: self.speed } })
    }
}

/// Reads `ours 512.3 MB/s`.
pub(super) fn speed(output: &str, side: &str) -> Option<f64> {
    let line = output.lines().find_map(|line| line.strip_prefix(side))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_speeds() {
        let output =
            "LZX, chunks of 32768 bytes: 3 from 2\nours      512.3 MB/s\nlibwim    400.0 MB/s\n";
        assert_eq!(speed(output, "ours"), Some(512.3));
        assert_eq!(speed(output, "libwim"), Some(400.0));
        assert_eq!(speed(output, "theirs"), None);
    }
}
