//! `$Bitmap`: which clusters are in use.

use imprint_blockio::{Expected, ReadAt};
use imprint_progress::{Cancelled, Progress};

use super::bits::Differences;
use super::gather::clusters_of;
use super::ground::Ground;
use super::record::Body;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::Map;
use super::sweep::word_of;
use crate::{AttributeKind, Corruption, RecordNumber, Structure};

/// `$Bitmap`.
const BITMAP: RecordNumber = RecordNumber(6);
/// Bytes of it that are read at once.
const PIECE: u64 = 64 << 10;

impl<D: ReadAt> Ground<'_, D> {
    /// `$Bitmap` has a bit for each cluster, set for those that belong to something, and set behind the last.
    pub(super) fn check_clusters(
        &self,
        map: &mut Map,
        found: &mut Findings,
        progress: &Progress,
    ) -> Result<(), Cancelled> {
        map.summary.clusters = map.owned.clusters.count();
        let structure = Structure::Attribute(BITMAP, AttributeKind::DATA);
        let all = map.owned.clusters.len();
        let bitmap = self.with_file(BITMAP, map, |file, _| {
            let parts = file.stream(AttributeKind::DATA, &[]);
            let first = parts.first()?;
            if let Body::Resident { .. } = first.body {
                let what = "stands in the record";
                found.structure(Rule::BitmapEnd, structure, first.offset, what);
                return None;
            }
            let needed = all.div_ceil(64) * 8;
            found.equal(
                Rule::BitmapEnd,
                (structure, first.offset),
                "bytes",
                (needed, first.size()),
            );
            clusters_of(parts, self.geometry.cluster_size)
        });
        // That it is not there is told with the volume's other files.
        let Some(bitmap) = bitmap.flatten() else { return Ok(()) };
        let size = bitmap.size().min(all.div_ceil(64) * 8);
        let mut differences = Differences::default();
        let mut tell = |clusters, marked| {
            let (rule, what) = match marked {
                true => (Rule::LostCluster, "marked as in use, but belonging to nothing"),
                false => (Rule::UnmarkedCluster, "in use, but marked as free"),
            };
            found.add(rule, Subject::Clusters(clusters), None, Problem::Is(what));
        };
        let mut bytes = Vec::new();
        let mut at = 0;
        let mut last = u64::MAX;
        let mut failed = None;
        while at < size {
            progress.check()?;
            bytes.resize(usize::try_from(PIECE.min(size - at)).unwrap_or(0), 0);
            if let Err(error) = bitmap.read(self.device(), &mut bytes, at) {
                failed = Some(error);
                break;
            }
            for (word, eight) in (at / 8..).zip(bytes.chunks(8)) {
                let (actual, expected) = (word_of(eight), map.owned.clusters.word(word));
                let bits = all.saturating_sub(word * 64).min(64);
                let inside = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
                last = actual | inside;
                differences.compare(word * 64, expected, actual & inside, &mut tell);
            }
            at += bytes.len() as u64;
        }
        differences.end(&mut tell);
        if let Some(error) = failed {
            found.error(Rule::BitmapEnd, error);
        } else if last != u64::MAX {
            let field = "bits behind the last cluster";
            let (expected, behind) = (Expected::Exactly(u64::MAX), self.bitmap_end(&bitmap, size));
            found.corruption(
                Rule::BitmapEnd,
                Corruption::code(structure, behind, field, expected, last),
            );
        }
        Ok(())
    }

    /// Where the last eight bytes of the bitmap stand.
    fn bitmap_end(&self, bitmap: &crate::Clusters, size: u64) -> u64 {
        match bitmap.piece(size.saturating_sub(8), 8) {
            Some(crate::Piece::Data { offset, .. }) => offset,
            _ => 0,
        }
    }
}
