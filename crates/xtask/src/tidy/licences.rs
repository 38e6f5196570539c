//! Only licences from the list in `deny.toml`, only packages from a registry.

use std::collections::BTreeMap;

use anyhow::Context as _;
use toml::{Table, Value};

use super::{Finding, spdx};
use crate::workspace::{Package, Workspace};

const LIST: &str = "deny.toml";

/// How cargo names a package's source if that is a registry; which one, `deny.toml` says.
const REGISTRY: &str = "registry+";

pub(super) fn check(workspace: &Workspace, fuzz: &[Package]) -> anyhow::Result<Vec<Finding>> {
    let allowed = allowed(&workspace.read(LIST)?)?;
    let packages = workspace.packages.iter().chain(fuzz);
    // Both lists share most packages; a map names each once.
    let messages: BTreeMap<_, _> = packages
        .filter_map(|package| Some((&package.name, check_package(package, &allowed)?)))
        .collect();
    Ok(messages.into_values().map(|message| Finding::new(LIST, None, message)).collect())
}

/// Reads `[licenses] allow = [...]`.
fn allowed(list: &str) -> anyhow::Result<Vec<String>> {
    let list: Table = list.parse().with_context(|| format!("failed to read {LIST}"))?;
    let allow = list.get("licenses").and_then(|licenses| licenses.get("allow"));
    let names = allow.and_then(Value::as_array).context("deny.toml has no [licenses] allow")?;
    Ok(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn check_package(package: &Package, allowed: &[String]) -> Option<String> {
    let Package { name, version, license, source, .. } = package;
    if source.as_ref().is_some_and(|source| !source.starts_with(REGISTRY)) {
        return Some(format!("{name} {version} does not come from a registry"));
    }
    let Some(license) = license else {
        return Some(format!("{name} {version} names no licence"));
    };
    match spdx::is_satisfied(license, allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!("{name} {version}: {license} is not in the list of licences")),
        Err(error) => Some(format!("{name} {version}: {error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(source: &str, license: &str) -> Package {
        let text = format!(
            r#"{{"name": "one", "version": "1.0.0", "source": {source}, "license": {license},
                "manifest_path": "Cargo.toml", "targets": [],
                "dependencies": []}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[track_caller]
    fn check(source: &str, license: &str, expected: Option<&str>) {
        let allowed = allowed("[licenses]\nallow = [\"MIT\"]\n").unwrap();
        let message = check_package(&package(source, license), &allowed);
        assert_eq!(message.as_deref(), expected);
    }

    #[test]
    fn licences_are_held_against_the_list() {
        let registry = format!("\"{REGISTRY}https://example.org/index\"");
        check(&registry, "\"MIT OR GPL-3.0\"", None);
        check("null", "\"MIT\"", None);
        check(&registry, "\"GPL-3.0\"", Some("one 1.0.0: GPL-3.0 is not in the list of licences"));
        check(&registry, "null", Some("one 1.0.0 names no licence"));
        let other = "\"git+https://example.org/one\"";
        check(other, "\"MIT\"", Some("one 1.0.0 does not come from a registry"));
    }

    #[test]
    fn a_missing_list_is_an_error() {
        allowed("[bans]\n").unwrap_err();
    }
}
