//! Which files of an image are meant by paths with wildcards, and the tree they make.

use std::collections::HashMap;

use imprint_winvalues::tree::{AddError, File, FileId, Name, NameId, Times, Tree};
use imprint_winvalues::{Attributes, FileTime, WinName, fold_case};

const STAR: u16 = 0x2a;
const QUESTION: u16 = 0x3f;

/// Finds the names a path leads to. Its parts may hold `*` and `?` unless `literal` is set; letters
/// match in any case, but a part without wildcards that is there exactly means only that.
pub(crate) fn find(tree: &Tree, path: &str, literal: bool) -> Vec<NameId> {
    let parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
    parts.fold(vec![NameId::ROOT], |found, part| {
        let part: Vec<u16> = part.encode_utf16().collect();
        found.into_iter().flat_map(|parent| children(tree, parent, &part, literal)).collect()
    })
}

fn children(tree: &Tree, parent: NameId, part: &[u16], literal: bool) -> Vec<NameId> {
    if literal || !part.iter().any(|unit| matches!(*unit, STAR | QUESTION)) {
        return tree.child(parent, &WinName::from_units(part)).into_iter().collect();
    }
    let matches = |id: &NameId| tree.name(*id).is_some_and(|name| matches(part, name.name.units()));
    tree.name(parent).map_or(&[][..], Name::children).iter().copied().filter(matches).collect()
}

/// Whether a name matches a pattern, any case. Takes time of the product of both lengths at most.
fn matches(pattern: &[u16], name: &[u16]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on if what follows the last star does not match: one unit later.
    let mut retry: Option<(&[u16], &[u16])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((&STAR, rest)), _) => {
                retry = Some((rest, name));
                pattern = rest;
                continue;
            }
            (Some((&wanted, rest)), Some((&unit, left)))
                if wanted == QUESTION || fold_case(wanted) == fold_case(unit) =>
            {
                (pattern, name) = (rest, left);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((rest, [_, left @ ..])) = retry else { return false };
        retry = Some((rest, left));
        (pattern, name) = (rest, left);
    }
}

/// Builds the tree of what is to be extracted.
pub(crate) struct Selection<'a> {
    from: &'a Tree,
    tree: Tree,
    /// Names of `from` that are in the new tree already, by the directory they are in there.
    names: HashMap<(NameId, NameId), NameId>,
    files: HashMap<FileId, FileId>,
    /// Names in the destination directory.
    claimed: HashMap<&'a WinName, NameId>,
}

/// Files cannot be extracted together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectionError {
    #[error("{first} and {second} have the same name")]
    SameName { first: String, second: String },
    #[error(transparent)]
    Tree(#[from] AddError),
}

impl<'a> Selection<'a> {
    /// Begins with an empty directory, `root`.
    pub(crate) fn new(from: &'a Tree, root: File) -> Self {
        let mut tree = Tree::new(root);
        tree.security = from.security.clone();
        Self { from, tree, names: HashMap::new(), files: HashMap::new(), claimed: HashMap::new() }
    }

    /// Adds a file or a directory with all in it. The image's root stands for what is in it; with
    /// `keep_structure` the directories that lead to the name are made too.
    ///
    /// Two files that would get one name are refused rather than written over each other.
    pub(crate) fn add(&mut self, name: NameId, keep_structure: bool) -> Result<(), SelectionError> {
        let ancestors = if keep_structure { self.ancestors(name) } else { Vec::new() };
        let top = ancestors.first().copied().unwrap_or(name);
        let tops = match top {
            NameId::ROOT => self.from.name(top).map_or(&[][..], Name::children),
            _ => &[top],
        };
        tops.iter().try_for_each(|&top| self.claim(top))?;
        let mut parent = NameId::ROOT;
        for ancestor in ancestors {
            parent = self.add_name(parent, ancestor)?;
        }
        Ok(self.add_all(parent, name)?)
    }

    /// Takes a name in the destination directory for a name of the image.
    fn claim(&mut self, id: NameId) -> Result<(), SelectionError> {
        let Some(name) = self.from.name(id) else { return Ok(()) };
        let holder = *self.claimed.entry(&name.name).or_insert(id);
        if holder == id {
            return Ok(());
        }
        let path = |id| self.from.path_of(id).to_string();
        Err(SelectionError::SameName { first: path(holder), second: path(id) })
    }

    /// The tree that was built.
    pub(crate) fn into_tree(self) -> Tree {
        self.tree
    }

    /// The directories a name is in, from the top, without the root.
    fn ancestors(&self, name: NameId) -> Vec<NameId> {
        let parent = |id: &NameId| self.from.name(*id).and_then(Name::parent);
        let mut ancestors: Vec<_> = std::iter::successors(parent(&name), parent).collect();
        ancestors.retain(|&id| id != NameId::ROOT);
        ancestors.reverse();
        ancestors
    }

    fn add_all(&mut self, parent: NameId, start: NameId) -> Result<(), AddError> {
        let from = self.from;
        let mut places = HashMap::new();
        for (id, name) in from.walk(start) {
            let place = match name.parent().and_then(|parent| places.get(&parent)).copied() {
                Some(place) => self.add_name(place, id)?,
                None if id == NameId::ROOT => parent,
                None => self.add_name(parent, id)?,
            };
            places.insert(id, place);
        }
        Ok(())
    }

    /// Adds one name, unless it is there: paths may overlap.
    fn add_name(&mut self, parent: NameId, id: NameId) -> Result<NameId, AddError> {
        if let Some(&added) = self.names.get(&(parent, id)) {
            return Ok(added);
        }
        let missing = AddError::ParentIsNotADirectory { parent };
        let name = self.from.name(id).ok_or(missing)?;
        let long_name = name.name.clone();
        let added = match self.files.get(&name.file()) {
            Some(&file) => self.tree.link(parent, long_name, file)?,
            None => {
                let file = self.from.file(name.file()).ok_or(missing)?;
                self.tree.add(parent, long_name, copy_of(file))?
            }
        };
        if let Some(new) = self.tree.name_mut(added) {
            new.short_name = name.short_name.clone();
            let file = new.file();
            // A directory that is added twice, in two places, is two directories.
            if !self.tree.file(file).is_some_and(File::is_directory) {
                self.files.insert(name.file(), file);
            }
        }
        self.names.insert((parent, id), added);
        Ok(added)
    }
}

/// A file as it was, with no names yet.
fn copy_of(file: &File) -> File {
    let mut copy = File::new(file.attributes);
    copy.security = file.security;
    copy.times = file.times;
    copy.streams.clone_from(&file.streams);
    copy.reparse = file.reparse;
    copy.extras.clone_from(&file.extras);
    copy
}

/// The directory that files are extracted into keeps what it is, except that it changes now.
pub(crate) fn destination(now: FileTime) -> File {
    let mut root = File::new(Attributes::DIRECTORY);
    root.times = Times { creation: now, access: now, write: now, change: None };
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `\Windows\a.txt` (also `\Windows\b.log`), `\Windows\sub\a.txt`, `\windows.old`.
    fn sample() -> Tree {
        let directory = || File::new(Attributes::DIRECTORY);
        let mut tree = Tree::new(directory());
        let windows = tree.add(NameId::ROOT, "Windows".into(), directory()).unwrap();
        let a = tree.add(windows, "a.txt".into(), File::default()).unwrap();
        let file = tree.name(a).unwrap().file();
        tree.link(windows, "b.log".into(), file).unwrap();
        let sub = tree.add(windows, "sub".into(), directory()).unwrap();
        tree.add(sub, "a.txt".into(), File::default()).unwrap();
        tree.add(NameId::ROOT, "windows.old".into(), File::default()).unwrap();
        tree
    }

    fn paths(tree: &Tree, names: &[NameId]) -> Vec<String> {
        names.iter().map(|&id| tree.path_of(id).to_string()).collect()
    }

    fn found(path: &str) -> Vec<String> {
        let tree = sample();
        paths(&tree, &find(&tree, path, false))
    }

    #[test]
    fn wildcards_stay_within_a_name_and_ignore_case() {
        assert_eq!(found("/windows/*.TXT"), [r"\Windows\a.txt"]);
        assert_eq!(found(r"\w*\?.*"), [r"\Windows\a.txt", r"\Windows\b.log"]);
        assert_eq!(found("/*/*/*"), [r"\Windows\sub\a.txt"]);
        assert_eq!(found("win*"), [r"\Windows", r"\windows.old"]);
        assert_eq!(found("/"), ["\\"]);
        assert_eq!(found("/Windows/a?txt/x"), [""; 0]);
        assert_eq!(find(&sample(), "/windows/*", true), []);
    }

    #[test]
    fn patterns_match_as_a_shell_matches() {
        let check = |pattern: &str, name: &str, expected| {
            let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
            assert_eq!(matches(&units(pattern), &units(name)), expected, "{pattern} {name}");
        };
        check("", "", true);
        check("*", "", true);
        check("**a*", "bca", true);
        check("a*b*c", "aXbXbc", true);
        check("a*b*c", "aXcXb", false);
        check("?", "", false);
        check("?b", "ab", true);
        check("*.tx", "a.txt", false);
        check(&"*a".repeat(40), &"a".repeat(39), false);
    }

    fn selected(wanted: &[&str], keep_structure: bool) -> Result<Vec<String>, SelectionError> {
        let from = sample();
        let mut selection = Selection::new(&from, destination(FileTime(0)));
        for path in wanted {
            for name in find(&from, path, false) {
                selection.add(name, keep_structure)?;
            }
        }
        let tree = selection.into_tree();
        let all: Vec<_> = tree.walk(NameId::ROOT).map(|(id, _)| id).skip(1).collect();
        Ok(paths(&tree, &all))
    }

    #[test]
    fn what_is_selected_comes_without_or_with_its_directories() {
        let flat = selected(&["/windows/sub", "/windows.old"], false).unwrap();
        assert_eq!(flat, [r"\sub", r"\sub\a.txt", r"\windows.old"]);
        let deep = selected(&["/windows/sub", "/windows/a.txt"], true).unwrap();
        assert_eq!(deep, [r"\Windows", r"\Windows\sub", r"\Windows\sub\a.txt", r"\Windows\a.txt"]);
        assert_eq!(selected(&["/"], false).unwrap().len(), 6);
        assert_eq!(selected(&["/", "/windows"], true).unwrap().len(), 6);
    }

    #[test]
    fn two_files_of_one_name_do_not_overwrite_each_other() {
        let error = selected(&["/windows/a.txt", "/windows/sub/a.txt"], false);
        let (first, second) = (r"\Windows\a.txt".to_owned(), r"\Windows\sub\a.txt".to_owned());
        assert_eq!(error, Err(SelectionError::SameName { first, second }));
        assert_eq!(selected(&["/windows/a.txt", "/Windows/a*"], false).unwrap(), [r"\a.txt"]);
    }

    #[test]
    fn hard_links_stay_links_among_what_is_selected() {
        let from = sample();
        let mut selection = Selection::new(&from, destination(FileTime(0)));
        selection.add(from.find("/windows/b.log").unwrap(), false).unwrap();
        let links = |tree: &Tree| tree.files().map(|(_, file)| file.links()).collect::<Vec<_>>();
        selection.add(from.find("/windows/sub").unwrap(), false).unwrap();
        assert_eq!(links(&selection.into_tree()), [1, 1, 1, 1]);
        let mut selection = Selection::new(&from, destination(FileTime(0)));
        selection.add(from.find("/windows").unwrap(), false).unwrap();
        assert_eq!(links(&selection.into_tree()), [1, 1, 2, 1, 1]);
    }
}
