//! Whether `$LogFile` was closed.
//!
//! Two restart pages say so, and the newer one counts. Where the second one is depends on a size that the first one
//! says and may be wrong, so all places are looked at where one can be.

use imprint_blockio::{Expected, ReadAt};
use zerocopy::FromBytes;

use super::main_data;
use crate::layout::{
    CHECKED_SIGNATURE, EMPTY_SIGNATURE, LEFT_CLEAN, NO_CLIENT, RESTART_SIGNATURE, RestartAreaDisk,
    RestartPageDisk, STRIDE,
};
use crate::{AttributeKind, Corruption, FileValue, ReadError, RecordNumber, Structure, Volume};

/// `$LogFile`.
const LOG: RecordNumber = RecordNumber(2);
/// Restart pages behind this byte are not looked for: no computer has pages so large.
const MAX_PAGE: u64 = 1 << 20;

/// What `$LogFile` says of how the volume was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// It was emptied: nothing is to be done again.
    Empty,
    /// It was closed.
    Clean,
    /// It was not closed: changes in it may have to be done again.
    Open,
    /// It has the version that Windows gives it while it uses the volume, and leaves it when it shuts down in part.
    Cached,
    /// It is not empty, and has no restart page that can be understood.
    Damaged,
}

impl<D: ReadAt> Volume<D> {
    /// Finds out how `$LogFile` was left.
    pub(crate) fn log_state(&self) -> Result<LogState, ReadError> {
        let file = self.file(LOG)?;
        let Some(FileValue::Clusters(log)) = main_data(file.as_ref()) else {
            let structure = Structure::Attribute(LOG, AttributeKind::DATA);
            let (field, expected) = ("values in clusters", Expected::Exactly(1));
            return Err(Corruption::number(structure, 0, field, expected, 0).into());
        };
        let mut pages = Vec::new();
        let mut is_empty = true;
        let places = std::iter::once(0).chain((9..).map(|shift| 1 << shift));
        for place in places.take_while(|&place| place <= MAX_PAGE) {
            let mut page = [0; STRIDE];
            if place + page.len() as u64 > log.size() {
                break;
            }
            self.read_value(log, &mut page, place)?;
            is_empty &= signature(&page) == EMPTY_SIGNATURE;
            pages.extend(restart(&page, place));
        }
        Ok(newest(&pages, is_empty))
    }
}

/// What a restart page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Restart {
    lsn: u64,
    /// Whether Windows had not let go of the volume.
    is_cached: bool,
    is_clean: bool,
}

fn signature(page: &[u8; STRIDE]) -> u32 {
    page.first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes))
}

/// Reads a restart page from its first sector, in which all that counts stands; `None` if it is none.
fn restart(page: &[u8; STRIDE], place: u64) -> Option<Restart> {
    let (header, _) = RestartPageDisk::read_from_prefix(page).ok()?;
    let (system_page, log_page) = (header.system_page.get(), header.log_page.get());
    let is_size = |size: u32| size.is_power_of_two() && size as usize >= STRIDE;
    let is_checked = header.signature.get() == CHECKED_SIGNATURE;
    let is_restart = is_checked || header.signature.get() == RESTART_SIGNATURE;
    let version = (header.major.get(), header.minor.get());
    let fits = is_size(system_page)
        && is_size(log_page)
        && (place == 0 || place == system_page.into())
        && matches!(version, (1, 1) | (2, 0))
        && header.area.get().is_multiple_of(8)
        && usize::from(header.area.get()) >= size_of::<RestartPageDisk>();
    if !is_restart || !fits {
        return None;
    }
    // The last two bytes of the sector are not its own.
    let area = page.get(header.area.get().into()..STRIDE - 2)?;
    let (area, _) = RestartAreaDisk::read_from_prefix(area).ok()?;
    let (clients, in_use) = (area.clients.get(), area.in_use.get());
    let is_client = |number: u16| number == NO_CLIENT || number < clients;
    if !is_client(in_use) || !is_client(area.free.get()) {
        return None;
    }
    Some(Restart {
        lsn: if is_checked { header.checked_lsn.get() } else { area.lsn.get() },
        is_cached: version == (2, 0),
        is_clean: in_use == NO_CLIENT || area.flags.get() & LEFT_CLEAN != 0,
    })
}

/// What the newest of the pages says.
fn newest(pages: &[Restart], is_empty: bool) -> LogState {
    // Of two that are equally new the first counts.
    match pages.iter().rev().max_by_key(|page| page.lsn) {
        None if is_empty => LogState::Empty,
        None => LogState::Damaged,
        Some(Restart { is_cached: true, .. }) => LogState::Cached,
        Some(Restart { is_clean: true, .. }) => LogState::Clean,
        Some(_) => LogState::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A restart page as Windows XP writes it when it lets go of a volume.
    fn page() -> [u8; STRIDE] {
        let mut bytes = [0; STRIDE];
        bytes[..8].copy_from_slice(b"RSTR\x1e\0\x09\0");
        bytes[16..24].copy_from_slice(&[0, 0x10, 0, 0, 0, 0x10, 0, 0]);
        bytes[24..30].copy_from_slice(&[0x30, 0, 1, 0, 1, 0]);
        bytes[0x30..0x38].copy_from_slice(&7_u64.to_le_bytes());
        bytes[0x38..0x40].copy_from_slice(&[1, 0, 0xff, 0xff, 0, 0, 2, 0]);
        bytes
    }

    #[track_caller]
    fn check(changes: &[(usize, &[u8])], place: u64, expected: Option<LogState>) {
        let mut bytes = page();
        for (at, change) in changes {
            bytes[*at..][..<[u8]>::len(change)].copy_from_slice(change);
        }
        let found = restart(&bytes, place).map(|page| newest(&[page], false));
        assert_eq!(found, expected);
    }

    #[test]
    fn pages_say_how_the_volume_was_left() {
        check(&[], 0, Some(LogState::Clean));
        check(&[], 4096, Some(LogState::Clean));
        check(&[(0x3e, &[0])], 0, Some(LogState::Open));
        // As Windows 2000 left it: closed.
        check(&[(0x3a, &[0, 0, 0xff, 0xff, 0, 0])], 0, Some(LogState::Clean));
        check(&[(26, &[0, 0, 2, 0])], 0, Some(LogState::Cached));
        check(&[(0, b"CHKD")], 0, Some(LogState::Clean));
    }

    #[test]
    fn what_is_no_restart_page_says_nothing() {
        check(&[(0, b"RCRD")], 0, None);
        check(&[], 8192, None);
        check(&[(16, &[1])], 0, None);
        check(&[(21, &[0])], 0, None);
        check(&[(28, &[3])], 0, None);
        check(&[(24, &[0x31])], 0, None);
        check(&[(24, &[8])], 0, None);
        check(&[(24, &[0xf8, 1])], 0, None);
        check(&[(0x3c, &[1])], 0, None);
        check(&[(0x3a, &[1, 0])], 0, None);
    }

    #[test]
    fn the_newer_page_counts() {
        let page = |lsn, is_clean| Restart { lsn, is_cached: false, is_clean };
        assert_eq!(newest(&[], true), LogState::Empty);
        assert_eq!(newest(&[], false), LogState::Damaged);
        assert_eq!(newest(&[page(1, true), page(2, false)], false), LogState::Open);
        assert_eq!(newest(&[page(2, true), page(1, false)], false), LogState::Clean);
        assert_eq!(newest(&[page(2, true), page(2, false)], false), LogState::Clean);
    }
}
