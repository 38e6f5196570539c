//! Parts of trees.

use super::{FileId, Name, NameId, Tree, index};
use crate::WinName;

impl Tree {
    /// Returns the tree without the names that `keep` refuses and all that is below them. The root
    /// always stays. Files left without a name are gone; ids change, their order does not.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(NameId) -> bool) -> Self {
        let mut names: Vec<Name> = Vec::new();
        let mut files = Vec::new();
        let mut new_names: Vec<Option<NameId>> = Vec::with_capacity(self.names.len());
        let mut new_files: Vec<Option<FileId>> = vec![None; self.files.len()];
        for (old, name) in self.names() {
            let parent = name.parent.map(|p| new_names.get(index(p.0)).copied().flatten());
            let stays = match parent {
                None => true,
                Some(parent) => parent.is_some() && keep(old),
            };
            let file = self.file(name.file).filter(|_| stays);
            let slot = new_files.get_mut(index(name.file.0));
            let (Some(file), Some(slot)) = (file, slot) else {
                new_names.push(None);
                continue;
            };
            let id = NameId(super::number(names.len()));
            let file_id = *slot.get_or_insert_with(|| {
                files.push(super::File { links: 0, ..file.clone() });
                FileId(super::number(files.len() - 1))
            });
            if let Some(file) = files.get_mut(index(file_id.0)) {
                file.links += 1;
            }
            if let Some(parent) = parent.flatten().and_then(|p| names.get_mut(index(p.0))) {
                parent.children.push(id);
            }
            names.push(Name {
                name: name.name.clone(),
                short_name: name.short_name.clone(),
                parent: parent.flatten(),
                file: file_id,
                children: Vec::new(),
            });
            new_names.push(Some(id));
        }
        Self { names, files, security: self.security.clone() }
    }

    /// Returns the tree whose root is the directory `start`; `None` if it is not a directory. A
    /// hard link to a file outside is kept as a file of its own.
    #[must_use]
    pub fn subtree(&self, start: NameId) -> Option<Self> {
        let root = self.file_of(start).filter(|file| file.is_directory())?;
        let mut tree = Self::new(super::File { links: 1, ..root.clone() });
        tree.security = self.security.clone();
        let mut new_names = std::collections::HashMap::from([(start, NameId::ROOT)]);
        let mut new_files = std::collections::HashMap::new();
        for (old, name) in self.walk(start).skip(1) {
            let parent = *new_names.get(&name.parent?)?;
            let long: WinName = name.name.clone();
            let id = match new_files.get(&name.file) {
                Some(&file) => tree.link(parent, long, file).ok()?,
                None => {
                    let file = super::File { links: 1, ..self.file(name.file)?.clone() };
                    let id = tree.add(parent, long, file).ok()?;
                    new_files.insert(name.file, tree.name(id)?.file);
                    id
                }
            };
            tree.name_mut(id)?.short_name = name.short_name.clone();
            new_names.insert(old, id);
        }
        Some(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{File, NameId, Tree};
    use crate::Attributes;

    fn directory() -> File {
        File { attributes: Attributes::DIRECTORY, ..File::default() }
    }

    /// `\a\x`, `\b\x` (a hard link of it), `\b\y`.
    fn sample() -> Tree {
        let mut tree = Tree::new(directory());
        let a = tree.add(NameId::ROOT, "a".into(), directory()).unwrap();
        let b = tree.add(NameId::ROOT, "b".into(), directory()).unwrap();
        let x = tree.add(a, "x".into(), File::default()).unwrap();
        let x = tree.name(x).unwrap().file();
        tree.link(b, "x".into(), x).unwrap();
        tree.add(b, "y".into(), File::default()).unwrap();
        tree
    }

    fn paths(tree: &Tree) -> Vec<String> {
        tree.walk(NameId::ROOT).map(|(id, _)| tree.path_of(id).to_string()).collect()
    }

    #[test]
    fn dropping_a_directory_drops_what_is_below_and_counts_links_anew() {
        let tree = sample();
        let a = tree.find("a").unwrap();
        let rest = tree.filtered(|id| id != a);
        assert_eq!(paths(&rest), ["\\", "\\b", "\\b\\x", "\\b\\y"]);
        let x = rest.find("b/x").unwrap();
        assert_eq!(rest.file_of(x).unwrap().links(), 1);
        assert_eq!(rest.files().len(), 4);
        assert_eq!(paths(&tree.filtered(|_| true)), paths(&tree));
    }

    #[test]
    fn a_subtree_has_its_own_root() {
        let tree = sample();
        let b = tree.subtree(tree.find("b").unwrap()).unwrap();
        assert_eq!(paths(&b), ["\\", "\\x", "\\y"]);
        assert_eq!(b.file_of(b.find("x").unwrap()).unwrap().links(), 1);
        assert!(tree.subtree(tree.find("b/y").unwrap()).is_none());
    }
}
