//! `imprint ntfs cat`: a file's data on standard output.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::Context;
use imprint_ntfs::{Overlay, RecordNumber, SweptValue, SystemData};
use imprint_winvalues::WinName;

use super::{Opened, names, shown};
use crate::cli::ntfs::CatArgs;
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// What is wanted of a volume.
struct Wanted {
    record: RecordNumber,
    /// What errors call the file.
    file: String,
    /// Empty for the main data.
    stream: WinName,
}

/// Prints a stream.
pub(super) fn run(args: &CatArgs, console: &mut Console) -> anyhow::Result<Status> {
    let opened = Opened::new(&args.volume)?;
    let wanted = choose(&opened, args)?;
    let (record, stream) = (wanted.record, &wanted.stream);
    let file = opened.volume.look(record).with_context(|| opened.reading(&wanted.file))?;
    let file = file.ok_or_else(|| opened.no_such_record(record))?;
    let refuse = |why| CommandError::NoFileData {
        volume: args.volume.clone(),
        file: wanted.file.clone(),
        why,
    };
    let Some(found) = file.streams.iter().find(|found| found.name == *stream) else {
        let why = match (stream.is_empty(), file.is_directory) {
            (false, _) => "has no stream of this name",
            (true, true) => "is a directory",
            (true, false) => "has no data",
        };
        return Err(refuse(why).into());
    };
    if found.is_encrypted {
        return Err(refuse("is encrypted").into());
    }
    let overlay = if stream.is_empty() { file.overlay() } else { Overlay::None };
    let name = &wanted.file;
    match overlay {
        Overlay::None => print(&opened, name, &found.value, console)?,
        Overlay::Compressed(data) => print_system(&opened, name, &data, console)?,
        Overlay::Wim => return Err(refuse("has its data in a WIM file elsewhere").into()),
        Overlay::Unknown => return Err(refuse("is compressed in a way that is not known").into()),
    }
    Ok(Status::Done)
}

/// The stream that is meant. A path that has a colon may be a file's whose name has one, as programs of Linux make
/// them.
fn choose(opened: &Opened<'_>, args: &CatArgs) -> anyhow::Result<Wanted> {
    let (path, stream) = (args.path.as_deref(), args.stream.as_deref());
    if let (Some(path), None, None) = (path, stream, args.file.record)
        && opened.find(&names(path)?)?.is_none()
        && let Some((path, stream)) = split(path)
    {
        let names = names(path)?;
        let found = opened.find(&names)?.ok_or_else(|| opened.no_such_file(&names))?;
        return Ok(Wanted { record: found.record, file: shown(&names), stream: name(stream)? });
    }
    let (record, file) = opened.choose(path, args.file.record)?;
    Ok(Wanted { record, file, stream: name(stream.unwrap_or_default())? })
}

/// Parts a path and the stream's name behind its last colon, which may have its type behind it.
pub(super) fn split(path: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = path.as_bytes();
    let bytes = bytes.strip_suffix(b":$DATA").unwrap_or(bytes);
    let colon = bytes.iter().rposition(|&byte| byte == b':')?;
    let (path, stream) = bytes.split_at_checked(colon)?;
    Some((OsStr::from_bytes(path), OsStr::from_bytes(stream.get(1..)?)))
}

pub(super) fn name(text: &OsStr) -> anyhow::Result<WinName> {
    let context = || format!("name {} is not in UTF-8", text.display());
    WinName::from_wtf8(text.as_bytes()).with_context(context)
}

fn print(
    opened: &Opened<'_>,
    file: &str,
    value: &SweptValue,
    console: &mut Console,
) -> anyhow::Result<()> {
    let clusters = match value {
        SweptValue::Resident(bytes) => return Ok(console.write_all(bytes)?),
        SweptValue::Clusters(clusters) => clusters,
    };
    print_pieces(clusters.size(), console, |piece, offset| {
        let read = opened.volume.read_value(clusters, piece, offset);
        read.with_context(|| opened.reading(file))
    })
}

/// Prints data that Windows compressed.
fn print_system(
    opened: &Opened<'_>,
    file: &str,
    data: &SystemData,
    console: &mut Console,
) -> anyhow::Result<()> {
    let reader = opened.volume.system_reader(data);
    let mut reader = reader.with_context(|| opened.reading(file))?;
    print_pieces(data.size(), console, |piece, offset| {
        reader.read(piece, offset).with_context(|| opened.reading(file))
    })
}

/// Prints data piece by piece.
fn print_pieces(
    size: u64,
    console: &mut Console,
    mut read: impl FnMut(&mut [u8], u64) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut bytes = vec![0; PIECE];
    let mut offset = 0;
    while offset < size {
        let left = size - offset;
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let piece = bytes.get_mut(..length).unwrap_or_default();
        read(piece, offset)?;
        console.write_all(piece)?;
        offset += length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colon_parts_file_and_stream() {
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(path, name)| (OsStr::new(path), OsStr::new(name)));
            assert_eq!(split(OsStr::new(path)), expected);
        };
        check("/a/b", None);
        check("/a/b:c", Some(("/a/b", "c")));
        check("/a:b:c", Some(("/a:b", "c")));
        check("/a:c:$DATA", Some(("/a", "c")));
        check("/a::$DATA", Some(("/a", "")));
    }
}
