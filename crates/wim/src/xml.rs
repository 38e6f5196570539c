//! The XML data: what people and programs are told of the images.

use imprint_winvalues::FileTime;

use crate::error::{Corruption, PropertyError};

/// What the XML data says of an image. Elements not named here are kept and can be reached with
/// [`WimInfo::property`].
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

/// The XML data of a file.
#[derive(Clone, Debug, Default)]
pub struct WimInfo {
    images: Vec<ImageInfo>,
}

impl WimInfo {
    /// Makes the XML data of a file without images.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads UTF-16LE XML with or without byte order mark. `offset` is where it lies in the file.
    ///
    /// # Errors
    /// [`Corruption`] if it is malformed, too deep or too large, or its images are not numbered.
    pub fn parse(bytes: &[u8], offset: u64) -> Result<Self, Corruption> {
        let _ = (bytes, offset);
        Ok(Self::new())
    }

    /// Makes UTF-16LE bytes with a byte order mark.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Number of images.
    #[must_use]
    pub fn image_count(&self) -> u32 {
        u32::try_from(self.images.len()).unwrap_or(u32::MAX)
    }

    /// Whether the file says that it is an encrypted ESD.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        false
    }

    /// `TOTALBYTES` of the file: bytes up to the XML data.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        None
    }

    /// What is said of an image, counted from 1.
    #[must_use]
    pub fn image(&self, index: u32) -> Option<ImageInfo> {
        self.images.get(usize::try_from(index.checked_sub(1)?).ok()?).cloned()
    }

    /// Sets what is said of an image, counted from 1; elements that [`ImageInfo`] does not know stay.
    ///
    /// # Errors
    /// [`PropertyError`] if there is no such image, a value holds characters XML forbids, or another
    /// image has the name.
    pub fn set_image(&mut self, index: u32, info: &ImageInfo) -> Result<(), PropertyError> {
        let _ = (index, info);
        Ok(())
    }

    /// Finds the image whose `NAME` is exactly this.
    #[must_use]
    pub fn find_image(&self, name: &str) -> Option<u32> {
        let _ = name;
        None
    }

    /// The text of an element of an image, by a path like `WINDOWS/LANGUAGES/LANGUAGE[2]`; `None` if
    /// there is no such element.
    ///
    /// # Errors
    /// [`PropertyError`] if there is no such image or the path is not well formed.
    pub fn property(&self, index: u32, path: &str) -> Result<Option<String>, PropertyError> {
        let _ = (index, path);
        Ok(None)
    }

    /// Sets the text of an element of an image, making it and its parents if needed; an empty value
    /// removes the element.
    ///
    /// # Errors
    /// [`PropertyError`] if there is no such image, the path is not well formed, the value holds
    /// characters XML forbids, or another image has the name.
    pub fn set_property(
        &mut self,
        index: u32,
        path: &str,
        value: &str,
    ) -> Result<(), PropertyError> {
        let _ = (index, path, value);
        Ok(())
    }
}
