//! A crate may use only crates of lower floors.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use super::Finding;
use crate::workspace::{Package, Workspace};

/// Where a crate stands, from `[package.metadata.imprint] floor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floor {
    /// A floor of the house. Floor 1 has two levels, written 10 and 11.
    Level(u64),
    /// Tools around the house: they may use everything, nothing may use them but tests.
    Aside,
}

/// The lowest floor whose crates may give up the type of an error.
const PROGRAM: u64 = 6;

impl Floor {
    fn of(package: &Package) -> Option<Self> {
        match package.metadata.get("imprint")?.get("floor")? {
            Value::Number(number) => number.as_u64().map(Self::Level),
            Value::String(word) if word == "aside" => Some(Self::Aside),
            _ => None,
        }
    }

    /// Height on one scale: 1 is the whole of floor 1, 10 and 11 are levels inside it.
    fn height(level: u64) -> u64 {
        if level < 10 { level * 10 } else { level }
    }

    fn may_use(self, other: Self, kind: Option<&str>) -> bool {
        match (self, other) {
            (Self::Aside, _) => true,
            (Self::Level(_), Self::Aside) => kind == Some("dev"),
            (Self::Level(own), Self::Level(other)) => Self::height(other) < Self::height(own),
        }
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(f, "floor {level}"),
            Self::Aside => f.write_str("aside of the floors"),
        }
    }
}

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let members: Vec<_> = workspace.members().collect();
    let floors: HashMap<_, _> =
        members.iter().filter_map(|p| Some((p.name.as_str(), Floor::of(p)?))).collect();
    let mut findings = Vec::new();
    for package in members {
        let file = workspace.relative(&package.manifest_path);
        for message in check_package(package, &floors) {
            findings.push(Finding::new(file, None, message));
        }
    }
    findings
}

fn check_package(package: &Package, floors: &HashMap<&str, Floor>) -> Vec<String> {
    let Some(floor) = Floor::of(package) else {
        return vec!["[package.metadata.imprint] floor should be a number or \"aside\"".to_owned()];
    };
    let mut messages = Vec::new();
    for dependency in &package.dependencies {
        let kind = dependency.kind.as_deref();
        match floors.get(dependency.name.as_str()) {
            Some(other) if !floor.may_use(*other, kind) => messages.push(format!(
                "{} is on {floor} and must not use {}, which is on {other}",
                package.name, dependency.name
            )),
            _ => {}
        }
        if dependency.name == "anyhow"
            && kind != Some("dev")
            && matches!(floor, Floor::Level(level) if Floor::height(level) < Floor::height(PROGRAM))
        {
            messages.push(format!(
                "{} is on {floor}: below floor {PROGRAM} errors have types, not anyhow",
                package.name
            ));
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use Floor::{Aside, Level};

    #[track_caller]
    fn check(own: Floor, other: Floor, kind: Option<&str>, expected: bool) {
        assert_eq!(own.may_use(other, kind), expected, "{own} using {other} ({kind:?})");
    }

    #[test]
    fn only_lower_floors() {
        check(Level(2), Level(0), None, true);
        check(Level(2), Level(11), None, true);
        check(Level(2), Level(2), None, false);
        check(Level(0), Level(2), None, false);
        check(Level(0), Level(0), None, false);
        check(Level(6), Level(5), None, true);
        check(Level(1), Level(11), None, false);
    }

    #[test]
    fn containers_use_codecs_but_not_each_other() {
        check(Level(11), Level(10), None, true);
        check(Level(11), Level(0), None, true);
        check(Level(11), Level(11), None, false);
        check(Level(10), Level(11), None, false);
        check(Level(11), Level(2), Some("dev"), false);
    }

    #[test]
    fn only_tests_use_what_is_aside() {
        check(Level(1), Aside, Some("dev"), true);
        check(Level(1), Aside, None, false);
        check(Level(1), Aside, Some("build"), false);
        check(Aside, Level(6), None, true);
        check(Aside, Aside, None, true);
    }

    #[test]
    fn a_breach_is_named() {
        let package = |name: &str, floor: &str, dependencies: &str| -> Package {
            serde_json::from_str(&format!(
                r#"{{"name": "{name}", "version": "0.1.0", "source": null, "license": null,
                    "manifest_path": "crates/{name}/Cargo.toml",
                    "targets": [], "metadata": {{"imprint": {{"floor": {floor}}}}},
                    "dependencies": [{dependencies}]}}"#
            ))
            .unwrap()
        };
        let floors = HashMap::from([("wim", Level(11)), ("image", Level(2))]);
        let wim = package(
            "wim",
            "11",
            r#"{"name": "image", "kind": null}, {"name": "anyhow", "kind": null}"#,
        );
        assert_eq!(
            check_package(&wim, &floors),
            [
                "wim is on floor 11 and must not use image, which is on floor 2",
                "wim is on floor 11: below floor 6 errors have types, not anyhow",
            ]
        );
        let lost = package("lost", "\"cellar\"", "");
        assert_eq!(check_package(&lost, &floors).len(), 1);
    }
}
