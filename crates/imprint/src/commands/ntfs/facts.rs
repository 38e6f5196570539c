//! What is said of files on volumes: one document each, with stable names.

use imprint_ntfs::{Clusters, FileAttribute, FileValue, Namespace, Overlay, Swept};
use imprint_winvalues::reparse::{self, Link, LinkKind};
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, FileTime, WinName};
use serde::{Serialize, Serializer};

/// File attributes as records have them; the rest of the bits are the names'.
const STORED: u32 = 0x0fff_ffff;

/// A name in a JSON document.
#[derive(Debug, Serialize)]
pub(super) struct NameFacts {
    pub(super) name: String,
    /// In UTF-16 units, if it is not well formed and `name` shows replacement characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_utf16: Option<Vec<u16>>,
}

impl From<&WinName> for NameFacts {
    fn from(name: &WinName) -> Self {
        let units = String::from_utf16(name.units()).is_err().then(|| name.units().to_vec());
        Self { name: name.to_string(), name_utf16: units }
    }
}

/// File attributes, as bits and by name.
#[derive(Debug, Serialize)]
pub(super) struct AttributeFacts {
    #[serde(rename = "attributes", serialize_with = "bits")]
    pub(super) set: Attributes,
    attribute_names: Vec<String>,
}

impl AttributeFacts {
    pub(super) fn new(stored: u32, is_directory: bool) -> Self {
        let mut set = Attributes::from_bits_retain(stored & STORED);
        set.set(Attributes::DIRECTORY, is_directory);
        let names = set.iter_names().map(|(name, _)| name.to_ascii_lowercase());
        Self { set, attribute_names: names.collect() }
    }

    /// Their names, in a row.
    pub(super) fn text(&self) -> String {
        self.attribute_names.join(", ")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn bits<S: Serializer>(set: &Attributes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(set.bits())
}

/// The four times.
#[derive(Debug, Serialize)]
pub(super) struct TimeFacts {
    #[serde(serialize_with = "text")]
    pub(super) creation_time: FileTime,
    #[serde(serialize_with = "text")]
    pub(super) last_write_time: FileTime,
    #[serde(serialize_with = "text")]
    pub(super) last_access_time: FileTime,
    /// Of the record.
    #[serde(serialize_with = "text")]
    pub(super) change_time: FileTime,
}

impl From<&Times> for TimeFacts {
    fn from(times: &Times) -> Self {
        Self {
            creation_time: times.creation,
            last_write_time: times.write,
            last_access_time: times.access,
            change_time: times.change.unwrap_or_default(),
        }
    }
}

fn text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A reparse point.
#[derive(Debug, Serialize)]
pub(super) struct ReparseFacts {
    pub(super) tag: u32,
    /// What it is, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    /// How Windows compressed the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) compression: Option<String>,
    /// What a link shows to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) print_name: Option<String>,
    /// Without tag and length, in hexadecimal.
    pub(super) data: String,
}

impl ReparseFacts {
    fn new(tag: u32, data: &[u8]) -> Self {
        let link = Link::parse(tag, data).ok();
        let kind = match (tag, link.as_ref().map(|link| link.kind)) {
            (_, Some(LinkKind::Junction)) => Some("junction"),
            (_, Some(LinkKind::SymbolicLink { relative: true })) => Some("relative symbolic link"),
            (_, Some(LinkKind::SymbolicLink { relative: false })) => Some("symbolic link"),
            (reparse::TAG_DEDUPLICATION, None) => Some("deduplicated"),
            (reparse::TAG_OVERLAY, None) => Some("overlay"),
            (0x8000_001b, None) => Some("app execution link"),
            (0xa000_001d, None) => Some("symbolic link of Linux"),
            (0x8000_0023, None) => Some("socket"),
            (tag, None) if tag & 0xffff_0fff == 0x9000_001a => Some("file of a cloud"),
            (_, None) => None,
        };
        Self {
            tag,
            kind,
            target: link.as_ref().map(|link| link.substitute.to_string()),
            compression: None,
            print_name: link.map(|link| link.print.to_string()).filter(|name| !name.is_empty()),
            data: hex(data),
        }
    }

    /// Of a file that has one.
    pub(super) fn of(file: &Swept) -> Option<Self> {
        let (tag, _, data) = file.extras.as_ref()?.reparse.as_ref()?;
        let mut facts = Self::new(*tag, data);
        match file.overlay() {
            Overlay::Compressed(data) => {
                facts.kind = Some("compressed by Windows");
                facts.compression = Some(data.format().to_string());
            }
            Overlay::Wim => facts.kind = Some("data in a WIM file"),
            Overlay::None | Overlay::Unknown => {}
        }
        Some(facts)
    }

    /// What it points to, for people.
    pub(super) fn shown(&self) -> Option<&str> {
        self.print_name.as_deref().or(self.target.as_deref())
    }
}

/// An attribute of a record, or of several.
#[derive(Debug, Serialize)]
pub(super) struct ValueFacts {
    /// Such as `$DATA`.
    kind: String,
    code: u32,
    #[serde(flatten)]
    name: NameFacts,
    resident: bool,
    /// Bytes of the value.
    size: u64,
    /// Bytes of the clusters it takes.
    allocated: u64,
    /// Bytes of it that were written.
    initialised: u64,
    compressed: bool,
    sparse: bool,
    encrypted: bool,
    /// Pieces on the volume, holes not counted.
    runs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_cluster: Option<u64>,
}

impl From<&FileAttribute> for ValueFacts {
    fn from(attribute: &FileAttribute) -> Self {
        let (clusters, bytes) = match &attribute.value {
            FileValue::Resident(bytes) => (None, <[u8]>::len(bytes) as u64),
            FileValue::Clusters(clusters) => (Some(clusters), clusters.size()),
        };
        let runs = clusters.map(Clusters::runs).unwrap_or_default();
        let places = || runs.iter().filter_map(|run| run.lcn);
        Self {
            kind: attribute.kind.to_string(),
            code: attribute.kind.0,
            name: NameFacts::from(&WinName::from_le_bytes(&attribute.name)),
            resident: clusters.is_none(),
            size: bytes,
            allocated: clusters.map_or(0, Clusters::allocated),
            initialised: clusters.map_or(bytes, Clusters::initialised),
            compressed: attribute.is_compressed(),
            sparse: attribute.is_sparse(),
            encrypted: attribute.is_encrypted(),
            runs: places().count(),
            first_cluster: places().next().map(|lcn| lcn.0),
        }
    }
}

impl ValueFacts {
    /// All of it in a line.
    pub(super) fn text(&self) -> String {
        let mut text = self.kind.clone();
        if !self.name.name.is_empty() {
            text += &format!(" {:?}", self.name.name);
        }
        text += &format!(", {} bytes", self.size);
        if self.resident {
            text += ", in the record";
        } else {
            let runs = if self.runs == 1 { "run" } else { "runs" };
            text += &format!(", {} allocated, {} {runs}", self.allocated, self.runs);
            let first = self.first_cluster.map(|first| format!(" from cluster {first}"));
            text += &first.unwrap_or_default();
        }
        if self.initialised < self.size {
            text += &format!(", {} initialised", self.initialised);
        }
        let flags = [
            (self.compressed, "compressed"),
            (self.sparse, "sparse"),
            (self.encrypted, "encrypted"),
        ];
        for (_, name) in flags.iter().filter(|(is_set, _)| *is_set) {
            text += ", ";
            text += name;
        }
        text
    }
}

/// For which programs a name is, in JSON documents.
pub(super) const fn namespace_name(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Posix => "posix",
        Namespace::Win32 => "win32",
        Namespace::Dos => "dos",
        Namespace::Win32AndDos => "win32_and_dos",
    }
}

/// Bytes in hexadecimal, without separators.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
