//! `$Bitmap`: which clusters are used. Also the bitmap of `$MFT`: which records are.

use imprint_blockio::{Expected, ReadAt};

use crate::{
    AttributeKind, Corruption, FileValue, Lcn, ReadError, RecordNumber, Structure, Volume,
};

/// `$MFT`.
const MFT: RecordNumber = RecordNumber(0);
/// `$Bitmap`.
const BITMAP: RecordNumber = RecordNumber(6);
/// Bytes of a bitmap that are read at once.
const PIECE: u64 = 64 << 10;
/// Bits that are looked at in one go.
const WORD: u64 = 64;

/// The bits of a bitmap, of which a piece is in memory.
#[derive(Debug)]
pub struct Bits<'v, D> {
    volume: &'v Volume<D>,
    value: FileValue,
    /// Bytes of the value.
    size: u64,
    /// Bits that count; those behind are not looked at.
    count: u64,
    piece: Vec<u8>,
    /// Where the piece begins in the value, bytes.
    piece_at: u64,
}

/// Clusters in a row that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedRange {
    /// The first.
    pub first: Lcn,
    /// How many.
    pub length: u64,
}

/// The ranges of a volume's clusters that are used, in order. An error ends them.
#[derive(Debug)]
pub struct UsedRanges<'v, D> {
    bits: Bits<'v, D>,
    /// The first cluster that was not looked at.
    next: u64,
}

impl<D: ReadAt> Volume<D> {
    /// Goes over the ranges of used clusters. `$Bitmap` is read in pieces of 64 KiB.
    ///
    /// # Errors
    /// [`ReadError`], also if `$Bitmap` has fewer bits than the volume has clusters.
    pub fn used_ranges(&self) -> Result<UsedRanges<'_, D>, ReadError> {
        let clusters = self.geometry().clusters();
        let bits = self.bits(BITMAP, AttributeKind::DATA, clusters)?;
        let (least, actual) = (clusters.div_ceil(8), bits.size);
        if actual < least {
            let structure = Structure::Attribute(BITMAP, AttributeKind::DATA);
            let expected = Expected::AtLeast(least);
            return Err(Corruption::number(structure, 0, "bytes", expected, actual).into());
        }
        Ok(UsedRanges { bits, next: 0 })
    }

    /// Opens the bitmap of the records of `$MFT`. Records that it has no bits for are free.
    ///
    /// # Errors
    /// [`ReadError`], also if there is no bitmap.
    pub fn record_bits(&self) -> Result<Bits<'_, D>, ReadError> {
        self.bits(MFT, AttributeKind::BITMAP, self.records())
    }

    fn bits(
        &self,
        record: RecordNumber,
        kind: AttributeKind,
        count: u64,
    ) -> Result<Bits<'_, D>, ReadError> {
        let attributes = self.file(record)?.map(|file| file.attributes).unwrap_or_default();
        let found = attributes.into_iter().find(|a| a.kind == kind && a.name.is_empty());
        let Some(found) = found else {
            let (structure, expected) = (Structure::Attribute(record, kind), Expected::Exactly(1));
            return Err(Corruption::number(structure, 0, "attributes", expected, 0).into());
        };
        let size = match &found.value {
            FileValue::Resident(bytes) => <[u8]>::len(bytes) as u64,
            FileValue::Clusters(clusters) => clusters.size(),
        };
        let (volume, value) = (self, found.value);
        Ok(Bits { volume, value, size, count, piece: Vec::new(), piece_at: 0 })
    }
}

impl<D: ReadAt> Bits<'_, D> {
    /// How many bits are set.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count_set(&mut self) -> Result<u64, ReadError> {
        let mut set = 0;
        for first in (0..self.count).step_by(64) {
            set += u64::from(self.word(first)?.count_ones());
        }
        Ok(set)
    }

    /// The first bit from `from` on that is set, or is not; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn next(&mut self, from: u64, is_set: bool) -> Result<Option<u64>, ReadError> {
        let mut first = from - from % WORD;
        while first < self.count {
            let word = self.word(first)?;
            let wanted = if is_set { word } else { !word };
            let skipped = from.saturating_sub(first);
            let left = wanted >> skipped << skipped;
            let found = first + u64::from(left.trailing_zeros());
            if left != 0 {
                return Ok(Some(found).filter(|&found| found < self.count));
            }
            first += WORD;
        }
        Ok(None)
    }

    /// The bits from `first` on, a multiple of 64; those behind the end are not set.
    fn word(&mut self, first: u64) -> Result<u64, ReadError> {
        let at = first / 8;
        let is_here = at >= self.piece_at && at < self.piece_at + self.piece.len() as u64;
        if !is_here {
            self.load(at - at % PIECE)?;
        }
        let start = usize::try_from(at - self.piece_at).unwrap_or(usize::MAX);
        let bytes = self.piece.get(start..).unwrap_or_default();
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        let (word, counted) = (u64::from_le_bytes(word), (self.count - first).min(WORD));
        Ok(word & u64::MAX >> (WORD - counted))
    }

    fn load(&mut self, at: u64) -> Result<(), ReadError> {
        let length = usize::try_from(PIECE.min(self.size.saturating_sub(at))).unwrap_or(0);
        self.piece_at = at;
        self.piece.clear();
        match &self.value {
            FileValue::Resident(bytes) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX);
                self.piece.extend_from_slice(bytes.get(start..).unwrap_or_default());
            }
            FileValue::Clusters(clusters) => {
                self.piece.resize(length, 0);
                self.volume.read_value(clusters, &mut self.piece, at)?;
            }
        }
        Ok(())
    }
}

impl<D: ReadAt> UsedRanges<'_, D> {
    fn step(&mut self) -> Result<Option<UsedRange>, ReadError> {
        let Some(first) = self.bits.next(self.next, true)? else { return Ok(None) };
        let end = self.bits.next(first, false)?.unwrap_or(self.bits.count);
        self.next = end;
        Ok(Some(UsedRange { first: Lcn(first), length: end - first }))
    }
}

impl<D: ReadAt> Iterator for UsedRanges<'_, D> {
    type Item = Result<UsedRange, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if !matches!(step, Some(Ok(_))) {
            self.next = self.bits.count;
        }
        step
    }
}
