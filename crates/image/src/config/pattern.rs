//! Patterns of paths.

use std::fmt;

use imprint_winvalues::fold_case;

/// A pattern, ready for matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Whether it begins at the root; otherwise it has one part, which matches anywhere.
    anchored: bool,
    /// The names, as written.
    text: Vec<String>,
    /// The names, folded.
    parts: Vec<Vec<char>>,
}

/// A path taken apart.
#[derive(Debug)]
pub(super) struct PathParts<'a>(&'a str);

impl<'a> PathParts<'a> {
    pub(super) const fn new(path: &'a str) -> Self {
        Self(path)
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.split(['\\', '/']).filter(|name| !name.is_empty())
    }

    pub(super) fn is_root(&self) -> bool {
        self.names().next().is_none()
    }
}

impl Pattern {
    /// Takes a pattern apart. `None` if nothing is left of it.
    pub(super) fn new(text: &str, anchored: bool) -> Option<Self> {
        let text: Vec<String> = PathParts::new(text).names().map(str::to_owned).collect();
        let parts = text.iter().map(|name| name.chars().map(fold).collect()).collect();
        (!text.is_empty()).then_some(Self { anchored, text, parts })
    }

    /// Whether the path, or a directory it is in, matches.
    pub(super) fn covers(&self, path: &PathParts<'_>) -> bool {
        if self.anchored {
            return self.begins(path);
        }
        path.names().any(|name| self.matches_name(name))
    }

    /// As [`Self::covers`], but of a pattern that is one name only the path's last name counts.
    pub(super) fn covers_by_last_name(&self, path: &PathParts<'_>) -> bool {
        if self.anchored {
            return self.begins(path);
        }
        path.names().last().is_some_and(|name| self.matches_name(name))
    }

    /// Whether an anchored pattern names something below the path.
    pub(super) fn lies_below(&self, path: &PathParts<'_>) -> bool {
        let mut parts = self.parts.iter();
        self.anchored
            && path.names().all(|name| parts.next().is_some_and(|part| matches(part, name)))
    }

    fn begins(&self, path: &PathParts<'_>) -> bool {
        let mut names = path.names();
        self.parts.iter().all(|part| names.next().is_some_and(|name| matches(part, name)))
    }

    fn matches_name(&self, name: &str) -> bool {
        self.parts.first().is_some_and(|part| matches(part, name))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.text.iter().enumerate() {
            if self.anchored || position > 0 {
                f.write_str("\\")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// Matches one name. Only the last `*` is ever tried again, so the work is at most the product of
/// both lengths.
fn matches(pattern: &[char], name: &str) -> bool {
    let mut pattern_rest = pattern;
    let mut name_rest = name.chars();
    let mut retry = None;
    loop {
        let mut next = name_rest.clone();
        match (pattern_rest.split_first(), next.next()) {
            (Some(('*', after)), _) => {
                pattern_rest = after;
                retry = Some((after, name_rest.clone()));
            }
            (Some((&wanted, after)), Some(c)) if wanted == '?' || wanted == fold(c) => {
                pattern_rest = after;
                name_rest = next;
            }
            (None, None) => return true,
            _ => {
                // Let the last star take one more.
                let Some((after, mut from)) = retry.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                pattern_rest = after;
                name_rest = from.clone();
                retry = Some((after, from));
            }
        }
    }
}

/// Folds the case of one character as file names do.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let unit = u16::try_from(u32::from(c)).map(fold_case);
    unit.ok().and_then(|unit| char::from_u32(unit.into())).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        let pattern: Vec<char> = pattern.chars().map(fold).collect();
        assert_eq!(matches(&pattern, name), expected, "{pattern:?} {name}");
    }

    #[test]
    fn wildcards_match_inside_a_name() {
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("*", "", true);
        check("*", "anything", true);
        check("*.tmp", "x.tmp", true);
        check("*.tmp", ".TMP", true);
        check("*.tmp", "x.tmp2", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-b-b-d", false);
        check("**a", "bba", true);
        check("", "", true);
        check("", "a", false);
        check("?", "\u{1f600}", true);
        check("\u{e4}*", "\u{c4}b", true);
        check("*x", "x", true);
        check("a*", "a", true);
    }

    /// The definition of the wildcards, one after the other.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, rest) => rest.is_none(),
            (Some(('*', after)), _) => {
                (0..=name.len()).any(|skipped| by_definition(after, &name[skipped..]))
            }
            (Some((&wanted, after)), Some((&c, rest))) => {
                (wanted == '?' || wanted == fold(c)) && by_definition(after, rest)
            }
            (Some(_), None) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn wildcards_mean_what_they_should(pattern in "[abAB?*]{0,8}", name in "[abAB]{0,10}") {
            let pattern: Vec<char> = pattern.chars().map(fold).collect();
            let chars: Vec<char> = name.chars().collect();
            proptest::prop_assert_eq!(matches(&pattern, &name), by_definition(&pattern, &chars));
        }
    }

    #[test]
    fn stars_do_not_multiply() {
        let pattern = "*a".repeat(200) + "b";
        check(&pattern, &"a".repeat(20_000), false);
    }

    #[test]
    fn patterns_print_as_understood() {
        let print = |text, anchored| Pattern::new(text, anchored).unwrap().to_string();
        assert_eq!(print("//a/\\b/", true), r"\a\b");
        assert_eq!(print("*.tmp", false), "*.tmp");
        assert_eq!(Pattern::new("\\/", true), None);
    }
}
