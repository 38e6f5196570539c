//! Writing: room for blocks, and the metadata that say so, kept in the log.
//!
//! ```text
//! allocate ─► block at the end of the file ─► caller writes there
//!         └─► BAT, bitmaps: pages changed in memory
//!                                │ commit
//!   flush ─► one log entry ─► flush ─► (first: headers name the log) ─► pages in their places
//! ```
//!
//! A page in its place becomes durable with the flush that the next commit begins with, and only then
//! is another entry written: so each entry is replayed alone, and two places in the log, its halves,
//! take turns. No entry ever lies directly behind another one, which programs that look at neither
//! tail nor number would replay in the wrong order (Read in: qemu's log search).

mod allocate;
mod bitmap;
mod commit;
mod locator;
mod reshape;
mod resize;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use imprint_blockio::{Extent, Resize, Sparse, WriteAt};
use imprint_winvalues::Guid;

use self::commit::update_headers;
use super::create::create_vhdx;
use super::header::{Headers, read_headers};
use super::log::{Overlay, replay};
use super::parts::{Parts, check_identifier};
use super::reader::{KEPT, PAGE, View};
use crate::container::{check_read, check_write};
use crate::pages::Pages;
use crate::{
    Container, CreateError, Format, Kind, NewDisk, OpenError, ParentLink, Placed, ReadError,
    Structure, WritableContainer, WriteError, WriteIds,
};

/// The longest file: the largest disk has 64 TiB, its table and bitmaps far less than another 64.
const MAX_FILE: u64 = 128 << 40;

/// A VHDX file, open for writing.
///
/// Opening changes nothing but a log that must be replayed. Before the first change the headers get new
/// GUIDs, so that children notice.
#[derive(Debug)]
pub struct VhdxWriter<T> {
    file: T,
    /// What the file is made of. Its headers are those of when it was read.
    parts: Parts,
    pages: Pages<PAGE>,
    /// The length of the file.
    end: AtomicU64,
    session: Mutex<Session>,
}

/// What writing changes besides pages. One thread at a time holds it.
#[derive(Debug)]
struct Session {
    headers: Headers,
    ids: WriteIds,
    /// Nobody relies on the file yet: metadata go to their places without a log.
    is_new: bool,
    /// The headers have the `FileWriteGuid` of this session.
    is_open: bool,
    /// The headers have the identity that the disk is to have at the end.
    is_identified: bool,
    /// The headers name the log of this session.
    is_logged: bool,
    /// The number of the next log entry.
    entry: u64,
    /// A write or a flush failed.
    is_poisoned: bool,
}

impl<T: Sparse + Resize> VhdxWriter<T> {
    /// Opens a file; replays its log if that is not empty.
    ///
    /// # Errors
    /// As [`Vhdx::open`](crate::Vhdx::open), before anything is changed, and [`OpenError::Write`] if the log cannot be
    /// replayed.
    pub fn open(file: T, ids: WriteIds) -> Result<Self, OpenError> {
        check_identifier(&file)?;
        let mut headers = read_headers(&file)?;
        if headers.current.log_length == 0 {
            return Err(OpenError::Unsupported {
                structure: Structure::Header,
                offset: headers.current.log_offset,
                feature: "writing to a file without a log",
            });
        }
        let replayed = headers.current.has_log();
        if replayed {
            // Nothing is written to a file that cannot be opened afterwards.
            let overlay = Overlay::open(&file, &headers.current)?;
            Parts::read(&overlay, headers.clone())?;
            update_headers(&file, &mut headers, |header| header.file_write = ids.file_write)
                .map_err(OpenError::Write)?;
            replay(&file, &headers.current)?;
            update_headers(&file, &mut headers, |header| header.log = Guid::default())
                .map_err(OpenError::Write)?;
        }
        let session = Session {
            headers,
            ids,
            is_new: false,
            is_open: replayed,
            is_identified: false,
            is_logged: false,
            entry: 1,
            is_poisoned: false,
        };
        Self::new(file, session)
    }

    /// Makes an empty file and opens it. Until the first commit nobody may rely on the file: a crash
    /// before leaves one that may not open.
    ///
    /// # Errors
    /// As [`create_vhdx`].
    pub fn create(file: T, new: &NewDisk, ids: WriteIds) -> Result<Self, CreateError> {
        create_vhdx(&file, new)?;
        let writer = || {
            let session = Session {
                headers: read_headers(&file)?,
                ids,
                is_new: true,
                is_open: true,
                is_identified: true,
                is_logged: false,
                entry: 1,
                is_poisoned: false,
            };
            Self::new(file, session)
        };
        writer().map_err(|error| CreateError::Write(reopened(error)))
    }

    fn new(file: T, session: Session) -> Result<Self, OpenError> {
        let parts = Parts::read(&file, session.headers.clone())?;
        let end = file.len().map_err(|source| OpenError::Io {
            structure: Structure::Payload,
            offset: 0,
            length: 0,
            source,
        })?;
        let (end, session) = (AtomicU64::new(end), Mutex::new(session));
        Ok(Self { file, parts, pages: Pages::new(KEPT), end, session })
    }

    /// Leaves the disk's identity as it is, whatever is written: for changes after which it holds the
    /// same as before, and for those whose identity is set with [`Self::set_identity`]. To be called
    /// before the first change.
    pub fn keep_identity(&self) {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).is_identified = true;
    }

    /// Gives the disk an identity and makes it durable. It then keeps it.
    ///
    /// # Errors
    /// Whatever the storage reports.
    pub fn set_identity(&self, identity: Guid) -> Result<(), WriteError> {
        self.locked(|session| {
            let file_write = session.ids.file_write;
            update_headers(&self.file, &mut session.headers, |header| {
                header.file_write = file_write;
                header.data_write = identity;
            })?;
            session.is_open = true;
            session.is_identified = true;
            Ok(())
        })
    }

    /// Everything that resolving needs.
    fn view(&self) -> View<'_, T> {
        let (parts, pages, file) = (&self.parts, &self.pages, &self.file);
        View { parts, pages, file, end: self.end.load(Ordering::Acquire) }
    }

    /// Runs `change`, one at a time, and remembers if it may have left things half done.
    fn locked<R, E: Failure>(
        &self,
        change: impl FnOnce(&mut Session) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_poisoned {
            return Err(WriteError::Poisoned.into());
        }
        let result = change(&mut session);
        if result.as_ref().is_err_and(Failure::poisons) {
            session.is_poisoned = true;
        }
        result
    }
}

/// Errors after which the state in memory cannot be relied on.
trait Failure: From<WriteError> {
    fn poisons(&self) -> bool;
}

impl Failure for WriteError {
    fn poisons(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Flush(_) | Self::Read(ReadError::Io { .. }))
    }
}

impl Failure for CreateError {
    fn poisons(&self) -> bool {
        matches!(self, Self::Write(error) if error.poisons())
    }
}

/// Reading what was just written failed.
fn reopened(error: OpenError) -> WriteError {
    match error {
        OpenError::Io { structure, offset, length, source } => {
            ReadError::Io { structure, offset, length, source }.into()
        }
        OpenError::Corruption(corruption) => ReadError::Corruption(corruption).into(),
        OpenError::Write(error) => error,
        OpenError::Overlap { .. } | OpenError::Unsupported { .. } | OpenError::ReadOnly(_) => {
            WriteError::Poisoned
        }
    }
}

impl<T: Sparse + Resize> Container for VhdxWriter<T> {
    fn format(&self) -> Format {
        Format::Vhdx
    }

    fn kind(&self) -> Kind {
        self.parts.metadata.kind
    }

    fn size(&self) -> u64 {
        self.parts.metadata.size
    }

    fn sector_size(&self) -> u32 {
        self.parts.metadata.sector_size
    }

    fn physical_sector_size(&self) -> u32 {
        self.parts.metadata.physical_sector_size
    }

    fn block_size(&self) -> u32 {
        self.parts.metadata.block_size
    }

    fn identity(&self) -> Option<Guid> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        Some(session.headers.current.data_write)
    }

    fn disk_id(&self) -> Option<Guid> {
        self.parts.metadata.disk_id
    }

    fn parent(&self) -> Option<&ParentLink> {
        self.parts.metadata.parent.as_ref()
    }

    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        check_read(self, offset, len)?;
        self.view().resolve(offset, len)
    }

    fn storage(&self) -> &dyn Sparse {
        &self.file
    }
}

impl<T: Sparse + Resize> WritableContainer for VhdxWriter<T> {
    fn allocate(&self, offset: u64, len: u64) -> Result<Placed, WriteError> {
        check_write(self, offset, len)?;
        self.locked(|session| {
            self.begin(session)?;
            self.make_room(session)?;
            Ok(self.place(offset, len)?.placed)
        })
    }

    fn write_zeroes(&self, offset: u64, len: u64) -> Result<(), WriteError> {
        check_write(self, offset, len)?;
        let end = offset + len;
        let mut at = offset;
        while at < end {
            at += self.locked(|session| self.zero(session, at, end - at))?;
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), WriteError> {
        self.locked(|session| {
            self.commit_pages(session)?;
            session.is_new = false;
            Ok(())
        })
    }

    fn target(&self) -> &dyn WriteAt {
        &self.file
    }

    fn close(self: Box<Self>) -> Result<(), WriteError> {
        self.locked(|session| self.finish(session))
    }
}
