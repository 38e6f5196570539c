//! `$MFT:$BITMAP` and `$Bitmap`, made anew of the records.

use imprint_blockio::WriteAt;
use imprint_progress::Progress;

use super::{RepairError, Step, flush, is_all_known, write};
use crate::check::report::Findings;
use crate::check::state::{Map, flag};
use crate::check::sweep::word_of;
use crate::check::{CheckError, Survey, survey};
use crate::clusters::{Clusters, Piece};
use crate::{AttributeKind, FileValue, RecordNumber, Volume};

/// Bytes that are compared at once.
const PIECE: u64 = 4096;

/// Makes both bitmaps say what the records say; returns what was found before that.
pub(super) fn rebuild<D: WriteAt>(
    device: &D,
    steps: &mut Vec<Step>,
    progress: &Progress,
) -> Result<Findings, RepairError> {
    let Survey { ground, map, found } = survey(device, progress)?;
    let all_known = is_all_known(&found);
    let places = [
        (RecordNumber(0), AttributeKind::BITMAP, "$MFT:$BITMAP"),
        (RecordNumber(6), AttributeKind::DATA, "$Bitmap"),
    ];
    for (record, kind, what) in places {
        let Some(bitmap) = value(&ground.volume, record, kind) else { continue };
        let is_clusters = kind == AttributeKind::DATA;
        let wanted = |word: u64, actual: u64| {
            if is_clusters {
                clusters(&map, word, actual, all_known)
            } else {
                records(&map, word, actual, all_known)
            }
        };
        let marked = change(device, what, &bitmap, &wanted, true)?;
        flush(device)?;
        let freed = change(device, what, &bitmap, &wanted, false)?;
        flush(device)?;
        match (marked, freed) {
            (0, 0) => {}
            _ if is_clusters => steps.push(Step::ClusterBitmap(marked, freed)),
            _ => steps.push(Step::RecordBitmap(marked, freed)),
        }
    }
    Ok(found)
}

/// A value in clusters of the volume's own.
fn value<D: imprint_blockio::ReadAt>(
    volume: &Volume<D>,
    record: RecordNumber,
    kind: AttributeKind,
) -> Option<Clusters> {
    let attributes = volume.file(record).ok()??.attributes;
    attributes.into_iter().find_map(|found| match found.value {
        FileValue::Clusters(value) if found.kind == kind && found.name.is_empty() => Some(value),
        _ => None,
    })
}

/// 64 bits of `$Bitmap` as they should be.
fn clusters(map: &Map, word: u64, actual: u64, all_known: bool) -> u64 {
    let owned = map.owned.clusters.word(word);
    let bits = map.owned.clusters.len().saturating_sub(word * 64).min(64);
    let behind = if bits == 64 { 0 } else { u64::MAX << bits };
    owned | behind | if all_known { 0 } else { actual }
}

/// 64 bits of `$MFT:$BITMAP` as they should be; of broken records it knows best itself.
fn records(map: &Map, word: u64, actual: u64, all_known: bool) -> u64 {
    (0..64).fold(0, |bits, bit| {
        let state = map.state(RecordNumber(word * 64 + bit));
        let doubtful = state.is(flag::BROKEN) || state.is(flag::ZEROS) && !all_known;
        let kept = doubtful && actual >> bit & 1 == 1;
        bits | u64::from(kept || state.is(flag::IN_USE)) << bit
    })
}

/// Sets bits, or clears them; returns how many.
fn change(
    device: &impl WriteAt,
    what: &'static str,
    bitmap: &Clusters,
    wanted: &impl Fn(u64, u64) -> u64,
    set: bool,
) -> Result<u64, RepairError> {
    let mut changed = 0;
    let mut at = 0;
    let mut bytes = Vec::new();
    while let Some(piece) = bitmap.piece(at, PIECE) {
        let len = piece.len();
        bytes.resize(usize::try_from(len).unwrap_or(0), 0);
        bitmap.read(device, &mut bytes, at).map_err(CheckError::from)?;
        let before = changed;
        for (word, eight) in (at / 8..).zip(bytes.chunks_mut(8)) {
            let actual = word_of(eight);
            let wanted = wanted(word, actual);
            let new = if set { actual | wanted } else { actual & wanted };
            changed += u64::from((new ^ actual).count_ones());
            eight.iter_mut().zip(new.to_le_bytes()).for_each(|(place, byte)| *place = byte);
        }
        if let Piece::Data { offset, .. } = piece
            && changed > before
        {
            write(device, what, &bytes, offset)?;
        }
        at += len;
    }
    Ok(changed)
}
