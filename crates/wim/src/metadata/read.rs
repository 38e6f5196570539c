//! From bytes to a tree.

use std::collections::{HashMap, HashSet};

use imprint_winvalues::security::{SecurityId, SecurityTable};
use imprint_winvalues::tree::{
    AddError, Extras, File, FileId, Name, NameId, ReparseInfo, Times, Tree,
};
use imprint_winvalues::{Attributes, BlobHash, FileTime, WinName};

use super::entry::{self, FIXED, RawEntry};
use super::{
    ImageTree, TreeDetails, TreeWarning, is_link, items, number, security, streams, to_u64,
};
use crate::error::{Corruption, Expected, Fault, Structure};

/// The deepest nesting of directories. Source: wimlib; its reader refuses more.
const DEEPEST: u32 = 16_384;
/// Security id of files without a descriptor.
pub(super) const NO_SECURITY: u32 = u32::MAX;
/// Flag of a reparse point whose absolute target was not adjusted at capture.
pub(super) const NOT_FIXED: u16 = 1;

/// Reads uncompressed metadata. `image` is the image's index, named in errors; 0 if it has none.
///
/// # Errors
/// [`Corruption`] if a length, offset or count lies outside; [`TreeWarning`] says what is not an
/// error.
pub fn read(bytes: &[u8], image: u32) -> Result<ImageTree, Corruption> {
    let structure = Structure::Metadata { image };
    read_image(bytes).map_err(|(offset, fault)| Corruption::new(structure, offset, fault))
}

fn read_image(bytes: &[u8]) -> Result<ImageTree, (u64, Fault)> {
    let (security, root_at) = security::read(bytes)?;
    let mut root = File::default();
    root.attributes = Attributes::DIRECTORY;
    let mut reader = Reader {
        bytes,
        tree: Tree::new(root),
        details: TreeDetails::default(),
        warnings: Vec::new(),
        links: HashMap::new(),
        groups: HashSet::new(),
        descriptors: u32::try_from(security.len()).unwrap_or(u32::MAX),
        left: to_u64(bytes.len()) / FIXED,
    };
    reader.read_root(root_at, security)?;
    let Reader { tree, details, warnings, .. } = reader;
    Ok(ImageTree { tree, details, warnings })
}

/// A list of entries still to be read.
struct Listing {
    directory: NameId,
    at: u64,
    depth: u32,
}

struct Reader<'a> {
    bytes: &'a [u8],
    tree: Tree,
    details: TreeDetails,
    warnings: Vec<TreeWarning>,
    /// The file of each link group; entries of one group are one file only if their data is the same
    /// (install.wim of Windows 7 uses group numbers twice; DISM goes by the hash, too).
    links: HashMap<(u64, BlobHash), FileId>,
    groups: HashSet<u64>,
    descriptors: u32,
    /// Entries that may still be read: there is room for no more in the metadata, so that
    /// directories which contain each other or share their entries end here.
    left: u64,
}

impl<'a> Reader<'a> {
    fn read_root(&mut self, at: u64, security: SecurityTable) -> Result<(), (u64, Fault)> {
        self.tree.security = security;
        let Some(raw) = entry::parse(self.bytes, at)? else {
            self.warnings.push(TreeWarning::NoRoot { offset: at });
            return Ok(());
        };
        let attributes = Attributes::from_bits_retain(raw.disk.attributes.get());
        if !attributes.contains(Attributes::DIRECTORY) {
            let attributes = attributes.bits();
            return Err((at + 0x08, Fault::RootNotADirectory { attributes }));
        }
        if !raw.name.is_empty() || !raw.short_name.is_empty() {
            self.warnings.push(TreeWarning::NamedRoot { offset: at });
        }
        let root = self.file(&raw, at, NameId::ROOT);
        let id = self.tree.name(NameId::ROOT).map(Name::file);
        if let Some(id) = id {
            if let Some(slot) = self.tree.file_mut(id) {
                *slot = root;
            }
            self.keep_details(&raw, id);
        }
        let at = raw.disk.subdir_offset.get();
        if at == 0 {
            return Ok(());
        }
        let mut pending = vec![Listing { directory: NameId::ROOT, at, depth: 1 }];
        while let Some(listing) = pending.pop() {
            let first = pending.len();
            self.read_listing(&listing, &mut pending)?;
            // Directories are met in the order of their entries, as other readers do.
            if let Some(new) = pending.get_mut(first..) {
                new.reverse();
            }
        }
        Ok(())
    }

    fn read_listing(
        &mut self,
        listing: &Listing,
        pending: &mut Vec<Listing>,
    ) -> Result<(), (u64, Fault)> {
        let mut names: HashSet<&'a [u8]> = HashSet::new();
        let mut at = listing.at;
        while let Some(raw) = entry::parse(self.bytes, at)? {
            self.left = self.left.checked_sub(1).ok_or((at, Fault::Cycle))?;
            let next = raw.next;
            if !self.is_passed_over(&raw, at, listing.directory, &mut names) {
                let name = self.add(&raw, at, listing.directory)?;
                let subdir = raw.disk.subdir_offset.get();
                // What a link shows is elsewhere: entries behind one would lead out of the tree.
                let is_directory =
                    self.tree.file_of(name).is_some_and(|f| f.is_directory() && !is_link(f));
                if subdir != 0 && !is_directory {
                    self.warnings.push(TreeWarning::ChildrenOfFile { name, offset: at });
                } else if subdir != 0 {
                    let depth = listing.depth + 1;
                    if depth > DEEPEST {
                        let field = "depth of directories";
                        let expected = Expected::AtMost(DEEPEST.into());
                        return Err((at + 0x10, number(field, expected, depth.into())));
                    }
                    pending.push(Listing { directory: name, at: subdir, depth });
                }
            }
            at = next;
        }
        Ok(())
    }

    /// Whether an entry's name makes it unusable, which is noted.
    fn is_passed_over(
        &mut self,
        raw: &RawEntry<'a>,
        offset: u64,
        directory: NameId,
        names: &mut HashSet<&'a [u8]>,
    ) -> bool {
        let name = || WinName::from_le_bytes(raw.name);
        let warning = if raw.name.is_empty() {
            TreeWarning::Unnamed { directory, offset }
        } else if matches!(raw.name, [b'.', 0] | [b'.', 0, b'.', 0]) {
            TreeWarning::Dots { directory, name: name(), offset }
        } else if raw.name.as_chunks::<2>().0.contains(&[0, 0]) {
            TreeWarning::NulInName { directory, name: name(), offset }
        } else if !names.insert(raw.name) {
            TreeWarning::Duplicate { directory, name: name(), offset }
        } else {
            return false;
        };
        self.warnings.push(warning);
        true
    }

    /// Adds an entry: as a new file, or as another name of a file that is there.
    fn add(
        &mut self,
        raw: &RawEntry<'a>,
        at: u64,
        directory: NameId,
    ) -> Result<NameId, (u64, Fault)> {
        // Parent and link target were chosen to be fit; what is left is the number of entries.
        let full = |_error: AddError| {
            let limit = u64::from(u32::MAX);
            (at, number("number of entries", Expected::AtMost(limit), limit + 1))
        };
        let name = NameId(u32::try_from(self.tree.names().len()).unwrap_or(u32::MAX));
        let long = WinName::from_le_bytes(raw.name);
        let file = self.file(raw, at, name);
        let group = self.link_group(raw, &file, at, name);
        let hash = streams::main_data_hash(&file.streams);
        let known = group.and_then(|group| self.links.get(&(group, hash)).copied());
        let added = if let Some(id) = known {
            if let Some(group) = group {
                self.details.link_groups.insert(id, group);
            }
            self.tree.link(directory, long, id).map_err(full)?
        } else {
            let added = self.tree.add(directory, long, file).map_err(full)?;
            if let Some(id) = self.tree.name(added).map(Name::file) {
                self.keep_details(raw, id);
                self.remember_group(group, hash, id, added, at);
            }
            added
        };
        if let Some(entry) = self.tree.name_mut(added) {
            entry.short_name = WinName::from_le_bytes(raw.short_name);
        }
        Ok(added)
    }

    /// The link group of an entry that can be one of several names.
    fn link_group(
        &mut self,
        raw: &RawEntry<'a>,
        file: &File,
        offset: u64,
        name: NameId,
    ) -> Option<u64> {
        if file.attributes.contains(Attributes::REPARSE_POINT) {
            return None;
        }
        let group = u64::from_le_bytes(raw.disk.link_or_reparse);
        if group == 0 {
            return None;
        }
        if !file.is_directory() {
            return Some(group);
        }
        if !self.groups.insert(group) {
            self.warnings.push(TreeWarning::DirectoryLink { name, offset });
        }
        None
    }

    fn remember_group(
        &mut self,
        group: Option<u64>,
        hash: BlobHash,
        id: FileId,
        name: NameId,
        offset: u64,
    ) {
        let Some(group) = group else { return };
        self.links.insert((group, hash), id);
        if !self.groups.insert(group) {
            self.warnings.push(TreeWarning::InconsistentLinks { name, group, offset });
        }
    }

    /// Reads everything of an entry that belongs to the file.
    fn file(&mut self, raw: &RawEntry<'a>, at: u64, name: NameId) -> File {
        let disk = raw.disk;
        let attributes = Attributes::from_bits_retain(disk.attributes.get());
        let mut file = File::default();
        file.attributes = attributes;
        file.security = self.security(disk.security_id.get(), at, name);
        file.times = Times {
            creation: FileTime(disk.creation_time.get()),
            access: FileTime(disk.access_time.get()),
            write: FileTime(disk.write_time.get()),
            change: None,
        };
        file.streams = streams::read(raw, attributes, at, name, &mut self.warnings);
        if attributes.contains(Attributes::REPARSE_POINT) {
            let (info, _) = reparse_info(disk.link_or_reparse);
            file.reparse = Some(info);
        }
        if !raw.tail.is_empty() {
            let (extras, complete) = items::read(raw.tail);
            if !complete {
                self.warnings.push(TreeWarning::TaggedItems { name, offset: at });
            }
            if extras != Extras::default() {
                file.extras = Some(Box::new(extras));
            }
        }
        file
    }

    fn security(&mut self, id: u32, offset: u64, name: NameId) -> Option<SecurityId> {
        if id < self.descriptors {
            return Some(SecurityId(id));
        }
        if id != NO_SECURITY {
            let count = self.descriptors;
            self.warnings.push(TreeWarning::SecurityId { name, id, count, offset });
        }
        None
    }

    /// Keeps what a tree has no place for.
    fn keep_details(&mut self, raw: &RawEntry<'a>, id: FileId) {
        let unknown = raw.disk.unknown_54.get();
        if unknown != 0 {
            self.details.unknown_54.insert(id, unknown);
        }
        let Some(file) = self.tree.file(id) else { return };
        if file.reparse.is_some() {
            let (_, flags) = reparse_info(raw.disk.link_or_reparse);
            if flags != 0 {
                self.details.reparse_flags.insert(id, flags);
            }
        }
        let written = file.extras.as_deref().map(items::write);
        let same = match &written {
            Some(Ok(bytes)) => bytes.as_slice() == raw.tail,
            Some(Err(_)) => false,
            None => raw.tail.is_empty(),
        };
        if !same {
            self.details.tails.insert(id, raw.tail.into());
        }
    }
}

/// Cuts the union of an entry with a reparse point: what a tree knows, and the other flags.
fn reparse_info(bytes: [u8; 8]) -> (ReparseInfo, u16) {
    let [a, b, c, d, e, f, g, h] = bytes;
    let flags = u16::from_le_bytes([g, h]);
    let info = ReparseInfo {
        tag: u32::from_le_bytes([a, b, c, d]),
        reserved: u16::from_le_bytes([e, f]),
        not_fixed: flags & NOT_FIXED != 0,
    };
    (info, flags & !NOT_FIXED)
}
