//! Handles of a tree's directories.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imprint_winvalues::tree::{Name, NameId, Tree};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::sys;

/// Directories kept open at most. Half of the usual limit of 1,024 descriptors per process.
const SLOTS: usize = 512;

/// Opens directories of a tree on demand, each from its parent's handle by its one name, and keeps
/// some of them open.
///
/// A directory has one slot it can be in, so looking one up is one uncontended lock; neighbours in
/// the tree have different slots.
#[derive(Debug)]
pub(super) struct Directories {
    root: Arc<OwnedFd>,
    slots: Box<[Mutex<Option<Held>>]>,
    follow_links: AtomicBool,
    /// Names on the host that differ from those in the tree.
    substitutes: HashMap<NameId, Box<[u8]>>,
}

#[derive(Debug)]
struct Held {
    directory: NameId,
    handle: Arc<OwnedFd>,
}

impl Directories {
    pub(super) fn new(root: OwnedFd) -> Self {
        let slots = std::iter::repeat_with(|| Mutex::new(None)).take(SLOTS).collect();
        Self {
            root: Arc::new(root),
            slots,
            follow_links: AtomicBool::new(false),
            substitutes: HashMap::new(),
        }
    }

    pub(super) const fn root(&self) -> &Arc<OwnedFd> {
        &self.root
    }

    /// Forgets all directories, for another tree, and sets whether names may be symbolic links.
    pub(super) fn reset(&self, follow_links: bool) {
        self.follow_links.store(follow_links, Ordering::Relaxed);
        self.close_all();
    }

    pub(super) fn follows_links(&self) -> bool {
        self.follow_links.load(Ordering::Relaxed)
    }

    /// Gives a name another form on the host.
    pub(super) fn substitute(&mut self, id: NameId, bytes: Box<[u8]>) {
        self.substitutes.insert(id, bytes);
    }

    /// The name as the host has it. Empty for the root and for names that are not in the tree.
    pub(super) fn host_name(&self, tree: &Tree, id: NameId) -> Cow<'_, [u8]> {
        if !self.substitutes.is_empty()
            && let Some(bytes) = self.substitutes.get(&id)
        {
            return Cow::Borrowed(bytes);
        }
        Cow::Owned(tree.name(id).map(|name| name.name.to_wtf8()).unwrap_or_default())
    }

    /// The handle of a directory of the tree.
    pub(super) fn handle(&self, tree: &Tree, directory: NameId) -> Result<Arc<OwnedFd>, Errno> {
        let mut missing = Vec::new();
        let mut at = directory;
        let mut handle = loop {
            if let Some(handle) = self.held(at) {
                break handle;
            }
            missing.push(at);
            at = tree.name(at).and_then(Name::parent).ok_or(Errno::NOENT)?;
        };
        for &next in missing.iter().rev() {
            handle = Arc::new(self.open(&handle, &self.host_name(tree, next))?);
            *self.slot(next) = Some(Held { directory: next, handle: Arc::clone(&handle) });
        }
        Ok(handle)
    }

    /// The handle of the directory `id` is in; for the root, of the root itself.
    pub(super) fn parent(&self, tree: &Tree, id: NameId) -> Result<Arc<OwnedFd>, Errno> {
        self.handle(tree, tree.name(id).and_then(Name::parent).unwrap_or(NameId::ROOT))
    }

    fn open(&self, parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
        match sys::open_base(parent, name, self.follows_links()) {
            Err(Errno::MFILE | Errno::NFILE) => {
                self.close_all();
                sys::open_base(parent, name, self.follows_links())
            }
            other => other,
        }
    }

    fn close_all(&self) {
        for slot in &self.slots {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn held(&self, directory: NameId) -> Option<Arc<OwnedFd>> {
        if directory == NameId::ROOT {
            return Some(Arc::clone(&self.root));
        }
        let slot = self.slot(directory);
        slot.as_ref().filter(|held| held.directory == directory).map(|h| Arc::clone(&h.handle))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder of a division by the number of slots is an index of one"
    )]
    fn slot(&self, directory: NameId) -> MutexGuard<'_, Option<Held>> {
        // Numbers of directories are far apart (their files lie between): spread them by the golden
        // ratio, so that a directory and its parent meet in a slot by chance only.
        let spread = u64::from(directory.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.slots[spread as usize % SLOTS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imprint_winvalues::Attributes;
    use imprint_winvalues::tree::File;

    #[test]
    fn directories_deeper_than_the_table_are_reached_and_links_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = || {
            let mut file = File::default();
            file.attributes = Attributes::DIRECTORY;
            file
        };
        let mut tree = Tree::new(directory());
        let mut at = NameId::ROOT;
        let root = sys::open_root(temporary.path()).unwrap();
        let mut directories = Directories::new(root);
        for _ in 0..SLOTS * 2 {
            let parent = directories.handle(&tree, at).unwrap();
            at = tree.add(at, "d".into(), directory()).unwrap();
            rustix::fs::mkdirat(parent, "d", rustix::fs::Mode::RWXU).unwrap();
        }
        directories.reset(false);
        directories.handle(&tree, at).unwrap();

        let link = tree.add(NameId::ROOT, "link".into(), directory()).unwrap();
        std::os::unix::fs::symlink("d", temporary.path().join("link")).unwrap();
        assert_eq!(directories.handle(&tree, link).unwrap_err(), Errno::NOTDIR);
        directories.reset(true);
        directories.handle(&tree, link).unwrap();
        directories.reset(false);
        directories.substitute(link, (*b"d").into());
        directories.handle(&tree, link).unwrap();
    }
}
