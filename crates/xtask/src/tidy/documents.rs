//! The texts of the project: those that must be there, and the map.

use std::os::unix::fs::PermissionsExt as _;

use super::Finding;
use crate::workspace::Workspace;

const MAP: &str = "ARCHITECTURE.md";

/// Lines of the map; a longer one is not read.
const MAP_LINES: usize = 250;

const REQUIRED: [&str; 10] = [
    "README.md",
    MAP,
    "CHANGELOG.md",
    "SHORTCOMINGS.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "rust-toolchain.toml",
    "docs/glossary.md",
    "docs/performance.md",
    "docs/evidence.md",
];

const COMMANDS: [&str; 3] = ["run", "test", ".ci/run"];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in REQUIRED {
        if !workspace.root.join(file).is_file() {
            findings.push(Finding::new(file, None, "is missing"));
        }
    }
    for file in COMMANDS {
        let permissions = workspace.root.join(file).metadata().map(|data| data.permissions());
        if !permissions.is_ok_and(|permissions| permissions.mode() & 0o111 != 0) {
            findings.push(Finding::new(file, None, "is missing or cannot be executed"));
        }
    }
    if let Ok(map) = workspace.read(MAP) {
        let crates = workspace.members().map(|package| package.name.as_str());
        findings.extend(
            check_map(&map, crates).into_iter().map(|message| Finding::new(MAP, None, message)),
        );
    }
    Ok(findings)
}

fn check_map<'a>(map: &str, crates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines = map.lines().count();
    let too_long = (lines > MAP_LINES).then(|| format!("{lines} lines, at most {MAP_LINES}"));
    let missing = crates
        .map(|name| format!("crates/{}", name.strip_prefix("imprint-").unwrap_or(name)))
        .filter(|place| !map.contains(&format!("`{place}`")))
        .map(|place| format!("`{place}` is missing from the code map"));
    too_long.into_iter().chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_short_and_complete() {
        let map = "- `crates/wim`: the container\n";
        assert_eq!(check_map(map, ["imprint-wim"].into_iter()), [""; 0]);
        assert_eq!(
            check_map(map, ["imprint-wim", "imprint"].into_iter()),
            ["`crates/imprint` is missing from the code map"]
        );
        assert_eq!(check_map(&"\n".repeat(251), [].into_iter()), ["251 lines, at most 250"]);
    }
}
