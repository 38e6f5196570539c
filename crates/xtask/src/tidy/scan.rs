//! Reading as much of a Rust file as the rules need.
//!
//! The sources are formatted by rustfmt (CI proves it first), so lines are enough: a `mod` stands at
//! the start of its line and the closing brace of an outer module in the first column.

/// What one file declares and how long it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Lines outside `#[cfg(test)] mod`.
    pub(super) production_lines: usize,
    /// Modules that live in files of their own.
    pub(super) modules: Vec<Module>,
}

/// A `mod name;`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) name: String,
    /// From `#[path = "..."]`.
    pub(super) path: Option<String>,
    /// Whether it is compiled for tests only.
    pub(super) is_test: bool,
}

impl Scan {
    pub(super) fn of(text: &str) -> Self {
        let mut scan = Self::default();
        let mut attributes = Attributes::default();
        let mut in_tests = false;
        for line in text.lines() {
            if in_tests {
                in_tests = line != "}";
                continue;
            }
            if attributes.take(line) {
                continue;
            }
            let Attributes { is_test, path, lines, .. } = std::mem::take(&mut attributes);
            match declared_module(line) {
                Some((_, Body::Inline)) if is_test => in_tests = true,
                Some((name, Body::File)) => {
                    scan.modules.push(Module { name, path, is_test });
                    scan.production_lines += lines + 1;
                }
                _ => scan.production_lines += lines + 1,
            }
        }
        scan
    }
}

/// The attributes and comments in front of an item.
#[derive(Debug, Default)]
struct Attributes {
    is_test: bool,
    path: Option<String>,
    lines: usize,
    /// Whether the last one goes on: rustfmt closes such an attribute with a line of its own.
    is_open: bool,
}

impl Attributes {
    /// Takes a line if it is an attribute of the first column.
    fn take(&mut self, line: &str) -> bool {
        if !self.is_open && !line.starts_with("#[") {
            return false;
        }
        self.lines += 1;
        self.is_open = if self.is_open { line != ")]" } else { !line.ends_with(']') };
        self.is_test |= line.starts_with("#[cfg(test)]");
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            self.path = rest.split('"').next().map(str::to_owned);
        }
        true
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    File,
    Inline,
}

/// Reads `mod name;` and `pub(crate) mod name {`.
fn declared_module(line: &str) -> Option<(String, Body)> {
    let mut words = line.split_ascii_whitespace();
    let mut word = words.next()?;
    if word == "pub" || word.starts_with("pub(") {
        word = words.next()?;
    }
    if word != "mod" {
        return None;
    }
    let name = words.next()?;
    match name.strip_suffix(';') {
        Some(name) => Some((name.to_owned(), Body::File)),
        None => Some((name.to_owned(), Body::Inline)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_outside_tests_and_lists_modules() {
        let text = "\
//! Docs.
mod one;
pub(crate) mod two;
#[path = \"elsewhere.rs\"]
pub mod three;
#[cfg(test)]
mod fixtures;

fn f() {
    // mod comment;
}

#[cfg(test)]
#[expect(
    x,
    reason = \"y\"
)]
mod tests {
    mod inner {
    }
}
fn g() {}
";
        let scan = Scan::of(text);
        assert_eq!(scan.production_lines, 13);
        let modules: Vec<_> =
            scan.modules.iter().map(|m| (m.name.as_str(), m.path.as_deref(), m.is_test)).collect();
        let expected = [
            ("one", None, false),
            ("two", None, false),
            ("three", Some("elsewhere.rs"), false),
            ("fixtures", None, true),
        ];
        assert_eq!(modules, expected);
    }
}
