//! A fresh NTFS volume as a target.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use imprint_blockio::WriteAt;
use imprint_ntfs::{FillError, FillOptions, Filling, Plan, PlanError, StreamSize};
use imprint_progress::Progress;
use imprint_winvalues::tree::{FileId, StreamKind, Tree};
use imprint_winvalues::{FileTime, WinName};

use crate::apply::first_names;
use crate::outcome::under_all_names;
use crate::{BlobUse, Capabilities, Capability, Coming, SkipReason, Skipped, Target, TargetError};

/// How to make the volume.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// Bytes of a cluster; `None` for what Windows chooses.
    pub cluster_size: Option<u32>,
    /// The label, at most 32 UTF-16 units.
    pub label: WinName,
    /// Names the volume; random.
    pub serial: u64,
    /// The time of making.
    pub now: FileTime,
    /// Leave out security descriptors: every file gets what Windows gives to new ones.
    pub no_acls: bool,
    /// Leave out file attributes.
    pub no_attributes: bool,
}

/// A volume that is made and filled.
///
/// Everything is placed before the first byte of data comes: [`Target::begin`] refuses what does not fit and
/// leaves the device as it was.
#[derive(Debug)]
pub struct NtfsTarget<D> {
    device: Option<D>,
    /// What its errors call it.
    path: String,
    sector_size: u32,
    hidden_sectors: u32,
    size: u64,
    options: FormatOptions,
    filling: Option<Filling<D>>,
    skipped: Vec<Skipped>,
}

impl<D: WriteAt> NtfsTarget<D> {
    /// A volume on `device`, which begins at byte `start` of its disk. `path` is what errors call it.
    ///
    /// # Errors
    /// [`TargetError::Io`] if the device does not say how long it is.
    pub fn new(
        device: D,
        path: String,
        start: u64,
        sector_size: u32,
        options: FormatOptions,
    ) -> Result<Self, TargetError> {
        let size = device.len().map_err(|source| TargetError::Io {
            operation: "measure",
            path: path.clone(),
            source,
        })?;
        let hidden_sectors = u32::try_from(start / u64::from(sector_size.max(1))).unwrap_or(0);
        Ok(Self {
            device: Some(device),
            path,
            sector_size,
            hidden_sectors,
            size,
            options,
            filling: None,
            skipped: Vec::new(),
        })
    }

    fn fill_options(&self) -> FillOptions {
        FillOptions {
            size: self.size,
            sector_size: self.sector_size,
            cluster_size: self.options.cluster_size,
            label: self.options.label.clone(),
            serial: self.options.serial,
            hidden_sectors: self.hidden_sectors,
            now: self.options.now,
            no_acls: self.options.no_acls,
            no_attributes: self.options.no_attributes,
        }
    }

    /// Lists what the volume does not take.
    fn list(&mut self, tree: &Tree, plan: &Plan) {
        for refused in plan.refused() {
            let path = tree.path_of(refused.name).to_string();
            let fault = refused.reason.to_string();
            self.skipped.push(Skipped { path, reason: SkipReason::Name { fault } });
        }
        let encrypted = first_names(tree).filter(|(file, _)| {
            let streams = tree.file(*file).map_or(&[][..], |file| &file.streams);
            streams.iter().any(|stream| stream.kind == StreamKind::EncryptedRaw)
        });
        let without_guid: HashSet<FileId> = plan.without_guid(tree).collect();
        let pointing = first_names(tree).filter(|(file, _)| without_guid.contains(file));
        let faults = encrypted
            .map(|named| (named, Capability::EncryptedFiles))
            .chain(pointing.map(|named| (named, Capability::ReparsePoints)))
            .map(|((file, name), capability)| (file, name, SkipReason::NotKept { capability }))
            .collect();
        self.skipped.extend(under_all_names(tree, faults));
    }

    fn each(
        &self,
        uses: &[BlobUse],
        mut act: impl FnMut(&Filling<D>, FileId, u32) -> Result<(), FillError>,
    ) -> Result<(), TargetError> {
        let Some(filling) = &self.filling else { return Ok(()) };
        uses.iter()
            .try_for_each(|one| act(filling, one.file, one.stream))
            .map_err(|source| TargetError::Fill { path: self.path.clone(), source })
    }
}

/// A large blob under way.
#[derive(Debug)]
pub struct OpenStreams {
    uses: Vec<BlobUse>,
    /// Whether the volume refused nothing of it.
    good: AtomicBool,
}

/// What NTFS keeps.
pub(super) fn capabilities() -> Capabilities {
    use Capability as C;
    let all = [
        C::Attributes,
        C::ShortNames,
        C::SecurityDescriptors,
        C::NamedStreams,
        C::Links,
        C::ReparsePoints,
        C::HardLinks,
        C::CreationTime,
        C::ObjectIds,
        C::ExtendedAttributes,
    ];
    Capabilities(all.into_iter().collect())
}

impl<D: WriteAt> Target for NtfsTarget<D> {
    type Open = OpenStreams;

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn begin(
        &mut self,
        tree: &Tree,
        coming: &[Coming<'_>],
        progress: &Progress,
    ) -> Result<(), TargetError> {
        progress.check()?;
        let Some(device) = self.device.take() else { return Ok(()) };
        let sizes: Vec<StreamSize> = coming
            .iter()
            .flat_map(|blob| {
                let size = blob.size;
                let stream =
                    move |one: &BlobUse| StreamSize { file: one.file, stream: one.stream, size };
                blob.uses.iter().map(stream)
            })
            .collect();
        let unplanned = |source: PlanError| TargetError::Plan { path: self.path.clone(), source };
        let plan = Plan::new(tree, &sizes, self.fill_options()).map_err(unplanned)?;
        self.list(tree, &plan);
        let failed = |source| TargetError::Fill { path: self.path.clone(), source };
        self.filling = Some(Filling::begin(device, plan).map_err(failed)?);
        Ok(())
    }

    fn put(&self, _: &Tree, uses: &[BlobUse], data: &[u8]) -> Result<(), TargetError> {
        self.each(uses, |filling, file, stream| {
            filling.write(file, stream, 0, data)?;
            filling.complete(file, stream);
            Ok(())
        })
    }

    fn open(&self, _: &Tree, uses: &[BlobUse], _: u64) -> Result<Self::Open, TargetError> {
        Ok(OpenStreams { uses: uses.to_vec(), good: AtomicBool::new(true) })
    }

    fn write(&self, open: &Self::Open, offset: u64, data: &[u8]) -> Result<(), TargetError> {
        let written = self
            .each(&open.uses, |filling, file, stream| filling.write(file, stream, offset, data));
        if written.is_err() {
            open.good.store(false, Ordering::Relaxed);
        }
        written
    }

    fn close(&self, _: &Tree, open: Self::Open, whole: bool) -> Result<(), TargetError> {
        if !whole || !open.good.into_inner() {
            return Ok(());
        }
        self.each(&open.uses, |filling, file, stream| {
            filling.complete(file, stream);
            Ok(())
        })
    }

    fn finish(&mut self, tree: &Tree, progress: &Progress) -> Result<Vec<Skipped>, TargetError> {
        progress.check()?;
        if let Some(filling) = self.filling.take() {
            let failed = |source| TargetError::Fill { path: self.path.clone(), source };
            filling.finish(tree).map_err(failed)?;
        }
        Ok(std::mem::take(&mut self.skipped))
    }
}
