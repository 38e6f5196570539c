//! What may not stand in any text file of the project.

use std::path::Path;

use super::Finding;
use crate::workspace::Workspace;

/// Marks of unfinished work, each in two parts so that this file is no finding of its own.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Folders at the root of one machine that mean nothing on another. `/home` is on every machine and
/// tests may speak of it.
const PRIVATE: [&str; 4] = ["root", "work", "farm", "var/tmp"];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in workspace.files()? {
        let path = workspace.root.join(&file);
        if path.is_symlink() {
            continue;
        }
        // What is not UTF-8 is a fixture, not a text.
        let Ok(text) = String::from_utf8(fs_err::read(path)?) else { continue };
        findings.extend(check_text(&file, &text));
    }
    Ok(findings)
}

fn check_text(file: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
            let message = format!("{word}: finish it, or write it into SHORTCOMINGS.md");
            findings.push(Finding::new(file, Some(index + 1), message));
        }
        for dir in PRIVATE.iter().filter(|dir| has_private_path(line, dir)) {
            let message = format!("/{dir}/ is a path of one machine");
            findings.push(Finding::new(file, Some(index + 1), message));
        }
    }
    findings
}

/// Whether `word` stands in `line` and is no part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        ![before, after].into_iter().flatten().any(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Whether an absolute path below `/dir/` stands in `line`: the slash begins the path, it is not
/// somewhere inside a longer one or a URL.
fn has_private_path(line: &str, dir: &str) -> bool {
    line.match_indices(&format!("/{dir}/")).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~/{}$*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> usize {
        check_text(Path::new("a.md"), line).len()
    }

    #[test]
    fn private_paths_are_found() {
        for dir in PRIVATE {
            assert_eq!(check(&format!("see /{dir}/one.wim")), 1, "{dir}");
            assert_eq!(check(&format!("(\"/{dir}/one\")")), 1, "{dir}");
        }
        assert_eq!(check("https://example.org/work/one and ../work/two and tree/root/three"), 0);
        assert_eq!(check("the root folder"), 0);
    }

    #[test]
    fn unfinished_work_is_found_as_a_word() {
        for word in UNFINISHED {
            assert_eq!(check(&format!("// {word}: later")), 1, "{word}");
            assert_eq!(check(&format!("A{word}S and {word}_NAME")), 0, "{word}");
        }
    }
}
