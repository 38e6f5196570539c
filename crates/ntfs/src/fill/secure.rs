//! `$Secure`: every security descriptor once, and two indexes of them.

use std::collections::HashMap;

use imprint_winvalues::security::{self, SecurityTable};
use zerocopy::IntoBytes;

use crate::encode::view_entry;
use crate::layout::SecurityEntryDisk;

/// Bytes of a block of `$SDS`; as many behind it are its copy.
const BLOCK: u64 = 0x4_0000;
/// Bytes of an entry without the descriptor.
const HEADER: usize = size_of::<SecurityEntryDisk>();
/// The first id.
const FIRST_ID: u32 = 0x100;

/// What the files of the volume itself have: SYSTEM and Administrators may read.
pub(super) const SYSTEM_READ: u32 = FIRST_ID;
/// SYSTEM and Administrators may read and write.
pub(super) const SYSTEM_WRITE: u32 = FIRST_ID + 1;
/// What a directory has that comes without one.
pub(super) const DEFAULT_DIRECTORY: u32 = FIRST_ID + 2;
/// What a file has that comes without one.
pub(super) const DEFAULT_FILE: u32 = FIRST_ID + 3;

/// `$SDS` and the ids of a tree's descriptors.
#[derive(Debug)]
pub(super) struct Secure {
    entries: Vec<SecurityEntryDisk>,
    descriptors: Vec<Box<[u8]>>,
    /// By the tree's own id.
    ids: Vec<Option<u32>>,
}

impl Secure {
    pub(super) fn new(table: &SecurityTable) -> Self {
        let mut secure = Self { entries: Vec::new(), descriptors: Vec::new(), ids: Vec::new() };
        let mut known = HashMap::new();
        for descriptor in [system(0x0012_0089), system(0x0012_019f), default(true), default(false)]
        {
            secure.add(&descriptor, &mut known);
        }
        for descriptor in table.iter() {
            let id =
                security::check(descriptor).is_ok().then(|| secure.add(descriptor, &mut known));
            secure.ids.push(id);
        }
        secure
    }

    /// The id of a descriptor of the tree; `None` if it is not well formed.
    pub(super) fn id(&self, id: security::SecurityId) -> Option<u32> {
        self.ids.get(id.0 as usize).copied().flatten()
    }

    fn add(&mut self, descriptor: &[u8], known: &mut HashMap<Box<[u8]>, u32>) -> u32 {
        if let Some(&id) = known.get(descriptor) {
            return id;
        }
        let id = FIRST_ID + u32::try_from(self.entries.len()).unwrap_or(u32::MAX - FIRST_ID);
        let length = (HEADER + descriptor.len()) as u64;
        let end = self.entries.last().map_or(0, |last| {
            (last.offset.get() + u64::from(last.length.get())).next_multiple_of(16)
        });
        // No entry crosses the end of its block.
        let within = end % (2 * BLOCK);
        let offset = if within + length > BLOCK { end - within + 2 * BLOCK } else { end };
        self.entries.push(SecurityEntryDisk {
            hash: hash(descriptor).into(),
            id: id.into(),
            offset: offset.into(),
            length: u32::try_from(length).unwrap_or(u32::MAX).into(),
        });
        self.descriptors.push(descriptor.into());
        known.insert(descriptor.into(), id);
        id
    }

    /// Bytes of `$SDS`.
    pub(super) fn size(&self) -> u64 {
        let last = self.entries.last();
        last.map_or(0, |last| last.offset.get() + u64::from(last.length.get()) + BLOCK)
    }

    /// Bytes of `$SDS`, in pieces: where, and what.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        self.entries.iter().zip(&self.descriptors).flat_map(|(entry, descriptor)| {
            let bytes = [entry.as_bytes(), descriptor].concat();
            let offset = entry.offset.get();
            [(offset, bytes.clone()), (offset + BLOCK, bytes)]
        })
    }

    /// The entries of `$SII`, by id.
    pub(super) fn by_id(&self) -> Vec<Vec<u8>> {
        self.entries.iter().map(entry_by_id).collect()
    }

    /// The entries of `$SDH`, by hash and id.
    pub(super) fn by_hash(&self) -> Vec<Vec<u8>> {
        let mut sorted: Vec<&SecurityEntryDisk> = self.entries.iter().collect();
        sorted.sort_by_key(|entry| (entry.hash.get(), entry.id.get()));
        sorted.into_iter().map(entry_by_hash).collect()
    }
}

/// An entry of `$SII`.
pub(crate) fn entry_by_id(entry: &SecurityEntryDisk) -> Vec<u8> {
    view_entry(entry.id.as_bytes(), entry.as_bytes())
}

/// An entry of `$SDH`.
pub(crate) fn entry_by_hash(entry: &SecurityEntryDisk) -> Vec<u8> {
    let key = [entry.hash.as_bytes(), entry.id.as_bytes()].concat();
    let mut bytes = view_entry(&key, entry.as_bytes());
    // Windows fills the rest with the letters II.
    if let Some(rest) = bytes.get_mut(0x2c..0x30) {
        rest.copy_from_slice(&[0x49, 0, 0x49, 0]);
    }
    bytes
}

/// What `$SDH` finds descriptors by: each word is added to the sum turned left by 3 bits.
pub(crate) fn hash(descriptor: &[u8]) -> u32 {
    descriptor
        .as_chunks::<4>()
        .0
        .iter()
        .fold(0_u32, |hash, &word| u32::from_le_bytes(word).wrapping_add(hash.rotate_left(3)))
}

/// A SID with the authority of Windows NT.
fn sid(parts: &[u32]) -> Vec<u8> {
    let mut bytes = vec![1, u8::try_from(parts.len()).unwrap_or(0), 0, 0, 0, 0, 0, 5];
    parts.iter().for_each(|part| bytes.extend_from_slice(&part.to_le_bytes()));
    bytes
}

const ADMINISTRATORS: [u32; 2] = [32, 544];
const USERS: [u32; 2] = [32, 545];
const LOCAL_SYSTEM: [u32; 1] = [18];
const AUTHENTICATED: [u32; 1] = [11];

/// A descriptor of the files of the volume itself.
fn system(mask: u32) -> Vec<u8> {
    descriptor(&[(0, mask, sid(&LOCAL_SYSTEM)), (0, mask, sid(&ADMINISTRATORS))])
}

/// What Windows gives to new files of a data volume: administrators may do anything, users change, everyone
/// known read.
pub(crate) fn default(directory: bool) -> Vec<u8> {
    let flags = if directory { 3 } else { 0 };
    descriptor(&[
        (flags, 0x001f_01ff, sid(&ADMINISTRATORS)),
        (flags, 0x001f_01ff, sid(&LOCAL_SYSTEM)),
        (flags, 0x0013_01bf, sid(&AUTHENTICATED)),
        (flags, 0x0012_00a9, sid(&USERS)),
    ])
}

/// A self-relative descriptor that allows: flags, mask and SID of each entry. Owner and group are the administrators.
fn descriptor(entries: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (flags, mask, sid) in entries {
        list.extend_from_slice(&[0, *flags]);
        list.extend_from_slice(&length(8 + sid.len()).to_le_bytes());
        list.extend_from_slice(&mask.to_le_bytes());
        list.extend_from_slice(sid);
    }
    let owner = sid(&ADMINISTRATORS);
    let acl_size = 8 + list.len();
    let mut bytes = vec![1, 0, 4, 0x80];
    for offset in [20 + acl_size, 20 + acl_size + owner.len(), 0, 20] {
        bytes.extend_from_slice(&u32::from(length(offset)).to_le_bytes());
    }
    bytes.extend_from_slice(&[2, 0]);
    for value in [length(acl_size), length(entries.len()), 0] {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.extend_from_slice(&list);
    bytes.extend_from_slice(&owner);
    bytes.extend_from_slice(&owner);
    bytes
}

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

/// The SID of the administrators, owners of what has no other.
pub(super) fn administrators() -> Vec<u8> {
    sid(&ADMINISTRATORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_mkntfs() {
        assert_eq!(hash(&system(0x0012_0089)), 0xf803_12f0);
        assert_eq!(hash(&system(0x0012_019f)), 0x00b3_2451);
        assert_eq!(system(0x0012_0089).len(), 104);
    }

    #[test]
    fn no_entry_crosses_a_block() {
        let mut table = SecurityTable::new();
        for number in 0..3000_u32 {
            let mut descriptor = system(number);
            descriptor.resize(200, 0);
            table.insert(&descriptor);
        }
        let secure = Secure::new(&table);
        for entry in &secure.entries {
            let (start, end) =
                (entry.offset.get(), entry.offset.get() + u64::from(entry.length.get()));
            assert_eq!(start / BLOCK, (end - 1) / BLOCK);
            assert_eq!(start / BLOCK % 2, 0);
        }
        assert_eq!(secure.id(security::SecurityId(2999)), Some(0x100 + 3003));
    }
}
