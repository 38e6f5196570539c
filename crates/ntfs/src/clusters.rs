//! Values that stand in clusters, read.

use imprint_blockio::{Expected, ReadAt};

use crate::attribute::NonResident;
use crate::encode::Placed;
use crate::{Corruption, Lcn, ReadError, Run, Structure, Vcn};

/// Windows numbers the clusters of a value with 32 bits, holes included: no value has more.
const MAX_CLUSTERS: u64 = 1 << 32;

/// Where a value is: all its runs, from its first cluster to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    structure: Structure,
    runs: Vec<Run>,
    cluster_size: u64,
    size: u64,
    initialised: u64,
    unit_shift: u8,
    stored_shift: u8,
}

/// What stands at a place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the volume.
    Data {
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Zeros that stand nowhere.
    Zero {
        /// How many bytes.
        len: u64,
    },
}

impl Piece {
    /// How many bytes it covers.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a piece is never empty")]
    pub const fn len(&self) -> u64 {
        match self {
            Self::Data { len, .. } | Self::Zero { len } => *len,
        }
    }
}

impl Clusters {
    /// Takes the first part of a value, which says its sizes.
    ///
    /// # Errors
    /// [`Corruption`] in its runs, or if it is not the first part.
    pub(crate) fn begin(
        structure: Structure,
        offset: u64,
        first: &NonResident<'_>,
        cluster_size: u32,
    ) -> Result<Self, Corruption> {
        let mut clusters = Self {
            structure,
            // Most values have one, and there are many values.
            runs: Vec::with_capacity(1),
            cluster_size: cluster_size.into(),
            size: first.size,
            initialised: first.initialised,
            unit_shift: first.unit_shift,
            stored_shift: first.stored_shift,
        };
        clusters.add(offset, first)?;
        Ok(clusters)
    }

    /// A value that is being changed. What it has of compression does not count.
    pub(crate) fn placed(structure: Structure, placed: &Placed, cluster_size: u32) -> Self {
        Self {
            structure,
            runs: placed.runs.clone(),
            cluster_size: cluster_size.into(),
            size: placed.size,
            initialised: placed.initialised,
            unit_shift: 0,
            stored_shift: placed.unit_shift,
        }
    }

    /// A value whose runs were checked, `size` bytes long, of which `initialised` were written.
    pub(crate) const fn of_runs(
        structure: Structure,
        runs: Vec<Run>,
        cluster_size: u32,
        (size, initialised): (u64, u64),
    ) -> Self {
        let cluster_size = cluster_size as u64;
        Self { structure, runs, cluster_size, size, initialised, unit_shift: 0, stored_shift: 0 }
    }

    /// Takes the next part. `offset` is where its attribute stands on the volume.
    ///
    /// # Errors
    /// [`Corruption`] in its runs, or if it does not begin where the one before ends.
    pub(crate) fn add(&mut self, offset: u64, part: &NonResident<'_>) -> Result<(), Corruption> {
        let end = self.end();
        if part.first != end {
            let (at, expected) = (offset + 0x10, Expected::Exactly(end.0));
            let actual = part.first.0;
            return Err(Corruption::number(self.structure, at, "first cluster", expected, actual));
        }
        part.read_runs(&mut self.runs)
    }

    /// Holds the size against the clusters, when all parts are there.
    ///
    /// # Errors
    /// [`Corruption`] if there are fewer clusters than the bytes need, or more bytes than any value has.
    pub(crate) fn check_size(&self, offset: u64) -> Result<(), Corruption> {
        let (limit, size) = (self.end().0.saturating_mul(self.cluster_size), self.size);
        let most = MAX_CLUSTERS * self.cluster_size;
        if size > most {
            let (at, expected) = (offset + 0x30, Expected::AtMost(most));
            return Err(Corruption::number(self.structure, at, "bytes of value", expected, size));
        }
        if size > limit {
            let at = offset + 0x30;
            return Err(Corruption::past_end(self.structure, at, "value", limit, size));
        }
        Ok(())
    }

    fn end(&self) -> Vcn {
        self.runs.last().map_or(Vcn(0), Run::end)
    }

    /// Bytes of the value.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the value that were written; those behind them are zeros.
    #[must_use]
    pub const fn initialised(&self) -> u64 {
        self.initialised
    }

    /// Bytes of the clusters that it takes, without holes.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        let taken = self.runs.iter().filter(|run| run.lcn.is_some());
        taken.map(|run| run.length).sum::<u64>().saturating_mul(self.cluster_size)
    }

    /// What errors call it.
    pub(crate) const fn structure(&self) -> Structure {
        self.structure
    }

    /// The binary logarithm of the clusters of a compression unit; 0 if not compressed.
    #[must_use]
    pub const fn unit_shift(&self) -> u8 {
        self.unit_shift
    }

    /// What stands in the attribute as the logarithm of a unit: values with holes have one, too.
    pub(crate) const fn stored_shift(&self) -> u8 {
        self.stored_shift
    }

    /// Its runs, in the order of the value.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// What stands at `offset` of the value, cut to `len` bytes, as it is stored: compressed values are not
    /// decompressed. `None` behind the end of the value, or for no bytes.
    #[must_use]
    pub fn piece(&self, offset: u64, len: u64) -> Option<Piece> {
        let len = len.min(self.size.checked_sub(offset)?);
        if len == 0 {
            return None;
        }
        if offset >= self.initialised {
            return Some(Piece::Zero { len });
        }
        let vcn = offset / self.cluster_size;
        let index = self.runs.partition_point(|run| run.end().0 <= vcn);
        let run = self.runs.get(index)?;
        let within = offset - run.vcn.0 * self.cluster_size;
        let len = len.min(run.length * self.cluster_size - within).min(self.initialised - offset);
        Some(match run.lcn {
            Some(Lcn(lcn)) => Piece::Data { offset: lcn * self.cluster_size + within, len },
            None => Piece::Zero { len },
        })
    }

    /// Fills `buf` from the value's bytes at `offset`, as they are stored.
    ///
    /// # Errors
    /// [`ReadError::Io`]; [`Corruption`] if the range reaches past the end of the value.
    pub fn read(
        &self,
        volume: &(impl ReadAt + ?Sized),
        mut buf: &mut [u8],
        mut offset: u64,
    ) -> Result<(), ReadError> {
        while !buf.is_empty() {
            let Some(piece) = self.piece(offset, buf.len() as u64) else {
                let end = offset.saturating_add(buf.len() as u64);
                let (limit, field) = (self.size, "range");
                return Err(Corruption::past_end(self.structure, 0, field, limit, end).into());
            };
            let len = usize::try_from(piece.len()).unwrap_or(buf.len()).clamp(1, buf.len());
            let (part, rest) = buf.split_at_mut(len);
            match piece {
                Piece::Zero { .. } => part.fill(0),
                Piece::Data { offset, len } => {
                    volume.read_exact_at(part, offset).map_err(|source| ReadError::Io {
                        structure: self.structure,
                        offset,
                        length: len,
                        source,
                    })?;
                }
            }
            offset += len as u64;
            buf = rest;
        }
        Ok(())
    }
}
