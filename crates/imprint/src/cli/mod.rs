//! From words to an [`Invocation`].
//!
//! ```text
//!  words ──clap──► Verb (low: what was typed) ──commands::*::Job (high: what is meant)──► engine
//!  imagex words ──imagex──┘
//! ```

pub(crate) mod disk;
mod examples;
pub(crate) mod hi;
pub(crate) mod low;
pub(crate) mod ntfs;
pub(crate) mod ntfs_edit;
mod unsupported;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use crate::error::UsageError;
use crate::imagex;
use low::{Cli, GlobalArgs, Verb};

/// A command line that is understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) global: GlobalArgs,
    pub(crate) verb: Verb,
    pub(crate) style: Style,
}

/// How to answer, which ImageX's syntax can change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// Progress as lines, even on a terminal.
    pub(crate) scroll: bool,
    pub(crate) dialect: Dialect,
    /// What is printed is also added to this file.
    pub(crate) log_file: Option<PathBuf>,
}

/// Whose habits the output follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Paths with slashes, XML as it is stored.
    #[default]
    Wimlib,
    /// Paths with backslashes, XML as text.
    Imagex,
}

/// What the words ask for.
#[derive(Debug)]
pub(crate) enum Parsed {
    Run(Box<Invocation>),
    /// Print this (help, version) and be done.
    Print(String),
}

/// The definition of the command line: what help, man pages and completions are made from.
pub(crate) fn definition() -> clap::Command {
    unsupported::add_to(Cli::command())
}

/// Understands the words after the program's name.
pub(crate) fn parse(words: &[OsString]) -> Result<Parsed, UsageError> {
    if let Some((global, words)) = split_imagex(words) {
        return Ok(match imagex::parse(words)? {
            imagex::Parsed::Run(verb, style) => {
                Parsed::Run(Box::new(Invocation { global, verb: *verb, style }))
            }
            imagex::Parsed::Help => Parsed::Print(imagex::help()),
        });
    }
    let program = OsString::from("imprint");
    let words = std::iter::once(&program).chain(words);
    let matches = match definition().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return answer_instead(error),
    };
    unsupported::refuse_options(&matches)?;
    let Cli { global, verb } = Cli::from_arg_matches(&matches)?;
    Ok(Parsed::Run(Box::new(Invocation { global, verb, style: Style::default() })))
}

/// Handles what the parser returns as an error: help that was asked for, verbs of wimlib-imagex that
/// come later, and real mistakes.
fn answer_instead(error: clap::Error) -> Result<Parsed, UsageError> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(Parsed::Print(error.render().to_string()));
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(refused) = unsupported::refuse_verb(verb)
    {
        return Err(refused);
    }
    Err(error.into())
}

/// Splits off what belongs to `imagex`. Its words never reach clap, which would take `-check` for
/// seven short options.
fn split_imagex(words: &[OsString]) -> Option<(GlobalArgs, &[OsString])> {
    let mut global = GlobalArgs::default();
    let mut rest = words;
    loop {
        let (word, tail) = rest.split_first()?;
        match word.to_str()? {
            "--quiet" => global.quiet = true,
            "--json" => global.json = true,
            "imagex" => return Some((global, tail)),
            _ => return None,
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests;
