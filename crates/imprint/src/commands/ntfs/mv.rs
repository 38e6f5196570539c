//! `imprint ntfs mv`: moves and renames files.

use anyhow::Context;

use super::edit::{self, Edit};
use super::{names, shown};
use crate::cli::ntfs_edit::MvArgs;
use crate::console::Console;
use crate::exit::Status;

/// Moves files.
pub(super) fn run(args: &MvArgs, console: &mut Console) -> anyhow::Result<Status> {
    let volume = edit::open(&args.edit)?;
    let mut edit = Edit::new(&args.edit, volume.device()?)?;
    for source in &args.sources {
        let from = names(source)?;
        let file = edit.find_there(&from)?;
        let (parent, name) = edit.place(&from)?;
        let mut to = edit.target(&args.destination, name, args.sources.len() > 1)?;
        // A directory renamed to its own name in another case is not moved into itself.
        let again = names(&args.destination)?;
        if edit.find(&again)? == Some(file) {
            to = again;
        }
        let (new_parent, new_name) = edit.place(&to)?;
        let moved = edit.editor.rename(parent, name, new_parent, new_name, None);
        moved.with_context(|| {
            edit.failed("move", format_args!("{} to {}", shown(&from), shown(&to)))
        })?;
    }
    edit.close()?;
    volume.close()?;
    super::tell_changed(console, &args.edit, ("moved", "file"), args.sources.len(), 0)
}
