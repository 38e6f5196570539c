//! What the XML document says of an image.

use std::io::{self, Write};

use imprint_wim::{ImageInfo, WindowsInfo};
use imprint_winvalues::FileTime;
use serde::Serialize;

use super::{as_optional_text, write_facts};

/// Facts about an image.
#[derive(Debug, Serialize)]
pub(crate) struct ImageFacts {
    index: u32,
    name: String,
    description: Option<String>,
    display_name: Option<String>,
    display_description: Option<String>,
    directory_count: u64,
    file_count: u64,
    total_bytes: u64,
    hard_link_bytes: u64,
    #[serde(serialize_with = "as_optional_text")]
    creation_time: Option<FileTime>,
    #[serde(serialize_with = "as_optional_text")]
    last_modification_time: Option<FileTime>,
    flags: Option<String>,
    wimboot: bool,
    windows: Option<WindowsFacts>,
}

/// Facts about the Windows in an image.
#[derive(Debug, Serialize)]
struct WindowsFacts {
    architecture: Option<&'static str>,
    product_name: Option<String>,
    edition_id: Option<String>,
    installation_type: Option<String>,
    hal: Option<String>,
    product_type: Option<String>,
    product_suite: Option<String>,
    languages: Vec<String>,
    default_language: Option<String>,
    system_root: Option<String>,
    version: Option<VersionFacts>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct VersionFacts {
    major: u64,
    minor: u64,
    build: u64,
    service_pack_build: u64,
    service_pack_level: u64,
}

impl ImageFacts {
    /// Takes what is said of the image with this index, counted from 1.
    pub(crate) fn new(index: u32, info: ImageInfo) -> Self {
        Self {
            index,
            name: info.name,
            description: info.description,
            display_name: info.display_name,
            display_description: info.display_description,
            directory_count: info.dir_count,
            file_count: info.file_count,
            total_bytes: info.total_bytes,
            hard_link_bytes: info.hard_link_bytes,
            creation_time: info.creation_time,
            last_modification_time: info.last_modification_time,
            flags: info.flags,
            wimboot: info.wimboot,
            windows: info.windows.map(WindowsFacts::from),
        }
    }

    /// Prints the facts with wimlib's labels; times are in UTC, as images do not know time zones.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut facts = vec![
            ("Index:", self.index.to_string()),
            ("Name:", self.name.clone()),
            ("Description:", self.description.clone().unwrap_or_default()),
        ];
        push(&mut facts, "Display Name:", self.display_name.as_ref());
        push(&mut facts, "Display Description:", self.display_description.as_ref());
        facts.extend([
            ("Directory Count:", self.directory_count.to_string()),
            ("File Count:", self.file_count.to_string()),
            ("Total Bytes:", self.total_bytes.to_string()),
            ("Hard Link Bytes:", self.hard_link_bytes.to_string()),
        ]);
        push(&mut facts, "Creation Time:", self.creation_time);
        push(&mut facts, "Last Modification Time:", self.last_modification_time);
        if let Some(windows) = &self.windows {
            windows.add_to(&mut facts);
        }
        push(&mut facts, "Flags:", self.flags.as_ref());
        facts.push(("WIMBoot compatible:", yes_or_no(self.wimboot)));
        write_facts(out, 24, &facts)?;
        writeln!(out)
    }
}

impl From<WindowsInfo> for WindowsFacts {
    fn from(info: WindowsInfo) -> Self {
        Self {
            architecture: info.arch.map(architecture),
            product_name: info.product_name,
            edition_id: info.edition_id,
            installation_type: info.installation_type,
            hal: info.hal,
            product_type: info.product_type,
            product_suite: info.product_suite,
            languages: info.languages,
            default_language: info.default_language,
            system_root: info.system_root,
            version: info.version.map(|version| VersionFacts {
                major: version.major,
                minor: version.minor,
                build: version.build,
                service_pack_build: version.sp_build,
                service_pack_level: version.sp_level,
            }),
        }
    }
}

impl WindowsFacts {
    fn add_to(&self, facts: &mut Vec<(&str, String)>) {
        push(facts, "Architecture:", self.architecture);
        push(facts, "Product Name:", self.product_name.as_ref());
        push(facts, "Edition ID:", self.edition_id.as_ref());
        push(facts, "Installation Type:", self.installation_type.as_ref());
        push(facts, "HAL:", self.hal.as_ref());
        push(facts, "Product Type:", self.product_type.as_ref());
        push(facts, "Product Suite:", self.product_suite.as_ref());
        let languages = Some(self.languages.join(" ")).filter(|list| !list.is_empty());
        push(facts, "Languages:", languages);
        push(facts, "Default Language:", self.default_language.as_ref());
        push(facts, "System Root:", self.system_root.as_ref());
        let Some(version) = self.version else { return };
        push(facts, "Major Version:", Some(version.major));
        push(facts, "Minor Version:", Some(version.minor));
        push(facts, "Build:", Some(version.build));
        push(facts, "Service Pack Build:", Some(version.service_pack_build));
        push(facts, "Service Pack Level:", Some(version.service_pack_level));
    }
}

fn push<T: ToString>(facts: &mut Vec<(&str, String)>, label: &'static str, value: Option<T>) {
    facts.extend(value.map(|value| (label, value.to_string())));
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// Name of a processor architecture. Source: `PROCESSOR_ARCHITECTURE_*` of winnt.h; spelled as wimlib
/// does.
const fn architecture(number: u64) -> &'static str {
    match number {
        0 => "x86",
        1 => "MIPS",
        5 => "ARM",
        6 => "ia64",
        9 => "x86_64",
        12 => "ARM64",
        _ => "unknown",
    }
}
