//! Words of wimlib-imagex that this program knows but does not take.
//!
//! A user who brings a script along is told what is missing and what to do instead, rather than that
//! an option does not exist.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::error::UsageError;

/// An option that is known but not taken.
struct Unsupported {
    /// Long name, without the dashes.
    option: &'static str,
    takes_value: bool,
    /// Verbs that have it in wimlib-imagex.
    verbs: &'static [&'static str],
    why: &'static str,
}

const SOLID: &str = "solid resources are read, not written; leave it out";
const PIPABLE: &str = "pipable files are wimlib's own form, which nothing else reads; leave it out";
const WIMBOOT: &str = "files that point back into a WIM file need Windows to be made; leave it out";
const REBUILD: &str = "use `imprint optimize` afterwards, which is safe to interrupt";

const WRITERS: &[&str] = &["capture", "append", "export", "optimize"];
const CAPTURES: &[&str] = &["capture", "append"];
const PLACERS: &[&str] = &["apply", "extract"];

const OPTIONS: &[Unsupported] = &[
    flag("solid", WRITERS, SOLID),
    value("solid-compress", WRITERS, SOLID),
    value("solid-chunk-size", WRITERS, SOLID),
    flag("no-solid-sort", CAPTURES, SOLID),
    flag("pipable", WRITERS, PIPABLE),
    flag("wimboot", &["capture", "append", "apply", "extract", "export"], WIMBOOT),
    value("compact", PLACERS, "system compression needs Windows to be made; leave it out"),
    flag("unsafe-compact", &["append", "export", "delete", "optimize"], REBUILD),
    flag("rebuild", &["append", "export"], REBUILD),
    value("delta-from", CAPTURES, "delta files are read, not written; append to the file instead"),
    flag("snapshot", CAPTURES, "only Windows can make a snapshot of its volume"),
    flag("source-list", CAPTURES, "capture one directory; bind mounts can bring several together"),
    flag("recover-data", PLACERS, "broken files are left out and listed; the others are kept"),
];

const fn flag(
    option: &'static str,
    verbs: &'static [&'static str],
    why: &'static str,
) -> Unsupported {
    Unsupported { option, takes_value: false, verbs, why }
}

const fn value(
    option: &'static str,
    verbs: &'static [&'static str],
    why: &'static str,
) -> Unsupported {
    Unsupported { option, takes_value: true, verbs, why }
}

/// Verbs of wimlib-imagex that come later, and what to do until then.
const VERBS: &[(&str, &str)] = &[
    ("update", "apply the image, change the files, and append it again"),
    ("split", "copy the whole file"),
    ("join", "export all images of the first part with --ref into a new file"),
    ("mount", "extract or apply the image instead"),
    ("mountrw", "apply the image, change the files, and append it again"),
    ("unmount", "there is nothing mounted"),
];

/// Options that ask for what is done anyway, with the verbs that have them in wimlib-imagex.
const NEEDLESS: &[(&str, &[&str])] = &[("not-pipable", WRITERS), ("verbose", CAPTURES)];

/// Lets the parser meet the options, so that they are reported as what they are.
pub(super) fn add_to(command: Command) -> Command {
    let command = NEEDLESS.iter().fold(command, |command, (option, verbs)| {
        verbs.iter().fold(command, |command, verb| {
            command.mut_subcommand(*verb, |sub| sub.arg(flag(option, verbs, "").as_argument()))
        })
    });
    OPTIONS.iter().fold(command, |command, unsupported| {
        unsupported.verbs.iter().fold(command, |command, verb| {
            command.mut_subcommand(*verb, |sub| sub.arg(unsupported.as_argument()))
        })
    })
}

impl Unsupported {
    fn as_argument(&self) -> Arg {
        let action = if self.takes_value { ArgAction::Append } else { ArgAction::SetTrue };
        Arg::new(self.option).long(self.option).hide(true).action(action)
    }
}

/// Refuses a command line that holds one of the options.
pub(super) fn refuse_options(matches: &ArgMatches) -> Result<(), UsageError> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let typed = |option: &str| matches.value_source(option) == Some(ValueSource::CommandLine);
    let met = OPTIONS.iter().find(|o| o.verbs.contains(&verb) && typed(o.option));
    met.map_or(Ok(()), |met| {
        Err(UsageError::UnsupportedOption { option: format!("--{}", met.option), why: met.why })
    })
}

/// Answers for a verb that the parser did not know.
pub(super) fn refuse_verb(verb: &str) -> Option<UsageError> {
    let &(verb, instead) = VERBS.iter().find(|(name, _)| *name == verb)?;
    Some(UsageError::UnsupportedVerb { verb: verb.to_owned(), instead })
}
