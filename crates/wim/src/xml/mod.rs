//! The XML data: what people and programs are told of the images.
//!
//! A document `<WIM><TOTALBYTES>n</TOTALBYTES><IMAGE INDEX="1">...</IMAGE>...</WIM>` in UTF-16LE behind
//! a byte order mark, which WIMGAPI demands. Everything in it is kept, known or not, except what lies
//! outside the root element.

mod dom;
mod image;
mod path;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use dom::{Element, Node};
pub use image::{ImageInfo, WindowsInfo, WindowsVersion};
use path::{Path, check_value};

use crate::error::{Corruption, Fault, PropertyError, Structure, XmlFault};

/// The XML data of a file.
#[derive(Clone, Debug)]
pub struct WimInfo {
    root: Element,
    /// Where in the root's children the element of each image is.
    images: Vec<usize>,
}

impl Default for WimInfo {
    fn default() -> Self {
        Self::new()
    }
}

impl WimInfo {
    /// Makes the XML data of a file without images.
    #[must_use]
    pub fn new() -> Self {
        Self { root: Element::new("WIM"), images: Vec::new() }
    }

    /// Reads UTF-16LE XML with or without byte order mark. `offset` is where it lies in the file.
    /// Unpaired surrogates become replacement characters.
    ///
    /// # Errors
    /// [`Corruption`] if it is malformed, too deep or too large, or its images are not numbered.
    pub fn parse(bytes: &[u8], offset: u64) -> Result<Self, Corruption> {
        let corrupt = |at: u64, fault| {
            Corruption::new(Structure::Xml, offset.saturating_add(at), Fault::Xml(fault))
        };
        let (units, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() {
            let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let rule = "number of bytes is odd, but the encoding is UTF-16";
            return Err(corrupt(at, XmlFault::Malformed { rule }));
        }
        let mark = usize::from(units.first() == Some(&[0xff, 0xfe]));
        let units = units.get(mark..).unwrap_or_default();
        let decoded = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)));
        let mut text = String::with_capacity(units.len());
        text.extend(decoded.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        // Some writers count a NUL at the end.
        let text = text.trim_end_matches('\0');
        let root = Element::parse(text).map_err(|(at, fault)| {
            let before = text.char_indices().take_while(|(position, _)| *position < at);
            let units: usize = before.map(|(_, c)| c.len_utf16()).sum();
            corrupt(u64::try_from((units + mark) * 2).unwrap_or(u64::MAX), fault)
        })?;
        if root.name != "WIM" {
            return Err(corrupt(0, XmlFault::Root));
        }
        let images = image_positions(&root).map_err(|fault| corrupt(0, fault))?;
        Ok(Self { root, images })
    }

    /// Makes UTF-16LE bytes with a byte order mark.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::from('\u{feff}');
        self.root.write(&mut text);
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// Number of images.
    #[must_use]
    pub fn image_count(&self) -> u32 {
        u32::try_from(self.images.len()).unwrap_or(u32::MAX)
    }

    /// Whether the file says that it is an encrypted ESD.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.root.child("ESD").is_some_and(|esd| esd.child("ENCRYPTED").is_some())
    }

    /// `TOTALBYTES` of the file: bytes up to the XML data.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.root.child("TOTALBYTES")?.text().trim().parse().ok()
    }

    /// What is said of an image, counted from 1.
    #[must_use]
    pub fn image(&self, index: u32) -> Option<ImageInfo> {
        self.element(index).map(ImageInfo::read)
    }

    /// Sets what is said of an image, counted from 1; elements that [`ImageInfo`] does not know stay.
    ///
    /// # Errors
    /// [`PropertyError`] if there is no such image, a value holds characters XML forbids, or another
    /// image has the name; nothing is changed then.
    pub fn set_image(&mut self, index: u32, info: &ImageInfo) -> Result<(), PropertyError> {
        self.check_name(&info.name, index)?;
        let mut changed = self.element(index).ok_or_else(|| self.no_image(index))?.clone();
        info.write(&mut changed)?;
        self.replace(index, changed)
    }

    /// Finds the image whose `NAME` is exactly this.
    #[must_use]
    pub fn find_image(&self, name: &str) -> Option<u32> {
        (1..=self.image_count()).find(|&index| self.name(index).as_deref() == Some(name))
    }

    /// `NAME` of an image, counted from 1.
    #[must_use]
    pub fn name(&self, index: u32) -> Option<String> {
        self.element(index)?.child("NAME").map(Element::text)
    }

    /// The text of an element of an image, by a path like `WINDOWS/LANGUAGES/LANGUAGE[2]`; `None` if
    /// there is no such element.
    ///
    /// # Errors
    /// [`PropertyError`] if there is no such image or the path is not well formed.
    pub fn property(&self, index: u32, path: &str) -> Result<Option<String>, PropertyError> {
        let image = self.element(index).ok_or_else(|| self.no_image(index))?;
        Ok(Path::parse(path)?.find(image).map(Element::text))
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
        if path == "NAME" || path == "NAME[1]" {
            self.check_name(value, index)?;
        }
        let no_image = self.no_image(index);
        image::set(self.element_mut(index).ok_or(no_image)?, path, Some(value))
    }

    /// Checks that an image of this name can be added.
    pub(crate) fn check_new_name(&self, name: &str) -> Result<(), PropertyError> {
        self.check_name(name, self.image_count() + 1)
    }

    /// Adds an image. Returns its index.
    pub(crate) fn add_image(&mut self, info: &ImageInfo) -> Result<u32, PropertyError> {
        let index = self.image_count() + 1;
        self.check_name(&info.name, index)?;
        let mut element = Element::new("IMAGE");
        info.write(&mut element)?;
        self.push(element);
        Ok(index)
    }

    /// Adds a copy of another file's image with all its elements. `None` keeps a text.
    pub(crate) fn add_copy(
        &mut self,
        source: &Self,
        image: u32,
        name: Option<&str>,
        description: Option<&str>,
    ) -> Result<u32, PropertyError> {
        let mut element = source.element(image).ok_or_else(|| source.no_image(image))?.clone();
        for (path, value) in [("NAME", name), ("DESCRIPTION", description)] {
            if value.is_some() {
                image::set(&mut element, path, value)?;
            }
        }
        let index = self.image_count() + 1;
        self.check_name(&element.child("NAME").map(Element::text).unwrap_or_default(), index)?;
        self.push(element);
        Ok(index)
    }

    fn push(&mut self, mut element: Element) {
        element.set_attribute("INDEX", (self.images.len() + 1).to_string());
        self.images.push(self.root.children.len());
        self.root.children.push(Node::Element(element));
    }

    /// Removes an image; later ones move up.
    pub(crate) fn remove_image(&mut self, index: u32) {
        let Some(place) = self.place(index) else { return };
        self.root.children.remove(place);
        self.images.retain(|&at| at != place);
        for at in &mut self.images {
            *at -= usize::from(*at > place);
        }
        for (number, &at) in (1_u32..).zip(&self.images) {
            if let Some(Node::Element(image)) = self.root.children.get_mut(at) {
                image.set_attribute("INDEX", number.to_string());
            }
        }
    }

    /// Sets `TOTALBYTES` of the file.
    pub(crate) fn set_total_bytes(&mut self, bytes: u64) {
        // The path and the digits are well formed.
        let set = image::set(&mut self.root, "TOTALBYTES", Some(&bytes.to_string()));
        debug_assert!(set.is_ok());
        self.images = image_positions(&self.root).unwrap_or_default();
    }

    fn place(&self, index: u32) -> Option<usize> {
        self.images.get(usize::try_from(index.checked_sub(1)?).ok()?).copied()
    }

    fn element(&self, index: u32) -> Option<&Element> {
        match self.root.children.get(self.place(index)?)? {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Verbatim(_) => None,
        }
    }

    fn element_mut(&mut self, index: u32) -> Option<&mut Element> {
        let place = self.place(index)?;
        match self.root.children.get_mut(place)? {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Verbatim(_) => None,
        }
    }

    fn replace(&mut self, index: u32, element: Element) -> Result<(), PropertyError> {
        let no_image = self.no_image(index);
        *self.element_mut(index).ok_or(no_image)? = element;
        Ok(())
    }

    fn no_image(&self, index: u32) -> PropertyError {
        PropertyError::NoSuchImage { index, count: self.image_count() }
    }

    /// Checks that no other image has a name; any number may have none.
    fn check_name(&self, name: &str, index: u32) -> Result<(), PropertyError> {
        check_value("NAME", name)?;
        if name.is_empty() {
            return Ok(());
        }
        let taken = (1..=self.image_count())
            .find(|&other| other != index && self.name(other).as_deref() == Some(name));
        match taken {
            Some(index) => Err(PropertyError::NameInUse { name: name.to_owned(), index }),
            None => Ok(()),
        }
    }
}

/// Finds the `IMAGE` elements, which must be numbered 1 to n in any order.
fn image_positions(root: &Element) -> Result<Vec<usize>, XmlFault> {
    let mut places = HashMap::new();
    let mut count = 0_u32;
    for (place, node) in root.children.iter().enumerate() {
        let Node::Element(element) = node else { continue };
        if element.name != "IMAGE" {
            continue;
        }
        count += 1;
        if let Some(Ok(index)) = element.attribute("INDEX").map(|text| text.trim().parse::<u32>()) {
            places.insert(index, place);
        }
    }
    let fault = XmlFault::ImageIndex { count };
    (1..=count).map(|index| places.get(&index).copied().ok_or(fault)).collect()
}
