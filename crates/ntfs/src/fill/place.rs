//! Where on a volume everything goes.

use crate::Lcn;

/// The measures of a new volume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measures {
    pub(super) sector_size: u32,
    pub(super) cluster_size: u32,
    /// Sectors without the last one, which is a copy of the first.
    pub(super) sectors: u64,
    pub(super) clusters: u64,
    pub(super) record_size: usize,
    pub(super) block_size: usize,
}

impl Measures {
    pub(super) fn clusters_of(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.cluster_size.into())
    }

    pub(super) fn bytes_of(&self, lcn: Lcn) -> u64 {
        lcn.0 * u64::from(self.cluster_size)
    }

    /// How many clusters an index block is, or units of 512 bytes where a cluster is larger.
    pub(super) fn block_step(&self) -> u64 {
        let block = self.block_size as u64;
        if u64::from(self.cluster_size) <= block {
            block / u64::from(self.cluster_size)
        } else {
            block / 512
        }
    }
}

/// Clusters that follow one another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Region {
    pub(super) first: u64,
    pub(super) length: u64,
}

impl Region {
    pub(super) const fn end(self) -> u64 {
        self.first + self.length
    }
}

/// What is taken of a region, from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    region: Region,
    used: u64,
}

impl Taken {
    pub(super) const fn new(region: Region) -> Self {
        Self { region, used: 0 }
    }

    /// Takes the next clusters, if so many are left.
    pub(super) fn take(&mut self, clusters: u64) -> Option<Lcn> {
        let first = self.region.first + self.used;
        if clusters > self.region.length - self.used {
            return None;
        }
        self.used += clusters;
        Some(Lcn(first))
    }

    /// What was taken.
    pub(super) const fn region(&self) -> Region {
        Region { first: self.region.first, length: self.used }
    }
}

/// The regions of a volume.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Regions {
    pub(super) boot: Region,
    pub(super) mirror: Region,
    /// Indexes, `$Secure`, values that do not fit into records.
    pub(super) values: Region,
    pub(super) bitmap: Region,
    pub(super) log: Region,
    /// `$MFT`; behind it is room for it to grow.
    pub(super) mft: Region,
    pub(super) data: Region,
    /// Behind the data, up to the end.
    pub(super) free: Region,
}

/// How many clusters what needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub(super) values: u64,
    pub(super) records: u64,
    pub(super) data: u64,
    /// Of data in files with holes: placed when it comes.
    pub(super) later: u64,
}

impl Regions {
    /// Finds a place for everything; the clusters needed if there are fewer.
    pub(super) fn new(measures: &Measures, needs: &Needs) -> Result<Self, u64> {
        let of = |bytes: u64| measures.clusters_of(bytes);
        let record = measures.record_size as u64;
        let lengths = [
            of(8192),
            of(4 * record),
            needs.values,
            of(bitmap_size(measures.clusters)),
            of(log_size(measures)),
            of(needs.records * record),
        ];
        let needed = lengths.iter().sum::<u64>() + needs.data + needs.later;
        if needed > measures.clusters {
            return Err(needed);
        }
        // An eighth of the volume, as Windows keeps it free, if the data leaves so much.
        let grow = ((measures.clusters - needed) / 2).min(measures.clusters / 8);
        let mut at = 0;
        let mut next = |length: u64| {
            let region = Region { first: at, length };
            at = region.end();
            region
        };
        let [boot, mirror, values, bitmap, log, mft] = lengths.map(&mut next);
        next(grow);
        let data = next(needs.data);
        let free = Region { first: data.end(), length: measures.clusters - data.end() };
        Ok(Self { boot, mirror, values, bitmap, log, mft, data, free })
    }
}

/// Bytes of `$Bitmap`: one bit for each cluster, whole groups of 8 bytes.
pub(super) const fn bitmap_size(clusters: u64) -> u64 {
    clusters.div_ceil(64) * 8
}

/// Bytes of `$LogFile`.
///
/// Source: mkntfs; its sizes are between those of Windows.
pub(super) fn log_size(measures: &Measures) -> u64 {
    const MIB: u64 = 1 << 20;
    let volume = measures.clusters * u64::from(measures.cluster_size);
    let size = match volume {
        ..0x40_0000 => 256 << 10,
        0x40_0000..=0xc80_0000 => (volume / 100).clamp(256 << 10, 2 * MIB),
        _ if volume >= 12 << 30 => 64 * MIB,
        _ => (volume / 200).max(2 * MIB),
    };
    size.next_multiple_of(u64::from(measures.cluster_size).max(4096))
}
