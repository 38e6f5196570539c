//! Reading: which bytes of the file are which bytes of the disk.

use imprint_blockio::{Expected, Extent, ReadAt, Sparse};
use imprint_winvalues::Guid;

use super::bat::{BitmapState, ENTRY_BYTES, Entry, PayloadState, SECTORS_PER_BITMAP};
use super::header::read_headers;
use super::layout::MIB;
use super::log::Overlay;
use super::parts::{Parts, check_identifier};
use crate::container::check_read;
use crate::pages::Pages;
use crate::{Container, Corruption, Format, Kind, OpenError, ParentLink, ReadError, Structure};

/// Bytes of a page of the block allocation table or of a sector bitmap.
pub(crate) const PAGE: usize = 4096;
/// Bytes of pages kept.
pub(crate) const KEPT: usize = 2 << 20;

/// A VHDX file, open for reading. If its log holds changes, they are seen as if they had been replayed;
/// nothing is written.
#[derive(Debug)]
pub struct Vhdx<T> {
    file: Overlay<T>,
    parts: Parts,
    pages: Pages<PAGE>,
    /// The file's length when it was opened, log replayed.
    end: u64,
}

impl<T: Sparse> Vhdx<T> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`OpenError::Io`], [`OpenError::Corruption`] and [`OpenError::Unsupported`].
    pub fn open(file: T) -> Result<Self, OpenError> {
        check_identifier(&file)?;
        let headers = read_headers(&file)?;
        let file = Overlay::open(file, &headers.current)?;
        let parts = Parts::read(&file, headers)?;
        let end = file.len().map_err(|source| OpenError::Io {
            structure: Structure::Payload,
            offset: 0,
            length: 0,
            source,
        })?;
        Ok(Self { file, parts, pages: Pages::new(KEPT), end })
    }
}

impl<T: Sparse> Container for Vhdx<T> {
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
        Some(self.parts.headers.current.data_write)
    }

    fn disk_id(&self) -> Option<Guid> {
        self.parts.metadata.disk_id
    }

    fn parent(&self) -> Option<&ParentLink> {
        self.parts.metadata.parent.as_ref()
    }

    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        check_read(self, offset, len)?;
        let (parts, pages, file, end) = (&self.parts, &self.pages, &self.file, self.end);
        View { parts, pages, file, end }.resolve(offset, len)
    }

    fn storage(&self) -> &dyn Sparse {
        &self.file
    }
}

/// Everything that resolving needs.
#[derive(Debug)]
pub(crate) struct View<'a, F: ?Sized> {
    /// The file's parts.
    pub(crate) parts: &'a Parts,
    /// The table and the bitmaps.
    pub(crate) pages: &'a Pages<PAGE>,
    /// Where pages are read from.
    pub(crate) file: &'a F,
    /// The length of the file: blocks end there or before.
    pub(crate) end: u64,
}

/// What reading does with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Zero,
    Parent,
    File,
    Bitmap,
    /// The state is not one for this kind of disk.
    Illegal,
}

impl<F: ReadAt + ?Sized> View<'_, F> {
    /// Says where the bytes at `offset` are; the range is on the disk and not empty.
    ///
    /// # Errors
    /// Corruption at the entry that is wrong, or [`ReadError::Io`].
    pub(crate) fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        let block_size = u64::from(self.parts.metadata.block_size);
        let block = offset >> block_size.trailing_zeros();
        let within = offset & (block_size - 1);
        let at = self.parts.entry_offset(self.parts.shape.payload_entry(block));
        let (entry, run) = self.look(Structure::Bat, at, |page, index| {
            self.run(page, index, block, block_size - within, len)
        })?;
        let len = run.min(len);
        match self.source(entry) {
            Source::Zero => Ok(Extent::Zero { len }),
            Source::Parent => Ok(Extent::Parent { len }),
            Source::File => self.in_file(entry, at, within, len),
            Source::Bitmap => self.by_bitmap(entry, at, offset, len),
            Source::Illegal => {
                // 7 is for differencing disks only, 4 for none.
                let highest = if entry.number() == 4 { 3 } else { 6 };
                let (field, expected) = ("block state", Expected::AtMost(highest));
                let structure = Structure::Bat;
                Err(Corruption::code(structure, at, field, expected, entry.number()).into())
            }
        }
    }

    /// An entry of the table.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub(crate) fn entry(&self, index: u64) -> Result<Entry, ReadError> {
        let at = self.parts.entry_offset(index);
        self.look(Structure::Bat, at, |page, slot| entry_of(page, slot).unwrap_or_default())
    }

    /// Shows the page that holds the 8 bytes at `at`, and which of its words they are.
    fn look<R>(
        &self,
        structure: Structure,
        at: u64,
        show: impl FnOnce(&[u8; PAGE], usize) -> R,
    ) -> Result<R, ReadError> {
        let (page, within) = (at / PAGE as u64, at % PAGE as u64);
        let index = usize::try_from(within / ENTRY_BYTES).unwrap_or(0);
        self.pages.read(self.file, page, |bytes| show(bytes, index)).map_err(|source| {
            let (offset, length) = (at - within, PAGE as u64);
            ReadError::Io { structure, offset, length, source }
        })
    }

    const fn source(&self, entry: Entry) -> Source {
        let differencing = matches!(self.parts.metadata.kind, Kind::Differencing);
        match entry.payload_state() {
            PayloadState::NotPresent if differencing => Source::Parent,
            // Without a parent what was never written is whatever one likes; zeros tell nobody
            // anything. What is undefined, zero or unmapped hides the parent: it was written once, and
            // showing the parent's bytes there would bring back what was deleted. Source:
            // [MS-VHDX] 2.5.1.1, which sends to the parent only what is not present.
            PayloadState::NotPresent
            | PayloadState::Undefined
            | PayloadState::Zero
            | PayloadState::Unmapped => Source::Zero,
            PayloadState::FullyPresent => Source::File,
            PayloadState::PartiallyPresent if differencing => Source::Bitmap,
            PayloadState::PartiallyPresent | PayloadState::Reserved => Source::Illegal,
        }
    }

    /// The entry of `block`, which is word `index` of the page, and how many bytes from it on are of the
    /// same kind: those of the block and of the blocks after it that this page describes.
    fn run(
        &self,
        page: &[u8; PAGE],
        mut index: usize,
        mut block: u64,
        mut run: u64,
        wanted: u64,
    ) -> (Entry, u64) {
        let shape = &self.parts.shape;
        let block_size = u64::from(self.parts.metadata.block_size);
        let first = entry_of(page, index).unwrap_or_default();
        let source = self.source(first);
        if matches!(source, Source::Bitmap | Source::Illegal) {
            return (first, run);
        }
        let mut expected = first.offset();
        while run < wanted {
            block += 1;
            // The entry between two chunks belongs to a bitmap.
            index += if block & (shape.ratio() - 1) == 0 { 2 } else { 1 };
            expected = expected.saturating_add(block_size);
            let same = entry_of(page, index).is_some_and(|next| {
                self.source(next) == source && (source != Source::File || next.offset() == expected)
            });
            if !same {
                break;
            }
            run += block_size;
        }
        (first, run)
    }

    fn in_file(&self, entry: Entry, at: u64, within: u64, len: u64) -> Result<Extent, ReadError> {
        let structure = Structure::Bat;
        if entry.offset() < MIB {
            let (field, expected) = ("block offset", Expected::AtLeast(MIB));
            return Err(Corruption::code(structure, at, field, expected, entry.offset()).into());
        }
        let offset = entry.offset().saturating_add(within);
        // The last block of a disk need not be whole: qemu cuts fixed files where the disk ends. What is
        // really there is served; only bytes behind the end of the file are missing.
        if offset >= self.end {
            let block_end = entry.offset().saturating_add(self.parts.metadata.block_size.into());
            return Err(Corruption::past_end(structure, at, "block", self.end, block_end).into());
        }
        Ok(Extent::Data { file: 0, offset, len: len.min(self.end - offset) })
    }

    fn by_bitmap(&self, entry: Entry, at: u64, offset: u64, len: u64) -> Result<Extent, ReadError> {
        let metadata = &self.parts.metadata;
        let sector_size = u64::from(metadata.sector_size);
        let sector = offset >> sector_size.trailing_zeros();
        let chunk = sector / SECTORS_PER_BITMAP;
        let bit = sector % SECTORS_PER_BITMAP;
        let place = self.bitmap(chunk)? + bit / 64 * 8;
        let before = offset & (sector_size - 1);
        let wanted = (before + len).div_ceil(sector_size);
        let (here, sectors) = self.look(Structure::SectorBitmap, place, |page, word| {
            equal_bits(page, word, bit % 64, wanted)
        })?;
        let len = (sectors * sector_size).saturating_sub(before).min(len);
        if !here {
            return Ok(Extent::Parent { len });
        }
        self.in_file(entry, at, offset & (u64::from(metadata.block_size) - 1), len)
    }

    /// Where the sector bitmap block of a chunk is.
    pub(crate) fn bitmap(&self, chunk: u64) -> Result<u64, ReadError> {
        let structure = Structure::Bat;
        let index = self.parts.shape.bitmap_entry(chunk);
        let at = self.parts.entry_offset(index);
        let entry = self.entry(index)?;
        let offset = entry.offset();
        if entry.bitmap_state() != BitmapState::Present {
            let (field, expected) = ("sector bitmap state", Expected::Exactly(6));
            return Err(Corruption::code(structure, at, field, expected, entry.number()).into());
        }
        if offset < MIB {
            let (field, expected) = ("sector bitmap offset", Expected::AtLeast(MIB));
            return Err(Corruption::code(structure, at, field, expected, offset).into());
        }
        let end = offset.saturating_add(MIB);
        if end > self.end {
            return Err(Corruption::past_end(structure, at, "sector bitmap", self.end, end).into());
        }
        Ok(offset)
    }
}

/// The entry that is this word of a page.
fn entry_of(page: &[u8; PAGE], index: usize) -> Option<Entry> {
    page.as_chunks::<8>().0.get(index).map(|&bytes| Entry(u64::from_le_bytes(bytes)))
}

/// A bit of a page and how many bits from it on are equal to it, at least 1 and at most `limit`. Bits
/// count from the lowest of each byte.
fn equal_bits(page: &[u8; PAGE], word: usize, bit: u64, limit: u64) -> (bool, u64) {
    let words = page.as_chunks::<8>().0;
    let word_at = |index: usize| words.get(index).map(|&bytes| u64::from_le_bytes(bytes));
    let first = word_at(word).unwrap_or(0) >> bit;
    let set = first & 1 == 1;
    let turned = |word: u64| if set { word } else { !word };
    let left = 64 - bit;
    let mut count = u64::from(turned(first).trailing_ones()).min(left);
    if count == left {
        for index in word + 1.. {
            let Some(next) = word_at(index).filter(|_| count < limit) else { break };
            let same = u64::from(turned(next).trailing_ones());
            count += same;
            if same < 64 {
                break;
            }
        }
    }
    (set, count.clamp(1, limit.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_run_over_words() {
        let mut page = [0; PAGE];
        let expected = |from: usize, limit: usize, page: &[u8; PAGE]| {
            let bit = |n: usize| page[n / 8] >> (n % 8) & 1 == 1;
            let end = (from..PAGE * 8).take(limit).find(|&n| bit(n) != bit(from));
            (bit(from), (end.unwrap_or(PAGE * 8) - from).min(limit) as u64)
        };
        for (from, to) in [(3, 5), (60, 200), (256, 320), (511, 512), (20_000, 32_768)] {
            for bit in from..to {
                page[bit / 8] |= 1 << (bit % 8);
            }
        }
        for from in (0..700).chain(19_990..20_010).chain(32_700..32_768) {
            for limit in [1, 2, 63, 64, 65, 1000, 40_000] {
                assert_eq!(
                    equal_bits(&page, from / 64, (from % 64) as u64, limit as u64),
                    expected(from, limit, &page),
                    "{limit} bits from {from}"
                );
            }
        }
    }
}
