//! Data of files.

use std::borrow::Cow;
use std::io;

use imprint_blockio::WriteAt;
use imprint_winvalues::{Attributes, WinName};

use super::inode::Inode;
use super::table::{end_of, extend, resident};
use super::{EditError, Editor};
use crate::encode::{Body, NewAttribute, Placed, room};
use crate::{AttributeKind, FileReference, Run, Vcn};

/// Bytes that are copied at once.
const CHUNK: u64 = 1 << 20;
/// Flags of an attribute: compressed, has holes, encrypted.
const COMPRESSED: u16 = 0x00ff;
const SPARSE: u16 = 0x8000;
const ENCRYPTED: u16 = 0x4000;
/// Values of up to this many bytes are left in the record if it has room.
const MAX_RESIDENT: u64 = 3072;

/// Clusters promised to new data that nothing refers to yet.
#[derive(Clone, Debug)]
pub struct Reserved {
    placed: Placed,
}

impl Reserved {
    /// Bytes of the data.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.placed.size
    }
}

impl<D: WriteAt> Editor<D> {
    /// Promises clusters to data, which [`Self::write_reserved`] brings and [`Self::attach`] gives to a stream.
    ///
    /// # Errors
    /// [`EditError::NoRoom`]; [`EditError`].
    pub fn reserve(&mut self, size: u64) -> Result<Reserved, EditError> {
        let cluster = u64::from(self.cluster_size());
        let runs = self.space.reserve(&self.volume, size.div_ceil(cluster))?;
        let allocated = size.next_multiple_of(cluster);
        let placed = Placed { runs, allocated, size, initialised: size, ..Placed::default() };
        Ok(Reserved { placed })
    }

    /// Writes data into clusters that were promised. The last cluster is filled with zeros.
    ///
    /// # Errors
    /// [`EditError::Write`].
    pub fn write_reserved(
        &self,
        reserved: &Reserved,
        offset: u64,
        data: &[u8],
    ) -> Result<(), EditError> {
        let placed = &reserved.placed;
        self.write_runs(&placed.runs, data, offset)?;
        let end = offset + data.len() as u64;
        if end == placed.size && end < placed.allocated {
            let zeros = vec![0; usize::try_from(placed.allocated - end).unwrap_or(0)];
            self.write_runs(&placed.runs, &zeros, end)?;
        }
        Ok(())
    }

    /// Gives data that was written to promised clusters to a stream, in place of what it had. Empty `name` for the main data.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn attach(
        &mut self,
        file: FileReference,
        name: &WinName,
        reserved: Reserved,
    ) -> Result<(), EditError> {
        let runs = reserved.placed.runs.clone();
        self.attempt(|editor| {
            let mut inode = editor.stream_inode(file, name)?;
            editor.space.mark_runs(&editor.volume, &reserved.placed.runs)?;
            let empty = reserved.placed.size == 0;
            let body = if empty { resident(Vec::new()) } else { Body::Clusters(reserved.placed) };
            editor.set_stream(&mut inode, name, body)
        })?;
        self.space.unreserve(&runs);
        Ok(())
    }

    /// Gives clusters back that no data came for.
    pub fn give_up(&mut self, reserved: &Reserved) {
        self.space.unreserve(&reserved.placed.runs);
    }

    /// Bytes that are free.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn free_bytes(&self) -> Result<u64, EditError> {
        Ok(self.space.free(&self.volume)? * u64::from(self.cluster_size()))
    }

    /// Gives a stream new data, which `read` brings piece by piece in order. Empty `name` for the main data.
    ///
    /// # Errors
    /// [`EditError::Data`] if the data cannot be had; [`EditError`].
    pub fn write_stream(
        &mut self,
        file: FileReference,
        name: &WinName,
        size: u64,
        mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.stream_inode(file, name)?;
            let body = editor.new_value(&inode, size, &mut read)?;
            editor.set_stream(&mut inode, name, body)
        })
    }

    /// Adds data to the end of a stream.
    ///
    /// # Errors
    /// As [`Self::write_stream`].
    pub fn append_stream(
        &mut self,
        file: FileReference,
        name: &WinName,
        data: &[u8],
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.stream_inode(file, name)?;
            let body = editor.longer(&inode, name, data)?;
            editor.set_stream(&mut inode, name, body)
        })
    }

    /// Cuts a stream, or makes it longer by zeros.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn resize_stream(
        &mut self,
        file: FileReference,
        name: &WinName,
        size: u64,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.stream_inode(file, name)?;
            let body = editor.resized(&inode, name, size)?;
            editor.set_stream(&mut inode, name, body)
        })
    }

    /// Removes a named stream.
    ///
    /// # Errors
    /// [`EditError::NotFound`] if there is none, or it is the main data; [`EditError`].
    pub fn remove_stream(&mut self, file: FileReference, name: &WinName) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            let found = Some(name).filter(|name| !name.is_empty());
            let found = found.and_then(|name| inode.take(AttributeKind::DATA, name.units()));
            let Some(found) = found else { return Err(EditError::NotFound) };
            editor.release(&found.body);
            editor.changed(&mut inode)?;
            editor.save(&mut inode)
        })
    }

    /// Reads a file whose stream is to be changed.
    fn stream_inode(&self, file: FileReference, name: &WinName) -> Result<Inode, EditError> {
        let inode = self.user_inode(file)?;
        if inode.is_directory() && name.is_empty() {
            return Err(EditError::IsDirectory);
        }
        if name.len() > 255 {
            return Err(super::NameError::TooLong { actual: name.len() }.into());
        }
        let found = inode.find(AttributeKind::DATA, name.units());
        if found.is_some_and(|found| found.flags & ENCRYPTED != 0) {
            return Err(EditError::Encrypted);
        }
        Ok(inode)
    }

    /// Brings new data into memory or clusters.
    fn new_value(
        &mut self,
        inode: &Inode,
        size: u64,
        read: &mut impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> Result<Body<'static>, EditError> {
        let others = inode.attributes.iter().filter(|found| found.kind != AttributeKind::DATA);
        let others: usize = others.map(NewAttribute::size).sum();
        let left = room(self.record_size()).saturating_sub(others + 0x18) as u64;
        let failed = |offset| move |source| EditError::Data { offset, source };
        if size <= left.min(MAX_RESIDENT) && inode.further.is_empty() {
            let mut value = vec![0; usize::try_from(size).unwrap_or(0)];
            read(&mut value, 0).map_err(failed(0))?;
            return Ok(resident(value));
        }
        let cluster = u64::from(self.cluster_size());
        let runs = self.space.take(&self.volume, size.div_ceil(cluster), None)?;
        let allocated = size.next_multiple_of(cluster);
        let mut buffer = vec![0; usize::try_from(CHUNK.min(allocated)).unwrap_or(0)];
        let mut at = 0;
        while at < size {
            let length = usize::try_from(CHUNK.min(size - at)).unwrap_or(0);
            let part = buffer.get_mut(..length).unwrap_or_default();
            read(part, at).map_err(failed(at))?;
            // Zeros behind the end of the data.
            let whole = usize::try_from((at + length as u64).next_multiple_of(cluster) - at);
            let whole = whole.unwrap_or(length);
            buffer.resize(whole.max(buffer.len()), 0);
            if let Some(tail) = buffer.get_mut(length..whole) {
                tail.fill(0);
            }
            self.write_runs(&runs, buffer.get(..whole).unwrap_or_default(), at)?;
            at += length as u64;
        }
        let placed = Placed { runs, allocated, size, initialised: size, ..Placed::default() };
        Ok(Body::Clusters(placed))
    }

    /// A stream with data added to its end.
    fn longer(
        &mut self,
        inode: &Inode,
        name: &WinName,
        data: &[u8],
    ) -> Result<Body<'static>, EditError> {
        let found = inode.find(AttributeKind::DATA, name.units());
        let (flags, body) = found.map_or((0, None), |found| (found.flags, Some(&found.body)));
        let placed = match body {
            Some(Body::Clusters(placed)) => placed.clone(),
            other => {
                let mut value = match other {
                    Some(Body::Resident(value)) => value.to_vec(),
                    _ => Vec::new(),
                };
                value.extend_from_slice(data);
                return Ok(resident(value));
            }
        };
        if flags & COMPRESSED != 0 || !is_plain(&placed) || placed.initialised < placed.size {
            return self.rewritten(inode, name, placed.size, data);
        }
        let cluster = u64::from(self.cluster_size());
        let size = placed.size + data.len() as u64;
        let mut longer = placed.clone();
        if size > longer.allocated {
            let wanted = (size - longer.allocated).div_ceil(cluster);
            let runs = self.space.take(&self.volume, wanted, end_of(&placed))?;
            extend(&mut longer, &runs, cluster);
        }
        // What lies behind the end of the data so far can be written at once.
        self.write_runs(&longer.runs, data, placed.size)?;
        (longer.size, longer.initialised) = (size, size);
        Ok(Body::Clusters(longer))
    }

    /// A stream written anew, plainly: what it had up to `keep`, then `data`.
    fn rewritten(
        &mut self,
        inode: &Inode,
        name: &WinName,
        keep: u64,
        data: &[u8],
    ) -> Result<Body<'static>, EditError> {
        let file = self.volume.file(inode.record())?.ok_or(EditError::Gone(inode.reference))?;
        let le: Vec<u8> = name.to_le_bytes();
        let value = file.attributes.into_iter().find_map(|found| match found.value {
            crate::FileValue::Clusters(value)
                if found.kind == AttributeKind::DATA && *found.name == *le =>
            {
                Some(value)
            }
            _ => None,
        });
        let value = value.ok_or(EditError::NotFound)?;
        let size = keep + data.len() as u64;
        let cluster = u64::from(self.cluster_size());
        let runs = self.space.take(&self.volume, size.div_ceil(cluster), None)?;
        let allocated = size.next_multiple_of(cluster);
        let placed = Placed { runs, allocated, size, initialised: size, ..Placed::default() };
        let mut buffer = vec![0; usize::try_from(CHUNK.min(keep)).unwrap_or(0)];
        let mut at = 0;
        while at < keep {
            let length = usize::try_from(CHUNK.min(keep - at)).unwrap_or(0);
            let part = buffer.get_mut(..length).unwrap_or_default();
            self.volume.read_value(&value, part, at)?;
            self.write_runs(&placed.runs, part, at)?;
            at += length as u64;
        }
        self.write_runs(&placed.runs, data, keep)?;
        let zeros = vec![0; usize::try_from(allocated - size).unwrap_or(0)];
        self.write_runs(&placed.runs, &zeros, size)?;
        Ok(Body::Clusters(placed))
    }

    /// A stream cut, or made longer by zeros.
    fn resized(
        &mut self,
        inode: &Inode,
        name: &WinName,
        size: u64,
    ) -> Result<Body<'static>, EditError> {
        let found = inode.find(AttributeKind::DATA, name.units());
        let (flags, body) = found.map_or((0, None), |found| (found.flags, Some(&found.body)));
        if size == 0 {
            return Ok(resident(Vec::new()));
        }
        let mut placed = match body {
            Some(Body::Clusters(placed)) => placed.clone(),
            other => {
                let mut value = match other {
                    Some(Body::Resident(value)) => value.to_vec(),
                    _ => Vec::new(),
                };
                if size <= MAX_RESIDENT {
                    value.resize(usize::try_from(size).unwrap_or(0), 0);
                    return Ok(resident(value));
                }
                let mut placed = self.put_value(&value, None)?;
                placed.size = placed.size.min(size);
                placed
            }
        };
        let cluster = u64::from(self.cluster_size());
        if flags & COMPRESSED != 0 && size < placed.size {
            return self.rewritten(inode, name, size, &[]);
        }
        let clusters = size.div_ceil(cluster);
        let have = placed.runs.last().map_or(0, |run| run.end().0);
        if clusters > have && flags & COMPRESSED != 0 {
            let zeros = vec![0; usize::try_from(size - placed.size).unwrap_or(0)];
            return self.rewritten(inode, name, placed.size, &zeros);
        }
        if clusters > have {
            let runs = self.space.take(&self.volume, clusters - have, end_of(&placed))?;
            extend(&mut placed, &runs, cluster);
        } else {
            cut(&mut placed.runs, clusters);
            placed.allocated = clusters * cluster;
        }
        // What is behind the initialised bytes reads as zeros.
        placed.initialised = placed.initialised.min(placed.size).min(size);
        placed.size = size;
        Ok(Body::Clusters(placed))
    }

    /// Gives a stream a value; what it had and has no more is given back.
    fn set_stream(
        &mut self,
        inode: &mut Inode,
        name: &WinName,
        body: Body<'static>,
    ) -> Result<(), EditError> {
        let upcase = self.upcase.clone();
        let old = inode.take(AttributeKind::DATA, name.units());
        let flags = match (&old, &body) {
            // Holes stay as long as the runs do.
            (Some(old), Body::Clusters(new)) if !is_plain(new) => old.flags,
            _ => 0,
        };
        if let Some(old) = &old {
            self.release_but(&old.body, &body);
        }
        let named = Cow::Owned(name.clone());
        let mut attribute = NewAttribute::named(AttributeKind::DATA, named, body);
        attribute.flags = flags;
        inode.put(attribute, &upcase);
        let data = |found: &&NewAttribute<'_>| found.kind == AttributeKind::DATA;
        let sparse = inode.attributes.iter().filter(data).any(|found| found.flags & SPARSE != 0);
        let mut information = inode.information()?;
        let mut bits = Attributes::from_bits_retain(information.attributes.get());
        bits.set(Attributes::SPARSE_FILE, sparse);
        if name.is_empty() {
            bits.set(Attributes::COMPRESSED, flags & COMPRESSED != 0);
        }
        information.attributes = bits.bits().into();
        inode.set_information(&information);
        self.changed(inode)?;
        self.save(inode)
    }

    /// Gives back what a value takes.
    pub(super) fn release(&mut self, body: &Body<'_>) {
        if let Body::Clusters(placed) = body {
            self.space.give_back(&placed.runs);
        }
    }

    /// Gives back what a value takes and its successor does not.
    fn release_but(&mut self, old: &Body<'_>, new: &Body<'_>) {
        let Body::Clusters(old) = old else { return };
        let empty = Vec::new();
        let kept = match new {
            Body::Clusters(new) => &new.runs,
            Body::Resident(_) => &empty,
        };
        let first = |runs: &[Run]| runs.iter().find_map(|run| run.lcn.map(|lcn| (run.vcn, lcn)));
        // A successor has the same clusters from the first on, or none of them.
        if first(&old.runs).is_none() || first(&old.runs) != first(kept) {
            self.space.give_back(&old.runs);
            return;
        }
        let end = kept.last().map_or(Vcn(0), Run::end);
        let tail: Vec<Run> = old.runs.iter().filter_map(|run| behind(run, end)).collect();
        self.space.give_back(&tail);
    }

    /// Notes that a file changed.
    pub(super) fn changed(&mut self, inode: &mut Inode) -> Result<(), EditError> {
        let mut information = inode.information()?;
        let now = self.options.now.0;
        information.times.write = now.into();
        information.times.change = now.into();
        inode.set_information(&information);
        self.note(inode.reference);
        Ok(())
    }
}

/// Whether every cluster of a value holds data.
fn is_plain(placed: &Placed) -> bool {
    placed.runs.iter().all(|run| run.lcn.is_some()) && placed.unit_shift == 0
}

/// Keeps the first clusters of some runs.
fn cut(runs: &mut Vec<Run>, clusters: u64) {
    runs.retain(|run| run.vcn.0 < clusters);
    if let Some(last) = runs.last_mut() {
        last.length = last.length.min(clusters - last.vcn.0);
    }
}

/// The part of a run behind a cluster of the value.
fn behind(run: &Run, end: Vcn) -> Option<Run> {
    let start = run.vcn.0.max(end.0);
    let length = run.end().0.checked_sub(start).filter(|&length| length > 0)?;
    let lcn = run.lcn.map(|lcn| crate::Lcn(lcn.0 + start - run.vcn.0));
    Some(Run { vcn: Vcn(start), length, lcn })
}
