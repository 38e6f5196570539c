//! Attributes, put together.

use std::borrow::Cow;

use imprint_winvalues::WinName;
use zerocopy::IntoBytes;

use super::{align8, u16_of, u32_of};
use crate::layout::{AttributeHeaderDisk, NonResidentDisk, ResidentDisk};
use crate::runs::write_runs;
use crate::{AttributeKind, Run, Vcn};

/// Bytes of the header of an attribute in the record.
const RESIDENT: usize = size_of::<AttributeHeaderDisk>() + size_of::<ResidentDisk>();
/// Bytes of the header of an attribute in clusters.
const NON_RESIDENT: usize = size_of::<AttributeHeaderDisk>() + size_of::<NonResidentDisk>();
/// Flags of attributes whose header has one more field: compressed, sparse.
const HAS_TOTAL: u16 = 0x8001;

/// An attribute, or the part of one that goes into one record.
#[derive(Clone, Debug)]
pub(crate) struct NewAttribute<'a> {
    pub(crate) kind: AttributeKind,
    pub(crate) name: Cow<'a, WinName>,
    /// 0x0001 compressed, 0x4000 encrypted, 0x8000 sparse.
    pub(crate) flags: u16,
    pub(crate) body: Body<'a>,
}

/// Its value.
#[derive(Clone, Debug)]
pub(crate) enum Body<'a> {
    Resident(Cow<'a, [u8]>),
    Clusters(Placed),
}

/// A value in clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placed {
    /// The first cluster of the part.
    pub(crate) first: Vcn,
    pub(crate) runs: Vec<Run>,
    /// Bytes from the first cluster to the last.
    pub(crate) allocated: u64,
    pub(crate) size: u64,
    pub(crate) initialised: u64,
    /// The binary logarithm of the clusters of a compression unit.
    pub(crate) unit_shift: u8,
    /// Clusters with data of all parts, if this is one of several.
    pub(crate) real: Option<u64>,
}

impl Placed {
    /// A value in one run.
    pub(crate) fn contiguous(lcn: crate::Lcn, size: u64, cluster_size: u32) -> Self {
        let length = size.div_ceil(cluster_size.into());
        let run = Run { vcn: Vcn(0), length, lcn: Some(lcn) };
        Self {
            first: Vcn(0),
            runs: if length > 0 { vec![run] } else { Vec::new() },
            allocated: length * u64::from(cluster_size),
            size,
            initialised: size,
            unit_shift: 0,
            real: None,
        }
    }

    /// Clusters that hold data.
    pub(crate) fn real_clusters(&self) -> u64 {
        let data = self.runs.iter().filter(|run| run.lcn.is_some());
        self.real.unwrap_or_else(|| data.map(|run| run.length).sum())
    }

    /// Bytes allocated, and bytes of the value.
    pub(crate) const fn sizes(&self) -> (u64, u64) {
        (self.allocated, self.size)
    }

    fn last_vcn(&self) -> u64 {
        self.runs.last().map_or(self.first.0, |run| run.end().0).wrapping_sub(1)
    }
}

impl<'a> NewAttribute<'a> {
    pub(crate) fn resident(kind: AttributeKind, value: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::named(kind, Cow::Owned(WinName::default()), Body::Resident(value.into()))
    }

    pub(crate) fn clusters(kind: AttributeKind, placed: Placed) -> Self {
        Self::named(kind, Cow::Owned(WinName::default()), Body::Clusters(placed))
    }

    pub(crate) const fn named(kind: AttributeKind, name: Cow<'a, WinName>, body: Body<'a>) -> Self {
        Self { kind, name, flags: 0, body }
    }

    /// The first cluster of the part.
    pub(crate) const fn first_vcn(&self) -> Vcn {
        match &self.body {
            Body::Resident(_) => Vcn(0),
            Body::Clusters(placed) => placed.first,
        }
    }

    fn header_size(&self) -> usize {
        match &self.body {
            Body::Resident(_) => RESIDENT,
            Body::Clusters(_) if self.has_total() => NON_RESIDENT + 8,
            Body::Clusters(_) => NON_RESIDENT,
        }
    }

    /// Whether the header says how many bytes are really allocated: in the first part only.
    const fn has_total(&self) -> bool {
        self.flags & HAS_TOTAL != 0 && self.first_vcn().0 == 0
    }

    /// Its bytes in the record.
    pub(crate) fn size(&self) -> usize {
        let head = align8(self.header_size() + self.name.len() * 2);
        head + match &self.body {
            Body::Resident(value) => align8(value.len()),
            Body::Clusters(placed) => align8(pairs(placed).len()),
        }
    }

    /// Appends it to a record. `cluster_size` in bytes.
    pub(crate) fn encode(&self, instance: u16, cluster_size: u32, record: &mut Vec<u8>) {
        let header = self.header_size();
        let value_at = align8(header + self.name.len() * 2);
        let common = AttributeHeaderDisk {
            kind: self.kind.0.into(),
            length: u32_of(self.size()).into(),
            non_resident: u8::from(matches!(self.body, Body::Clusters(_))),
            name_length: u8::try_from(self.name.len()).unwrap_or(u8::MAX),
            // Where a name would be even if there is none, as Windows does.
            name_offset: u16_of(header).into(),
            flags: self.flags.into(),
            instance: instance.into(),
        };
        let start = record.len();
        record.extend_from_slice(common.as_bytes());
        match &self.body {
            Body::Resident(value) => {
                let rest = ResidentDisk {
                    length: u32_of(value.len()).into(),
                    offset: u16_of(value_at).into(),
                    indexed: u8::from(self.kind == AttributeKind::FILE_NAME),
                    reserved: 0,
                };
                record.extend_from_slice(rest.as_bytes());
                self.encode_name(start + value_at, record);
                record.extend_from_slice(value);
            }
            Body::Clusters(placed) => {
                let first = placed.first == Vcn(0);
                let only_first = |value: u64| if first { value.into() } else { 0.into() };
                let rest = NonResidentDisk {
                    first_vcn: placed.first.0.into(),
                    last_vcn: placed.last_vcn().into(),
                    runs_offset: u16_of(value_at).into(),
                    unit_shift: placed.unit_shift,
                    reserved: [0; 5],
                    allocated: only_first(placed.allocated),
                    size: only_first(placed.size),
                    initialised: only_first(placed.initialised),
                };
                record.extend_from_slice(rest.as_bytes());
                if self.has_total() {
                    let total = placed.real_clusters() * u64::from(cluster_size);
                    record.extend_from_slice(&total.to_le_bytes());
                }
                self.encode_name(start + value_at, record);
                record.extend_from_slice(&pairs(placed));
            }
        }
        record.resize(start + align8(record.len() - start), 0);
    }

    /// Appends the name and pads up to where the value begins.
    fn encode_name(&self, value_at: usize, record: &mut Vec<u8>) {
        record.extend_from_slice(&self.name.to_le_bytes());
        record.resize(value_at, 0);
    }
}

fn pairs(placed: &Placed) -> Vec<u8> {
    let mut pairs = Vec::with_capacity(16);
    write_runs(&placed.runs, &mut pairs);
    pairs
}

/// How many bytes of mapping pairs fit into a record of their own, with a name of any length.
pub(crate) const fn pairs_per_record(record_size: usize) -> usize {
    super::room(record_size) - NON_RESIDENT - 8 - 2 * 255
}

/// Splits values whose mapping pairs take more than so many bytes into parts that have an attribute each.
pub(crate) fn split_runs(attributes: Vec<NewAttribute<'_>>, most: usize) -> Vec<NewAttribute<'_>> {
    let mut all = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let Body::Clusters(placed) = &attribute.body else {
            all.push(attribute);
            continue;
        };
        if pairs(placed).len() <= most {
            all.push(attribute);
            continue;
        }
        // A pair has at most 11 bytes, as clusters have 32 bits, and a zero ends them.
        for runs in placed.runs.chunks(((most - 1) / 11).max(1)) {
            let mut part = attribute.clone();
            let first = runs.first().map_or(Vcn(0), |run| run.vcn);
            let real = Some(placed.real_clusters());
            part.body =
                Body::Clusters(Placed { first, runs: runs.to_vec(), real, ..placed.clone() });
            all.push(part);
        }
    }
    all
}
