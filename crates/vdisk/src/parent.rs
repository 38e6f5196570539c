//! What a differencing disk says of its parent, and what of that is believed.

use imprint_winvalues::{FileTime, Guid};

/// How a stored path is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// From the folder of the child.
    Relative,
    /// Beginning with a volume's GUID.
    Volume,
    /// From a drive letter or a share.
    Absolute,
    /// A name for people: VHD's parent name field.
    Name,
    /// A kind that is kept but not understood (aliases of other systems).
    Other,
}

/// A path as it is stored. Bytes that are not text are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentPath {
    /// How it is meant.
    pub kind: PathKind,
    /// The path, as Windows writes it.
    pub text: String,
}

/// The parent of a differencing disk, as the child describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentLink {
    /// The identity the parent must have.
    pub identity: Guid,
    /// Another identity it may have: set while the child is being merged (`parent_linkage2`).
    pub alternative: Option<Guid>,
    /// VHD: when the parent's file was last changed, as the child remembers it.
    pub modified: Option<FileTime>,
    /// Where it was, in the order in which Windows would look.
    pub paths: Vec<ParentPath>,
}

impl ParentLink {
    /// Whether a disk with this identity is the parent.
    #[must_use]
    pub fn accepts(&self, identity: Guid) -> bool {
        identity == self.identity || self.alternative == Some(identity)
    }

    /// The names the parent's file may have, most likely first: only last parts of the stored paths, so
    /// that no name leads out of the folder in which it is looked for.
    #[must_use]
    pub fn file_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for path in self.paths.iter().filter(|path| path.kind != PathKind::Other) {
            let name = path.text.rsplit(['\\', '/']).next().unwrap_or_default();
            let harmless = !matches!(name, "" | "." | "..")
                && name.len() <= 1024
                && !name.contains(|c: char| c == ':' || c.is_control());
            if harmless && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[&str], expected: &[&str]) {
        let paths = paths
            .iter()
            .map(|&text| ParentPath { kind: PathKind::Absolute, text: text.to_owned() })
            .collect();
        let link =
            ParentLink { identity: Guid::default(), alternative: None, modified: None, paths };
        assert_eq!(link.file_names(), expected);
    }

    #[test]
    fn names_never_lead_anywhere() {
        check(&[r".\base.vhdx", r"\\?\D:\x\base.vhdx"], &["base.vhdx"]);
        check(
            &["/etc/passwd", r"..\..\secret", r"\\server\share\a.vhd"],
            &["passwd", "secret", "a.vhd"],
        );
        check(&["..", ".", "", r"a\", r"C:", "a\0b", r"x\.."], &[]);
    }
}
