//! Changing what the footers and the dynamic header say.

use imprint_blockio::{Expected, FieldFault, Resize, Sparse};
use imprint_winvalues::Guid;
use zerocopy::IntoBytes;

use super::create::{PIECE, wrong_parent, wrong_size};
use super::footer::Footer;
use super::header::Header;
use super::layout::{
    ABSENT, ABSOLUTE, DynamicHeaderDisk, ENTRY_BYTES, FOOTER_BYTES, HEADER_BYTES, LocatorDisk,
    RELATIVE, SECTOR,
};
use super::locator::{NewLocator, describe, new_link, new_locators};
use super::writer::{State, VhdWriter};
use crate::{
    Container, Format, Kind, NewParent, ReadError, Reshape, ReshapeError, Structure, WriteError,
};

/// Everything that is put at the end begins at a multiple of this.
const ALIGNMENT: u64 = 4096;

/// What is to become of a header.
struct Change {
    /// The new header; where table and locators are is put into it on the way.
    header: DynamicHeaderDisk,
    /// The new footer; where the header is is put into it on the way.
    footer: Footer,
    /// The table moves to the end and has so many entries in use now.
    table: Option<u64>,
    /// The new locators.
    locators: Option<Vec<NewLocator>>,
}

impl<T: Sparse + Resize> Reshape for VhdWriter<T> {
    fn keep_identity(&self) {
        self.forget_pending();
    }

    fn set_identity(&self, identity: Guid) -> Result<(), ReshapeError> {
        let mut state = self.lock()?;
        let footer = state.footer.with_identity(identity);
        self.put_footers(&mut state, footer)?;
        drop(state);
        self.forget_pending();
        Ok(())
    }

    /// The format has no room for a second identity.
    fn accept_parent(&mut self, _alternative: Option<Guid>) -> Result<bool, ReshapeError> {
        Ok(false)
    }

    fn rebase(&mut self, parent: &NewParent) -> Result<(), ReshapeError> {
        if self.kind != Kind::Differencing {
            return Err(ReshapeError::NoSuchField { format: Format::Vhd, field: "parent" });
        }
        if let Some((field, expected, actual)) = wrong_parent(parent) {
            return Err(self.refuse(field, expected, actual));
        }
        let mut state = self.lock()?;
        let Some(Header { disk: mut header }) = state.header else { return Ok(()) };
        describe(&mut header, parent);
        let (footer, locators) = (state.footer, Some(new_locators(parent)));
        self.change(&mut state, Change { header, footer, table: None, locators })?;
        drop(state);
        self.link = Some(new_link(Guid(header.parent_id), parent));
        Ok(())
    }

    /// Fixed disks are made larger by conversion.
    fn resize(&mut self, size: u64) -> Result<(), ReshapeError> {
        let mut state = self.lock()?;
        let (Some(map), Some(Header { disk: mut header })) = (&self.map, state.header) else {
            return Err(ReshapeError::NoSuchField { format: Format::Vhd, field: "size" });
        };
        let now = self.size();
        if size < now {
            return Err(self.refuse("size", Expected::AtLeast(now), size));
        }
        if let Some((expected, actual)) = wrong_size(size) {
            return Err(self.refuse("size", expected, actual));
        }
        let (old, new) = (map.blocks(), size.div_ceil(map.block_size));
        let stays = self.has_room(&state, header.bat_offset.get(), old, new)?;
        if stays {
            // No reader looks there yet; the change begins with a commit.
            for block in old..new {
                map.place(&self.file, block, ABSENT).map_err(WriteError::from)?;
            }
        }
        // A table that moves gets what it needs, however many entries the old one claims to have.
        let entries = if stays { u64::from(header.max_entries.get()).max(new) } else { new };
        header.max_entries = u32::try_from(entries).unwrap_or(u32::MAX).into();
        let footer = state.footer.with_size(size);
        let table = (!stays).then_some(old);
        let offset = self.change(&mut state, Change { header, footer, table, locators: None })?;
        // The new place first: it holds all that the old one does.
        map.set_table(offset, size);
        drop(state);
        self.size = size;
        Ok(())
    }
}

impl<T: Sparse + Resize> VhdWriter<T> {
    fn refuse(&self, field: &'static str, expected: Expected, actual: u64) -> ReshapeError {
        ReshapeError::Impossible {
            format: Format::Vhd,
            kind: self.kind,
            fault: FieldFault::Number { field, expected, actual },
        }
    }

    /// Whether the table at `table` can have `new` entries instead of `old`: the rest of its last sector is
    /// its own if nothing but absent blocks stands there.
    fn has_room(&self, state: &State, table: u64, old: u64, new: u64) -> Result<bool, WriteError> {
        let (start, end) = (table + old * ENTRY_BYTES, table + new * ENTRY_BYTES);
        if end > start.next_multiple_of(SECTOR) || end > state.end {
            return Ok(false);
        }
        let mut rest = vec![0; usize::try_from(end - start).unwrap_or(0)];
        self.get(&mut rest, start)?;
        Ok(rest.iter().all(|&byte| byte == 0xff) || rest.iter().all(|&byte| byte == 0))
    }

    fn get(&self, bytes: &mut [u8], offset: u64) -> Result<(), WriteError> {
        let (structure, length) = (Structure::Bat, bytes.len() as u64);
        self.file
            .read_exact_at(bytes, offset)
            .map_err(|source| ReadError::Io { structure, offset, length, source }.into())
    }

    /// Makes a change of the header, whole or not at all; returns where the table is then. An error leaves
    /// the file as after a crash.
    fn change(&self, state: &mut State, change: Change) -> Result<u64, WriteError> {
        self.commit_state(state)?;
        let result = self.change_now(state, change);
        state.poison_if(result.is_err());
        result
    }

    fn change_now(&self, state: &mut State, mut change: Change) -> Result<u64, WriteError> {
        let (home, before) = (state.footer.header_at(), state.end);
        let old = change.header.locators;
        let mut at = (before + FOOTER_BYTES).next_multiple_of(ALIGNMENT);
        if let Some(used) = change.table {
            at = self.move_table(&mut change.header, at, used)?;
        }
        let table = change.header.bat_offset.get();
        if let Some(locators) = &change.locators {
            at = self.put_locators(&mut change.header, locators, at)?;
        }
        change.header = change.header.sealed();
        self.put(Structure::DynamicHeader, change.header.as_bytes(), at)?;
        let end = (at + HEADER_BYTES).next_multiple_of(ALIGNMENT);
        self.set_len(end + FOOTER_BYTES)?;
        // The file still says the old, now from its new end.
        self.put_footer(&state.footer, end)?;
        self.flush()?;
        state.end = end;
        self.set_limit(end);
        self.put_footers(state, change.footer.with_header_at(at))?;

        let goes_home = match &change.locators {
            Some(locators) => self.reuse_locators(&mut change.header, locators, &old)?,
            None => true,
        };
        change.header = change.header.sealed();
        self.put(Structure::DynamicHeader, change.header.as_bytes(), home)?;
        self.flush()?;
        self.put_footers(state, change.footer.with_header_at(home))?;
        if change.table.is_none() && goes_home {
            // Nothing is left at the end.
            self.put_footer(&state.footer, before)?;
            self.flush()?;
            self.set_len(before + FOOTER_BYTES)?;
            self.flush()?;
            state.end = before;
            self.set_limit(before);
        }
        state.header = Some(Header { disk: change.header });
        state.settle();
        Ok(table)
    }

    /// Copies the table's `used` entries to `at`, the others absent; returns where it ends.
    fn move_table(
        &self,
        header: &mut DynamicHeaderDisk,
        at: u64,
        used: u64,
    ) -> Result<u64, WriteError> {
        let from = header.bat_offset.get();
        let used = used * ENTRY_BYTES;
        let length = (u64::from(header.max_entries.get()) * ENTRY_BYTES).next_multiple_of(SECTOR);
        let mut done = 0;
        while done < length {
            let piece = PIECE.min(length - done);
            let mut bytes = vec![0xff; usize::try_from(piece).unwrap_or(0)];
            let copied = usize::try_from(used.saturating_sub(done).min(piece)).unwrap_or(0);
            self.get(bytes.get_mut(..copied).unwrap_or_default(), from + done)?;
            self.put(Structure::Bat, &bytes, at + done)?;
            done += piece;
        }
        header.bat_offset = at.into();
        Ok(at + length)
    }

    /// Writes locators from `at` on and says so in the header; returns where they end.
    fn put_locators(
        &self,
        header: &mut DynamicHeaderDisk,
        locators: &[NewLocator],
        mut at: u64,
    ) -> Result<u64, WriteError> {
        let mut entries = Vec::new();
        for locator in locators {
            self.put(Structure::ParentLocator, &locator.bytes, at)?;
            entries.push(locator.entry(at));
            at += locator.space();
        }
        set_locators(header, &entries);
        Ok(at)
    }

    /// Writes locators where the old ones were, which nothing uses any more, if they have room there, and
    /// then says so in the header.
    fn reuse_locators(
        &self,
        header: &mut DynamicHeaderDisk,
        locators: &[NewLocator],
        old: &[LocatorDisk; 8],
    ) -> Result<bool, WriteError> {
        // Only what a path surely has: what the header says of its room is not to be trusted.
        let room = |locator: &LocatorDisk| u64::from(locator.length.get()).next_multiple_of(SECTOR);
        let mut places: Vec<&LocatorDisk> = old
            .iter()
            .filter(|locator| matches!(locator.code, RELATIVE | ABSOLUTE))
            .filter(|locator| self.is_apart(header, locator.offset.get(), room(locator)))
            .collect();
        let mut chosen = Vec::new();
        for locator in locators {
            let fits = places.iter().position(|place| room(place) >= locator.space());
            let Some(index) = fits else { return Ok(false) };
            chosen.push((locator, places.remove(index).offset.get()));
        }
        let mut entries = Vec::new();
        for (locator, offset) in chosen {
            self.put(Structure::ParentLocator, &locator.bytes, offset)?;
            entries.push(locator.entry(offset));
        }
        set_locators(header, &entries);
        Ok(true)
    }

    /// Whether a piece of the file is sectors between the dynamic header at its usual place and the table
    /// behind it.
    fn is_apart(&self, header: &DynamicHeaderDisk, offset: u64, length: u64) -> bool {
        let usual = offset >= FOOTER_BYTES + HEADER_BYTES && offset.is_multiple_of(SECTOR);
        usual && offset.saturating_add(length) <= header.bat_offset.get()
    }
}

/// Replaces all locators: those that were there lead to the parent's old place.
fn set_locators(header: &mut DynamicHeaderDisk, entries: &[LocatorDisk]) {
    let none = [0; size_of::<LocatorDisk>()];
    for (index, place) in header.locators.iter_mut().enumerate() {
        match entries.get(index) {
            Some(entry) => *place = *entry,
            None => place.as_mut_bytes().copy_from_slice(&none),
        }
    }
}
