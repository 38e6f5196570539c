//! Which image of a file is meant.

use std::path::Path;

use crate::error::CommandError;

/// An image as the user names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Not said: the only one.
    #[default]
    Only,
    /// Index or name.
    One(String),
    /// Every image.
    All,
}

impl Selector {
    /// Understands what was typed for an image.
    pub(crate) fn new(text: Option<String>) -> Self {
        match text {
            None => Self::Only,
            Some(text) if text == "*" || text.eq_ignore_ascii_case("all") => Self::All,
            Some(text) => Self::One(text),
        }
    }

    /// Finds the images meant, counted from 1, among those named `names`.
    ///
    /// An index is tried before a name, as in wimlib; a number that is no index may be a name.
    pub(crate) fn resolve(&self, wim: &Path, names: &[String]) -> Result<Vec<u32>, CommandError> {
        match self {
            Self::All => Ok((1..).zip(names).map(|(index, _)| index).collect()),
            Self::Only if names.len() == 1 => Ok(vec![1]),
            Self::Only => Err(CommandError::ImageNotChosen { wim: wim.into(), count: names.len() }),
            Self::One(text) => find(text, names).map(|index| vec![index]).ok_or_else(|| {
                let wanted = text.clone();
                CommandError::NoSuchImage { wim: wim.into(), wanted, count: names.len() }
            }),
        }
    }

    /// Finds the one image meant.
    pub(crate) fn resolve_one(
        &self,
        wim: &Path,
        names: &[String],
        operation: &'static str,
    ) -> Result<u32, CommandError> {
        match self.resolve(wim, names)?.as_slice() {
            &[index] => Ok(index),
            _ => Err(CommandError::OneImageOnly { operation }),
        }
    }
}

fn find(text: &str, names: &[String]) -> Option<u32> {
    let number = text.parse::<u32>().ok();
    let mut images = (1..).zip(names);
    let by_index = number.and_then(|number| images.clone().find(|(index, _)| *index == number));
    let by_name = || images.find(|(_, name)| !name.is_empty() && *name == text);
    by_index.or_else(by_name).map(|(index, _)| index)
}

/// Finds an image by a selector that may also count from the end: `-1` is the last.
pub(crate) fn resolve_from_either_end(
    text: &str,
    wim: &Path,
    names: &[String],
) -> Result<u32, CommandError> {
    let from_end = text.strip_prefix('-').and_then(|digits| digits.parse::<usize>().ok());
    let counted = from_end.and_then(|n| names.len().checked_sub(n));
    match counted.and_then(|before| (1..).zip(names).nth(before)) {
        Some((index, _)) => Ok(index),
        None => Selector::One(text.to_owned()).resolve_one(wim, names, "--update-of"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["Home", "Pro", "", "7", "all of it"].map(str::to_owned).into()
    }

    fn select(text: &str) -> Result<Vec<u32>, String> {
        let selector = Selector::new(Some(text.to_owned()));
        selector.resolve(Path::new("a.wim"), &names()).map_err(|error| error.to_string())
    }

    #[test]
    fn images_are_found_by_index_then_by_name() {
        assert_eq!(select("2"), Ok(vec![2]));
        assert_eq!(select("Pro"), Ok(vec![2]));
        assert_eq!(select("7"), Ok(vec![4]));
        assert_eq!(select("all of it"), Ok(vec![5]));
        assert_eq!(select("all"), Ok(vec![1, 2, 3, 4, 5]));
        assert_eq!(select("*"), Ok(vec![1, 2, 3, 4, 5]));
    }

    #[test]
    fn images_that_are_not_there_are_named() {
        for text in ["0", "6", "-1", "", "pro"] {
            assert_eq!(select(text), Err(format!("a.wim has no image {text:?}")));
        }
    }

    #[test]
    fn the_only_image_need_not_be_named() {
        let resolve = |names: &[String]| Selector::Only.resolve(Path::new("a.wim"), names);
        assert_eq!(resolve(&["x".to_owned()]).unwrap(), [1]);
        assert!(matches!(resolve(&names()), Err(CommandError::ImageNotChosen { count: 5, .. })));
        assert!(matches!(resolve(&[]), Err(CommandError::ImageNotChosen { count: 0, .. })));
    }

    #[test]
    fn one_image_is_not_all() {
        let error = Selector::All.resolve_one(Path::new("a.wim"), &names(), "extract");
        assert!(matches!(error, Err(CommandError::OneImageOnly { operation: "extract" })));
        let single = Selector::All.resolve_one(Path::new("a.wim"), &names()[..1], "extract");
        assert_eq!(single.unwrap(), 1);
    }

    #[test]
    fn images_count_from_the_end_too() {
        let resolve = |text| resolve_from_either_end(text, Path::new("a.wim"), &names());
        assert_eq!(resolve("-1").unwrap(), 5);
        assert_eq!(resolve("-5").unwrap(), 1);
        assert_eq!(resolve("2").unwrap(), 2);
        assert_eq!(resolve("-6").unwrap_err().to_string(), "a.wim has no image \"-6\"");
        assert_eq!(resolve("-0").unwrap_err().to_string(), "a.wim has no image \"-0\"");
    }
}
