//! Mends what a check finds and what the records tell how to mend.
//!
//! ```text
//!  an edit that was interrupted is finished, the volume marked as dirty
//!   └─► boot sectors, records of $MFT ◄── their copies
//!        └─► $MFT:$BITMAP, $Bitmap ◄── the records: first what is to be marked, then what is free
//!             └─► $MFTMirr ─► records of files, directories, indexes ◄── the records, as an edit with its journal
//!                  └─► check again; $LogFile emptied, the mark removed
//! ```
//!
//! **The records are the truth.** Bitmaps, indexes and copies say again what they say, and are made anew of them.
//! Nothing is thrown away: of a record that cannot be understood the clusters are unknown, so then no cluster is
//! freed, and where clusters have two owners, no index is made anew. Names in directories that are not there any more
//! come into `\found.000`.
//!
//! **Cut off anywhere** the volume is marked as dirty, and can be repaired again: each step only says again what the
//! records say, marks come before what they are for, and the mark of dirt goes last.
//!
//! **Not mended**: broken records without a copy, shared clusters, runs, sizes, attribute lists, `$UpCase`, damage to
//! security descriptors. They are told by the report that remains, and the volume stays marked.

mod adopt;
mod bitmaps;
mod copies;
mod indexes;
mod lists;

use std::fmt;
use std::io;

use imprint_blockio::{ReadAt, WriteAt};
use imprint_progress::Progress;
use imprint_winvalues::FileTime;

use super::report::{Findings, Report, Severity};
use super::rule::Rule;
use super::{CheckError, survey};
use crate::edit::mark_dirty;
use crate::{EditError, LogState, RecordNumber, Unclean, Volume, mark_clean, recover};

/// How to repair.
#[derive(Clone, Copy, Debug)]
pub struct RepairOptions {
    /// The time of changes.
    pub now: FileTime,
    /// Repair even if Windows sleeps on the volume or its log was not closed: what only Windows knows is lost.
    pub force: bool,
}

/// A volume cannot be repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// It cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Only Windows knows what belongs on it.
    #[error("volume must not be changed: {0}")]
    Asleep(Unclean),
    /// The device did not take the bytes.
    #[error("failed to write {what} ({length} bytes at offset {offset:#x})")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// A change could not be made.
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Something that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// An edit that had been interrupted was finished.
    Edit,
    /// The boot sector was taken from its copy.
    BootSector,
    /// The last sector was made a copy of the boot sector.
    BackupBootSector,
    /// A record was taken from its copy.
    Record(RecordNumber),
    /// So many records were marked as in use, and so many as free.
    RecordBitmap(u64, u64),
    /// So many clusters were marked as in use, and so many as free.
    ClusterBitmap(u64, u64),
    /// The copies of the first records were made anew.
    Mirror,
    /// The records of a file were written anew.
    File(RecordNumber),
    /// A file came into a directory where it is found.
    Found(RecordNumber),
    /// An index was made anew.
    Index(RecordNumber),
    /// The volume is not marked as dirty any more, and its log is empty.
    Clean,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edit => f.write_str("finished an edit that had been interrupted"),
            Self::BootSector => f.write_str("took the boot sector from its copy"),
            Self::BackupBootSector => f.write_str("copied the boot sector to the last sector"),
            Self::Record(record) => write!(f, "took file record {record} from its copy"),
            Self::RecordBitmap(set, free) => {
                write!(f, "marked {set} file records as in use and {free} as free")
            }
            Self::ClusterBitmap(set, free) => {
                write!(f, "marked {set} clusters as in use and {free} as free")
            }
            Self::Mirror => f.write_str("copied the first file records to $MFTMirr"),
            Self::File(record) => write!(f, "wrote file record {record} anew"),
            Self::Found(record) => write!(f, "put file record {record} into a directory"),
            Self::Index(record) => write!(f, "made the index of file record {record} anew"),
            Self::Clean => f.write_str("removed the mark of a dirty volume and emptied $LogFile"),
        }
    }
}

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong.
    pub before: Report,
    /// What was mended, in this order.
    pub steps: Vec<Step>,
    /// What is wrong still.
    pub after: Report,
}

/// Repairs the volume on a device. Where nothing is wrong, nothing is written.
///
/// # Errors
/// [`RepairError`]; the volume is marked as dirty then, unless it was refused.
pub fn repair<D: WriteAt>(
    device: &D,
    options: &RepairOptions,
    progress: &Progress,
) -> Result<Repaired, RepairError> {
    let mut first = survey(device, progress)?;
    let by = first.ground.by;
    let asleep = asleep(&first.ground.volume);
    let before = first.found.report(first.map.summary);
    drop(first);
    if is_sound(&before) {
        return Ok(Repaired { after: before.clone(), before, steps: Vec::new() });
    }
    if let Some(reason) = asleep.filter(|_| !options.force) {
        return Err(RepairError::Asleep(reason));
    }
    let mut steps = Vec::new();
    copies::boot_sectors(device, by.backup, &mut steps)?;
    copies::records(device, by.mirror, &mut steps)?;
    if recover(device)? {
        steps.push(Step::Edit);
    }
    mark_dirty(device)?;
    let found = bitmaps::rebuild(device, &mut steps, progress)?;
    copies::mirror(device, &mut steps)?;
    let is_safe = !found.has(Rule::SharedCluster) && !found.has(Rule::Mft);
    if is_safe {
        indexes::rebuild(device, options, &found, &mut steps, progress)?;
    }
    let mut after = check_again(device, progress)?;
    if is_sound_but_for_mark(&after) {
        mark_clean(device)?;
        steps.push(Step::Clean);
        after = check_again(device, progress)?;
    }
    Ok(Repaired { before, steps, after })
}

/// Why only Windows knows what belongs on the volume. Where the directory with `hiberfil.sys` cannot be read, the log
/// tells it alone.
fn asleep(volume: &Volume<impl ReadAt>) -> Option<Unclean> {
    let reasons = match volume.state() {
        Ok(state) => state.reasons(),
        Err(_) => match volume.log_state() {
            Ok(LogState::Open) => vec![Unclean::LogOpen],
            Ok(LogState::Cached) => vec![Unclean::LogCached],
            _ => Vec::new(),
        },
    };
    let asleep = [Unclean::Hibernated, Unclean::LogCached, Unclean::LogOpen];
    reasons.into_iter().find(|reason| asleep.contains(reason))
}

fn check_again<D: WriteAt>(device: &D, progress: &Progress) -> Result<Report, CheckError> {
    let mut survey = survey(device, progress)?;
    Ok(survey.found.report(survey.map.summary))
}

/// Whether there is nothing to repair.
fn is_sound(report: &Report) -> bool {
    report.worst().is_none_or(|worst| worst == Severity::Note)
}

fn is_sound_but_for_mark(report: &Report) -> bool {
    let mut rules = report.counts.keys();
    rules.all(|rule| *rule == Rule::Unclean || rule.severity() == Severity::Note)
}

/// Whether all that is in use is known: else nothing may be marked as free.
fn is_all_known(found: &Findings) -> bool {
    if found.worn.zeroed && found.has(Rule::LostCluster) {
        return false;
    }
    let unknown = [
        Rule::Unread,
        Rule::Mft,
        Rule::Signature,
        Rule::UpdateSequence,
        Rule::RecordHeader,
        Rule::Attribute,
        Rule::Runs,
        Rule::AttributeList,
        Rule::Extension,
    ];
    !unknown.into_iter().any(|rule| found.has(rule))
}

/// Writes bytes to the device.
fn write(
    device: &impl WriteAt,
    what: &'static str,
    bytes: &[u8],
    offset: u64,
) -> Result<(), RepairError> {
    device.write_all_at(bytes, offset).map_err(|source| RepairError::Write {
        what,
        offset,
        length: bytes.len() as u64,
        source,
    })
}

/// Waits until all is on stable storage.
fn flush(device: &impl WriteAt) -> Result<(), RepairError> {
    let failed = |source| RepairError::Write { what: "the volume", offset: 0, length: 0, source };
    device.flush().map_err(failed)
}
