//! The two sizes of the tables.

use super::PADDING;
use std::fmt::Debug;

/// Largest chunk of the small size, in bytes.
const SMALL: usize = 1 << 16;
const SMALL_MASK: usize = SMALL - 1;

/// The chunk's bytes.
pub(crate) trait Data: Debug {
    /// Room for a chunk of `capacity` bytes.
    fn new(capacity: usize) -> Self;
    /// All bytes including padding.
    fn bytes(&self) -> &[u8];
    /// All bytes including padding.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Four bytes at `at`, first byte lowest.
    fn load32(&self, at: usize) -> u32;
    /// Eight bytes at `at`, first byte lowest.
    fn load64(&self, at: usize) -> u64;
}

/// For each position, an earlier one.
pub(crate) trait Links: Debug {
    /// Links for `len` positions.
    fn new(len: usize) -> Self;
    /// Where `at` leads, or [`Self::NONE`].
    fn get(&self, at: usize) -> usize;
    /// Replaces where `at` leads and returns where it led.
    fn swap(&mut self, at: usize, to: usize) -> usize;
    /// Makes the first `count` lead nowhere.
    fn clear(&mut self, count: usize);
    /// Nowhere.
    const NONE: usize;
}

/// A size: small or large.
pub(crate) trait Size: Debug {
    /// The chunk's bytes.
    type Data: Data;
    /// Links from position to position or from hash to position.
    type Links: Links;
}

/// Chunks up to 64 KiB.
#[derive(Debug)]
pub(crate) struct Small;

/// Chunks of any size.
#[derive(Debug)]
pub(crate) struct Large;

impl Size for Small {
    type Data = SmallData;
    type Links = SmallLinks;
}

impl Size for Large {
    type Data = LargeData;
    type Links = LargeLinks;
}

/// Bytes of a small chunk. Indices wrap, so no access is out of bounds.
#[derive(Debug)]
pub(crate) struct SmallData(Box<[u8; SMALL + PADDING]>);

impl Data for SmallData {
    fn new(_capacity: usize) -> Self {
        Self(Box::new([0; SMALL + PADDING]))
    }
    fn bytes(&self) -> &[u8] {
        &self.0[..]
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0[..]
    }
    #[inline(always)]
    fn load32(&self, at: usize) -> u32 {
        self.0[at & SMALL_MASK..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
    }
    #[inline(always)]
    fn load64(&self, at: usize) -> u64 {
        self.0[at & SMALL_MASK..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
    }
}

/// Bytes of a chunk of any size.
#[derive(Debug)]
pub(crate) struct LargeData(Box<[u8]>);

impl Data for LargeData {
    fn new(capacity: usize) -> Self {
        Self(vec![0; capacity + PADDING].into())
    }
    fn bytes(&self) -> &[u8] {
        &self.0
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
    #[inline(always)]
    fn load32(&self, at: usize) -> u32 {
        self.0[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
    }
    #[inline(always)]
    fn load64(&self, at: usize) -> u64 {
        self.0[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
    }
}

/// 16-bit links.
#[derive(Debug)]
pub(crate) struct SmallLinks(Box<[u16; SMALL]>);

impl Links for SmallLinks {
    const NONE: usize = SMALL_MASK;
    fn new(_len: usize) -> Self {
        Self(Box::new([u16::MAX; SMALL]))
    }
    #[inline(always)]
    fn get(&self, at: usize) -> usize {
        usize::from(self.0[at & SMALL_MASK])
    }
    #[inline(always)]
    fn swap(&mut self, at: usize, to: usize) -> usize {
        usize::from(std::mem::replace(&mut self.0[at & SMALL_MASK], to as u16))
    }
    fn clear(&mut self, count: usize) {
        self.0[..count].fill(u16::MAX);
    }
}

/// 32-bit links.
#[derive(Debug)]
pub(crate) struct LargeLinks(Box<[u32]>);

impl Links for LargeLinks {
    const NONE: usize = u32::MAX as usize;
    fn new(len: usize) -> Self {
        Self(vec![u32::MAX; len].into())
    }
    #[inline(always)]
    fn get(&self, at: usize) -> usize {
        self.0[at] as usize
    }
    #[inline(always)]
    fn swap(&mut self, at: usize, to: usize) -> usize {
        std::mem::replace(&mut self.0[at], to as u32) as usize
    }
    fn clear(&mut self, count: usize) {
        self.0[..count].fill(u32::MAX);
    }
}
