//! The command line of Microsoft's ImageX, turned into this program's own verbs.
//!
//! ```text
//!  words ──sort──► verb, options, positional words ──build──► low::Verb + Style
//!            ▲ table: what each word is           ▲ which options and words a verb takes
//! ```
//!
//! Options begin with `/` or `-`, in any case, before or after the verb. On Linux a path may begin
//! with `/` too: a word is an option only if the table knows it, so `/boot` is one and `/boot/`, which
//! means the same directory, is not.
//!
//! Source: the help text of ImageX 6.1 as the Windows AIK documents it.

mod build;
mod error;
mod sort;
mod table;

use std::ffi::OsString;

use crate::cli::Style;
use crate::cli::low::Verb;

pub(crate) use error::ImagexError;

/// What the words ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Run(Box<Verb>, Style),
    Help,
}

/// Understands the words after `imagex`.
pub(crate) fn parse(words: &[OsString]) -> Result<Parsed, ImagexError> {
    let asks_for_help = |word: &OsString| ["/?", "-?", "--help"].iter().any(|help| word == help);
    if words.iter().any(asks_for_help) {
        return Ok(Parsed::Help);
    }
    let (verb, style) = build::build(sort::sort(words)?)?;
    Ok(Parsed::Run(Box::new(verb), style))
}

/// What `imagex /?` prints.
pub(crate) fn help() -> String {
    HELP.to_owned()
}

const HELP: &str = "\
Understand the command line of Microsoft's ImageX

Usage:
  imprint imagex [OPTION...] /capture SOURCE FILE [\"NAME\" [\"DESCRIPTION\"]]
  imprint imagex [OPTION...] /append  SOURCE FILE [\"NAME\" [\"DESCRIPTION\"]]
  imprint imagex [OPTION...] /apply   FILE INDEX|NAME DEST
  imprint imagex [OPTION...] /info    FILE [INDEX|NAME [\"NEWNAME\" [\"NEWDESC\"]]]
  imprint imagex [OPTION...] /dir     FILE INDEX|NAME
  imprint imagex [OPTION...] /export  SRC INDEX|NAME DEST [\"NAME\"]
  imprint imagex [OPTION...] /delete  FILE INDEX|NAME

Options, before or after the verb, with / or -, in any case:
  /boot                make the image the one that boots (capture, append, export, info)
  /check               check and write the integrity table
  /compress TYPE       none, fast or maximum (capture, export)
  /config FILE         exclusions (capture, append)
  /flags \"EDITIONID\"   edition id of the image (capture, append, info)
  /logfile FILE        add what is printed to a file
  /norpfix             leave absolute links as they are (capture, append, apply)
  /ref FILE            more parts of a split file, wildcards allowed (apply, export)
  /scroll              progress as lines
  /temp DIR            accepted; nothing is put there
  /verify              accepted; data is always verified
  /xml                 print the XML document (info)

A directory that has the name of an option is written with a slash at its end: /boot/

Examples:
  imprint imagex /config config.ini /capture /mnt/pc1 pc1.wim \"Windows 11\" /compress maximum
  imprint imagex /apply pc1.wim 1 /mnt/pc2 /verify
";

#[cfg(test)]
mod tests;
