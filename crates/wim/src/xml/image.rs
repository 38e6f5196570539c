//! What the XML data says of an image, typed.

use imprint_winvalues::FileTime;

use super::dom::{Element, Node};
use super::path::{Path, check_value};
use crate::error::PropertyError;

/// What the XML data says of an image. Elements not named here are kept and can be reached with
/// [`super::WimInfo::property`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// `NAME`; empty if there is none.
    pub name: String,
    /// `DESCRIPTION`.
    pub description: Option<String>,
    /// `DISPLAYNAME`, shown by Windows Setup.
    pub display_name: Option<String>,
    /// `DISPLAYDESCRIPTION`, shown by Windows Setup.
    pub display_description: Option<String>,
    /// `FLAGS`: the edition id, needed by Windows Setup.
    pub flags: Option<String>,
    /// `DIRCOUNT`: directories, the root included.
    pub dir_count: u64,
    /// `FILECOUNT`: names of files.
    pub file_count: u64,
    /// `TOTALBYTES`: bytes of all streams under all names.
    pub total_bytes: u64,
    /// `HARDLINKBYTES`: bytes that count more than once because of hard links.
    pub hard_link_bytes: u64,
    /// `CREATIONTIME`.
    pub creation_time: Option<FileTime>,
    /// `LASTMODIFICATIONTIME`.
    pub last_modification_time: Option<FileTime>,
    /// `WIMBOOT`.
    pub wimboot: bool,
    /// `WINDOWS`.
    pub windows: Option<WindowsInfo>,
}

/// What the XML data says of the Windows installation in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowsInfo {
    /// `ARCH`: 0 x86, 5 ARM, 6 Itanium, 9 x64, 12 ARM64.
    pub arch: Option<u64>,
    /// `PRODUCTNAME`.
    pub product_name: Option<String>,
    /// `EDITIONID`.
    pub edition_id: Option<String>,
    /// `INSTALLATIONTYPE`.
    pub installation_type: Option<String>,
    /// `HAL`.
    pub hal: Option<String>,
    /// `PRODUCTTYPE`.
    pub product_type: Option<String>,
    /// `PRODUCTSUITE`.
    pub product_suite: Option<String>,
    /// `LANGUAGES/LANGUAGE`, all.
    pub languages: Vec<String>,
    /// `LANGUAGES/DEFAULT`.
    pub default_language: Option<String>,
    /// `VERSION`.
    pub version: Option<WindowsVersion>,
    /// `SYSTEMROOT`.
    pub system_root: Option<String>,
}

/// Version of Windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowsVersion {
    /// `MAJOR`.
    pub major: u64,
    /// `MINOR`.
    pub minor: u64,
    /// `BUILD`.
    pub build: u64,
    /// `SPBUILD`.
    pub sp_build: u64,
    /// `SPLEVEL`.
    pub sp_level: u64,
}

fn text(element: &Element, name: &str) -> Option<String> {
    element.child(name).map(Element::text).filter(|text| !text.is_empty())
}

/// The digits a text starts with, as other readers take them.
fn number(element: &Element, name: &str) -> Option<u64> {
    let text = element.child(name)?.text();
    let digits = text.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

fn time(element: &Element, name: &str) -> Option<FileTime> {
    let element = element.child(name)?;
    let part = |name| {
        let text = element.child(name)?.text();
        let text = text.trim();
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        u32::from_str_radix(digits, 16).ok()
    };
    let (high, low) = (part("HIGHPART")?, part("LOWPART")?);
    Some(FileTime(u64::from(high) << 32 | u64::from(low)))
}

impl ImageInfo {
    pub(super) fn read(image: &Element) -> Self {
        Self {
            name: text(image, "NAME").unwrap_or_default(),
            description: text(image, "DESCRIPTION"),
            display_name: text(image, "DISPLAYNAME"),
            display_description: text(image, "DISPLAYDESCRIPTION"),
            flags: text(image, "FLAGS"),
            dir_count: number(image, "DIRCOUNT").unwrap_or(0),
            file_count: number(image, "FILECOUNT").unwrap_or(0),
            total_bytes: number(image, "TOTALBYTES").unwrap_or(0),
            hard_link_bytes: number(image, "HARDLINKBYTES").unwrap_or(0),
            creation_time: time(image, "CREATIONTIME"),
            last_modification_time: time(image, "LASTMODIFICATIONTIME"),
            wimboot: number(image, "WIMBOOT").is_some_and(|value| value != 0),
            windows: image.child("WINDOWS").map(WindowsInfo::read),
        }
    }

    /// Writes what differs from what is there; the image's other elements stay where they are.
    pub(super) fn write(&self, image: &mut Element) -> Result<(), PropertyError> {
        let old = Self::read(image);
        set(image, "NAME", Some(&self.name))?;
        for (path, value) in [
            ("DIRCOUNT", self.dir_count),
            ("FILECOUNT", self.file_count),
            ("TOTALBYTES", self.total_bytes),
            ("HARDLINKBYTES", self.hard_link_bytes),
        ] {
            set(image, path, Some(&value.to_string()))?;
        }
        set_time(image, "CREATIONTIME", self.creation_time, old.creation_time)?;
        let (new_time, old_time) = (self.last_modification_time, old.last_modification_time);
        set_time(image, "LASTMODIFICATIONTIME", new_time, old_time)?;
        for (path, value) in [
            ("DESCRIPTION", &self.description),
            ("DISPLAYNAME", &self.display_name),
            ("DISPLAYDESCRIPTION", &self.display_description),
            ("FLAGS", &self.flags),
        ] {
            set(image, path, value.as_deref())?;
        }
        if self.wimboot != old.wimboot {
            set(image, "WIMBOOT", self.wimboot.then_some("1"))?;
        }
        match (&self.windows, &old.windows) {
            (Some(new), old) if old.as_ref() != Some(new) => {
                new.write(image, old.as_ref().unwrap_or(&WindowsInfo::default()))
            }
            (None, Some(_)) => set(image, "WINDOWS", None),
            _ => Ok(()),
        }
    }
}

impl WindowsInfo {
    fn read(windows: &Element) -> Self {
        let languages = windows.child("LANGUAGES");
        let named = |e: &&Element| e.name == "LANGUAGE";
        Self {
            arch: number(windows, "ARCH"),
            product_name: text(windows, "PRODUCTNAME"),
            edition_id: text(windows, "EDITIONID"),
            installation_type: text(windows, "INSTALLATIONTYPE"),
            hal: text(windows, "HAL"),
            product_type: text(windows, "PRODUCTTYPE"),
            product_suite: text(windows, "PRODUCTSUITE"),
            languages: languages
                .map(|l| l.elements().filter(named).map(Element::text).collect())
                .unwrap_or_default(),
            default_language: languages.and_then(|l| text(l, "DEFAULT")),
            version: windows.child("VERSION").map(WindowsVersion::read),
            system_root: text(windows, "SYSTEMROOT"),
        }
    }

    fn write(&self, image: &mut Element, old: &Self) -> Result<(), PropertyError> {
        if image.child("WINDOWS").is_none() {
            image.children.push(Node::Element(Element::new("WINDOWS")));
        }
        let arch = self.arch.map(|arch| arch.to_string());
        for (path, value) in [
            ("WINDOWS/ARCH", arch.as_deref()),
            ("WINDOWS/PRODUCTNAME", self.product_name.as_deref()),
            ("WINDOWS/EDITIONID", self.edition_id.as_deref()),
            ("WINDOWS/INSTALLATIONTYPE", self.installation_type.as_deref()),
            ("WINDOWS/HAL", self.hal.as_deref()),
            ("WINDOWS/PRODUCTTYPE", self.product_type.as_deref()),
            ("WINDOWS/PRODUCTSUITE", self.product_suite.as_deref()),
        ] {
            set(image, path, value)?;
        }
        if self.languages != old.languages {
            for _ in &old.languages {
                set(image, "WINDOWS/LANGUAGES/LANGUAGE", None)?;
            }
            for (index, language) in (1..).zip(&self.languages) {
                set(image, &format!("WINDOWS/LANGUAGES/LANGUAGE[{index}]"), Some(language))?;
            }
        }
        set(image, "WINDOWS/LANGUAGES/DEFAULT", self.default_language.as_deref())?;
        match self.version {
            Some(version) if old.version != Some(version) => version.write(image)?,
            None => set(image, "WINDOWS/VERSION", None)?,
            Some(_) => {}
        }
        set(image, "WINDOWS/SYSTEMROOT", self.system_root.as_deref())
    }
}

impl WindowsVersion {
    fn read(version: &Element) -> Self {
        let part = |name| number(version, name).unwrap_or(0);
        Self {
            major: part("MAJOR"),
            minor: part("MINOR"),
            build: part("BUILD"),
            sp_build: part("SPBUILD"),
            sp_level: part("SPLEVEL"),
        }
    }

    fn write(self, image: &mut Element) -> Result<(), PropertyError> {
        for (path, value) in [
            ("WINDOWS/VERSION/MAJOR", self.major),
            ("WINDOWS/VERSION/MINOR", self.minor),
            ("WINDOWS/VERSION/BUILD", self.build),
            ("WINDOWS/VERSION/SPBUILD", self.sp_build),
            ("WINDOWS/VERSION/SPLEVEL", self.sp_level),
        ] {
            set(image, path, Some(&value.to_string()))?;
        }
        Ok(())
    }
}

fn set_time(
    image: &mut Element,
    name: &str,
    new: Option<FileTime>,
    old: Option<FileTime>,
) -> Result<(), PropertyError> {
    match new {
        _ if new == old => Ok(()),
        None => set(image, name, None),
        Some(FileTime(ticks)) => {
            let (high, low) = (ticks >> 32, ticks & 0xffff_ffff);
            set(image, &format!("{name}/HIGHPART"), Some(&format!("0x{high:08X}")))?;
            set(image, &format!("{name}/LOWPART"), Some(&format!("0x{low:08X}")))
        }
    }
}

/// Sets, makes or (without a value, or with an empty one) removes an element.
pub(super) fn set(
    image: &mut Element,
    path: &str,
    value: Option<&str>,
) -> Result<(), PropertyError> {
    let parsed = Path::parse(path)?;
    let value = value.unwrap_or_default();
    check_value(path, value)?;
    if value.is_empty() {
        parsed.remove(image);
        return Ok(());
    }
    if parsed.find(image).is_some_and(|element| element.text() == value) {
        return Ok(());
    }
    parsed.set(image, value)
}
