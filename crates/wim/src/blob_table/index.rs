//! From hash to position: blobs sorted by hash behind a table of first bits. Four to five bytes per
//! blob, and hashes chosen by an enemy only cost a longer binary search.

use imprint_winvalues::BlobHash;

use super::Blob;
use crate::decode::to_usize as to_index;

/// Blobs per bucket aimed at.
const BUCKET: usize = 4;

#[derive(Clone, Debug, Default)]
pub(crate) struct HashIndex {
    /// Positions of blobs, sorted by hash.
    order: Vec<u32>,
    /// Where in `order` each bucket starts; one more than there are buckets.
    starts: Vec<u32>,
    /// The bucket is the hash's first `bits` bits.
    bits: u32,
}

impl HashIndex {
    /// Sorts `blobs`, which number at most `u32::MAX`. Of blobs with the same hash the first comes
    /// first.
    pub(crate) fn new(blobs: &[Blob]) -> Self {
        let bits = (blobs.len() / BUCKET).checked_ilog2().unwrap_or(0).min(24);
        let mut index = Self { order: vec![0; blobs.len()], starts: Vec::new(), bits };
        index.starts = vec![0; (1 << bits) + 1];
        for blob in blobs {
            let bucket = index.bucket(&blob.hash);
            if let Some(count) = index.starts.get_mut(bucket + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut index.starts {
            sum += *start;
            *start = sum;
        }
        let mut next = index.starts.clone();
        for (position, blob) in (0_u32..).zip(blobs) {
            if let Some(slot) = next.get_mut(index.bucket(&blob.hash)) {
                if let Some(place) = index.order.get_mut(to_index(*slot)) {
                    *place = position;
                }
                *slot += 1;
            }
        }
        for bounds in index.starts.windows(2) {
            if let &[start, end] = bounds
                && let Some(bucket) = index.order.get_mut(to_index(start)..to_index(end))
            {
                bucket.sort_unstable_by_key(|&at| (blobs.get(to_index(at)).map(|b| b.hash), at));
            }
        }
        index
    }

    pub(crate) fn find<'a>(&self, blobs: &'a [Blob], hash: &BlobHash) -> Option<&'a Blob> {
        let bucket = self.bucket(hash);
        let (start, end) = (self.starts.get(bucket)?, self.starts.get(bucket + 1)?);
        let positions = self.order.get(to_index(*start)..to_index(*end))?;
        let first = positions
            .partition_point(|&at| blobs.get(to_index(at)).is_some_and(|b| b.hash < *hash));
        let blob = blobs.get(to_index(*positions.get(first)?))?;
        (blob.hash == *hash).then_some(blob)
    }

    /// Positions of blobs whose hash an earlier blob has, in no order.
    pub(crate) fn repeated<'a>(&'a self, blobs: &'a [Blob]) -> impl Iterator<Item = u32> + 'a {
        let hash = |at: u32| blobs.get(to_index(at)).map(|b| b.hash);
        self.order.windows(2).filter_map(move |pair| match *pair {
            [a, b] if hash(a) == hash(b) => Some(b),
            _ => None,
        })
    }

    fn bucket(&self, hash: &BlobHash) -> usize {
        let [a, b, c, d, ..] = hash.0;
        to_index(u32::from_be_bytes([a, b, c, d]).checked_shr(32 - self.bits).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Location;
    use super::*;
    use crate::resource::ResourceHeader;

    fn blob(hash: [u8; 20], size: u64) -> Blob {
        let location = Location::Resource(ResourceHeader::default());
        Blob { hash: BlobHash(hash), size, references: 1, part: 1, location }
    }

    /// Hashes that are spread as SHA-1 spreads them.
    fn spread(number: u32) -> [u8; 20] {
        let mut hash = [0; 20];
        let mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash[..8].copy_from_slice(&mixed.to_be_bytes());
        hash[16..].copy_from_slice(&number.to_be_bytes());
        hash
    }

    fn check(hashes: impl Fn(u32) -> [u8; 20], count: u32) {
        let blobs: Vec<_> = (0..count).map(|n| blob(hashes(n), u64::from(n))).collect();
        let index = HashIndex::new(&blobs);
        for number in 0..count {
            let found = index.find(&blobs, &BlobHash(hashes(number)));
            assert_eq!(found.map(|blob| blob.size), Some(u64::from(number)));
        }
        assert_eq!(index.find(&blobs, &BlobHash(hashes(count))), None);
        assert_eq!(index.repeated(&blobs).count(), 0);
    }

    #[test]
    fn finds_every_blob_and_no_other() {
        for count in [0, 1, 2, 5, 100, 5000] {
            check(spread, count);
        }
    }

    #[test]
    fn hashes_chosen_to_collide_are_found_too() {
        check(
            |number| {
                let mut hash = [0x55; 20];
                hash[16..].copy_from_slice(&number.to_be_bytes());
                hash
            },
            5000,
        );
    }

    #[test]
    fn the_first_of_equal_hashes_wins() {
        let blobs: Vec<_> =
            [3, 1, 3, 2, 3].iter().zip(0..).map(|(&n, size)| blob(spread(n), size)).collect();
        let index = HashIndex::new(&blobs);
        assert_eq!(index.find(&blobs, &BlobHash(spread(3))).map(|b| b.size), Some(0));
        let mut repeated: Vec<_> = index.repeated(&blobs).collect();
        repeated.sort_unstable();
        assert_eq!(repeated, [2, 4]);
    }
}
