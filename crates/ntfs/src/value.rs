//! Values as programs see them: holes are zeros, compressed units decompressed.

use imprint_blockio::ReadAt;
use imprint_codec::lznt1;

use crate::{Clusters, Corruption, Lcn, ReadError, Volume};

/// Flag of an attribute: encrypted.
const ENCRYPTED: u16 = 0x4000;
/// Bytes of the largest compression unit: 16 clusters of 64 KiB. Windows compresses with clusters of 4 KiB at most.
const MAX_UNIT: u64 = 1 << 20;

impl Clusters {
    /// Whether the value is stored compressed.
    pub(crate) const fn is_compressed(&self) -> bool {
        self.unit_shift() > 0
    }
}

/// Whether an attribute's value is encrypted.
#[must_use]
pub(crate) const fn is_encrypted(flags: u16) -> bool {
    flags & ENCRYPTED != 0
}

impl<D: ReadAt> Volume<D> {
    /// Fills `buf` from the bytes of a value at `offset`, decompressed if need be.
    ///
    /// # Errors
    /// [`ReadError`]; also if the range reaches past the end of the value.
    pub fn read_value(
        &self,
        value: &Clusters,
        buf: &mut [u8],
        offset: u64,
    ) -> Result<(), ReadError> {
        if !value.is_compressed() {
            return value.read(self.device(), buf, offset);
        }
        let (limit, end) = (value.size(), offset.saturating_add(buf.len() as u64));
        if end > limit {
            return Err(Corruption::past_end(value.structure(), 0, "range", limit, end).into());
        }
        let unit = u64::from(self.geometry().cluster_size) << value.unit_shift();
        if unit > MAX_UNIT {
            let expected = imprint_blockio::Expected::AtMost(MAX_UNIT);
            let field = "bytes of a compression unit";
            return Err(Corruption::number(value.structure(), 0, field, expected, unit).into());
        }
        let (mut rest, mut at) = (buf, offset);
        let mut plain = Vec::new();
        while !rest.is_empty() {
            let (number, within) = (at / unit, at % unit);
            let length = usize::try_from(unit - within).unwrap_or(usize::MAX).min(rest.len());
            let (part, tail) = rest.split_at_mut(length);
            self.read_unit(value, number, unit, &mut plain)?;
            let start = usize::try_from(within).unwrap_or(usize::MAX);
            let found = plain.get(start..).unwrap_or_default();
            let found = found.get(..length.min(found.len())).unwrap_or_default();
            let (copied, zeros) = part.split_at_mut(found.len());
            copied.copy_from_slice(found);
            zeros.fill(0);
            (rest, at) = (tail, at + length as u64);
        }
        Ok(())
    }

    /// Reads a compression unit; what is behind `plain` are zeros.
    fn read_unit(
        &self,
        value: &Clusters,
        number: u64,
        unit: u64,
        plain: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        let cluster = u64::from(self.geometry().cluster_size);
        let (first, count) = (number << value.unit_shift(), 1 << value.unit_shift());
        let mut stored = Vec::new();
        let before = value.runs().partition_point(|run| run.end().0 <= first);
        let runs = value.runs().get(before..).unwrap_or_default();
        for run in runs.iter().take_while(|run| run.vcn.0 < first + count) {
            let Some(Lcn(lcn)) = run.lcn else { continue };
            let (start, end) = (run.vcn.0.max(first), run.end().0.min(first + count));
            let offset = (lcn + start - run.vcn.0) * cluster;
            let length = usize::try_from((end - start) * cluster).unwrap_or(0);
            let at = stored.len();
            stored.resize(at + length, 0);
            let target = stored.get_mut(at..).unwrap_or_default();
            self.device().read_exact_at(target, offset).map_err(|source| ReadError::Io {
                structure: value.structure(),
                offset,
                length: length as u64,
                source,
            })?;
        }
        plain.clear();
        if stored.len() as u64 == unit {
            *plain = stored;
        } else if !stored.is_empty() {
            plain.resize(usize::try_from(unit).unwrap_or(0), 0);
            let broken = |source| ReadError::Compressed {
                structure: value.structure(),
                offset: number * unit,
                source,
            };
            let made = lznt1::decompress(&stored, plain).map_err(broken)?;
            plain.truncate(made);
        }
        // What was never written reads as zeros, whatever stands there.
        let written = value.initialised().saturating_sub(number * unit);
        plain.truncate(usize::try_from(written).unwrap_or(usize::MAX).min(plain.len()));
        Ok(())
    }
}
