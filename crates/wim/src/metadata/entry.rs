//! One directory entry and the stream entries behind it, cut into its parts.

use imprint_winvalues::{BlobHash, WinName};
use zerocopy::FromBytes;

use super::{align, number, to_u64, to_usize};
use crate::error::{Expected, Fault};
use crate::layout::{DentryDisk, StreamEntryDisk};

/// Bytes of [`DentryDisk`].
pub(super) const FIXED: u64 = 102;
/// Bytes of [`StreamEntryDisk`].
pub(super) const STREAM_FIXED: u64 = 38;
/// A length up to this ends a directory and takes this many bytes.
const END: u64 = 8;

/// A directory entry, cut into its parts; everything in it lies inside the metadata.
#[derive(Debug)]
pub(super) struct RawEntry<'a> {
    pub(super) disk: &'a DentryDisk,
    /// Long name, little-endian, an even number of bytes.
    pub(super) name: &'a [u8],
    /// Short name, likewise.
    pub(super) short_name: &'a [u8],
    /// Tagged items.
    pub(super) tail: &'a [u8],
    pub(super) streams: Vec<RawStream<'a>>,
    /// Offset of the entry behind this one.
    pub(super) next: u64,
}

/// A stream entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawStream<'a> {
    /// Name, little-endian, an even number of bytes; empty if unnamed.
    pub(super) name: &'a [u8],
    pub(super) hash: BlobHash,
    /// Offset of the stream entry.
    pub(super) at: u64,
}

impl RawStream<'_> {
    pub(super) fn win_name(&self) -> WinName {
        WinName::from_le_bytes(self.name)
    }
}

/// Cuts the entry at `at`; `None` if it is the end of a directory.
pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Option<RawEntry<'_>>, (u64, Fault)> {
    let limit = to_u64(bytes.len());
    let rest = usize::try_from(at).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let past_end = |field, end| Fault::PastEnd { field, limit, end };
    let Some(length) = rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return Err((at, past_end("directory entry", at.saturating_add(8))));
    };
    if length <= END {
        return Ok(None);
    }
    let available = to_u64(rest.len());
    let room = available / 8 * 8;
    if length > room || align(length) < FIXED {
        let expected = Expected::Within(FIXED, room.max(FIXED));
        return Err((at, number("length of a directory entry", expected, length)));
    }
    let length = align(length);
    let entry = rest.get(..to_usize(length)).unwrap_or_default();
    let (disk, names) = DentryDisk::ref_from_prefix(entry)
        .map_err(|_short| (at, past_end("directory entry", at.saturating_add(FIXED))))?;
    let (long, short) = (disk.name_length.get(), disk.short_name_length.get());
    let (name, names_left) = take_name(names, long)
        .map_err(|expected| (at + 0x64, number("length of a long name", expected, long.into())))?;
    let (short_name, tail) = take_name(names_left, short).map_err(|expected| {
        (at + 0x62, number("length of a short name", expected, short.into()))
    })?;
    let names_end = length - to_u64(tail.len());
    let tail = tail.get(to_usize(align(names_end) - names_end)..).unwrap_or_default();
    let after = rest.get(to_usize(length)..).unwrap_or_default();
    let (streams, next) = parse_streams(after, disk.stream_count.get(), at + length, at)?;
    Ok(Some(RawEntry { disk, name, short_name, tail, streams, next }))
}

/// Takes a name and the NUL behind it, if it is not empty. An error is what its length should be.
fn take_name(bytes: &[u8], length: u16) -> Result<(&[u8], &[u8]), Expected> {
    if length == 0 {
        return Ok((&[], bytes));
    }
    if !length.is_multiple_of(2) {
        return Err(Expected::MultipleOf(2));
    }
    let room = Expected::AtMost(to_u64(bytes.len()).saturating_sub(2));
    let (name, rest) = bytes.split_at_checked(usize::from(length)).ok_or(room)?;
    Ok((name, rest.get(2..).ok_or(room)?))
}

/// Cuts the stream entries in `bytes`, which start at offset `at`; returns where they end.
fn parse_streams(
    mut bytes: &[u8],
    count: u16,
    mut at: u64,
    entry: u64,
) -> Result<(Vec<RawStream<'_>>, u64), (u64, Fault)> {
    let most = to_u64(bytes.len()) / STREAM_FIXED;
    if u64::from(count) > most {
        let expected = Expected::AtMost(most);
        return Err((entry + 0x60, number("number of stream entries", expected, count.into())));
    }
    let mut streams = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let room = to_u64(bytes.len());
        let (disk, names) = StreamEntryDisk::ref_from_prefix(bytes).map_err(|_short| {
            let (limit, end) = (at + room, at + STREAM_FIXED);
            (at, Fault::PastEnd { field: "stream entry", limit, end })
        })?;
        let length = disk.length.get();
        if length > room || align(length) > room || align(length) < STREAM_FIXED {
            let expected = Expected::Within(STREAM_FIXED, room.max(STREAM_FIXED));
            return Err((at, number("length of a stream entry", expected, length)));
        }
        let length = align(length);
        let names = names.get(..to_usize(length.saturating_sub(STREAM_FIXED))).unwrap_or_default();
        let name_length = disk.name_length.get();
        let wrong = |expected| {
            let fault = number("length of a stream name", expected, name_length.into());
            (at + 0x24, fault)
        };
        if !name_length.is_multiple_of(2) {
            return Err(wrong(Expected::MultipleOf(2)));
        }
        let name = names
            .get(..usize::from(name_length))
            .ok_or_else(|| wrong(Expected::AtMost(to_u64(names.len()))))?;
        streams.push(RawStream { name, hash: BlobHash(disk.hash), at });
        bytes = bytes.get(to_usize(length)..).unwrap_or_default();
        at += length;
    }
    Ok((streams, at))
}
