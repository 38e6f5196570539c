//! Streams whose clusters are found when their data comes: holes stay holes.

use std::collections::BTreeMap;

use super::place::Taken;
use crate::encode::Placed;
use crate::{Lcn, Run, Vcn};

/// Bytes that are a hole or not, together.
const GRANULE: u64 = 64 << 10;

/// Where the data of a stream with holes went so far.
#[derive(Debug)]
pub(super) struct Later {
    /// Clusters that are a hole or not, together.
    pub(super) granule: u64,
    /// Clusters of the stream.
    clusters: u64,
    size: u64,
    /// Granules with data.
    places: BTreeMap<u64, Lcn>,
}

impl Later {
    /// `unit` is given for compressed streams: their clusters come in units of as many.
    pub(super) fn new(size: u64, cluster_size: u32, unit: Option<u64>) -> Self {
        let cluster = u64::from(cluster_size);
        let granule = unit.unwrap_or_else(|| (GRANULE / cluster).max(1));
        let clusters = size.div_ceil(cluster);
        let clusters = unit.map_or(clusters, |unit| clusters.next_multiple_of(unit));
        Self { granule, clusters, size, places: BTreeMap::new() }
    }

    /// How many clusters a granule has; the last may have fewer.
    pub(super) fn length(&self, granule: u64) -> u64 {
        self.granule.min(self.clusters - granule * self.granule)
    }

    /// Where a granule is; the flag says that it is new, and its other bytes are to become zeros.
    pub(super) fn place(&mut self, granule: u64, free: &mut Taken) -> Option<(Lcn, bool)> {
        if let Some(&lcn) = self.places.get(&granule) {
            return Some((lcn, false));
        }
        let lcn = free.take(self.length(granule))?;
        self.places.insert(granule, lcn);
        Some((lcn, true))
    }

    /// Whether a granule has data.
    pub(super) fn is_placed(&self, granule: u64) -> bool {
        self.places.contains_key(&granule)
    }

    /// Where everything is.
    pub(super) fn placed(&self, cluster_size: u32) -> Placed {
        let mut runs: Vec<Run> = Vec::new();
        let mut vcn = 0;
        for (&granule, &lcn) in &self.places {
            let (start, length) = (granule * self.granule, self.length(granule));
            if start > vcn {
                runs.push(Run { vcn: Vcn(vcn), length: start - vcn, lcn: None });
            }
            vcn = start + length;
            if let Some(last) = runs.last_mut()
                && last.end().0 == start
                && last.lcn.is_some_and(|before| before.0 + last.length == lcn.0)
            {
                last.length += length;
                continue;
            }
            runs.push(Run { vcn: Vcn(start), length, lcn: Some(lcn) });
        }
        if vcn < self.clusters {
            runs.push(Run { vcn: Vcn(vcn), length: self.clusters - vcn, lcn: None });
        }
        Placed {
            first: Vcn(0),
            runs,
            allocated: self.clusters * u64::from(cluster_size),
            size: self.size,
            initialised: self.size,
            unit_shift: 0,
            real: None,
        }
    }
}
