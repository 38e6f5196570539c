//! What a check finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::Range;

use imprint_blockio::{Expected, FieldFault};
use imprint_winvalues::WinName;

use super::rule::Rule;
use crate::{AttributeKind, Corruption, ReadError, RecordNumber, Structure, Unclean};

/// Findings of one rule that are kept; of the rest only the number is known.
pub(super) const MOST: u64 = 100;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is lost and nothing can go wrong: a copy of something is out of date.
    Note,
    /// Everything can be read, but two structures say different things.
    Inconsistent,
    /// Something cannot be read or found, or the next write may destroy it.
    Damage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Inconsistent => "inconsistent",
            Self::Damage => "damage",
        })
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: Rule,
    /// What it is about.
    pub subject: Subject,
    /// What is wrong with it.
    pub problem: Problem,
    /// Where that stands, bytes from the start of the volume; `None` if it is in no one place.
    pub offset: Option<u64>,
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.rule.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)?;
        match self.offset {
            Some(offset) => write!(f, " (at offset {offset:#x})"),
            None => Ok(()),
        }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The whole volume.
    Volume,
    /// A structure.
    Structure(Structure),
    /// Clusters of the volume.
    Clusters(Range<u64>),
    /// Records of `$MFT`.
    Records(Range<u64>),
    /// Blocks of an index, whose `$INDEX_ALLOCATION` this is.
    Blocks(Structure, Range<u64>),
    /// A name of a file.
    Name(RecordNumber, WinName),
    /// An entry of a directory.
    Entry(RecordNumber, WinName),
    /// A security descriptor, by its id.
    Descriptor(u32),
    /// An entry of an index of the volume, by its key.
    View(&'static str, Box<[u8]>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume => f.write_str("volume"),
            Self::Structure(structure) => structure.fmt(f),
            Self::Clusters(range) => numbers(f, "cluster", range),
            Self::Records(range) => numbers(f, "file record", range),
            Self::Blocks(structure, range) => {
                numbers(f, "block", range)?;
                write!(f, " of {structure}")
            }
            Self::Name(record, name) => write!(f, "name {name:?} of file record {record}"),
            Self::Entry(record, name) => write!(f, "entry {name:?} of directory {record}"),
            Self::Descriptor(id) => write!(f, "security descriptor {id:#x}"),
            Self::View(index, key) => {
                write!(f, "entry ")?;
                key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                write!(f, " of {index}")
            }
        }
    }
}

/// Prints one number or the first and the last.
fn numbers(f: &mut fmt::Formatter<'_>, what: &str, range: &Range<u64>) -> fmt::Result {
    let last = range.end.saturating_sub(1);
    if last <= range.start {
        return write!(f, "{what} {}", range.start);
    }
    write!(f, "{what}s {} to {last}", range.start)
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A field is not what it should be.
    Field(FieldFault),
    /// A rule is broken that is about no single field.
    Is(&'static str),
    /// The bytes could not be had.
    Unread {
        /// How many.
        length: u64,
        /// Why not.
        kind: io::ErrorKind,
    },
    /// Two values have the same clusters.
    Shared(Structure, Structure),
    /// The volume was not left in order.
    Unclean(Unclean),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(fault) => fault.fmt(f),
            Self::Is(what) => f.write_str(what),
            Self::Unread { length, kind } => write!(f, "{length} bytes cannot be read: {kind}"),
            Self::Shared(first, second) => write!(f, "owned by {first} and by {second}"),
            Self::Unclean(reason) => reason.fmt(f),
        }
    }
}

impl Problem {
    pub(super) const fn number(field: &'static str, expected: Expected, actual: u64) -> Self {
        Self::Field(FieldFault::Number { field, expected, actual })
    }

    pub(super) const fn code(field: &'static str, expected: Expected, actual: u64) -> Self {
        Self::Field(FieldFault::Code { field, expected, actual })
    }
}

/// What there is on a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that are no directories, the volume's own as well.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Names of files and directories.
    pub names: u64,
    /// Records in use.
    pub records: u64,
    /// Records there are.
    pub all_records: u64,
    /// Clusters that belong to something.
    pub clusters: u64,
    /// Clusters there are.
    pub all_clusters: u64,
    /// Bytes of a cluster.
    pub cluster_size: u32,
    /// Blocks of indexes.
    pub index_blocks: u64,
    /// Security descriptors.
    pub descriptors: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in the order in which it was found; of each rule the first hundred.
    pub findings: Vec<Finding>,
    /// How often each rule is broken.
    pub counts: BTreeMap<Rule, u64>,
    /// What there is.
    pub summary: Summary,
}

impl Report {
    /// How bad the worst finding is; `None` if there is none.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.counts.keys().map(|rule| rule.severity()).max()
    }

    /// How many findings are so bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        let found = self.counts.iter().filter(|(rule, _)| rule.severity() == severity);
        found.map(|(_, count)| count).sum()
    }
}

/// Takes findings as they come.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) counts: BTreeMap<Rule, u64>,
    /// What was found before is found again, and not to be told twice.
    quiet: bool,
    /// What has to be written anew.
    pub(super) worn: Worn,
}

/// What has to be written anew, for a repair; files and directories by their records.
#[derive(Debug, Default)]
pub(super) struct Worn {
    /// Those whose indexes are not what they should be.
    pub(super) indexes: BTreeSet<RecordNumber>,
    /// Those whose records say the same in a wrong way.
    pub(super) records: BTreeSet<RecordNumber>,
    /// Those that are in no directory that is there.
    pub(super) orphans: BTreeSet<RecordNumber>,
    /// Those of which not all attributes can be understood: nothing of them is written anew.
    pub(super) broken: BTreeSet<RecordNumber>,
    /// Entries that lead to damaged records, with their directories.
    pub(super) kept: Vec<(RecordNumber, Vec<u8>)>,
    /// A record of zeros is marked as in use: perhaps there was a file.
    pub(super) zeroed: bool,
}

impl Worn {
    fn note(&mut self, rule: Rule, subject: &Subject) {
        let (record, is_index) = match subject {
            Subject::Structure(Structure::Attribute(record, kind))
            | Subject::Blocks(Structure::Attribute(record, kind), _) => {
                (*record, *kind == AttributeKind::INDEX_ALLOCATION)
            }
            Subject::Structure(Structure::FileRecord(record)) | Subject::Name(record, _) => {
                (*record, false)
            }
            Subject::Entry(record, _) => (*record, true),
            _ => return,
        };
        match rule {
            Rule::IndexRoot
            | Rule::IndexNode
            | Rule::IndexChild
            | Rule::IndexDepth
            | Rule::IndexOrder
            | Rule::UnmarkedBlock
            | Rule::LostBlock => {
                self.indexes.insert(record);
            }
            Rule::UpdateSequence
            | Rule::Name
            | Rule::StrayEntry
            | Rule::EntryReference
            | Rule::EntryKind
                if is_index =>
            {
                self.indexes.insert(record);
            }
            Rule::Signature
            | Rule::UpdateSequence
            | Rule::RecordHeader
            | Rule::Attribute
            | Rule::Residence
            | Rule::Runs
            | Rule::Size
            | Rule::AttributeList
            | Rule::Extension
            | Rule::Unread => {
                self.broken.insert(record);
            }
            Rule::Links | Rule::AttributeOrder | Rule::Instance => {
                self.records.insert(record);
            }
            Rule::Parent | Rule::Unreachable => {
                self.orphans.insert(record);
            }
            _ => {}
        }
    }
}

impl Findings {
    /// All of them.
    pub(super) fn report(&mut self, summary: Summary) -> Report {
        let (findings, counts) = (std::mem::take(&mut self.list), std::mem::take(&mut self.counts));
        Report { findings, counts, summary }
    }

    /// How often a rule is broken.
    pub(super) fn has(&self, rule: Rule) -> bool {
        self.counts.contains_key(&rule)
    }

    /// Takes nothing.
    pub(super) fn quiet() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    pub(super) fn add(
        &mut self,
        rule: Rule,
        subject: Subject,
        offset: Option<u64>,
        problem: Problem,
    ) {
        if self.quiet {
            return;
        }
        self.worn.note(rule, &subject);
        let count = self.counts.entry(rule).or_insert(0);
        *count += 1;
        if *count <= MOST {
            self.list.push(Finding { rule, subject, problem, offset });
        }
    }

    /// A structure breaks a rule that is about no single field.
    pub(super) fn structure(
        &mut self,
        rule: Rule,
        structure: Structure,
        offset: u64,
        what: &'static str,
    ) {
        self.add(rule, Subject::Structure(structure), Some(offset), Problem::Is(what));
    }

    pub(super) fn corruption(&mut self, rule: Rule, corruption: Corruption) {
        let Corruption { structure, offset, fault } = corruption;
        self.add(rule, Subject::Structure(structure), Some(offset), Problem::Field(fault));
    }

    /// A number is not what it should be.
    pub(super) fn number(
        &mut self,
        rule: Rule,
        (structure, offset): (Structure, u64),
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) {
        self.corruption(rule, Corruption::number(structure, offset, field, expected, actual));
    }

    /// A number that should be exactly this.
    pub(super) fn equal(
        &mut self,
        rule: Rule,
        place: (Structure, u64),
        field: &'static str,
        (expected, actual): (u64, u64),
    ) {
        if expected != actual {
            self.number(rule, place, field, Expected::Exactly(expected), actual);
        }
    }

    /// Something could not be read; `rule` if the bytes are there and break it.
    pub(super) fn error(&mut self, rule: Rule, error: ReadError) {
        match error {
            ReadError::Corruption(corruption) => self.corruption(rule, corruption),
            ReadError::Io { structure, offset, length, source } => {
                let problem = Problem::Unread { length, kind: source.kind() };
                self.add(Rule::Unread, Subject::Structure(structure), Some(offset), problem);
            }
            ReadError::Compressed { structure, offset, .. }
            | ReadError::SystemCompressed { structure, offset, .. } => {
                let problem = Problem::Is("cannot be decompressed");
                self.add(rule, Subject::Structure(structure), Some(offset), problem);
            }
        }
    }
}
