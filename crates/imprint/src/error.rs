//! What this program itself can find wrong; the engine's errors pass through as they are.

use std::path::PathBuf;

/// The command line is wrong: exit status 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// Found by the argument parser, which words it with the usage line below.
    #[error("{}", .0.render().to_string().trim_end())]
    Parser(#[from] clap::Error),
    #[error("{option} is not supported")]
    UnsupportedOption { option: String, why: &'static str },
    #[error("{verb} is not supported")]
    UnsupportedVerb { verb: String, instead: &'static str },
    #[error("{first} and {second} were both given")]
    Conflict { first: &'static str, second: &'static str },
    #[error("{option} needs {needs}")]
    Needs { option: &'static str, needs: &'static str },
    #[error("chunk size {chunk_size} is not possible with {format} compression")]
    ChunkSize { chunk_size: u32, format: imprint_codec::Format, advice: String },
    #[error("chunk size {chunk_size} makes no sense without compression")]
    ChunkSizeWithoutCompression { chunk_size: u32 },
    #[error("the ending of {} stands for no format of disk files", path.display())]
    UnknownEnding { path: PathBuf },
    #[error("block size {bytes} is too large")]
    BlockSize { bytes: u64 },
    #[error("standard {stream} cannot hold a WIM file")]
    StandardStream { stream: &'static str },
    #[error(transparent)]
    Imagex(#[from] crate::imagex::ImagexError),
}

/// A command cannot be done: exit status 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("{} has no image {wanted:?}", wim.display())]
    NoSuchImage { wim: PathBuf, wanted: String, count: usize },
    #[error("{} has {count} images, but none was chosen", wim.display())]
    ImageNotChosen { wim: PathBuf, count: usize },
    #[error("{operation} takes one image, not all")]
    OneImageOnly { operation: &'static str },
    #[error("image {image} has no file {path:?}")]
    NoSuchPath { image: u32, path: String },
    #[error("{} is damaged between bytes {start:#x} and {end:#x}, as its integrity table shows", wim.display())]
    Integrity { wim: PathBuf, start: u64, end: u64 },
    #[error("{pattern:?} matches no file")]
    NothingMatches { pattern: String },
    #[error("nothing in image {image} matches {path:?}")]
    NothingFound { image: u32, path: String },
    #[error("there is no file to read")]
    NoFiles,
    #[error("{} is not compressed in this way, but with {}", wim.display(), coding_text(*.has))]
    OtherCompression { wim: PathBuf, has: Option<imprint_wim::Coding> },
    #[error("{path} in image {image} is {is}, which has no data to print")]
    NoData { image: u32, path: String, is: &'static str },
    #[error("data of {path} in image {image} should have SHA-1 {expected}, but has {actual}")]
    Hash {
        image: u32,
        path: String,
        expected: imprint_winvalues::BlobHash,
        actual: imprint_winvalues::BlobHash,
    },
    #[error("data {hash} of {path} is in none of the files given")]
    Missing { path: String, hash: imprint_winvalues::BlobHash },
    #[error("{} is not an empty directory", at.display())]
    MountPoint { at: PathBuf },
    #[error("layout {} cannot be read", path.display())]
    Layout {
        path: PathBuf,
        #[source]
        source: imprint_partition::LayoutError,
    },
    #[error("layout {} should have at most {most} bytes", path.display())]
    LayoutTooLong { path: PathBuf, most: u64 },
    #[error("process that was to serve the disk ended: {status}")]
    ServerEnded { status: std::process::ExitStatus },
    #[error("{} was unmounted, but not all that was written could be kept: {why}", at.display())]
    NotKept { at: PathBuf, why: String },
    #[error("{} was unmounted, but the process that served it is gone without a word", at.display())]
    ServerGone { at: PathBuf },
    #[error("{} has no file {file}", volume.display())]
    NoSuchFile { volume: PathBuf, file: String },
    #[error("{} has no directory {file}", volume.display())]
    NoDirectory { volume: PathBuf, file: String },
    #[error("{} is not a directory", path.display())]
    NoHostDirectory { path: PathBuf },
    #[error("the root directory of {} stays as it is", volume.display())]
    RootDirectory { volume: PathBuf },
    #[error("{} {why}", path.display())]
    NotCopied { path: PathBuf, why: &'static str },
    #[error("{file} on {} {why}", volume.display())]
    NoFileData { volume: PathBuf, file: String, why: &'static str },
    #[error("{} is not empty: {found}", volume.display())]
    VolumeOccupied { volume: PathBuf, found: Box<imprint_partition::Occupied> },
    #[error("pattern {pattern:?} is not valid")]
    Pattern {
        pattern: String,
        #[source]
        source: glob::PatternError,
    },
}

fn coding_text(coding: Option<imprint_wim::Coding>) -> String {
    coding.map_or("none".to_owned(), |coding| {
        format!("{} in chunks of {} bytes", coding.format, coding.chunk_size)
    })
}
