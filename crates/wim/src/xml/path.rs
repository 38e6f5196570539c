//! Paths to elements, in wimlib's form: `NAME/NAME[2]/NAME`, indices count from 1.

use super::dom::{Element, Node, is_name};
use crate::error::PropertyError;

/// A step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step<'a> {
    name: &'a str,
    /// Which child of this name, from 0.
    index: usize,
}

/// A checked path.
pub(super) struct Path<'a> {
    text: &'a str,
    steps: Vec<Step<'a>>,
}

impl<'a> Path<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, PropertyError> {
        let wrong = || PropertyError::Path { path: text.to_owned() };
        let steps =
            text.split('/').map(|part| step(part).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        Ok(Self { text, steps })
    }

    pub(super) fn find<'e>(&self, from: &'e Element) -> Option<&'e Element> {
        self.steps.iter().try_fold(from, |element, step| {
            element.elements().filter(|e| e.name == step.name).nth(step.index)
        })
    }

    /// Sets the text of the element, making it and its parents if needed.
    pub(super) fn set(&self, from: &mut Element, text: &str) -> Result<(), PropertyError> {
        let mut element = from;
        for step in &self.steps {
            let position = match position(element, *step) {
                Ok(position) => position,
                Err(there) if there == step.index => {
                    element.children.push(Node::Element(Element::new(step.name)));
                    element.children.len() - 1
                }
                Err(_) => return Err(PropertyError::Gap { path: self.text.to_owned() }),
            };
            let Some(Node::Element(next)) = element.children.get_mut(position) else {
                return Err(PropertyError::Gap { path: self.text.to_owned() });
            };
            element = next;
        }
        element.set_text(text);
        Ok(())
    }

    /// Removes the element, if it is there.
    pub(super) fn remove(&self, from: &mut Element) {
        let Some((last, parents)) = self.steps.split_last() else { return };
        let mut element = from;
        for step in parents {
            let Ok(position) = position(element, *step) else { return };
            let Some(Node::Element(next)) = element.children.get_mut(position) else { return };
            element = next;
        }
        if let Ok(position) = position(element, *last) {
            element.children.remove(position);
        }
    }
}

/// Position of a child among all nodes, or how many of its name there are.
fn position(element: &Element, step: Step<'_>) -> Result<usize, usize> {
    let named = |node: &Node| matches!(node, Node::Element(e) if e.name == step.name);
    let mut places =
        element.children.iter().enumerate().filter(|(_, node)| named(node)).map(|(at, _)| at);
    places.nth(step.index).ok_or_else(|| element.children.iter().filter(|n| named(n)).count())
}

fn step(part: &str) -> Option<Step<'_>> {
    let (name, index) = match part.strip_suffix(']') {
        Some(part) => {
            let (name, digits) = part.split_once('[')?;
            (name, digits.parse::<usize>().ok()?.checked_sub(1)?)
        }
        None => (part, 0),
    };
    is_name(name).then_some(Step { name, index })
}

/// Checks that XML allows all characters of a value.
pub(super) fn check_value(path: &str, value: &str) -> Result<(), PropertyError> {
    let forbidden = |c: &char| match *c {
        '\t' | '\n' | '\r' => false,
        c => c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}'),
    };
    match value.chars().find(forbidden) {
        Some(c) => {
            let character = u32::from(c);
            Err(PropertyError::Character { path: path.to_owned(), character })
        }
        None => Ok(()),
    }
}
