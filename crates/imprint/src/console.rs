//! Everything this program prints goes through here.
//!
//! Results go to standard output, where a closed pipe is an error that ends the program quietly.
//! Warnings and errors go to standard error; that they cannot be printed changes nothing. With
//! ImageX's `/logfile` both are also added to a file.

use std::fmt::{self, Display};
use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Context;
use fs_err::OpenOptions;
use serde::Serialize;

use crate::cli::low::GlobalArgs;
use crate::cli::{Dialect, Style};
use crate::report::path::PathStyle;

/// Where results and messages go.
pub(crate) struct Console {
    out: BufWriter<io::Stdout>,
    log: Option<fs_err::File>,
    quiet: bool,
    json: bool,
    dialect: Dialect,
    progress: ProgressStyle,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressStyle {
    None,
    Lines,
    Bar,
}

impl Console {
    /// Makes a console as the options ask for it.
    pub(crate) fn new(global: &GlobalArgs, style: Style) -> anyhow::Result<Self> {
        let progress = match global.quiet {
            true => ProgressStyle::None,
            false if io::stderr().is_terminal() && !style.scroll => ProgressStyle::Bar,
            false => ProgressStyle::Lines,
        };
        let open = |path| OpenOptions::new().append(true).create(true).open(path);
        let log = style.log_file.map(open).transpose().context("failed to open the log file")?;
        Ok(Self {
            out: BufWriter::new(io::stdout()),
            log,
            quiet: global.quiet,
            json: global.json,
            dialect: style.dialect,
            progress,
        })
    }

    /// Makes a console for when there are no options yet.
    pub(crate) fn plain() -> Self {
        Self {
            out: BufWriter::new(io::stdout()),
            log: None,
            quiet: false,
            json: false,
            dialect: Dialect::Wimlib,
            progress: ProgressStyle::None,
        }
    }

    /// Whether results are JSON documents.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whose habits the output follows.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How paths in images are printed.
    pub(crate) fn path_style(&self) -> PathStyle {
        PathStyle::new(self.dialect, io::stdout().is_terminal())
    }

    /// How progress is shown.
    pub(crate) const fn progress(&self) -> ProgressStyle {
        self.progress
    }

    /// Prints a result.
    pub(crate) fn print(&mut self, text: &dyn Display) -> io::Result<()> {
        write!(self, "{text}")
    }

    /// Prints a result as one JSON document.
    pub(crate) fn print_json(&mut self, document: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self, document).map_err(io::Error::from)?;
        self.write_all(b"\n")
    }

    /// Prints what was done, unless it is to be quiet or a JSON document says it.
    pub(crate) fn summary(&mut self, text: &dyn Display) -> io::Result<()> {
        if self.quiet || self.json { Ok(()) } else { writeln!(self, "{text}") }
    }

    /// Prints something that is good to know, unless it is to be quiet or a JSON document says it.
    pub(crate) fn note(&mut self, text: &dyn Display) {
        if !self.quiet && !self.json {
            self.warn(&format_args!("note: {text}\n"));
        }
    }

    /// Prints a warning or an error.
    pub(crate) fn warn(&mut self, text: &dyn Display) {
        // There is nobody left to tell that standard error or the log cannot be written.
        let _ignored = write!(io::stderr().lock(), "{text}");
        if let Some(log) = &mut self.log {
            let _ignored = write!(log, "{text}");
        }
    }

    /// Puts out what is still in the buffer.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(log) = &mut self.log {
            log.write_all(bytes.get(..written).unwrap_or(bytes))?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("progress", &self.progress).finish_non_exhaustive()
    }
}
