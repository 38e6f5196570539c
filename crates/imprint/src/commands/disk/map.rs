//! `imprint disk map`: where the bytes of a disk are.

use imprint_blockio::Extent;
use imprint_image::disk::{map_disk, open_chain};
use serde::Serialize;

use super::file_options;
use crate::cli::disk::FileArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::watch::observe;

/// Lists the extents of a disk.
pub(super) fn run(args: &FileArgs, console: &mut Console) -> anyhow::Result<Status> {
    let source = open_chain(&args.file, &file_options(args))?;
    let paths: Vec<_> =
        source.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let json = console.json();
    let mut first = true;
    if json {
        console.print(&"[")?;
    } else {
        console.print(&format_args!(
            "{:>16} {:>16}  {:<5} {:>16}  file\n",
            "start", "length", "kind", "offset"
        ))?;
    }
    let style = console.progress();
    observe(style, |progress| {
        map_disk(&source.chain, progress, |start, extent| -> anyhow::Result<()> {
            let entry = Entry::new(start, extent, &paths);
            if json {
                let comma = if std::mem::take(&mut first) { "\n" } else { ",\n" };
                console.print(&comma)?;
                console.print(&serde_json::to_string(&entry)?)?;
            } else {
                console.print(&entry)?;
            }
            Ok(())
        })
    })?;
    if json {
        console.print(&"\n]\n")?;
    }
    Ok(Status::Done)
}

/// One extent.
#[derive(Serialize)]
struct Entry<'a> {
    start: u64,
    length: u64,
    kind: &'static str,
    offset: Option<u64>,
    depth: Option<usize>,
    file: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(start: u64, extent: Extent, paths: &'a [String]) -> Self {
        let (kind, offset, depth) = match extent {
            Extent::Data { file, offset, .. } => ("data", Some(offset), Some(file)),
            Extent::Zero { .. } | Extent::Parent { .. } => ("zero", None, None),
        };
        let file = depth.and_then(|depth| paths.get(depth)).map(String::as_str);
        Self { start, length: extent.len(), kind, offset, depth, file }
    }
}

impl std::fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { start, length, kind, offset, file, .. } = self;
        let offset = offset.map(|offset| format!("{offset:#x}")).unwrap_or_default();
        let file = file.unwrap_or_default();
        let line = format!("{start:>#16x} {length:>#16x}  {kind:<5} {offset:>16}  {file}");
        writeln!(f, "{}", line.trim_end())
    }
}
