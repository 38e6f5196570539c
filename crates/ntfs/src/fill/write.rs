//! Data, as it comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use imprint_blockio::WriteAt;
use imprint_winvalues::tree::FileId;

use super::FillError;
use super::place::Taken;
use super::plan::{Place, Plan, UNIT};
use super::sparse::Later;

/// Zeros for the rest of a cluster; as long as the longest cluster.
static ZEROS: [u8; 2 << 20] = [0; 2 << 20];
/// Data of at most this many bytes is copied to be written together with the rest of its cluster.
const COPIED: usize = 64 << 10;

/// A volume being filled. Data may come from many threads, in any order, each byte once.
#[derive(Debug)]
pub struct Filling<D> {
    pub(super) device: D,
    pub(super) plan: Plan,
    /// By slot: data that goes into records.
    kept: Mutex<HashMap<usize, Box<[u8]>>>,
    pub(super) later: Vec<Mutex<Later>>,
    pub(super) free: Mutex<Taken>,
    /// By slot: whether all its data came.
    whole: Vec<AtomicBool>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: WriteAt> Filling<D> {
    /// Erases the boot sectors of what was there, so that from now on there is no volume.
    ///
    /// # Errors
    /// [`FillError::Io`].
    pub fn begin(device: D, plan: Plan) -> Result<Self, FillError> {
        let cluster_size = plan.measures.cluster_size;
        let later = plan.later.iter().map(|&(slot, compressed)| {
            let size = plan.slots.get(slot as usize).map_or(0, |slot| slot.size);
            Mutex::new(Later::new(size, cluster_size, compressed.then_some(UNIT)))
        });
        let filling = Self {
            later: later.collect(),
            free: Mutex::new(Taken::new(plan.regions.free)),
            kept: Mutex::default(),
            whole: plan.slots.iter().map(|_| AtomicBool::new(false)).collect(),
            device,
            plan,
        };
        let sector = u64::from(filling.plan.measures.sector_size);
        let copy = filling.plan.measures.sectors * sector;
        filling.zeros("boot sector", 0, 8192.min(copy))?;
        filling.zeros("copy of the boot sector", copy, sector)?;
        filling.flush("boot sector")?;
        Ok(filling)
    }

    /// The plan it follows.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes data of a stream, from byte `offset` on.
    ///
    /// # Errors
    /// [`FillError`]. Streams that the volume does not take are passed over.
    pub fn write(
        &self,
        file: FileId,
        stream: u32,
        offset: u64,
        data: &[u8],
    ) -> Result<(), FillError> {
        let Some(index) = self.plan.slot_of(file, stream) else { return Ok(()) };
        let slot = self.plan.slot(file, stream);
        let end = offset.saturating_add(data.len() as u64);
        if end > slot.size {
            return Err(FillError::PastEnd { size: slot.size, end });
        }
        match slot.place {
            Place::Empty => Ok(()),
            Place::Record | Place::Value => {
                self.keep(index, slot.size, offset, data);
                Ok(())
            }
            Place::Data(cluster) => {
                let start = self.plan.measures.bytes_of(self.plan.data_lcn(cluster));
                self.write_padded(start + offset, data, end == slot.size)
            }
            Place::Later(number) => match self.later.get(number as usize) {
                Some(later) => self.write_later(later, offset, data),
                None => Ok(()),
            },
        }
    }

    /// Tells that all data of a stream came. A stream that is not told of is left out, and a file without
    /// its main data is, too.
    pub fn complete(&self, file: FileId, stream: u32) {
        if let Some(whole) = self.plan.slot_of(file, stream).and_then(|slot| self.whole.get(slot)) {
            whole.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the data of a slot did not come.
    pub(super) fn is_lost(&self, index: usize) -> bool {
        let size = self.plan.slots.get(index).map_or(0, |slot| slot.size);
        size > 0 && !self.whole.get(index).is_some_and(|whole| whole.load(Ordering::Relaxed))
    }

    /// Takes the data of a slot that was kept.
    pub(super) fn take_kept(&self, index: usize) -> Option<Box<[u8]>> {
        lock(&self.kept).remove(&index)
    }

    fn keep(&self, index: usize, size: u64, offset: u64, data: &[u8]) {
        let mut kept = lock(&self.kept);
        let size = usize::try_from(size).unwrap_or(0);
        let value = kept.entry(index).or_insert_with(|| vec![0; size].into_boxed_slice());
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(place) = value.get_mut(start..start.saturating_add(data.len())) {
            place.copy_from_slice(data);
        }
    }

    /// Writes data and, behind its end, zeros up to the end of the cluster: what was there before must not be
    /// read by anyone.
    fn write_padded(&self, at: u64, data: &[u8], last: bool) -> Result<(), FillError> {
        let cluster = u64::from(self.plan.measures.cluster_size);
        let end = at + data.len() as u64;
        let rest = if last { end.next_multiple_of(cluster) - end } else { 0 };
        if rest == 0 {
            return self.put("file data", at, data);
        }
        let rest = usize::try_from(rest).unwrap_or(0);
        if data.len() <= COPIED {
            let mut all = Vec::with_capacity(data.len() + rest);
            all.extend_from_slice(data);
            all.resize(data.len() + rest, 0);
            return self.put("file data", at, &all);
        }
        self.put("file data", at, data)?;
        self.zeros("file data", end, rest as u64)
    }

    /// Writes data of a stream with holes: a granule of zeros stays a hole.
    fn write_later(
        &self,
        later: &Mutex<Later>,
        mut offset: u64,
        mut data: &[u8],
    ) -> Result<(), FillError> {
        let cluster = u64::from(self.plan.measures.cluster_size);
        let bytes = lock(later).granule * cluster;
        while !data.is_empty() {
            let (granule, within) = (offset / bytes, offset % bytes);
            let length = usize::try_from(bytes - within).unwrap_or(usize::MAX).min(data.len());
            let (part, rest) = data.split_at_checked(length).unwrap_or((data, &[]));
            self.write_granule(later, granule, within, part)?;
            (offset, data) = (offset + length as u64, rest);
        }
        Ok(())
    }

    fn write_granule(
        &self,
        later: &Mutex<Later>,
        granule: u64,
        within: u64,
        data: &[u8],
    ) -> Result<(), FillError> {
        let mut later = lock(later);
        if data.iter().all(|&byte| byte == 0) && !later.is_placed(granule) {
            return Ok(());
        }
        let length = later.length(granule) * u64::from(self.plan.measures.cluster_size);
        let placed = later.place(granule, &mut lock(&self.free));
        let (lcn, new) = placed.ok_or(FillError::Full { length })?;
        let start = self.plan.measures.bytes_of(lcn);
        if new && (data.len() as u64) < length {
            self.zeros("file data", start, length)?;
        }
        // No other thread writes into the granule before its zeros are there.
        self.put("file data", start + within, data)
    }

    pub(super) fn put(
        &self,
        what: &'static str,
        offset: u64,
        data: &[u8],
    ) -> Result<(), FillError> {
        let length = data.len() as u64;
        let failed = |source| FillError::Io { what, offset, length, source };
        self.device.write_all_at(data, offset).map_err(failed)
    }

    pub(super) fn zeros(
        &self,
        what: &'static str,
        mut offset: u64,
        mut length: u64,
    ) -> Result<(), FillError> {
        while length > 0 {
            let part = length.min(ZEROS.len() as u64);
            let zeros = ZEROS.get(..usize::try_from(part).unwrap_or(0)).unwrap_or_default();
            self.put(what, offset, zeros)?;
            (offset, length) = (offset + part, length - part);
        }
        Ok(())
    }

    pub(super) fn flush(&self, what: &'static str) -> Result<(), FillError> {
        let failed = |source| FillError::Io { what, offset: 0, length: 0, source };
        self.device.flush().map_err(failed)
    }
}
