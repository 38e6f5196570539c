//! The file of compressed chunks.

use std::path::Path;

use anyhow::Context as _;

/// One chunk as stored.
#[derive(Clone, Copy)]
pub(crate) struct Chunk<'a> {
    /// Size in bytes before compression.
    pub(crate) plain_len: usize,
    /// The stored bytes.
    pub(crate) stored: &'a [u8],
}

impl Chunk<'_> {
    /// Whether the stored bytes are the plain ones: no codec is involved.
    pub(crate) const fn is_raw(self) -> bool {
        self.plain_len == self.stored.len()
    }
}

/// The chunks file, in memory. Its form is described in `peer_codec.py`, which writes it.
pub(crate) struct Chunks {
    sizes: Vec<(usize, usize)>,
    data: Vec<u8>,
}

impl Chunks {
    /// Reads a chunks file.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let file = fs_err::read(path)?;
        let mut words = file.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let count = words.next().context("the chunks file is empty")?;
        let mut sizes = Vec::new();
        for _ in 0..count {
            let (plain, stored) = words.next().zip(words.next()).context("sizes are cut off")?;
            sizes.push((plain as usize, stored as usize));
        }
        let data = file.get(4 + 8 * sizes.len()..).unwrap_or_default().to_vec();
        let total: usize = sizes.iter().map(|(_, stored)| stored).sum();
        anyhow::ensure!(total == data.len(), "the chunks file should hold {total} bytes of chunks");
        Ok(Self { sizes, data })
    }

    /// All chunks in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Chunk<'_>> {
        let mut rest = self.data.as_slice();
        self.sizes.iter().map(move |&(plain_len, stored_len)| {
            let (stored, after) = rest.split_at_checked(stored_len).unwrap_or_default();
            rest = after;
            Chunk { plain_len, stored }
        })
    }

    /// Size in bytes of the largest chunk before compression.
    pub(crate) fn largest(&self) -> usize {
        self.sizes.iter().map(|&(plain, _)| plain).max().unwrap_or(0)
    }

    /// Plain and stored bytes of the chunks that really are compressed.
    pub(crate) fn compressed_totals(&self) -> (usize, usize) {
        self.iter()
            .filter(|chunk| !chunk.is_raw())
            .fold((0, 0), |(a, b), chunk| (a + chunk.plain_len, b + chunk.stored.len()))
    }
}
