//! `imprint ntfs mkdir`: makes directories.

use anyhow::Context;
use imprint_ntfs::NewFile;

use super::edit::{self, Edit};
use super::{names, shown};
use crate::cli::ntfs_edit::MkdirArgs;
use crate::console::Console;
use crate::exit::Status;

/// Makes directories.
pub(super) fn run(args: &MkdirArgs, console: &mut Console) -> anyhow::Result<Status> {
    let volume = edit::open(&args.edit)?;
    let mut edit = Edit::new(&args.edit, volume.device()?)?;
    for path in &args.paths {
        let names = names(path)?;
        if args.parents {
            let mut at = edit.find_there(&[])?;
            for name in &names {
                at = edit.make_directory(at, name)?;
            }
            continue;
        }
        let (parent, name) = edit.place(&names)?;
        let new = NewFile { name: name.clone(), is_directory: true, ..NewFile::default() };
        let made = edit.editor.create(parent, &new);
        made.with_context(|| edit.failed("make", shown(&names)))?;
    }
    edit.close()?;
    volume.close()?;
    super::tell_changed(console, &args.edit, ("made", "path"), args.paths.len(), 0)
}
