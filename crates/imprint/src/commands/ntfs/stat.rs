//! `imprint ntfs stat`: all that is known of a file.

use anyhow::Context;
use imprint_ntfs::{File, FileName, FileReference, Namespace, RecordNumber, Swept};
use imprint_winvalues::security;
use imprint_winvalues::{Guid, WinName};
use serde::Serialize;

use super::facts::{
    AttributeFacts, NameFacts, ReparseFacts, TimeFacts, ValueFacts, hex, namespace_name,
};
use super::{Opened, path_of};
use crate::cli::ntfs::StatArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::report::path::{PathFacts, PathStyle};
use crate::report::write_facts;

/// The root directory.
const ROOT: RecordNumber = RecordNumber(5);
/// Directories within directories; Windows allows paths of 32,767 units.
const MAX_DEPTH: usize = 16_384;

/// Shows a file.
pub(super) fn run(args: &StatArgs, console: &mut Console) -> anyhow::Result<Status> {
    let opened = Opened::new(&args.volume)?;
    let (record, file) = opened.choose(args.path.as_deref(), args.file.record)?;
    let read = || -> Result<_, imprint_ntfs::ReadError> {
        Ok(opened.volume.file(record)?.zip(opened.volume.look(record)?))
    };
    let found = read().with_context(|| opened.reading(&file))?;
    let (whole, swept) = found.ok_or_else(|| opened.no_such_record(record))?;
    let document = Document::new(&opened, &whole, &swept);
    if console.json() {
        console.print_json(&document)?;
    } else {
        let style = console.path_style();
        write_facts(console, 22, &document.facts(style))?;
    }
    for warning in &document.warnings {
        console.warn(&format_args!("warning: {warning}\n"));
    }
    Ok(if document.warnings.is_empty() { Status::Done } else { Status::Incomplete })
}

#[derive(Serialize)]
struct Document {
    path: String,
    record: u64,
    use_count: u16,
    is_directory: bool,
    /// As the first record counts them, short names too.
    links: u16,
    #[serde(flatten)]
    attributes: AttributeFacts,
    #[serde(flatten)]
    times: TimeFacts,
    names: Vec<FileNameFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<SecurityFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reparse_point: Option<ReparseFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<ObjectIdFacts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extended_attributes: Vec<ExtendedFacts>,
    values: Vec<ValueFacts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// One of a file's names.
#[derive(Serialize)]
struct FileNameFacts {
    #[serde(flatten)]
    name: NameFacts,
    namespace: &'static str,
    parent_record: u64,
    parent_use_count: u16,
    /// From the root; absent if a directory on the way is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<PathFacts>,
    #[serde(skip)]
    path: Option<Vec<WinName>>,
    #[serde(skip)]
    units: WinName,
}

#[derive(Serialize)]
struct SecurityFacts {
    /// In `$Secure`; absent for a descriptor of the file's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    owner: Option<String>,
    group: Option<String>,
    /// Absent if it has entries that are only shown as bytes.
    sddl: Option<String>,
    /// Self-relative, in hexadecimal.
    descriptor: String,
}

#[derive(Serialize)]
struct ObjectIdFacts {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_volume: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birth_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
}

#[derive(Serialize)]
struct ExtendedFacts {
    name: String,
    flags: u8,
    size: usize,
    /// In hexadecimal.
    value: String,
}

impl Document {
    fn new(opened: &Opened<'_>, whole: &File, swept: &Swept) -> Self {
        let mut warnings = Vec::new();
        let extras = swept.extras.as_deref();
        let extended = extras.map(|extras| extras.extended.as_slice()).unwrap_or_default();
        let object_id = extras.and_then(|extras| extras.object_id.as_deref());
        let security = security(opened, swept, &mut warnings);
        let object_id = object_id.map(|id| object_id_facts(opened, id, &mut warnings));
        let names = swept.names.iter().map(|name| file_name(opened, name)).collect();
        let values = whole.attributes.iter().map(ValueFacts::from).collect();
        Self {
            path: opened.path.to_string_lossy().into_owned(),
            record: whole.reference.record.0,
            use_count: whole.reference.use_count,
            is_directory: whole.is_directory,
            links: whole.links,
            attributes: AttributeFacts::new(swept.information.attributes, whole.is_directory),
            times: TimeFacts::from(&swept.information.times),
            names,
            security,
            reparse_point: ReparseFacts::of(swept),
            object_id,
            extended_attributes: extended
                .iter()
                .map(|one| ExtendedFacts {
                    name: String::from_utf8_lossy(&one.name).into_owned(),
                    flags: one.flags,
                    size: <[u8]>::len(&one.value),
                    value: hex(&one.value),
                })
                .collect(),
            values,
            warnings,
        }
    }

    fn facts(&self, style: PathStyle) -> Vec<(&'static str, String)> {
        let shown = |text: &str| {
            String::from_utf8_lossy(&style.shown(text.as_bytes().to_vec())).into_owned()
        };
        let kind = if self.is_directory { "directory" } else { "file" };
        let mut facts = vec![
            ("File record:", format!("{} (use count {})", self.record, self.use_count)),
            ("Kind:", kind.to_owned()),
        ];
        for name in &self.names {
            facts.push(("Name:", name.text(style)));
        }
        let (set, names) = (self.attributes.set.bits(), self.attributes.text());
        facts.push(("Attributes:", format!("{set:#010x} {names}").trim_end().to_owned()));
        facts.push(("Created:", self.times.creation_time.to_string()));
        facts.push(("Data changed:", self.times.last_write_time.to_string()));
        facts.push(("Record changed:", self.times.change_time.to_string()));
        facts.push(("Accessed:", self.times.last_access_time.to_string()));
        if let Some(security) = &self.security {
            facts.extend(security.facts());
        }
        if let Some(reparse) = &self.reparse_point {
            let kind = reparse.kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
            facts.push(("Reparse point:", format!("{:#010x}{kind}", reparse.tag)));
            for (label, text) in [
                ("  target:", &reparse.target),
                ("  shown as:", &reparse.print_name),
                ("  compression:", &reparse.compression),
            ] {
                facts.extend(text.iter().map(|text| (label, shown(text))));
            }
            facts.push(("  data:", reparse.data.clone()));
        }
        if let Some(id) = &self.object_id {
            facts.push(("Object id:", id.id.clone()));
            for (label, text) in [
                ("  born on volume:", &id.birth_volume),
                ("  born as:", &id.birth_id),
                ("  domain:", &id.domain),
            ] {
                facts.extend(text.iter().map(|text| (label, text.clone())));
            }
        }
        for one in &self.extended_attributes {
            let needed = if one.flags & 0x80 == 0 { "" } else { ", needed" };
            let text = format!("{} ({} bytes{needed})", shown(&one.name), one.size);
            facts.push(("Extended attribute:", text));
        }
        for value in &self.values {
            facts.push(("Attribute:", shown(&value.text())));
        }
        facts
    }
}

impl FileNameFacts {
    fn text(&self, style: PathStyle) -> String {
        let mut bytes = Vec::new();
        let (path, missing) = match &self.path {
            Some(path) => (path.as_slice(), ""),
            None => (std::slice::from_ref(&self.units), ", whose directory is not there"),
        };
        // Memory does not fail.
        let _written = style.write(&mut bytes, &path_of(path));
        let path = String::from_utf8_lossy(&bytes).into_owned();
        let (namespace, parent) = (self.namespace, self.parent_record);
        format!("{path} ({namespace}, in record {parent}{missing})")
    }
}

impl SecurityFacts {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let id = self.id.map_or("of its own".to_owned(), |id| format!("{id:#x}"));
        let mut facts = vec![("Security id:", id)];
        facts.extend(self.owner.iter().map(|sid| ("  owner:", sid.clone())));
        facts.extend(self.group.iter().map(|sid| ("  group:", sid.clone())));
        let text = match &self.sddl {
            Some(sddl) => ("  descriptor:", sddl.clone()),
            None => ("  descriptor:", format!("0x{}", self.descriptor)),
        };
        facts.push(text);
        facts
    }
}

/// A name with the path it makes.
fn file_name(opened: &Opened<'_>, name: &FileName) -> FileNameFacts {
    let path = full_path(opened, name);
    FileNameFacts {
        name: NameFacts::from(&name.name),
        namespace: namespace_name(name.namespace),
        parent_record: name.parent.record.0,
        parent_use_count: name.parent.use_count,
        full: path.as_ref().map(|path| PathFacts::from(&path_of(path))),
        path,
        units: name.name.clone(),
    }
}

/// The path from the root that ends in a name; `None` if a directory on the way is not there.
fn full_path(opened: &Opened<'_>, name: &FileName) -> Option<Vec<WinName>> {
    let mut names = Vec::new();
    let mut at = name.clone();
    // The root is in itself.
    while at.name.units() != [u16::from(b'.')] || at.parent.record != ROOT {
        names.push(at.name.clone());
        let parent = directory(opened, at.parent)?;
        if parent.reference.record == ROOT {
            break;
        }
        let long = |name: &&FileName| name.namespace != Namespace::Dos;
        at = parent.names.iter().find(long)?.clone();
        if names.len() >= MAX_DEPTH {
            return None;
        }
    }
    names.reverse();
    Some(names)
}

fn directory(opened: &Opened<'_>, reference: FileReference) -> Option<Swept> {
    let found = opened.volume.look(reference.record).ok().flatten()?;
    (found.reference == reference && found.is_directory).then_some(found)
}

fn security(
    opened: &Opened<'_>,
    file: &Swept,
    warnings: &mut Vec<String>,
) -> Option<SecurityFacts> {
    let id = Some(file.information.security).filter(|&id| id != 0);
    let own = || file.extras.as_ref().and_then(|extras| extras.security.as_ref());
    let bytes = match id {
        None => own().map(|bytes| bytes.to_vec()),
        Some(id) => {
            let volume = &opened.volume;
            let index = volume.security_index();
            let found = index.and_then(|index| volume.security_descriptor(&index, id));
            if matches!(found, Ok(None)) {
                warnings.push(format!("$Secure has no whole descriptor with the id {id:#x}"));
            }
            kept(found, warnings).flatten()
        }
    }?;
    let (owner, group) = security::owner_and_group(&bytes);
    Some(SecurityFacts { id, owner, group, sddl: security::sddl(&bytes), descriptor: hex(&bytes) })
}

fn object_id_facts(opened: &Opened<'_>, id: &[u8], warnings: &mut Vec<String>) -> ObjectIdFacts {
    let guids = |bytes: &[u8]| -> Vec<String> {
        bytes.as_chunks().0.iter().map(|&id| Guid(id).to_string()).collect()
    };
    let births = kept(opened.volume.birth_ids(), warnings).unwrap_or_default();
    let birth = id.first_chunk().and_then(|id| births.get(id));
    let mut rest = guids(birth.map_or(&[], |birth| birth.as_slice())).into_iter();
    let (birth_volume, birth_id, domain) = (rest.next(), rest.next(), rest.next());
    let first = guids(id).into_iter().next();
    ObjectIdFacts { id: first.unwrap_or_else(|| hex(id)), birth_volume, birth_id, domain }
}

/// What was found; what was not is a warning.
fn kept<T>(found: Result<T, imprint_ntfs::ReadError>, warnings: &mut Vec<String>) -> Option<T> {
    found.map_err(|error| warnings.push(format!("{:#}", anyhow::Error::from(error)))).ok()
}
