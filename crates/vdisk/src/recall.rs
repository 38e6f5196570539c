//! What resolving found in disks that do not change, remembered.

use std::sync::{Mutex, OnceLock, PoisonError};

use imprint_blockio::Extent;

/// Bytes of the disk for which one place remembers one extent.
const GRANULE: u64 = 64 << 10;
/// Places: 40 bytes each, 2.5 MiB, for the whole of a disk of 4 GiB or as much of a larger one.
const PLACES: usize = 1 << 16;

/// Extents found in the disks of a chain. Small reads through a long chain ask here first: a table and
/// a bitmap of every disk are more memory than a processor has close by.
///
/// ```text
///  offset ─► granule ─► its only place ─► extent that covers offset?   found, or ask the disks
/// ```
#[derive(Debug, Default)]
pub(crate) struct Recall {
    /// Made when the first small read comes.
    places: OnceLock<Box<[Mutex<Found>]>>,
}

/// An extent on the disk. Empty when nothing was found yet.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    start: u64,
    end: u64,
    /// Where it is in its file.
    offset: u64,
    /// Which file it is in; `None` for zeros.
    file: Option<u32>,
}

impl Recall {
    /// How far to resolve from `offset` on, so that what is found can be remembered whole; `None` if the
    /// range is not a small one and is not remembered.
    pub(crate) const fn span(offset: u64, len: u64, size: u64) -> Option<u64> {
        let to_edge = GRANULE - offset % GRANULE;
        let left = size.saturating_sub(offset);
        let span = if to_edge < left { to_edge } else { left };
        if len <= span { Some(span) } else { None }
    }

    /// The extent at `offset`, cut to `len` bytes.
    pub(crate) fn get(&self, offset: u64, len: u64) -> Option<Extent> {
        let found = *self.place(offset)?.lock().unwrap_or_else(PoisonError::into_inner);
        if !(found.start..found.end).contains(&offset) {
            return None;
        }
        let len = len.min(found.end - offset);
        Some(match found.file {
            None => Extent::Zero { len },
            Some(file) => {
                let file = usize::try_from(file).ok()?;
                Extent::Data { file, offset: found.offset + (offset - found.start), len }
            }
        })
    }

    /// Remembers the extent found at `offset`.
    pub(crate) fn put(&self, offset: u64, extent: Extent) {
        let (start, end) = (offset, offset.saturating_add(extent.len()));
        let found = match extent {
            Extent::Zero { .. } => Found { start, end, offset: 0, file: None },
            Extent::Data { file, offset, .. } => match u32::try_from(file) {
                Ok(file) => Found { start, end, offset, file: Some(file) },
                Err(_) => return,
            },
            Extent::Parent { .. } => return,
        };
        if let Some(place) = self.place(offset) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    }

    fn place(&self, offset: u64) -> Option<&Mutex<Found>> {
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| Mutex::default()).collect());
        places.get(usize::try_from(offset / GRANULE).unwrap_or(0) % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_found_where_it_is() {
        let recall = Recall::default();
        assert_eq!(recall.get(4096, 512), None);
        recall.put(4096, Extent::Data { file: 3, offset: 10 << 20, len: 8192 });
        let data = |offset, len| Some(Extent::Data { file: 3, offset, len });
        assert_eq!(recall.get(4096, 512), data(10 << 20, 512));
        assert_eq!(recall.get(8192, 9000), data((10 << 20) + 4096, 4096));
        assert_eq!(recall.get(4095, 1), None);
        assert_eq!(recall.get(12_288, 1), None);
        // Another part of the disk with the same place.
        let far = 4096 + GRANULE * PLACES as u64;
        assert_eq!(recall.get(far, 512), None);
        recall.put(far, Extent::Zero { len: 4096 });
        assert_eq!(recall.get(far, 512), Some(Extent::Zero { len: 512 }));
        assert_eq!(recall.get(4096, 512), None);
    }

    #[test]
    fn spans_end_with_their_granule_and_with_the_disk() {
        assert_eq!(Recall::span(0, 4096, 1 << 30), Some(GRANULE));
        assert_eq!(Recall::span(4096, 4096, 1 << 30), Some(GRANULE - 4096));
        assert_eq!(Recall::span(4096, GRANULE, 1 << 30), None);
        assert_eq!(Recall::span(4096, 512, 8192), Some(4096));
        assert_eq!(Recall::span(8192, 512, 8192), None);
    }
}
