//! Names of files: put into directories, taken out, kept true.

use imprint_blockio::WriteAt;
use imprint_winvalues::WinName;
use zerocopy::IntoBytes;

use super::index::{NAMES, by_name};
use super::inode::{HeldName, Inode};
use super::table::{FIRST_FILE, resident};
use super::{EditError, Editor, name};
use crate::encode::{Body, NameFacts, NewAttribute, file_name, name_entry};
use crate::layout::{IndexEntryDisk, StandardInformationDisk, namespace};
use crate::{AttributeKind, DirectoryEntry, FileReference};

/// `$Extend`: what it holds is the volume's own.
const EXTEND: u64 = 11;
/// The root directory.
const ROOT: u64 = 5;

/// Names that a file is to get in a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewNames<'a> {
    pub(super) long: &'a WinName,
    pub(super) short: Option<&'a WinName>,
    /// Whether others may differ from them in case alone.
    pub(super) posix: bool,
}

impl<D: WriteAt> Editor<D> {
    /// Reads a directory to be changed.
    pub(super) fn directory_inode(&self, reference: FileReference) -> Result<Inode, EditError> {
        let inode = self.volume.inode(reference)?;
        if !inode.is_directory() {
            return Err(EditError::NotDirectory);
        }
        let own = inode.record().0 < FIRST_FILE && inode.record().0 != ROOT;
        if own { Err(EditError::System) } else { Ok(inode) }
    }

    /// Reads a file to be changed that is not one of the volume's own.
    pub(super) fn user_inode(&self, reference: FileReference) -> Result<Inode, EditError> {
        let inode = self.volume.inode(reference)?;
        let own = inode.record().0 < FIRST_FILE && inode.record().0 != ROOT;
        let extended = inode.names().any(|(_, name)| name.parent.record.0 == EXTEND);
        if own || extended { Err(EditError::System) } else { Ok(inode) }
    }

    /// Looks a name up in a directory, case aside.
    pub(super) fn entry(
        &self,
        directory: FileReference,
        name: &[u16],
    ) -> Result<Option<DirectoryEntry>, EditError> {
        let Some(found) = self.volume.directory(directory.record)? else {
            return Err(EditError::NotDirectory);
        };
        Ok(found.lookup(name, &self.upcase)?)
    }

    /// Gives a file a name, and a short one beside it; both are kept in memory until their files are saved.
    pub(super) fn add_names(
        &mut self,
        inode: &mut Inode,
        directory: &mut Inode,
        NewNames { long, short, posix }: NewNames<'_>,
    ) -> Result<(), EditError> {
        name::check(long.units())?;
        // A name that is its own short name has none beside it.
        let same = short.is_some_and(|short| long.eq_ignoring_case(short));
        let mut names = vec![(long, name::of_long(short.map(WinName::units), same))];
        if let Some(short) = short.filter(|_| !same) {
            name::check_short(short.units())?;
            names.push((short, namespace::DOS));
        }
        for (one, _) in &names {
            let taken = self.entry(directory.reference, one.units())?;
            if taken.is_some_and(|taken| !posix || *taken.name == *one.units()) {
                return Err(EditError::Exists);
            }
        }
        let facts = self.facts(inode)?;
        let upcase = self.upcase.clone();
        for (one, space) in names {
            let value = file_name(directory.reference, &facts, one, space);
            let mut entry = Vec::new();
            name_entry(inode.reference, &value, &mut entry);
            inode.put(NewAttribute::resident(AttributeKind::FILE_NAME, value), &upcase);
            let put = self.with_index(directory, NAMES, |tree| {
                tree.insert(entry, by_name(one.units(), &upcase))
            })?;
            if !put {
                return Err(EditError::Exists);
            }
            // The next name is looked up on the volume.
            self.save(directory)?;
        }
        Ok(())
    }

    /// Takes a name, and the short or long one that belongs to it, away from a file; both are kept in memory until
    /// their files are saved.
    pub(super) fn remove_names(
        &mut self,
        inode: &mut Inode,
        directory: &mut Inode,
        entry: &DirectoryEntry,
    ) -> Result<(), EditError> {
        let units = |name: &HeldName| name.name.units() == &*entry.name;
        let here = |name: &HeldName| name.parent == directory.reference;
        let names: Vec<(usize, HeldName)> = inode.names().collect();
        let found = names.iter().find(|(_, name)| here(name) && units(name));
        let Some((index, found)) = found else { return Err(EditError::NotFound) };
        let other = match found.namespace {
            namespace::WIN32 => Some(namespace::DOS),
            namespace::DOS => Some(namespace::WIN32),
            _ => None,
        };
        let pair = names.iter().find(|(_, name)| here(name) && Some(name.namespace) == other);
        let mut gone = vec![(*index, found.clone())];
        gone.extend(pair.cloned());
        gone.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
        let upcase = self.upcase.clone();
        for (index, name) in gone {
            inode.attributes.remove(index);
            self.with_index(directory, NAMES, |tree| {
                tree.remove(by_name(name.name.units(), &upcase))
            })?;
        }
        Ok(())
    }

    /// Notes that the entries of a directory changed.
    pub(super) fn touch(&mut self, directory: &mut Inode) -> Result<(), EditError> {
        let mut information = directory.information()?;
        let now = self.options.now.0;
        information.times.write = now.into();
        information.times.change = now.into();
        directory.set_information(&information);
        self.note(directory.reference);
        Ok(())
    }

    /// What names are to repeat of a file.
    pub(super) fn facts(&self, inode: &Inode) -> Result<NameFacts, EditError> {
        let mut facts = inode.facts(self.cluster_size())?;
        if let Some(found) = inode.find(AttributeKind::REPARSE_POINT, &[])
            && matches!(found.body, Body::Clusters(_))
        {
            let value = self.volume.held_value(inode, found)?;
            facts.extra = value.first_chunk().map_or(0, |&tag| u32::from_le_bytes(tag));
        }
        Ok(facts)
    }

    /// Makes the names of files that changed repeat what changed.
    pub(super) fn refresh_names(&mut self) -> Result<(), EditError> {
        while let Some(reference) = self.stale.pop_first() {
            match self.volume.inode(reference) {
                Ok(mut inode) => self.refresh(&mut inode)?,
                // It was deleted since.
                Err(EditError::Gone(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn refresh(&mut self, inode: &mut Inode) -> Result<(), EditError> {
        let facts = self.facts(inode)?;
        let names: Vec<(usize, HeldName)> = inode.names().collect();
        let mut changed = false;
        for (index, name) in names {
            let value = file_name(name.parent, &facts, &name.name, name.namespace);
            let Some(found) = inode.attributes.get_mut(index) else { continue };
            if !matches!(&found.body, Body::Resident(old) if **old == *value) {
                found.body = resident(value.clone());
                changed = true;
            }
            if name.parent == inode.reference {
                // The root's name stands in itself.
                changed |= self.patch_entry(inode, &name, &value)?;
                continue;
            }
            let mut parent = match self.volume.inode(name.parent) {
                Ok(parent) => parent,
                // Damage of another file is no reason to refuse this one.
                Err(EditError::Gone(_)) => continue,
                Err(error) => return Err(error),
            };
            if self.patch_entry(&mut parent, &name, &value)? {
                self.save(&mut parent)?;
            }
        }
        if changed { self.save(inode) } else { Ok(()) }
    }

    /// Makes an entry of a directory repeat a name. Returns whether the directory's own record has it.
    fn patch_entry(
        &mut self,
        directory: &mut Inode,
        name: &HeldName,
        value: &[u8],
    ) -> Result<bool, EditError> {
        let upcase = self.upcase.clone();
        self.with_index(directory, NAMES, |tree| {
            tree.patch(by_name(name.name.units(), &upcase), |entry| {
                let start = size_of::<IndexEntryDisk>();
                if let Some(place) = entry.get_mut(start..start + value.len()) {
                    place.copy_from_slice(value);
                }
            })?;
            Ok(tree.root_changed)
        })
    }
}

/// A `$STANDARD_INFORMATION` as an attribute.
pub(super) fn information_attribute(
    information: &StandardInformationDisk,
) -> NewAttribute<'static> {
    let value = information.as_bytes().to_vec();
    NewAttribute::resident(AttributeKind::STANDARD_INFORMATION, value)
}
