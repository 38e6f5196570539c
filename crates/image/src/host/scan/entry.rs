//! Turning what the system says of an entry into a file of the tree.

use imprint_winvalues::reparse::{LinkError, TAG_DEDUPLICATION, TAG_OVERLAY};
use imprint_winvalues::tree::{Content, File, NameId, ReparseInfo, Stream, StreamKind};
use imprint_winvalues::{Attributes, WinName};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::facts::Facts;
use super::{Directory, Scan, Volume};
use crate::host::source::location;
use crate::host::xattr::{self, Node};
use crate::host::{link, ntfs, sys};
use crate::{SkipReason, SourceError};

/// Most bytes of a symbolic link's target. Source: `PATH_MAX` of Linux's `limits.h`.
const MAX_TARGET: usize = 4096;

impl Scan<'_> {
    /// Sets the root of the tree and notes it to be listed.
    pub(super) fn set_root(&mut self, facts: &Facts) -> Result<(), SourceError> {
        let root = self.source.directories.root().clone();
        let ntfs = ntfs::detect(root.as_fd());
        let volume = Volume { device: facts.device, ntfs };
        // Names are counted from the one that is next; the root is there already.
        let file = self.file(volume, &root, b"", facts);
        let Some(file) = file else {
            return Err(self.source.root_error("read metadata of", Errno::IO));
        };
        let root_id = self.tree.name(NameId::ROOT).map(imprint_winvalues::tree::Name::file);
        if let Some(slot) = root_id.and_then(|id| self.tree.file_mut(id)) {
            *slot = file;
        }
        self.enter(NameId::ROOT, facts, volume);
        Ok(())
    }

    /// Makes the file of an entry. `None` if it must be left out, which is then reported.
    pub(super) fn file(
        &mut self,
        volume: Volume,
        base: &OwnedFd,
        name: &[u8],
        facts: &Facts,
    ) -> Option<File> {
        let mut file = File::default();
        file.times = facts.times;
        let id = if name.is_empty() { NameId::ROOT } else { self.next_id() };
        if self.options.unix_data {
            file.extras_mut().unix = Some(facts.unix);
        }
        match facts.kind {
            FileType::RegularFile => {
                file.attributes =
                    if facts.sparse { Attributes::SPARSE_FILE } else { Attributes::NORMAL };
                self.add_data(&mut file, id, facts.size);
            }
            FileType::Directory => file.attributes = Attributes::DIRECTORY,
            FileType::Symlink if volume.ntfs.is_none() => {
                self.add_link(&mut file, base, name)?;
            }
            _ => {}
        }
        if let Some(streams) = volume.ntfs {
            self.add_ntfs(&mut file, id, streams, base, name, facts)?;
        } else if self.options.unix_data {
            let path = sys::path_through(base, name);
            let node = self.node(&path);
            let mut faults = Vec::new();
            let found = xattr::read_all(node, &mut self.scratch, |error| faults.push(error));
            for error in faults {
                self.unreadable("read extended attributes", error);
            }
            if !found.is_empty() {
                file.extras_mut().extended_attributes = found;
            }
        }
        Some(file)
    }

    fn next_id(&self) -> NameId {
        NameId(u32::try_from(self.tree.names().len()).unwrap_or(u32::MAX))
    }

    const fn node<'p>(&self, path: &'p [u8]) -> Node<'p> {
        if self.options.dereference { Node::Followed(path) } else { Node::Path(path) }
    }

    fn add_data(&self, file: &mut File, id: NameId, size: u64) {
        let content = if size == 0 {
            Content::Empty
        } else {
            self.progress.add_bytes(size);
            Content::Unread { location: location(id, 0), size }
        };
        file.streams.push(Stream { kind: StreamKind::Data, name: WinName::default(), content });
    }

    /// Turns a symbolic link into reparse data.
    fn add_link(&mut self, file: &mut File, base: &OwnedFd, name: &[u8]) -> Option<()> {
        let mut buf = [0; MAX_TARGET];
        let length = match rustix::fs::readlinkat_raw(base, name, &mut buf[..]) {
            Ok(length) => length,
            Err(error) => {
                self.unreadable("read link", error);
                return None;
            }
        };
        let target = buf.get(..length)?;
        let fixed = if self.options.fix_reparse { self.inside(target) } else { None };
        let data = match link::from_target(fixed.unwrap_or(target)) {
            Ok(link) => (link.tag(), link.to_data()),
            Err(error) => {
                self.skip(SkipReason::Name { fault: format!("link target: {error}") });
                return None;
            }
        };
        let (tag, data) = match data {
            (tag, Ok(data)) => (tag, data),
            (_, Err(error)) => {
                self.skip(SkipReason::Name { fault: LinkError::to_string(&error) });
                return None;
            }
        };
        file.attributes = Attributes::REPARSE_POINT;
        // Windows has links of files and links of directories.
        let leads_to = rustix::fs::statat(base, name, AtFlags::empty());
        if leads_to.is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory) {
            file.attributes |= Attributes::DIRECTORY;
        }
        file.reparse = Some(ReparseInfo { tag, reserved: 0, not_fixed: fixed.is_none() });
        file.streams.push(Stream {
            kind: StreamKind::Reparse,
            name: WinName::default(),
            content: Content::inline(&data),
        });
        Some(())
    }

    /// What is left of an absolute target that lies inside the source.
    fn inside<'t>(&self, target: &'t [u8]) -> Option<&'t [u8]> {
        if target.first() != Some(&b'/') {
            return None;
        }
        link::inside(target, |path| {
            rustix::fs::stat(sys::as_path(path))
                .is_ok_and(|found| (found.st_dev, found.st_ino) == self.root)
        })
    }

    /// Adds what NTFS knows of the file.
    fn add_ntfs(
        &mut self,
        file: &mut File,
        id: NameId,
        streams: ntfs::Streams,
        base: &OwnedFd,
        name: &[u8],
        facts: &Facts,
    ) -> Option<()> {
        let path = sys::path_through(base, name);
        let node = self.node(&path);
        let wants_security = !self.options.no_acls;
        let Some(found) = ntfs::Properties::read(node, wants_security, &mut self.scratch) else {
            self.unreadable("read NTFS attributes", Errno::NODATA);
            return None;
        };
        for &(operation, error) in &found.faults {
            self.unreadable(operation, error);
            if self.options.strict_acls && operation == ntfs::READ_SECURITY {
                return None;
            }
        }
        if found.attributes.contains(Attributes::ENCRYPTED) {
            self.skip(SkipReason::UnsupportedKind { kind: "EFS-encrypted file" });
            return None;
        }
        file.attributes = found.attributes;
        file.times = found.times;
        file.security = found.security.and_then(|d| self.tree.security.insert(&d));
        if found.object_id.is_some() || !found.extended_attributes.is_empty() {
            let extras = file.extras_mut();
            extras.object_id = found.object_id;
            extras.extended_attributes = found.extended_attributes;
        }
        match found.reparse {
            Some((info, data)) => self.add_reparse(file, info, &data, facts),
            // A link that Linux made (Interix) has no reparse data: it becomes one of Windows.
            None if facts.kind == FileType::Symlink => self.add_link(file, base, name)?,
            None => {}
        }
        if facts.kind != FileType::Symlink {
            self.add_streams(file, id, streams, base, name);
        }
        Some(())
    }

    fn add_reparse(&mut self, file: &mut File, info: ReparseInfo, data: &[u8], facts: &Facts) {
        if facts.kind == FileType::RegularFile
            && matches!(info.tag, TAG_OVERLAY | TAG_DEDUPLICATION)
        {
            // The driver shows what the data stands for, so the plain file is all there is to keep.
            file.attributes -= Attributes::REPARSE_POINT;
            return;
        }
        // Other reparse points look like links to nowhere: whatever else they hold is out of reach.
        if facts.kind == FileType::Symlink && info.tag & ntfs::NAME_SURROGATE == 0 {
            self.unreadable("read data behind reparse point", Errno::NOTSUP);
        }
        file.reparse = Some(info);
        let content = Content::inline(data);
        let stream = Stream { kind: StreamKind::Reparse, name: WinName::default(), content };
        file.streams.insert(0, stream);
    }

    /// Adds the named streams of a file.
    fn add_streams(
        &mut self,
        file: &mut File,
        id: NameId,
        streams: ntfs::Streams,
        base: &OwnedFd,
        name: &[u8],
    ) {
        let path = sys::path_through(base, name);
        let node = self.node(&path);
        let names = ntfs::stream_names(node, streams, &mut self.scratch).unwrap_or_else(|error| {
            self.unreadable("list named streams", error);
            Vec::new()
        });
        for stream in names {
            let Ok(stream_name) = WinName::from_wtf8(&stream) else {
                self.unreadable("read name of named stream", Errno::ILSEQ);
                continue;
            };
            let content = if streams == ntfs::Streams::Attributes {
                ntfs::read_stream(node, &stream, &mut self.scratch).map(|d| Content::inline(&d))
            } else {
                let number = u32::try_from(file.streams.len()).unwrap_or(u32::MAX);
                let host_name = ntfs::stream_file(name, &stream);
                Facts::read(base, &host_name, self.at_flags()).map(|facts| match facts.size {
                    0 => Content::Empty,
                    size => Content::Unread { location: location(id, number), size },
                })
            };
            match content {
                Ok(content) => {
                    file.streams.push(Stream {
                        kind: StreamKind::Data,
                        name: stream_name,
                        content,
                    });
                }
                Err(error) => self.unreadable("read named stream", error),
            }
        }
    }

    /// Adds the 8.3 name of a name, on NTFS. The driver does not tell that of a file with several long
    /// names, only that there is one.
    pub(super) fn add_short_name(
        &mut self,
        directory: &Directory,
        base: &OwnedFd,
        name: &[u8],
        id: NameId,
    ) {
        if directory.volume.ntfs.is_none() {
            return;
        }
        let path = sys::path_through(base, name);
        let short_name = ntfs::short_name(self.node(&path), &mut self.scratch);
        match short_name {
            Ok(Some(short_name)) => {
                if let Some(entry) = self.tree.name_mut(id) {
                    entry.short_name = short_name;
                }
            }
            Ok(None) => {}
            Err(error) => self.unreadable("read short name", error),
        }
    }
}
