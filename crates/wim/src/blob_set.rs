//! Several files searched for blobs: split parts, reference files of a delta.

use imprint_blockio::ReadAt;
use imprint_winvalues::BlobHash;

use crate::blob_table::Blob;
use crate::error::SetError;
use crate::wim::Wim;

/// Open files in the order in which blobs are looked for.
#[derive(Debug)]
pub struct BlobSet<R> {
    wims: Vec<Wim<R>>,
}

impl<R: ReadAt> BlobSet<R> {
    /// Makes a set of one file, the one whose images are meant.
    #[must_use]
    pub fn new(first: Wim<R>) -> Self {
        Self { wims: vec![first] }
    }

    /// Adds a file to be searched after the others.
    pub fn push(&mut self, wim: Wim<R>) {
        self.wims.push(wim);
    }

    /// The files in the order of search.
    #[must_use]
    pub fn wims(&self) -> &[Wim<R>] {
        &self.wims
    }

    /// The file that holds the images: the first file, or if that is a part of a split set, the
    /// set's part 1 if it is there.
    #[must_use]
    pub fn primary(&self) -> Option<&Wim<R>> {
        let first = self.wims.first()?;
        let header = first.header();
        self.wims
            .iter()
            .find(|w| w.header().part_number == 1 && w.header().guid == header.guid)
            .or(Some(first))
    }

    /// Finds a blob: the index of its file in [`Self::wims`], the file and the blob.
    #[must_use]
    pub fn find(&self, hash: &BlobHash) -> Option<(usize, &Wim<R>, &Blob)> {
        self.wims
            .iter()
            .enumerate()
            .find_map(|(index, wim)| Some((index, wim, wim.blobs().find(hash)?)))
    }

    /// Checks that all parts of the first file's split set are there, each once. Files of other sets
    /// that are not split themselves are reference files and do not count.
    ///
    /// # Errors
    /// [`SetError`] naming the parts.
    pub fn check_parts(&self) -> Result<(), SetError> {
        let Some(first) = self.wims.first().map(Wim::header) else { return Ok(()) };
        let total = first.total_parts;
        let mut found = vec![false; usize::from(total)];
        for header in self.wims.iter().map(Wim::header).filter(|h| h.is_split()) {
            let part = header.part_number;
            if header.guid != first.guid || header.total_parts != total {
                let (expected, actual) = (first.guid, header.guid);
                return Err(SetError::ForeignPart { part, expected, actual });
            }
            match found.get_mut(usize::from(part) - 1) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(SetError::RepeatedPart { part }),
            }
        }
        if !first.is_split() {
            return Ok(());
        }
        let missing: Vec<u16> =
            (1..=u16::MAX).zip(&found).filter(|(_, seen)| !**seen).map(|(part, _)| part).collect();
        if missing.is_empty() { Ok(()) } else { Err(SetError::MissingParts { missing, total }) }
    }
}
