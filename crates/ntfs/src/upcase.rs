//! `$UpCase`: how a volume folds the case of names.

use std::cmp::Ordering;

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::fold_case;

use crate::{AttributeKind, Corruption, FileValue, ReadError, RecordNumber, Structure, Volume};

/// `$UpCase`'s record.
const UPCASE: RecordNumber = RecordNumber(10);
/// One UTF-16 unit for each there is.
const MAX_SIZE: u64 = 65_536 * 2;
/// A table that does not fold ASCII is none.
const MIN_SIZE: u64 = 128 * 2;

/// The upper case of every UTF-16 unit, as the volume has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpCase(Box<[u16]>);

impl UpCase {
    /// The table that Windows gives to new volumes since version 7.
    #[must_use]
    pub fn windows() -> Self {
        Self((0..=u16::MAX).map(fold_case).collect())
    }

    /// Units it has.
    pub(crate) const fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether it can be a table of upper case: ASCII is as everywhere, and what is upper case stays so.
    pub(crate) fn is_plausible(&self) -> bool {
        let ascii =
            (0..128_u8).all(|byte| self.fold(byte.into()) == byte.to_ascii_uppercase().into());
        ascii && self.0.iter().all(|&unit| self.fold(unit) == unit)
    }

    /// The upper case of a unit. Those behind the table's end stay as they are.
    #[must_use]
    pub fn fold(&self, unit: u16) -> u16 {
        self.0.get(usize::from(unit)).copied().unwrap_or(unit)
    }

    /// Compares names without regard to case.
    #[must_use]
    pub fn compare(&self, left: &[u16], right: &[u16]) -> Ordering {
        let fold = |&unit: &u16| self.fold(unit);
        left.iter().map(fold).cmp(right.iter().map(fold))
    }

    /// Compares names as directories order them: names that differ in case alone by their units.
    #[must_use]
    pub fn order(&self, left: &[u16], right: &[u16]) -> Ordering {
        self.compare(left, right).then_with(|| left.cmp(right))
    }
}

impl<D: ReadAt> Volume<D> {
    /// Reads the volume's table of upper case.
    ///
    /// # Errors
    /// [`ReadError`], also if the table has fewer units than ASCII or more than there are.
    pub fn upcase(&self) -> Result<UpCase, ReadError> {
        let structure = Structure::Attribute(UPCASE, AttributeKind::DATA);
        let file = self.file(UPCASE)?;
        let data = file.iter().flat_map(|file| &file.attributes);
        let mut data =
            data.filter(|found| found.kind == AttributeKind::DATA && found.name.is_empty());
        let wrong = |at, size| {
            let expected = Expected::Within(MIN_SIZE, MAX_SIZE);
            Corruption::number(structure, at, "bytes", expected, size)
        };
        let Some(data) = data.next() else { return Err(wrong(0, 0).into()) };
        let FileValue::Clusters(clusters) = &data.value else {
            return Err(wrong(data.offset, 0).into());
        };
        let size = clusters.size();
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) || !size.is_multiple_of(2) {
            return Err(wrong(data.offset + 0x30, size).into());
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        clusters.read(self.device(), &mut bytes, 0)?;
        let (units, _) = bytes.as_chunks();
        Ok(UpCase(units.iter().map(|&unit| u16::from_le_bytes(unit)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_without_case_first() {
        let ascii = (0..128_u8).map(|byte| byte.to_ascii_uppercase().into());
        let table = UpCase(ascii.collect());
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let compare = |left, right| table.compare(&units(left), &units(right));
        assert_eq!(compare("FILE", "file"), Ordering::Equal);
        assert_eq!(compare("a", "B"), Ordering::Less);
        // `_` stands between the capitals and the small letters.
        assert_eq!(compare("a_", "ab"), Ordering::Greater);
        assert_eq!(compare("ü", "Ü"), Ordering::Greater);
        assert_eq!(table.order(&units("FILE"), &units("file")), Ordering::Less);
        assert_eq!(table.order(&units("file"), &units("FILF")), Ordering::Less);
    }
}
