//! What NTFS keeps, through the extended attributes of an ntfs-3g mount.
//!
//! | attribute | value |
//! |---|---|
//! | `system.ntfs_attrib_be` | file attributes, big-endian u32 |
//! | `system.ntfs_times_be` | creation, write, access, change: big-endian u64 ticks each |
//! | `system.ntfs_acl` | security descriptor, self-relative |
//! | `system.ntfs_dos_name` | 8.3 name, UTF-8 |
//! | `system.ntfs_reparse_data` | reparse buffer with its 8-byte header |
//! | `system.ntfs_object_id` | 16 to 64 bytes |
//! | `system.ntfs_ea` | see [`super::ea`] |
//! | `user.NAME` | a named stream, with `streams_interface=xattr` (the default) |
//! | `ntfs.streams.list` | names of the named streams, NUL between them, with `=windows` |
//!
//! Source: ntfs-3g 2022.10.3, `xattrs.c` and `ntfs-3g.c`. A mount sets READONLY, HIDDEN, SYSTEM,
//! ARCHIVE, TEMPORARY, OFFLINE and `NOT_CONTENT_INDEXED`, and COMPRESSED on directories; other
//! attributes follow from the data. Changing any of these sets no time but that of change, except
//! that an 8.3 name sets the directory's time of write. The 8.3 name of a file with several long names
//! can be neither read nor set (`EMLINK`); it survives when the long names come after it.

use imprint_winvalues::reparse::{BUFFER_HEADER, MAX_BUFFER};
use imprint_winvalues::tree::{ExtendedAttribute, File, ReparseInfo, Times};
use imprint_winvalues::{Attributes, FileTime, WinName};
use rustix::fd::AsFd;
use rustix::io::Errno;

use super::ea;
use super::sys;
use super::xattr::{MAX_VALUE, Node};

const ATTRIBUTES: &[u8] = b"system.ntfs_attrib_be";
const TIMES: &[u8] = b"system.ntfs_times_be";
const SECURITY: &[u8] = b"system.ntfs_acl";
const SHORT_NAME: &[u8] = b"system.ntfs_dos_name";
const REPARSE: &[u8] = b"system.ntfs_reparse_data";
const OBJECT_ID: &[u8] = b"system.ntfs_object_id";
const EXTENDED: &[u8] = b"system.ntfs_ea";
const STREAM_PREFIX: &[u8] = b"user.";
const STREAM_LIST: &[u8] = b"ntfs.streams.list";
/// File system type of every FUSE mount. Source: Linux's `magic.h`.
const FUSE_SUPER_MAGIC: u64 = 0x6573_5546;
/// Bit of a reparse tag that says the data is another name, so there is nothing else behind it.
/// Source: \[MS-FSCC\] 2.1.2.1.
pub(super) const NAME_SURROGATE: u32 = 0x2000_0000;
/// Bit of a reparse tag whose owner is Microsoft; others carry a GUID that the length leaves out.
const MICROSOFT: u32 = 0x8000_0000;

/// How named streams are reached on a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streams {
    /// As extended attributes `user.NAME`, at most 64 KiB each.
    Attributes,
    /// As files `name:NAME`.
    Files,
    /// Not at all.
    Hidden,
}

/// The operation of a [`Fault`] that concerns the security descriptor.
pub(super) const READ_SECURITY: &str = "read security descriptor";
/// The operation of a [`Fault`] that concerns the security descriptor.
pub(super) const SET_SECURITY: &str = "set security descriptor";

/// A property that could not be read or written: what was tried and what the system said.
pub(super) type Fault = (&'static str, Errno);

/// What NTFS knows of a file.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) attributes: Attributes,
    pub(super) times: Times,
    pub(super) security: Option<Vec<u8>>,
    pub(super) reparse: Option<(ReparseInfo, Box<[u8]>)>,
    pub(super) object_id: Option<Box<[u8]>>,
    pub(super) extended_attributes: Vec<ExtendedAttribute>,
    pub(super) faults: Vec<Fault>,
}

/// Tells whether a directory is on an ntfs-3g mount.
pub(super) fn detect(directory: impl AsFd) -> Option<Streams> {
    let directory = directory.as_fd();
    let kind = rustix::fs::fstatfs(directory).ok()?.f_type;
    if u64::try_from(kind) != Ok(FUSE_SUPER_MAGIC) {
        return None;
    }
    let path = sys::path_through(directory, b"");
    let value = |name: &[u8]| rustix::fs::lgetxattr(path.as_slice(), name, &mut [0_u8; 0][..]);
    value(ATTRIBUTES).ok()?;
    // With a streams interface, a stream that does not exist is "no data" rather than unsupported.
    Some(if value(STREAM_LIST).is_ok() {
        Streams::Files
    } else if value(b"user.imprint") == Err(Errno::NOTSUP) {
        Streams::Hidden
    } else {
        Streams::Attributes
    })
}

impl Properties {
    /// Reads what stands in fixed attributes. `None` if not even the file attributes can be read.
    pub(super) fn read(node: Node<'_>, security: bool, scratch: &mut Vec<u8>) -> Option<Self> {
        let mut this = Self::default();
        let bits = node.get(ATTRIBUTES, scratch).ok().flatten()?.first_chunk()?;
        this.attributes = Attributes::from_bits_retain(u32::from_be_bytes(*bits));
        this.times = this.get(node, TIMES, "read times", scratch).and_then(times)?;
        if security {
            this.security = this.get(node, SECURITY, READ_SECURITY, scratch).map(<[u8]>::to_vec);
        }
        if this.attributes.contains(Attributes::REPARSE_POINT) {
            this.reparse = this.get(node, REPARSE, "read reparse data", scratch).and_then(reparse);
            if this.reparse.is_none() && this.faults.is_empty() {
                this.faults.push(("read reparse data", Errno::NODATA));
            }
        }
        this.object_id = this
            .get(node, OBJECT_ID, "read object id", scratch)
            .filter(|id| !id.is_empty())
            .map(Into::into);
        let list = this.get(node, EXTENDED, "read extended attributes", scratch).map(ea::parse);
        match list {
            Some(Ok(attributes)) => this.extended_attributes = attributes,
            Some(Err(_broken)) => this.faults.push(("read extended attributes", Errno::BADMSG)),
            None => {}
        }
        Some(this)
    }

    fn get<'s>(
        &mut self,
        node: Node<'_>,
        name: &[u8],
        operation: &'static str,
        scratch: &'s mut Vec<u8>,
    ) -> Option<&'s [u8]> {
        node.get(name, scratch).unwrap_or_else(|error| {
            self.faults.push((operation, error));
            None
        })
    }
}

fn times(value: &[u8]) -> Option<Times> {
    let mut ticks = value.as_chunks::<8>().0.iter().map(|&t| FileTime(u64::from_be_bytes(t)));
    let (creation, write, access) = (ticks.next()?, ticks.next()?, ticks.next()?);
    Some(Times { creation, access, write, change: ticks.next() })
}

fn reparse(buffer: &[u8]) -> Option<(ReparseInfo, Box<[u8]>)> {
    let (header, data) = buffer.split_first_chunk::<BUFFER_HEADER>()?;
    let [tag @ .., _, _, low, high] = *header;
    let reserved = u16::from_le_bytes([low, high]);
    // The drive letter under which Windows knows this volume is unknown, so absolute targets cannot
    // be adjusted. DISM takes links for broken that claim otherwise.
    let info = ReparseInfo { tag: u32::from_le_bytes(tag), reserved, not_fixed: true };
    Some((info, data.into()))
}

/// Reads the 8.3 name of a name.
pub(super) fn short_name(node: Node<'_>, scratch: &mut Vec<u8>) -> Result<Option<WinName>, Errno> {
    Ok(node.get(SHORT_NAME, scratch)?.and_then(|name| WinName::from_wtf8(name).ok()))
}

/// The names of the named streams in their form on the host.
pub(super) fn stream_names(
    node: Node<'_>,
    streams: Streams,
    scratch: &mut Vec<u8>,
) -> Result<Vec<Box<[u8]>>, Errno> {
    Ok(match streams {
        Streams::Hidden => Vec::new(),
        Streams::Attributes => {
            let names = node.list(scratch)?;
            names
                .iter()
                .filter_map(|name| name.strip_prefix(STREAM_PREFIX))
                .map(Into::into)
                .collect()
        }
        Streams::Files => {
            let list = node.get(STREAM_LIST, scratch)?.unwrap_or_default();
            list.split(|&b| b == 0).filter(|name| !name.is_empty()).map(Into::into).collect()
        }
    })
}

/// The name of a stream's file, with [`Streams::Files`].
pub(super) fn stream_file(name: &[u8], stream: &[u8]) -> Vec<u8> {
    [name, b":", stream].concat()
}

/// The name of a stream's extended attribute, with [`Streams::Attributes`].
pub(super) fn stream_attribute(stream: &[u8]) -> Vec<u8> {
    [STREAM_PREFIX, stream].concat()
}

/// Reads a named stream that is an extended attribute.
pub(super) fn read_stream(
    node: Node<'_>,
    stream: &[u8],
    scratch: &mut Vec<u8>,
) -> Result<Box<[u8]>, Errno> {
    let value = node.get(&stream_attribute(stream), scratch)?;
    value.map(Into::into).ok_or(Errno::NODATA)
}

/// Writes a named stream as an extended attribute.
pub(super) fn write_stream(node: Node<'_>, stream: &[u8], data: &[u8]) -> Result<(), Errno> {
    if data.len() > MAX_VALUE {
        return Err(Errno::TOOBIG);
    }
    node.set(&stream_attribute(stream), data)
}

/// Sets the 8.3 name of a name.
pub(super) fn set_short_name(node: Node<'_>, name: &WinName) -> Result<(), Errno> {
    node.set(SHORT_NAME, &name.to_wtf8())
}

/// What [`set`] is to set besides times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) attributes: bool,
    pub(super) security: Option<&'a [u8]>,
    /// Reparse data without the buffer's header.
    pub(super) reparse: Option<&'a [u8]>,
}

/// Sets the properties of a file whose data is there. Reparse data comes last: what it makes of the
/// file may refuse everything else.
pub(super) fn set(node: Node<'_>, file: &File, wanted: Wanted<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut attempt = |operation, name: &[u8], value: &[u8]| {
        if let Err(error) = node.set(name, value) {
            faults.push((operation, error));
        }
    };
    if let Some(extras) = &file.extras {
        if let Some(id) = &extras.object_id {
            attempt("set object id", OBJECT_ID, id);
        }
        if !extras.extended_attributes.is_empty() {
            // A list that cannot be written is sent all the same: the system refuses it.
            let list = ea::write(&extras.extended_attributes).unwrap_or_default();
            attempt("set extended attributes", EXTENDED, &list);
        }
    }
    if let Some(descriptor) = wanted.security {
        attempt(SET_SECURITY, SECURITY, descriptor);
    }
    if wanted.attributes {
        attempt("set attributes", ATTRIBUTES, &file.attributes.bits().to_be_bytes());
    }
    let times = [file.times.creation, file.times.write, file.times.access];
    attempt("set times", TIMES, times.map(|t| t.0.to_be_bytes()).as_flattened());
    if let Some((info, data)) = file.reparse.as_ref().zip(wanted.reparse) {
        attempt("set reparse data", REPARSE, &reparse_buffer(info, data));
    }
    faults
}

/// Puts the header before reparse data.
fn reparse_buffer(info: &ReparseInfo, data: &[u8]) -> Vec<u8> {
    let guid = if info.tag & MICROSOFT == 0 { 16 } else { 0 };
    let length = data.len().min(MAX_BUFFER).saturating_sub(guid);
    let mut buffer = Vec::with_capacity(BUFFER_HEADER + data.len());
    buffer.extend_from_slice(&info.tag.to_le_bytes());
    buffer.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    buffer.extend_from_slice(&info.reserved.to_le_bytes());
    buffer.extend_from_slice(data);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reparse_buffers_leave_the_guid_out_of_their_length() {
        let info = ReparseInfo { tag: 0xa000_000c, reserved: 7, not_fixed: true };
        let buffer = reparse_buffer(&info, b"data");
        assert_eq!(buffer, b"\x0c\0\0\xa0\x04\0\x07\0data");
        assert_eq!(reparse(&buffer), Some((info, (*b"data").into())));
        let other = ReparseInfo { tag: 0x11, ..info };
        assert_eq!(reparse_buffer(&other, &[0; 20])[4..6], [4, 0]);
        assert_eq!(reparse(&buffer[..7]), None);
    }

    #[test]
    fn times_are_in_the_order_of_ntfs() {
        let value: Vec<u8> = (1..=4_u64).flat_map(u64::to_be_bytes).collect();
        let read = times(&value).unwrap();
        let expected = Times {
            creation: FileTime(1),
            write: FileTime(2),
            access: FileTime(3),
            change: Some(FileTime(4)),
        };
        assert_eq!(read, expected);
        assert_eq!(times(&value[..23]), None);
    }
}
