//! A document in memory: elements with everything in them, in order.

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};

use crate::error::XmlFault;

/// The deepest nesting. Source: wimlib allows 50; real files have 5.
const DEEPEST: usize = 64;
/// The most elements, attributes and texts, so that they take less than 64 MiB. A file of 4,000 images
/// of Windows has about 240,000.
const MOST_NODES: usize = 250_000;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

/// What an element holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Element(Element),
    Text(String),
    /// A comment or processing instruction, with its delimiters.
    Verbatim(String),
}

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Reads a document; an error comes with the byte of `text` where it was seen.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, XmlFault)> {
        let mut reader = Reader::from_str(text);
        let mut builder = Builder::default();
        loop {
            let event = reader.read_event().map_err(|error| {
                (index(reader.error_position()), XmlFault::Malformed { rule: rule_of(&error) })
            })?;
            let at = index(reader.buffer_position());
            if matches!(event, Event::Eof) {
                return builder.finish().map_err(|fault| (at, fault));
            }
            builder.event(event).map_err(|fault| (at, fault))?;
        }
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Verbatim(_) => None,
        })
    }

    /// The first child element of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn set_attribute(&mut self, name: &str, value: String) {
        match self.attributes.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    /// All text directly in this element.
    pub(super) fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) | Node::Verbatim(_) => None,
            })
            .collect()
    }

    /// Replaces the text directly in this element; other children stay.
    pub(super) fn set_text(&mut self, text: &str) {
        self.children.retain(|node| !matches!(node, Node::Text(_)));
        self.children.insert(0, Node::Text(text.to_owned()));
    }

    /// Appends the element as XML.
    pub(super) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            out.push_str(&escape(value.as_str()));
            out.push('"');
        }
        out.push('>');
        for node in &self.children {
            match node {
                Node::Element(element) => element.write(out),
                Node::Text(text) => out.push_str(&escape(text.as_str())),
                Node::Verbatim(text) => out.push_str(text),
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

/// Puts events together.
#[derive(Default)]
struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    nodes: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), XmlFault> {
        match event {
            Event::Start(start) => {
                let element = self.start(&start)?;
                if self.open.len() >= DEEPEST {
                    return Err(XmlFault::TooDeep { limit: DEEPEST });
                }
                self.open.push(element);
            }
            Event::Empty(start) => {
                let element = self.start(&start)?;
                self.close(element)?;
            }
            Event::End(_) => {
                let rule = "end tag without start tag";
                let element = self.open.pop().ok_or(XmlFault::Malformed { rule })?;
                self.close(element)?;
            }
            Event::Text(text) => self.text(&text.into_inner())?,
            Event::CData(text) => self.text(&text.into_inner())?,
            Event::GeneralRef(reference) => {
                let character = unescape(&format!("&{};", &*reference.into_inner()))
                    .map_err(|_unknown| XmlFault::UnknownEntity)?
                    .into_owned();
                self.text(&character)?;
            }
            Event::Comment(text) => self.verbatim("<!--", &text.into_inner(), "-->")?,
            Event::PI(text) => self.verbatim("<?", &text.into_inner(), "?>")?,
            // Says nothing that matters: the encoding is UTF-16, and entities are not expanded.
            Event::Decl(_) | Event::DocType(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), XmlFault> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(XmlFault::TooManyNodes { limit: MOST_NODES });
        }
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<Element, XmlFault> {
        self.count()?;
        let name = start.name().0;
        let rule = "name of an element or attribute holds a character that names cannot have";
        let name_fault = XmlFault::Malformed { rule };
        if !is_name(name) {
            return Err(name_fault);
        }
        let mut element = Element::new(name);
        // Repeated attributes would take time squared to find; they do no harm.
        for attribute in start.attributes().with_checks(false) {
            self.count()?;
            let rule = "attribute is not of the form name=\"value\"";
            let attribute = attribute.map_err(|_form| XmlFault::Malformed { rule })?;
            let value = unescape(&attribute.value).map_err(|_unknown| XmlFault::UnknownEntity)?;
            if !is_name(attribute.key.0) {
                return Err(name_fault);
            }
            element.attributes.push((attribute.key.0.to_owned(), value.into_owned()));
        }
        Ok(element)
    }

    fn close(&mut self, mut element: Element) -> Result<(), XmlFault> {
        // Most elements hold one text; a vector starts with room for four.
        element.children.shrink_to_fit();
        element.attributes.shrink_to_fit();
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(XmlFault::Malformed { rule: "there is a second root element" }),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlFault> {
        let Some(parent) = self.open.last_mut() else {
            if text.trim_start_matches('\u{feff}').trim().is_empty() {
                return Ok(());
            }
            return Err(XmlFault::Malformed { rule: "there is text outside the root element" });
        };
        if let Some(Node::Text(before)) = parent.children.last_mut() {
            before.push_str(text);
            return Ok(());
        }
        parent.children.push(Node::Text(text.to_owned()));
        self.count()
    }

    fn verbatim(&mut self, before: &str, text: &str, after: &str) -> Result<(), XmlFault> {
        self.count()?;
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(Node::Verbatim(format!("{before}{text}{after}")));
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, XmlFault> {
        if !self.open.is_empty() {
            return Err(XmlFault::Malformed { rule: "an element is not closed" });
        }
        self.root.ok_or(XmlFault::Malformed { rule: "there is no element" })
    }
}

/// Whether this can be the name of an element: what XML allows in ASCII, and everything else.
pub(super) fn is_name(name: &str) -> bool {
    let starts = |c: char| !c.is_ascii() || c.is_ascii_alphabetic() || c == '_' || c == ':';
    let goes_on = |c: char| starts(c) || c.is_ascii_digit() || c == '-' || c == '.';
    let mut characters = name.chars();
    characters.next().is_some_and(starts) && characters.all(goes_on)
}

fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn rule_of(error: &Error) -> &'static str {
    match error {
        Error::Syntax(SyntaxError::InvalidBangMarkup) => "markup after <! is unknown",
        Error::Syntax(SyntaxError::UnclosedTag) => "a tag is not closed",
        Error::Syntax(SyntaxError::UnclosedComment) => "a comment is not closed",
        Error::Syntax(SyntaxError::UnclosedCData) => "a CDATA section is not closed",
        Error::Syntax(SyntaxError::UnclosedDoctype) => "a DOCTYPE is not closed",
        Error::Syntax(
            SyntaxError::UnclosedSingleQuotedAttributeValue
            | SyntaxError::UnclosedDoubleQuotedAttributeValue,
        ) => "an attribute value is not closed",
        Error::Syntax(SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl) => {
            "a processing instruction is not closed"
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "end tag without start tag",
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "end tag does not match its start tag"
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => "a reference is not closed",
        _ => "the document cannot be parsed",
    }
}
