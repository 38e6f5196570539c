//! The volume's own files: what each must have, and where.

use imprint_blockio::{Expected, ReadAt};

use super::gather::{Gathered, clusters_of};
use super::ground::Ground;
use super::record::Body;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::{Map, flag};
use crate::crc::crc64;
use crate::layout::{UpCaseInfoDisk, VolumeInformationDisk};
use crate::{AttributeKind as Kind, Corruption, RecordNumber, Structure, Unclean};
use zerocopy::FromBytes;

/// The records that every volume has.
const OWN: u64 = 16;
/// Bytes of `$Boot`.
const BOOT_SIZE: u64 = 8192;
/// `$Bad`, `$Info`: UTF-16LE.
const BAD: &[u8] = b"$\0B\0a\0d\0";
const INFO: &[u8] = b"$\0I\0n\0f\0o\0";
/// Bytes of `$MFTMirr` that are compared: a cluster, or four records.
const MOST_MIRROR: u64 = 2 << 20;

impl<D: ReadAt> Ground<'_, D> {
    pub(super) fn check_system(&self, map: &mut Map, found: &mut Findings) {
        for number in 0..OWN {
            let number = RecordNumber(number);
            if !map.state(number).is_file() && !map.state(number).is(flag::BROKEN) {
                let at = self.volume.place_of(number);
                let what = "is one of the volume's own, and not there";
                found.structure(Rule::SystemFile, Structure::FileRecord(number), at, what);
            }
        }
        let places = [(1, self.geometry.mirror.0), (7, 0)];
        for (number, lcn) in places {
            self.with_file(RecordNumber(number), map, |file, _| first_cluster(file, lcn, found));
        }
        self.with_file(RecordNumber(7), map, |file, _| {
            let size = file.stream(Kind::DATA, &[]).first().map_or(0, |part| part.size());
            let place = (file.structure(Kind::DATA), file.offset);
            found.equal(Rule::SystemFile, place, "bytes of value", (BOOT_SIZE, size));
        });
        self.with_file(RecordNumber(8), map, |file, _| self.check_bad(file, found));
        self.with_file(RecordNumber(3), map, |file, _| check_information(file, found));
        self.with_file(RecordNumber(10), map, |file, _| self.check_upcase_info(file, found));
        self.with_file(RecordNumber(1), map, |file, _| self.check_mirror(file, found));
    }

    /// How the volume was left.
    pub(super) fn check_state(&self, found: &mut Findings) {
        match self.volume.state() {
            Ok(state) => {
                for reason in state.reasons() {
                    let rule = match reason {
                        Unclean::Hibernated | Unclean::LogCached => Rule::Asleep,
                        _ => Rule::Unclean,
                    };
                    found.add(rule, Subject::Volume, None, Problem::Unclean(reason));
                }
            }
            // What it stands on is damaged, and that was told.
            Err(_) if !found.counts.is_empty() => {}
            Err(error) => found.error(Rule::SystemFile, error),
        }
    }

    fn check_bad(&self, file: &Gathered<'_>, found: &mut Findings) {
        let structure = file.structure(Kind::DATA);
        let Some(part) = file.stream(Kind::DATA, BAD).first() else {
            let what = "$Bad is not there";
            return found.structure(Rule::BadClusters, structure, file.offset, what);
        };
        if let Body::Resident { .. } = part.body {
            let what = "$Bad stands in the record";
            return found.structure(Rule::BadClusters, structure, part.offset, what);
        }
        let size = self.geometry.clusters().saturating_mul(self.cluster_size());
        let place = (structure, part.offset + 0x30);
        found.equal(Rule::BadClusters, place, "bytes of $Bad", (size, part.size()));
    }

    /// `$UpCase:$Info` has the checksum of the table.
    fn check_upcase_info(&self, file: &Gathered<'_>, found: &mut Findings) {
        let Some((info, at)) = file.resident(Kind::DATA, INFO) else { return };
        let structure = file.structure(Kind::DATA);
        let disk = UpCaseInfoDisk::read_from_prefix(info).ok().map(|(disk, _)| disk);
        let disk = disk.filter(|disk| usize::try_from(disk.size.get()) == Ok(info.len()));
        let Some(disk) = disk else {
            let what = "$Info is not as long as it says";
            return found.structure(Rule::UpCaseInfo, structure, at, what);
        };
        let parts = file.stream(Kind::DATA, &[]);
        let Some(table) = self.value(parts, 1 << 17, found) else { return };
        let (expected, actual) = (crc64(&table), disk.crc.get());
        if expected != actual {
            let (field, expected) = ("checksum of the table", Expected::Exactly(expected));
            let corruption = Corruption::code(structure, at + 8, field, expected, actual);
            found.corruption(Rule::UpCaseInfo, corruption);
        }
    }

    /// `$MFTMirr` is a copy of the first records.
    fn check_mirror(&self, file: &Gathered<'_>, found: &mut Findings) {
        let structure = file.structure(Kind::DATA);
        let parts = file.stream(Kind::DATA, &[]);
        let size = parts.first().map_or(0, |part| part.size());
        let record = u64::from(self.geometry.record_size);
        let at = parts.first().map_or(file.offset, |part| part.offset);
        if size < 4 * record || !size.is_multiple_of(record) {
            let expected = Expected::AtLeast(4 * record);
            found.number(Rule::Mirror, (structure, at), "bytes of value", expected, size);
        }
        let most = size.min(self.volume.mft().size()).min(MOST_MIRROR);
        let mut bytes = vec![0; usize::try_from(most).unwrap_or(0)];
        let Some(copy) = self.value(parts, most, found) else { return };
        if let Err(error) = self.volume.mft().read(self.device(), &mut bytes, 0) {
            return found.error(Rule::Mft, error);
        }
        let place = clusters_of(parts, self.geometry.cluster_size);
        let place = place.and_then(|clusters| clusters.runs().first()?.lcn);
        let start = place.map_or(0, |lcn| lcn.0 * self.cluster_size());
        let size = self.record_bytes();
        let records = bytes.chunks_exact(size).zip(copy.chunks_exact(size));
        for (number, (record, copy)) in (0_u64..).zip(records) {
            if record != copy {
                let at = start + number * size as u64;
                let subject = Subject::Structure(Structure::FileRecord(RecordNumber(number)));
                let problem = Problem::Is("is not as in $MFTMirr");
                found.add(Rule::Mirror, subject, Some(at), problem);
            }
        }
    }
}

fn first_cluster(file: &Gathered<'_>, expected: u64, found: &mut Findings) {
    let part = file.stream(Kind::DATA, &[]).first();
    let Some(part) = part else { return };
    let first = match &part.body {
        Body::Resident { .. } => None,
        Body::Clusters(mapped) => mapped.runs.first().and_then(|run| run.lcn),
    };
    let numbers = (expected, first.map_or(u64::MAX, |lcn| lcn.0));
    found.equal(Rule::SystemFile, (part.structure(), part.offset), "first cluster", numbers);
}

fn check_information(file: &Gathered<'_>, found: &mut Findings) {
    let structure = file.structure(Kind::VOLUME_INFORMATION);
    let disk = file.resident(Kind::VOLUME_INFORMATION, &[]);
    let disk = disk
        .and_then(|(value, at)| Some((VolumeInformationDisk::read_from_prefix(value).ok()?.0, at)));
    let Some((disk, at)) = disk else {
        return found.structure(Rule::SystemFile, structure, file.offset, "is not there");
    };
    let version = u64::from(disk.major) << 8 | u64::from(disk.minor);
    if ![0x300, 0x301].contains(&version) {
        let (expected, field) = (Expected::Either(0x300, 0x301), "version");
        let corruption = Corruption::code(structure, at + 8, field, expected, version);
        found.corruption(Rule::SystemFile, corruption);
    }
}
