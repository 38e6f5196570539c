//! What every crate's manifest must say.

use std::path::Path;

use toml::{Table, Value};

use super::Finding;
use crate::workspace::Workspace;

const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Fields that every crate takes from the workspace, so that they are written once.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in workspace.members() {
        let file = workspace.relative(&package.manifest_path);
        let manifest: Table = workspace.read(file)?.parse()?;
        let mut messages = check_manifest(&manifest);
        messages.extend(check_place(&package.name, workspace.relative(package.dir())));
        findings.extend(messages.into_iter().map(|message| Finding::new(file, None, message)));
    }
    Ok(findings)
}

fn check_manifest(manifest: &Table) -> Vec<String> {
    let mut messages = Vec::new();
    let package = manifest.get("package").and_then(Value::as_table);
    for field in INHERITED {
        if !package.is_some_and(|package| is_inherited(package.get(field))) {
            messages.push(format!("write `{field}.workspace = true` in [package]"));
        }
    }
    let description = package.and_then(|package| package.get("description")?.as_str());
    if description.is_none_or(|text| text.trim().is_empty()) {
        messages.push("say in `description` what the crate is".to_owned());
    }
    if !is_inherited(manifest.get("lints")) {
        messages.push("write `[lints] workspace = true`".to_owned());
    }
    for table in DEPENDENCY_TABLES {
        for (name, value) in manifest.get(table).and_then(Value::as_table).into_iter().flatten() {
            if !is_inherited(Some(value)) {
                messages.push(format!(
                    "write `{name}.workspace = true` in [{table}]; its version belongs into the \
                     root manifest"
                ));
            }
        }
    }
    messages
}

/// A crate `imprint-wim` lives in `crates/wim`; the program `imprint` in `crates/imprint`.
fn check_place(name: &str, dir: &Path) -> Option<String> {
    let expected = Path::new("crates").join(name.strip_prefix("imprint-").unwrap_or(name));
    (dir != expected).then(|| format!("{name} belongs into {}", expected.display()))
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")?.as_bool()) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        lints.workspace = true
        [package]
        name = "imprint-wim"
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        description = "The WIM container"
        [dependencies]
        sha1.workspace = true
        zerocopy = { workspace = true, features = ["derive"] }
    "#;

    #[test]
    fn a_whole_manifest_has_no_findings() {
        assert_eq!(check_manifest(&GOOD.parse().unwrap()), [""; 0]);
    }

    #[test]
    fn each_missing_line_is_named() {
        let check = |from: &str, to: &str| check_manifest(&GOOD.replace(from, to).parse().unwrap());
        let checks = [
            ("lints.workspace = true", "", "lints"),
            ("edition.workspace = true", "edition = \"2021\"", "edition"),
            ("The WIM container", " ", "description"),
            ("sha1.workspace = true", "sha1 = \"0.10\"", "sha1.workspace"),
            ("workspace = true, features", "version = \"1\", features", "zerocopy"),
        ];
        for (from, to, word) in checks {
            let messages = check(from, to);
            assert!(messages.len() == 1 && messages[0].contains(word), "{word}: {messages:?}");
        }
    }

    #[test]
    fn folders_are_named_after_crates() {
        assert_eq!(check_place("imprint-wim", Path::new("crates/wim")), None);
        assert_eq!(check_place("imprint", Path::new("crates/imprint")), None);
        assert!(check_place("imprint-wim", Path::new("crates/imprint-wim")).is_some());
    }
}
