//! One line of what to do about an error.

use std::io::ErrorKind;

use crate::error::{CommandError, UsageError};
use crate::selection::SelectionError;

/// Looks for advice on an error or one of its causes, the nearest first.
pub(crate) fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        None.or_else(|| cause.downcast_ref().and_then(on_usage))
            .or_else(|| cause.downcast_ref().and_then(on_command))
            .or_else(|| cause.downcast_ref().and_then(on_open))
            .or_else(|| cause.downcast_ref().and_then(on_write))
            .or_else(|| cause.downcast_ref().and_then(on_set))
            .or_else(|| cause.downcast_ref().and_then(on_file))
            .or_else(|| cause.downcast_ref().and_then(on_selection))
            .or_else(|| cause.downcast_ref().and_then(on_codec))
            .or_else(|| cause.downcast_ref().and_then(on_io))
            .or_else(|| cause.downcast_ref().map(|_: &imprint_progress::Cancelled| cancelled()))
    })
}

fn on_usage(error: &UsageError) -> Option<String> {
    match error {
        UsageError::Parser(_) | UsageError::StandardStream { .. } => None,
        UsageError::UnsupportedOption { why, .. } => Some((*why).to_owned()),
        UsageError::UnsupportedVerb { instead, .. } => Some((*instead).to_owned()),
        UsageError::ChunkSize { advice, .. } => Some(advice.clone()),
        UsageError::ChunkSizeWithoutCompression { .. } => Some("leave it out".to_owned()),
        UsageError::Conflict { .. } => Some("give one of them".to_owned()),
        UsageError::UnknownEnding { .. } => Some("name the format: --format=vhdx".to_owned()),
        UsageError::BlockSize { .. } => Some("the largest is 256M".to_owned()),
        UsageError::Needs { .. } => None,
        UsageError::Imagex(error) => Some(error.advice()),
    }
}

fn on_command(error: &CommandError) -> Option<String> {
    match error {
        CommandError::NoSuchImage { wim, count, .. }
        | CommandError::ImageNotChosen { wim, count } => Some(match count {
            0 => "the file holds no images".to_owned(),
            _ => format!("`imprint info {}` lists the images", wim.display()),
        }),
        CommandError::OneImageOnly { .. } => Some("give the index or name of one".to_owned()),
        CommandError::NoSuchPath { .. } => Some("`imprint dir` lists the files".to_owned()),
        CommandError::NothingMatches { .. } => {
            Some("put the pattern in quotes, so that the shell leaves it alone".to_owned())
        }
        CommandError::Integrity { .. } => {
            Some("`imprint verify` lists what is damaged; a copy may be whole".to_owned())
        }
        CommandError::OtherCompression { .. } => Some(
            "leave --compress and --chunk-size out, or export all images into a new file"
                .to_owned(),
        ),
        CommandError::NoData { .. } => Some("extract it into a directory instead".to_owned()),
        CommandError::Hash { .. } => Some("the file is damaged; a copy may be whole".to_owned()),
        CommandError::Missing { .. } => Some("name more files with --ref".to_owned()),
        CommandError::NothingFound { .. } => {
            Some("`imprint dir` lists the files; --nullglob goes on without".to_owned())
        }
        CommandError::Pattern { .. } | CommandError::NoFiles => None,
    }
}

fn on_open(error: &imprint_wim::OpenError) -> Option<String> {
    use imprint_wim::OpenError;
    match error {
        OpenError::Pipable => Some("`wimlib-imagex optimize --not-pipable` converts it".to_owned()),
        OpenError::Unfinished => Some("whatever wrote it was stopped; write it again".to_owned()),
        OpenError::Encrypted => Some("it must be decrypted by other means first".to_owned()),
        _ => None,
    }
}

fn on_write(error: &imprint_wim::WriteError) -> Option<String> {
    use imprint_wim::{Refusal, WriteError};
    let WriteError::Refused(refusal) = error else { return None };
    Some(
        match refusal {
            Refusal::ReadOnly => "export its images into a new file",
            Refusal::Split { .. } => "export its images into a new file with --ref",
            Refusal::WriteInProgress | Refusal::ResourceBehindTables { .. } => {
                "`imprint optimize` writes it anew"
            }
            _ => return None,
        }
        .to_owned(),
    )
}

fn on_set(error: &imprint_wim::SetError) -> Option<String> {
    use imprint_wim::SetError;
    Some(
        match error {
            SetError::MissingParts { .. } => {
                "name all parts with --ref, such as --ref=\"name*.swm\""
            }
            SetError::ForeignPart { .. } => {
                "give --ref a pattern that matches the parts of one set"
            }
            SetError::RepeatedPart { .. } => "name each part once",
            _ => return None,
        }
        .to_owned(),
    )
}

fn on_file(error: &imprint_image::FileError) -> Option<String> {
    match error {
        imprint_image::FileError::Locked { .. } => {
            Some("wait until the other program has finished".to_owned())
        }
        // Stands for its cause, so the chain does not show the cause again.
        imprint_image::FileError::Io(error) => on_io(error),
        _ => None,
    }
}

fn on_selection(error: &SelectionError) -> Option<String> {
    match error {
        SelectionError::SameName { .. } => {
            Some("--preserve-dir-structure keeps them apart".to_owned())
        }
        SelectionError::Tree(_) => None,
    }
}

fn on_codec(error: &imprint_codec::NewCodecError) -> Option<String> {
    match error {
        imprint_codec::NewCodecError::CompressUnsupported { .. } => {
            Some("choose another compression, such as --compress=lzx".to_owned())
        }
        _ => None,
    }
}

fn on_io(error: &std::io::Error) -> Option<String> {
    Some(
        match error.kind() {
            ErrorKind::PermissionDenied => "try again as root, or as the owner of the files",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space and try again",
            ErrorKind::ReadOnlyFilesystem => "choose a place that can be written to",
            ErrorKind::NotADirectory => "name a directory; mount an NTFS volume with ntfs-3g first",
            ErrorKind::NotFound => "check the path",
            _ => return None,
        }
        .to_owned(),
    )
}

fn cancelled() -> String {
    "nothing was changed; start it again when it suits".to_owned()
}
