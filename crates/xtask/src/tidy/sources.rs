//! The size of source files, and what may not stand in them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::Finding;
use super::scan::Scan;
use crate::workspace::Workspace;

/// Production lines a file may have. 300 is the aim.
const LONGEST: usize = 600;

/// Written in two parts, or this file would be its own finding.
const SILENCED: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let files = workspace.files()?;
    let sources = files.iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
    let mut findings = Vec::new();
    let mut test_files = HashSet::new();
    let mut lengths = Vec::new();
    for file in sources {
        let text = workspace.read(file)?;
        findings.extend(check_attributes(file, &text));
        let scan = Scan::of(&text);
        for module in scan.modules.iter().filter(|module| module.is_test) {
            test_files.extend(possible_files(file, &module.name));
        }
        lengths.push((file, scan.production_lines));
    }
    for (file, lines) in lengths {
        if is_production(file) && !test_files.contains(file) && lines > LONGEST {
            let message = format!("{lines} production lines, at most {LONGEST}: split the concept");
            findings.push(Finding::new(file, None, message));
        }
    }
    Ok(findings)
}

fn check_attributes(file: &Path, text: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    let silenced = lines.filter(|(_, line)| SILENCED.iter().any(|start| line.contains(start)));
    let message = "write #[expect(lint, reason = \"...\")]: it reports when it is needed no more";
    silenced.map(|(index, _)| Finding::new(file, Some(index + 1), message)).collect()
}

/// Whether the length of a file counts: not in tests, benchmarks, examples and fuzz targets.
fn is_production(file: &Path) -> bool {
    let aside = ["tests", "benches", "examples", "fuzz"];
    !file.iter().any(|part| aside.iter().any(|name| part == *name))
}

/// Where the file of `mod name;` in `file` may lie.
fn possible_files(file: &Path, name: &str) -> [PathBuf; 3] {
    let beside = file.parent().unwrap_or(file);
    [
        beside.join(format!("{name}.rs")),
        beside.join(name).join("mod.rs"),
        file.with_extension("").join(format!("{name}.rs")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silenced_lints_are_found() {
        let text = format!("fn f() {{}}\n{}dead_code)]\nfn g() {{}}\n", SILENCED[0]);
        let findings = check_attributes(Path::new("a.rs"), &text);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().starts_with("a.rs:2: write #[expect"), "{}", findings[0]);
        assert_eq!(check_attributes(Path::new("a.rs"), "#[expect(dead_code)]"), []);
    }

    #[test]
    fn tests_may_be_long() {
        assert!(is_production(Path::new("crates/wim/src/reader.rs")));
        assert!(!is_production(Path::new("crates/wim/tests/it/reader.rs")));
        assert!(!is_production(Path::new("fuzz/fuzz_targets/lzx.rs")));
    }
}
