//! The process in the background, seen from the one that starts it.

use std::ffi::OsString;
use std::io::{BufReader, Read};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use super::Document;
use crate::cli::disk::{FormatName, MountArgs};
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;

/// This program, whatever name it was called by.
const MYSELF: &str = "/proc/self/exe";

/// Starts this program in the background and waits until it has mounted the disk.
pub(super) fn run(args: &MountArgs, console: &mut Console) -> anyhow::Result<Status> {
    let program = std::env::current_exe().unwrap_or_else(|_| MYSELF.into());
    let mut child = Command::new(program)
        .args(words(args))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start the process that serves the disk")?;
    match read_document(&mut child) {
        Some(document) => {
            document.announce(console)?;
            Ok(document.status())
        }
        None => tell_failure(child, console),
    }
}

/// The words that make this program do the same in the foreground.
fn words(args: &MountArgs) -> Vec<OsString> {
    let MountArgs { file, directory, write, force, foreground: _, detached: _ } = args;
    let mut words: Vec<OsString> =
        ["disk", "mount", "--foreground", "--detached", "--json"].map(OsString::from).into();
    let option = |name: &str, value: &std::ffi::OsStr| {
        let mut word = OsString::from(name);
        word.push(value);
        word
    };
    words.extend(file.format.map(|format| option("--format=", format_word(format).as_ref())));
    let folders = file.source.parent_dirs.iter();
    words.extend(folders.map(|folder| option("--parent-dir=", folder.as_os_str())));
    words.extend(write.then(|| "--write".into()));
    words.extend(force.then(|| "--force".into()));
    words.push("--".into());
    words.push(file.file.clone().into());
    words.push(directory.clone().into());
    words
}

fn format_word(format: FormatName) -> &'static str {
    match format {
        FormatName::Raw => "raw",
        FormatName::Vhd => "vhd",
        FormatName::Vhdx => "vhdx",
    }
}

/// Waits until the disk is mounted; `None` if it is not.
fn read_document(child: &mut Child) -> Option<Document> {
    let output = BufReader::new(child.stdout.take()?);
    serde_json::Deserializer::from_reader(output).into_iter().next()?.ok()
}

/// Says what a process said that did not mount.
fn tell_failure(mut child: Child, console: &mut Console) -> anyhow::Result<Status> {
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        errors.read_to_string(&mut said)?;
    }
    let status = child.wait()?;
    if status.success() || said.is_empty() {
        return Err(CommandError::ServerEnded { status }.into());
    }
    console.warn(&said);
    Ok(Status::Failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::disk::DiskVerb;
    use crate::cli::low::{Cli, Verb};

    fn parse(words: &[OsString]) -> MountArgs {
        let words = std::iter::once("imprint".into()).chain(words.iter().cloned());
        match Cli::try_parse_from(words).unwrap().verb {
            Verb::Disk(DiskVerb::Mount(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    /// What the user typed and what the process in the background understands are the same.
    #[test]
    fn words_mean_the_same() {
        for typed in [
            "disk mount a.vhdx dir",
            "disk mount --write -- -a.vhd -dir",
            "disk mount a --format=vhdx --parent-dir=x,y --parent-dir=-z dir --write --force",
            "disk mount a --format raw dir",
            "disk mount a --format vhd dir",
        ] {
            let typed: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
            let args = parse(&typed);
            let again = parse(&words(&args));
            assert!(again.foreground && again.detached, "{typed:?}");
            assert_eq!(MountArgs { foreground: false, detached: false, ..again }, args);
        }
    }
}
