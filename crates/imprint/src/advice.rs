//! One line of what to do about an error.

use std::io::ErrorKind;
use std::path::Path;

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
            .or_else(|| cause.downcast_ref().and_then(on_disk))
            .or_else(|| cause.downcast_ref().and_then(on_chain))
            .or_else(|| cause.downcast_ref().and_then(on_partition))
            .or_else(|| cause.downcast_ref().and_then(on_edit))
            .or_else(|| cause.downcast_ref().and_then(on_mount))
            .or_else(|| cause.downcast_ref().and_then(on_unmount))
            .or_else(|| cause.downcast_ref().and_then(on_find_mount))
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

fn on_edit(error: &imprint_ntfs::EditError) -> Option<String> {
    use imprint_ntfs::{EditError, ReadError, Structure};
    let advice = match error {
        EditError::Unclean { .. } => {
            "let Windows check it and shut down fully (shutdown /s /t 0), or run `imprint ntfs check --repair`"
        }
        EditError::Read(ReadError::Corruption(found))
            if found.structure == Structure::BootSector =>
        {
            "give --format to make a fresh volume, or run `imprint ntfs format`"
        }
        EditError::NotEmpty => "-r removes a directory with all that is in it",
        EditError::NoRoom { .. } => "remove files, or make the volume larger",
        _ => return None,
    };
    Some(advice.to_owned())
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
        CommandError::MountPoint { .. } => {
            Some("name an empty directory; `mkdir` makes one".to_owned())
        }
        CommandError::NotKept { .. } => Some(
            "what was written since the last fsync is lost; `imprint disk check` shows whether the \
             disk file is whole"
                .to_owned(),
        ),
        CommandError::ServerGone { .. } => Some(
            "it was killed: what was written since the last fsync is lost; `imprint disk check` \
             shows whether the disk file is whole"
                .to_owned(),
        ),
        CommandError::Layout { .. } | CommandError::LayoutTooLong { .. } => {
            Some("`imprint disk partition --help` shows what a layout looks like".to_owned())
        }
        CommandError::NoSuchFile { .. } => Some("`imprint ntfs ls -R` lists the files".to_owned()),
        CommandError::NoFileData { .. } => {
            Some("`imprint ntfs stat` shows what the file has".to_owned())
        }
        CommandError::NoDirectory { .. } => {
            Some("`imprint ntfs mkdir` makes directories".to_owned())
        }
        CommandError::NotCopied { why: "is a directory", .. } => {
            Some("-r copies directories with all that is in them".to_owned())
        }
        CommandError::VolumeOccupied { .. } => {
            Some("--force goes on, and all that is there is lost".to_owned())
        }
        CommandError::NoHostDirectory { .. }
        | CommandError::RootDirectory { .. }
        | CommandError::NotCopied { .. }
        | CommandError::Pattern { .. }
        | CommandError::NoFiles
        | CommandError::ServerEnded { .. } => None,
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

fn on_disk(error: &imprint_image::disk::DiskError) -> Option<String> {
    match error {
        imprint_image::disk::DiskError::HasChildren { .. } => Some(
            "write to a child instead (`imprint disk child`); --force goes on, and those disks are \
             lost"
            .to_owned(),
        ),
        imprint_image::disk::DiskError::SizeOfParent { .. } => Some(
            "`imprint disk flatten` makes a disk of its own of it, which can be resized".to_owned(),
        ),
        // Stands for its cause, so the chain does not show the cause again.
        imprint_image::disk::DiskError::Chain(error) => on_chain(error),
        _ => None,
    }
}

fn on_partition(error: &imprint_image::disk::PartitionError) -> Option<String> {
    use imprint_image::disk::PartitionError;
    match error {
        PartitionError::Occupied { .. } => Some(
            "`imprint disk partitions` lists what it holds; --force goes on, and all of it is lost"
                .to_owned(),
        ),
        // Stands for its cause, so the chain does not show the cause again.
        PartitionError::Disk(error) => on_disk(error),
        _ => None,
    }
}

fn on_chain(error: &imprint_image::disk::ChainError) -> Option<String> {
    match error {
        imprint_image::disk::ChainError::InUse { .. } => Some(
            "wait until the other program has finished; a mounted disk is given free by `imprint \
             disk unmount`"
                .to_owned(),
        ),
        imprint_image::disk::ChainError::Open { path, source } => on_open_disk(path, source),
        imprint_image::disk::ChainError::Link { parent, source, .. } => match &**source {
            imprint_image::disk::LinkFault::Open(source) => on_open_disk(parent, source),
            _ => None,
        },
        _ => None,
    }
}

fn on_open_disk(path: &Path, error: &imprint_vdisk::OpenError) -> Option<String> {
    let path = path.display();
    match error {
        imprint_vdisk::OpenError::Overlap { .. } => Some(format!(
            "`imprint disk check {path}` lists all that overlaps, and with --repair NEW saves what \
             can be read, of which some is then wrong"
        )),
        _ => None,
    }
}

const INSTALL_HELPER: &str = "install it: apt-get install fuse3; or do it as root";

fn on_mount(error: &imprint_mount::MountError) -> Option<String> {
    use imprint_mount::MountError;
    Some(match error {
        MountError::NoFuse(_) => "the kernel needs FUSE (modprobe fuse), and this user needs \
                                  /dev/fuse; a container must be given both (--device /dev/fuse \
                                  --cap-add SYS_ADMIN)"
            .to_owned(),
        MountError::NoHelper(_) => INSTALL_HELPER.to_owned(),
        _ => return None,
    })
}

fn on_unmount(error: &imprint_mount::UnmountError) -> Option<String> {
    use imprint_mount::UnmountError;
    match error {
        UnmountError::Busy { at } => Some(format!(
            "leave the directory in every shell and end the programs that use it (`fuser -vm {}` \
             lists them), then unmount again; it goes on being served",
            at.display()
        )),
        UnmountError::NoHelper(_) => Some(INSTALL_HELPER.to_owned()),
        _ => None,
    }
}

fn on_find_mount(error: &imprint_mount::FindError) -> Option<String> {
    match error {
        imprint_mount::FindError::NotMounted { .. } => {
            Some("`findmnt | grep imprint:` lists the disks that are mounted".to_owned())
        }
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
            ErrorKind::NotADirectory => "name a directory, or a disk with an NTFS volume",
            ErrorKind::NotFound => "check the path",
            // The second while the kernel still clears up.
            ErrorKind::NotConnected | ErrorKind::ConnectionAborted => {
                "whoever served this directory was killed; `imprint disk unmount` frees it"
            }
            _ => return None,
        }
        .to_owned(),
    )
}

fn cancelled() -> String {
    "nothing was changed; start it again when it suits".to_owned()
}
