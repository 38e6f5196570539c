//! Paths: from the root to a name and back.

use std::fmt;

use super::{Name, NameId, Tree};
use crate::WinName;

/// A path of names from the root, printed with backslashes (`\Windows\System32`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreePath<'a>(pub Vec<&'a WinName>);

impl fmt::Display for TreePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("\\");
        }
        self.0.iter().try_for_each(|name| write!(f, "\\{name}"))
    }
}

impl Tree {
    /// Returns the path of a name; empty for the root.
    #[must_use]
    pub fn path_of(&self, id: NameId) -> TreePath<'_> {
        let mut path = Vec::new();
        let mut next = self.name(id);
        // Parents come before their children in the list, so this ends.
        while let Some(name) = next
            && let Some(parent) = name.parent
        {
            path.push(&name.name);
            next = self.name(parent);
        }
        path.reverse();
        TreePath(path)
    }

    /// Finds a child by name: the exact name first, otherwise the first that differs only in case.
    #[must_use]
    pub fn child(&self, parent: NameId, wanted: &WinName) -> Option<NameId> {
        let children = self.name(parent)?.children();
        let find = |same: fn(&WinName, &WinName) -> bool| {
            children
                .iter()
                .copied()
                .find(|&id| self.name(id).is_some_and(|n| same(&n.name, wanted)))
        };
        find(|a, b| a == b).or_else(|| find(WinName::eq_ignoring_case))
    }

    /// Finds a name by its path; `/` and `\` both separate, empty parts are passed over.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NameId> {
        path.split(['/', '\\'])
            .filter(|part| !part.is_empty())
            .try_fold(NameId::ROOT, |at, part| self.child(at, &part.into()))
    }

    /// All names of the subtree at `start`, `start` first, parents before children, siblings in
    /// the order they were added.
    pub fn walk(&self, start: NameId) -> impl Iterator<Item = (NameId, &Name)> {
        let mut stack = vec![start];
        std::iter::from_fn(move || {
            let id = stack.pop()?;
            let name = self.name(id)?;
            stack.extend(name.children().iter().rev());
            Some((id, name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{File, NameId, Tree};
    use crate::Attributes;

    #[test]
    fn paths_are_found_with_either_separator_and_any_case() {
        let directory = || File { attributes: Attributes::DIRECTORY, ..File::default() };
        let mut tree = Tree::new(directory());
        let a = tree.add(NameId::ROOT, "Windows".into(), directory()).unwrap();
        let b = tree.add(a, "x".into(), File::default()).unwrap();
        let c = tree.add(a, "X".into(), File::default()).unwrap();
        assert_eq!(tree.find(r"\windows\x"), Some(b));
        assert_eq!(tree.find("/WINDOWS//X"), Some(c));
        assert_eq!(tree.find("\\"), Some(NameId::ROOT));
        assert_eq!(tree.find("windows/y"), None);
        assert_eq!(tree.path_of(c).to_string(), r"\Windows\X");
        assert_eq!(tree.path_of(NameId::ROOT).to_string(), "\\");
        assert_eq!(tree.walk(NameId::ROOT).map(|(id, _)| id.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
