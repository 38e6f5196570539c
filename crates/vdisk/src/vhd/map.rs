//! Where the sectors of a dynamic or differencing disk are: its block allocation table and bitmaps.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use imprint_blockio::{Expected, Extent, ReadAt};

use super::layout::{ABSENT, ENTRY_BYTES, SECTOR};
use super::parts::Parts;
use crate::pages::Pages;
use crate::{Corruption, Kind, ReadError, Structure};

/// Bytes of metadata kept in memory.
const KEPT: usize = 2 << 20;
/// Bits of a page of a bitmap.
const PAGE_BITS: u64 = SECTOR * 8;

/// The map of a disk. The three numbers change only while the file is open for writing.
#[derive(Debug)]
pub(crate) struct Map {
    /// The table's and the bitmaps' sectors, numbered from the start of the file.
    pub(crate) pages: Pages<512>,
    /// Bytes of a block.
    pub(crate) block_size: u64,
    /// Bytes of the bitmap before each block.
    pub(crate) bitmap_bytes: u64,
    /// Whether sectors of a present block may be the parent's.
    pub(crate) differencing: bool,
    /// Where the table is.
    bat: AtomicU64,
    /// Blocks of the disk.
    blocks: AtomicU64,
    /// The first byte of the file that no block may take.
    limit: AtomicU64,
}

impl Map {
    /// Makes the map of a file; `None` for fixed disks.
    pub(crate) fn new(parts: &Parts) -> Option<Self> {
        let header = parts.header?;
        let map = Self {
            pages: Pages::new(KEPT),
            block_size: header.block_size(),
            bitmap_bytes: header.bitmap_bytes(),
            differencing: parts.footer.kind == Kind::Differencing,
            bat: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
            limit: AtomicU64::new(parts.limit()),
        };
        map.set_table(header.disk.bat_offset.get(), parts.footer.size());
        Some(map)
    }

    /// Says where the table is and how large the disk.
    pub(crate) fn set_table(&self, bat: u64, size: u64) {
        self.bat.store(bat, Ordering::Release);
        self.blocks.store(size.div_ceil(self.block_size), Ordering::Release);
    }

    /// Says which bytes of the file may belong to blocks.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Release);
    }

    /// Blocks of the disk.
    pub(crate) fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Acquire)
    }

    /// Where a block's entry is in the file.
    pub(crate) fn entry_offset(&self, block: u64) -> u64 {
        self.bat.load(Ordering::Acquire) + block * ENTRY_BYTES
    }

    /// Whether a page of the file is one of the table's.
    pub(crate) fn is_table(&self, page: u64) -> bool {
        let start = self.entry_offset(0) / SECTOR;
        (start..=self.entry_offset(self.blocks()).saturating_sub(1) / SECTOR).contains(&page)
    }

    /// Where the bitmap of a block is; `None` if the block is absent.
    pub(crate) fn find(
        &self,
        file: &(impl ReadAt + ?Sized),
        block: u64,
    ) -> Result<Option<u64>, ReadError> {
        let at = self.entry_offset(block);
        let (page, within) = (at / SECTOR, at % SECTOR);
        let entry = self
            .pages
            .read(file, page, |bytes| entry_at(bytes, within))
            .map_err(|source| failed(Structure::Bat, page, source))?;
        if entry == ABSENT {
            return Ok(None);
        }
        self.check_entry(at, entry).map(Some).map_err(Into::into)
    }

    /// Refuses an entry, standing at `at`, whose block is not wholly in the file; returns where its bitmap
    /// begins. Nobody is known to write a last block shorter than the others.
    pub(crate) fn check_entry(&self, at: u64, entry: u32) -> Result<u64, Corruption> {
        let limit = self.limit.load(Ordering::Acquire);
        let start = u64::from(entry) * SECTOR;
        let end = start + self.bitmap_bytes + self.block_size;
        if start == 0 {
            let expected = Expected::AtLeast(1);
            return Err(Corruption::number(Structure::Bat, at, "block's sector", expected, 0));
        }
        if end > limit {
            return Err(Corruption::past_end(Structure::Bat, at, "block", limit, end));
        }
        Ok(start)
    }

    /// The extent at `offset`, cut to `len` bytes; the range lies on the disk.
    pub(crate) fn resolve(
        &self,
        file: &(impl ReadAt + ?Sized),
        offset: u64,
        len: u64,
    ) -> Result<Extent, ReadError> {
        let (block, within) = (offset / self.block_size, offset % self.block_size);
        let Some(bitmap) = self.find(file, block)? else {
            let blocks = (within + len).div_ceil(self.block_size);
            let absent = self.absent_run(file, block, blocks)?;
            let len = len.min(absent * self.block_size - within);
            return Ok(if self.differencing {
                Extent::Parent { len }
            } else {
                Extent::Zero { len }
            });
        };
        let mut len = len.min(self.block_size - within);
        if self.differencing {
            let (first, end) = (within / SECTOR, (within + len).div_ceil(SECTOR));
            let (here, count) = self.sector_run(file, bitmap, first, end)?;
            len = len.min((first + count) * SECTOR - within);
            if !here {
                return Ok(Extent::Parent { len });
            }
        }
        Ok(Extent::Data { file: 0, offset: bitmap + self.bitmap_bytes + within, len })
    }

    /// How many blocks from an absent one on are absent, looking no further than one page of the table
    /// and `most` blocks.
    fn absent_run(
        &self,
        file: &(impl ReadAt + ?Sized),
        block: u64,
        most: u64,
    ) -> Result<u64, ReadError> {
        let at = self.entry_offset(block);
        let (page, within) = (at / SECTOR, at % SECTOR);
        let most = most.min(self.blocks() - block);
        let count = self.pages.read(file, page, |bytes| {
            let skipped = usize::try_from(within / ENTRY_BYTES).unwrap_or(0);
            let (entries, _none) = bytes.as_chunks::<4>();
            let absent = |entry: &&[u8; 4]| **entry == ABSENT.to_be_bytes();
            entries.iter().skip(skipped).take_while(absent).count()
        });
        let count = count.map_err(|source| failed(Structure::Bat, page, source))?;
        Ok((count as u64).clamp(1, most.max(1)))
    }

    /// Whether sector `first` of a block is here, and how many up to `end` are like it.
    pub(crate) fn sector_run(
        &self,
        file: &(impl ReadAt + ?Sized),
        bitmap: u64,
        first: u64,
        end: u64,
    ) -> Result<(bool, u64), ReadError> {
        let mut here = None;
        let mut at = first;
        while at < end {
            let page = (bitmap / SECTOR) + at / PAGE_BITS;
            let from = at % PAGE_BITS;
            let to = (end - at + from).min(PAGE_BITS);
            let (value, count) = self
                .pages
                .read(file, page, |bytes| bit_run(bytes, from, to))
                .map_err(|source| failed(Structure::SectorBitmap, page, source))?;
            if *here.get_or_insert(value) != value {
                break;
            }
            at += count;
            if count < to - from {
                break;
            }
        }
        Ok((here.unwrap_or(false), at - first))
    }

    /// Says that sectors `first` to `end` of a block are here.
    pub(crate) fn mark(
        &self,
        file: &(impl ReadAt + ?Sized),
        bitmap: u64,
        first: u64,
        end: u64,
    ) -> Result<(), ReadError> {
        if self.sector_run(file, bitmap, first, end)? == (true, end - first) {
            return Ok(());
        }
        let mut at = first;
        while at < end {
            let page = (bitmap / SECTOR) + at / PAGE_BITS;
            let from = at % PAGE_BITS;
            let to = (end - at + from).min(PAGE_BITS);
            self.pages
                .edit(file, page, |bytes| set_bits(bytes, from, to))
                .map_err(|source| failed(Structure::SectorBitmap, page, source))?;
            at += to - from;
        }
        Ok(())
    }

    /// Empties the bitmap of a new block.
    pub(crate) fn clear(
        &self,
        file: &(impl ReadAt + ?Sized),
        bitmap: u64,
    ) -> Result<(), ReadError> {
        for page in bitmap / SECTOR..(bitmap + self.bitmap_bytes) / SECTOR {
            self.pages
                .edit(file, page, |bytes| bytes.fill(0))
                .map_err(|source| failed(Structure::SectorBitmap, page, source))?;
        }
        Ok(())
    }

    /// Says where a block is.
    pub(crate) fn place(
        &self,
        file: &(impl ReadAt + ?Sized),
        block: u64,
        entry: u32,
    ) -> Result<(), ReadError> {
        let at = self.entry_offset(block);
        let (page, within) = (at / SECTOR, at % SECTOR);
        let put = |bytes: &mut [u8; 512]| {
            let (entries, _none) = bytes.as_chunks_mut::<4>();
            let index = usize::try_from(within / ENTRY_BYTES).unwrap_or(0);
            if let Some(place) = entries.get_mut(index) {
                *place = entry.to_be_bytes();
            }
        };
        self.pages.edit(file, page, put).map_err(|source| failed(Structure::Bat, page, source))
    }
}

fn failed(structure: Structure, page: u64, source: io::Error) -> ReadError {
    ReadError::Io { structure, offset: page * SECTOR, length: SECTOR, source }
}

fn entry_at(bytes: &[u8; 512], within: u64) -> u32 {
    let (entries, _none) = bytes.as_chunks::<4>();
    let index = usize::try_from(within / ENTRY_BYTES).unwrap_or(0);
    entries.get(index).map_or(ABSENT, |&entry| u32::from_be_bytes(entry))
}

/// The value of bit `from`, and how many bits up to `to` have it. The first bit of a byte is its highest.
fn bit_run(bytes: &[u8; 512], from: u64, to: u64) -> (bool, u64) {
    let byte = |bit: u64| usize::try_from(bit / 8).ok().and_then(|i| bytes.get(i).copied());
    let bit = |at: u64| byte(at).is_some_and(|byte| byte << (at % 8) & 0x80 != 0);
    let value = bit(from);
    let same = if value { 0xff } else { 0 };
    let mut at = from;
    while at < to {
        if at.is_multiple_of(8) && to - at >= 8 && byte(at) == Some(same) {
            at += 8;
        } else if bit(at) == value {
            at += 1;
        } else {
            break;
        }
    }
    (value, at - from)
}

fn set_bits(bytes: &mut [u8; 512], from: u64, to: u64) {
    for at in from..to {
        let index = usize::try_from(at / 8).unwrap_or(usize::MAX);
        if let Some(byte) = bytes.get_mut(index) {
            *byte |= 0x80 >> (at % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_bits() {
        let mut bytes = [0; 512];
        set_bits(&mut bytes, 3, 29);
        assert_eq!(bytes[..5], [0x1f, 0xff, 0xff, 0xf8, 0]);
        assert_eq!(bit_run(&bytes, 0, 4096), (false, 3));
        assert_eq!(bit_run(&bytes, 3, 4096), (true, 26));
        assert_eq!(bit_run(&bytes, 5, 20), (true, 15));
        assert_eq!(bit_run(&bytes, 29, 4096), (false, 4067));
    }
}
