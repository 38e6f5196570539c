//! Files that have not changed since an earlier image need not be read again.

use std::collections::HashMap;

use imprint_winvalues::tree::{Content, File, NameId, Tree};
use imprint_winvalues::{BlobHash, WinName};

/// Takes over the data of files that look unchanged since the image `before`: same path, same kind,
/// same time of last change, same streams of the same sizes. Answers how many streams were taken.
///
/// `size_of` gives the size of a blob in bytes, `None` for one that is not there.
pub fn reuse_unchanged(
    tree: &mut Tree,
    before: &Tree,
    size_of: impl Fn(&BlobHash) -> Option<u64>,
) -> u64 {
    let old_names: HashMap<(NameId, &WinName), NameId> =
        before.names().filter_map(|(id, name)| Some(((name.parent()?, &name.name), id))).collect();
    let mut twins: Vec<Option<NameId>> = Vec::with_capacity(tree.names().len());
    let mut taken = Vec::new();
    for (_, name) in tree.names() {
        let twin = match name.parent() {
            None => Some(NameId::ROOT),
            Some(parent) => usize::try_from(parent.0)
                .ok()
                .and_then(|index| twins.get(index).copied().flatten())
                .and_then(|parent| old_names.get(&(parent, &name.name)).copied()),
        };
        twins.push(twin);
        let old = twin.and_then(|twin| before.file_of(twin));
        if let (Some(old), Some(new)) = (old, tree.file(name.file()))
            && let Some(contents) = same_contents(old, new, &size_of)
        {
            taken.push((name.file(), contents));
        }
    }
    let mut count = 0;
    for (file, contents) in taken {
        let Some(file) = tree.file_mut(file) else { continue };
        for (stream, content) in file.streams.iter_mut().zip(contents) {
            if matches!(stream.content, Content::Unread { .. }) {
                stream.content = content;
                count += 1;
            }
        }
    }
    count
}

/// The old contents, in the order of the new file's streams, if the file looks unchanged.
fn same_contents(
    old: &File,
    new: &File,
    size_of: &impl Fn(&BlobHash) -> Option<u64>,
) -> Option<Vec<Content>> {
    let unread =
        |file: &File| file.streams.iter().any(|s| matches!(s.content, Content::Unread { .. }));
    if !unread(new)
        || old.is_directory() != new.is_directory()
        || old.times.write != new.times.write
    {
        return None;
    }
    if old.streams.iter().filter(|s| s.content != Content::Empty).count() != new.streams.len() {
        return None;
    }
    let same = |stream: &imprint_winvalues::tree::Stream| {
        let twin = old.streams.iter().find(|o| o.kind == stream.kind && o.name == stream.name)?;
        match (&twin.content, &stream.content) {
            (Content::Blob(hash), Content::Unread { size, .. }) => {
                (size_of(hash)? == *size).then(|| twin.content.clone())
            }
            (_, content) => Some(content.clone()),
        }
    };
    new.streams.iter().map(same).collect()
}
