//! The journal of an edit: all changes, written to `$LogFile` before they go to their places.
//!
//! A log whose first pages are ones is empty to every program; the journal stands behind them. If those pages are
//! not ones any more, some other program has used the log since, and what stands there is no journal.

use imprint_blockio::{ReadAt, WriteAt};
use zerocopy::{FromBytes, IntoBytes};

use super::staged::Staged;
use super::{EditError, value_of};
use crate::clusters::Piece;
use crate::crc::crc64;
use crate::layout::{ChangeDisk, JOURNAL_MAGIC, JournalHeaderDisk, VolumeInformationDisk};
use crate::{AttributeKind, Clusters, ReadError, RecordNumber, Structure, Volume};

/// `$LogFile`'s record, and `$Volume`'s.
const LOG: RecordNumber = RecordNumber(2);
const VOLUME: RecordNumber = RecordNumber(3);
/// Bytes of the log before the journal: both of its first pages, of whatever size.
const BEFORE: u64 = 128 << 10;
/// Bytes of the header's sector.
const HEADER: u64 = 512;
/// Flag of `$VOLUME_INFORMATION`: to be checked.
const DIRTY: u16 = 1;
/// Bytes of the log that are written at once.
const CHUNK: u64 = 1 << 20;

/// A journal: its header, and the changes, each with its place.
type Journal = (JournalHeaderDisk, Vec<(u64, Vec<u8>)>);

/// The log, if the volume is marked dirty: else no edit was interrupted.
fn log_of_dirty(volume: &Volume<impl ReadAt>) -> Result<Option<Clusters>, EditError> {
    if flags(volume)?.1 & DIRTY == 0 {
        return Ok(None);
    }
    value_of(volume, LOG, AttributeKind::DATA).map(Some)
}

/// Where the flags of `$VOLUME_INFORMATION` stand on the volume, and what they are.
fn flags(volume: &Volume<impl ReadAt>) -> Result<(u64, u16), EditError> {
    let mut bytes = Vec::new();
    let structure = Structure::Attribute(VOLUME, AttributeKind::VOLUME_INFORMATION);
    let missing = || {
        let expected = imprint_blockio::Expected::Exactly(1);
        crate::Corruption::number(structure, 0, "attributes in the record", expected, 0)
    };
    let record = volume.record(VOLUME, &mut bytes)?.ok_or_else(missing)?;
    let found = record.find(AttributeKind::VOLUME_INFORMATION)?.ok_or_else(missing)?;
    let crate::Value::Resident(value) = found.value else { return Err(missing().into()) };
    let Ok((information, _)) = VolumeInformationDisk::read_from_prefix(value) else {
        return Err(missing().into());
    };
    let (attribute, flags) = (found.offset, information.flags.get());
    // The attribute says where in it the value begins.
    let start = attribute - volume.load(VOLUME, &mut bytes)?;
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let word = bytes.get(start.saturating_add(0x14)..).and_then(|rest| rest.first_chunk());
    let value = word.map_or(0, |&pair| u16::from_le_bytes(pair));
    Ok((attribute + u64::from(value) + 10, flags))
}

/// Whether a log is empty as far as programs look: its first pages are ones.
pub(super) fn is_empty(volume: &Volume<impl ReadAt>, log: &Clusters) -> Result<bool, ReadError> {
    let mut bytes = vec![0; usize::try_from(BEFORE.min(log.size())).unwrap_or(0)];
    log.read(volume.device(), &mut bytes, 0)?;
    Ok(bytes.iter().all(|&byte| byte == 0xff))
}

/// Bytes of changes that a log has room for; each has a header besides.
pub(super) const fn room(log: &Clusters) -> u64 {
    log.size().saturating_sub(BEFORE + HEADER)
}

/// Writes changes to the journal; returns how many bytes of the log it takes.
pub(super) fn write<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    log: &Clusters,
    changes: &[(u64, Vec<u8>)],
    stays_dirty: bool,
) -> Result<u64, EditError> {
    let mut body = Vec::new();
    for (offset, bytes) in changes {
        let length = (bytes.len() as u64).into();
        body.extend_from_slice(ChangeDisk { offset: (*offset).into(), length }.as_bytes());
        body.extend_from_slice(bytes);
    }
    let mut header = JournalHeaderDisk {
        magic: JOURNAL_MAGIC.into(),
        serial: volume.geometry().serial.into(),
        length: (body.len() as u64).into(),
        crc: crc64(&body).into(),
        stays_dirty: u64::from(stays_dirty).into(),
        header_crc: 0.into(),
    };
    header.header_crc = header_crc(&header).into();
    let mut all = header.as_bytes().to_vec();
    all.resize(usize::try_from(HEADER).unwrap_or(512), 0xff);
    all.extend_from_slice(&body);
    put(volume, log, &all, BEFORE)?;
    Ok(all.len() as u64)
}

fn header_crc(header: &JournalHeaderDisk) -> u64 {
    let bytes = header.as_bytes();
    crc64(bytes.get(..bytes.len() - 8).unwrap_or_default())
}

/// Writes bytes of the log to the device at once.
fn put<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    log: &Clusters,
    mut bytes: &[u8],
    mut at: u64,
) -> Result<(), EditError> {
    while !bytes.is_empty() {
        let failed =
            |offset, length, source| EditError::Write { what: "$LogFile", offset, length, source };
        let Some(Piece::Data { offset, len }) = log.piece(at, bytes.len() as u64) else {
            let kind = std::io::ErrorKind::UnexpectedEof;
            return Err(failed(at, bytes.len() as u64, kind.into()));
        };
        let length = usize::try_from(len).unwrap_or(bytes.len()).clamp(1, bytes.len());
        let (part, rest) = bytes.split_at(length);
        let written = volume.device().device().write_all_at(part, offset);
        written.map_err(|source| failed(offset, len, source))?;
        (bytes, at) = (rest, at + length as u64);
    }
    Ok(())
}

/// Fills a part of the log with ones.
pub(super) fn erase<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    log: &Clusters,
    from: u64,
    to: u64,
) -> Result<(), EditError> {
    let ones = vec![0xff; usize::try_from(CHUNK.min(to.saturating_sub(from))).unwrap_or(0)];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to - at).unwrap_or(ones.len()).min(ones.len());
        put(volume, log, ones.get(..length).unwrap_or_default(), at)?;
        at += length as u64;
    }
    Ok(())
}

/// Makes the log empty; what of it is ones already is not written.
pub(super) fn empty<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    log: &Clusters,
) -> Result<(), EditError> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < log.size() {
        let length = CHUNK.min(log.size() - at);
        bytes.resize(usize::try_from(length).unwrap_or(0), 0);
        log.read(volume.device(), &mut bytes, at)?;
        if bytes.iter().any(|&byte| byte != 0xff) {
            erase(volume, log, at, at + length)?;
        }
        at += length;
    }
    Ok(())
}

/// Erases the journal, which takes so many bytes: first what follows its header, which then tells of nothing.
pub(super) fn erase_journal<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    log: &Clusters,
    length: u64,
) -> Result<(), EditError> {
    erase(volume, log, BEFORE, BEFORE + HEADER)?;
    erase(volume, log, BEFORE + HEADER, BEFORE + length)
}

/// Waits until all is on stable storage.
pub(super) fn flush<D: WriteAt>(volume: &Volume<Staged<D>>) -> Result<(), EditError> {
    volume.device().device().flush().map_err(|source| EditError::Write {
        what: "the volume",
        offset: 0,
        length: 0,
        source,
    })
}

/// Sets or clears the dirty flag on the device: in one sector, so that it is set or not. Its copy in `$MFTMirr` as well.
pub(super) fn set_dirty<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    mirror_size: u64,
    dirty: bool,
) -> Result<(), EditError> {
    let (at, flags) = flags(volume)?;
    let new = if dirty { flags | DIRTY } else { flags & !DIRTY };
    let geometry = volume.geometry();
    let record = VOLUME.0 * u64::from(geometry.record_size);
    let within = at - volume.place_of(VOLUME);
    let mut places = vec![at];
    if record < mirror_size {
        let mirror = geometry.mirror.0 * u64::from(geometry.cluster_size);
        places.push(mirror + record + within);
    }
    for at in places {
        volume.device().write_fresh(&new.to_le_bytes(), at).map_err(|source| EditError::Write {
            what: "$Volume",
            offset: at,
            length: 2,
            source,
        })?;
    }
    Ok(())
}

/// Carries out what a journal says, if there is one that is whole.
pub(super) fn finish<D: WriteAt>(volume: &Volume<Staged<D>>) -> Result<bool, EditError> {
    let Some(log) = log_of_dirty(volume)? else { return Ok(false) };
    let Some((header, changes)) = read(volume, &log)? else { return Ok(false) };
    let mirror_size = value_of(volume, RecordNumber(1), AttributeKind::DATA)?.size();
    carry_out(volume, &changes, mirror_size)?;
    erase_journal(volume, &log, HEADER + header.length.get())?;
    flush(volume)?;
    if header.stays_dirty.get() == 0 {
        set_dirty(volume, mirror_size, false)?;
        flush(volume)?;
    }
    Ok(true)
}

/// Writes changes to their places. The copies of the first records come last: of a record and its copy, one is
/// whole at any time.
pub(super) fn carry_out<D: WriteAt>(
    volume: &Volume<Staged<D>>,
    changes: &[(u64, Vec<u8>)],
    mirror_size: u64,
) -> Result<(), EditError> {
    let geometry = volume.geometry();
    let start = geometry.mirror.0 * u64::from(geometry.cluster_size);
    let mirror = start..start + mirror_size;
    for copies in [false, true] {
        for (offset, bytes) in changes {
            for (at, piece) in apart(*offset, bytes, &mirror) {
                if piece.is_empty() || mirror.contains(&at) != copies {
                    continue;
                }
                let written = volume.device().device().write_all_at(piece, at);
                written.map_err(|source| EditError::Write {
                    what: "changes",
                    offset: at,
                    length: piece.len() as u64,
                    source,
                })?;
            }
        }
        flush(volume)?;
    }
    Ok(())
}

/// Takes what lies before, in and behind a range of the volume apart.
fn apart<'a>(offset: u64, bytes: &'a [u8], range: &std::ops::Range<u64>) -> [(u64, &'a [u8]); 3] {
    let cut =
        |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
    let (start, end) = (cut(range.start), cut(range.end));
    let part =
        |from: usize, to: usize| (offset + from as u64, bytes.get(from..to).unwrap_or_default());
    [part(0, start), part(start, end), part(end, bytes.len())]
}

/// The journal, if it is whole and no other program has used the log since.
fn read(volume: &Volume<impl ReadAt>, log: &Clusters) -> Result<Option<Journal>, EditError> {
    if log.size() < BEFORE + HEADER || !is_empty(volume, log)? {
        return Ok(None);
    }
    let mut bytes = [0; size_of::<JournalHeaderDisk>()];
    log.read(volume.device(), &mut bytes, BEFORE)?;
    let header: JournalHeaderDisk = zerocopy::transmute!(bytes);
    let whole = header.magic.get() == JOURNAL_MAGIC
        && header.serial.get() == volume.geometry().serial
        && header.header_crc.get() == header_crc(&header)
        && header.length.get() <= room(log);
    if !whole {
        return Ok(None);
    }
    let mut body = vec![0; usize::try_from(header.length.get()).unwrap_or(0)];
    log.read(volume.device(), &mut body, BEFORE + HEADER)?;
    if crc64(&body) != header.crc.get() {
        return Ok(None);
    }
    let geometry = volume.geometry();
    // The copy of the boot sector lies behind the last one.
    let end = (geometry.sectors + 1) * u64::from(geometry.sector_size);
    let mut changes = Vec::new();
    let mut rest = body.as_slice();
    while let Ok((change, tail)) = ChangeDisk::read_from_prefix(rest) {
        let (offset, length) = (change.offset.get(), change.length.get());
        let bytes = usize::try_from(length).ok().and_then(|length| tail.split_at_checked(length));
        let Some((bytes, tail)) = bytes.filter(|_| offset.saturating_add(length) <= end) else {
            return Ok(None);
        };
        changes.push((offset, bytes.to_vec()));
        rest = tail;
    }
    Ok(Some((header, changes)))
}

/// Finishes an edit that was interrupted. Returns whether there was one whose changes were complete.
///
/// # Errors
/// [`EditError`] if the volume cannot be read or written.
pub fn recover<D: WriteAt>(device: D) -> Result<bool, EditError> {
    finish(&Volume::open(Staged::new(device))?)
}

/// Clears the dirty flag of a volume that was found to be consistent, and empties its log.
///
/// # Errors
/// [`EditError`] if the volume cannot be read or written.
pub fn mark_clean<D: WriteAt>(device: D) -> Result<(), EditError> {
    let volume = Volume::open(Staged::new(device))?;
    let size = value_of(&volume, RecordNumber(1), AttributeKind::DATA)?.size();
    empty(&volume, &value_of(&volume, LOG, AttributeKind::DATA)?)?;
    flush(&volume)?;
    set_dirty(&volume, size, false)?;
    flush(&volume)
}

/// Whether an edit was interrupted whose changes are complete: [`recover`] would carry them out.
///
/// # Errors
/// [`EditError`] if the volume cannot be read.
pub fn is_interrupted(volume: &Volume<impl ReadAt>) -> Result<bool, EditError> {
    match log_of_dirty(volume)? {
        Some(log) => Ok(read(volume, &log)?.is_some()),
        None => Ok(false),
    }
}
