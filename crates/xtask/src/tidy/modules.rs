//! Every Rust file belongs to a program, a library or a test: nothing is forgotten.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::scan::Scan;
use crate::workspace::{Package, Target, Workspace};

pub(super) fn check(workspace: &Workspace, fuzz: &[Package]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let fuzz_dir = workspace.fuzz_dir();
    let mut packages: Vec<_> = workspace.members().collect();
    packages.extend(fuzz.iter().filter(|package| package.dir() == fuzz_dir));
    let files: Vec<_> = workspace.files()?.into_iter().map(|f| workspace.root.join(f)).collect();
    for package in packages {
        let mut reached = BTreeSet::new();
        for target in &package.targets {
            findings.extend(check_target(workspace, target));
            reach(&target.src_path, true, &mut reached)?;
        }
        for file in files.iter().filter(|file| is_source_of(package, file)) {
            if !reached.contains(file) {
                let message = "no `mod` names this file, so it is never compiled";
                findings.push(Finding::new(workspace.relative(file), None, message));
            }
        }
    }
    Ok(findings)
}

/// One test program per crate links once and shares its helpers.
fn check_target(workspace: &Workspace, target: &Target) -> Option<Finding> {
    let is_test = target.kind.iter().any(|kind| kind == "test");
    (is_test && target.name != "it").then(|| {
        let message = "integration tests are modules of tests/it/main.rs";
        Finding::new(workspace.relative(&target.src_path), None, message)
    })
}

fn is_source_of(package: &Package, file: &Path) -> bool {
    file.starts_with(package.dir()) && file.extension().is_some_and(|extension| extension == "rs")
}

/// Adds `file` and all files its modules live in. The files of a root (`lib.rs`, `main.rs`, any
/// program) and of `mod.rs` lie beside it, those of `name.rs` in the folder `name`.
fn reach(file: &Path, is_root: bool, reached: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    if !reached.insert(file.to_owned()) {
        return Ok(());
    }
    let scan = Scan::of(&fs_err::read_to_string(file)?);
    let beside = file.parent().unwrap_or(file);
    let dir = if is_root || file.ends_with("mod.rs") {
        beside.to_owned()
    } else {
        file.with_extension("")
    };
    for module in scan.modules {
        let candidates = match module.path {
            Some(path) => [plain(&beside.join(path)), PathBuf::new()],
            None => {
                let name = &module.name;
                [dir.join(format!("{name}.rs")), dir.join(name).join("mod.rs")]
            }
        };
        // A missing file is the compiler's to report.
        for candidate in candidates.iter().filter(|candidate| candidate.is_file()) {
            reach(candidate, false, reached)?;
        }
    }
    Ok(())
}

/// Takes `name/..` out of a path.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_modules_into_files_and_folders() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("lib.rs", "mod a;\nmod b;\n#[path = \"odd/../odd/name.rs\"]\nmod c;\nmod missing;\n");
        write("a.rs", "mod inner;\n");
        write("a/inner.rs", "");
        write("b/mod.rs", "mod deep;\n");
        write("b/deep.rs", "");
        write("odd/name.rs", "");
        write("forgotten.rs", "");
        let mut reached = BTreeSet::new();
        reach(&dir.path().join("lib.rs"), true, &mut reached).unwrap();
        let names: Vec<_> = reached
            .iter()
            .map(|file| file.strip_prefix(dir.path()).unwrap().to_str().unwrap())
            .collect();
        let expected = ["a/inner.rs", "a.rs", "b/deep.rs", "b/mod.rs", "lib.rs", "odd/name.rs"];
        assert_eq!(names, expected);
    }
}
