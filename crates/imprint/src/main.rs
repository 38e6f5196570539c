//! `imprint` images, deploys, resets and backs up Windows PCs; this is its command line.
//!
//! ```text
//!  words ──cli──► Invocation ──commands──► engine (imprint-image, imprint-wim)
//!                                 │
//!                   console (results, warnings) · watch (progress) · signals (Ctrl-C)
//! ```
//!
//! **Contract.** Results go to standard output, everything else to standard error. Exit status: 0 done,
//! 1 failed, 2 wrong usage, 3 done but incomplete, with each item that was left out listed. An error
//! is one line, its causes joined by colons, with one line of advice below where there is any.
//!
//! **Limits.** Verbs that need a server or registry hives are not here yet.
#![forbid(unsafe_code)]

mod advice;
mod cli;
mod commands;
mod console;
mod environment;
mod error;
mod exit;
mod imagex;
mod meter;
mod report;
mod selection;
mod selector;
mod signals;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    exit::run(&words).into()
}
