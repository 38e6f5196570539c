//! One WIM file, read, verified and applied by `imprint` and held against the expectations.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};

use super::expected::{Entries, Entry, Images};
use super::listing;
use super::policy::Policy;
use super::trial;
use crate::process;

/// Checks one file and returns what is wrong.
pub(super) fn check(
    program: &Path,
    file: &Path,
    expected: &Images,
    policy: Policy,
) -> anyhow::Result<Vec<String>> {
    let mut check = Check { program, file, policy, faults: Vec::new() };
    check.info()?;
    check.dir(expected)?;
    check.verify()?;
    for (&image, entries) in expected {
        check.apply(image, entries)?;
    }
    if expected.is_empty() {
        check.apply(1, &Entries::new())?;
    }
    Ok(check.faults)
}

struct Check<'a> {
    program: &'a Path,
    file: &'a Path,
    policy: Policy,
    faults: Vec<String>,
}

impl Check<'_> {
    fn info(&mut self) -> anyhow::Result<()> {
        let output = self.imprint("info", &["--json"])?;
        // What `info` shows is readable in a file whose images are not.
        let codes: &[i32] = if self.policy == Policy::Refused { &[0, 1] } else { &[0] };
        self.expect_code("info", &output, codes);
        if output.status.success() {
            let document = serde_json::from_slice::<serde_json::Value>(&output.stdout);
            self.faults.extend(document.err().map(|error| format!("info --json: {error}")));
        }
        Ok(())
    }

    fn dir(&mut self, expected: &Images) -> anyhow::Result<()> {
        let output = self.imprint("dir", &["all", "--detailed", "--json"])?;
        self.expect_code("dir", &output, self.policy.dir_codes());
        if !output.status.success() {
            return Ok(());
        }
        match listing::parse(&String::from_utf8_lossy(&output.stdout)) {
            Ok(listed) => self.faults.extend(differences(expected, &listed)),
            Err(error) => self.faults.push(format!("dir --json: {error}")),
        }
        Ok(())
    }

    fn verify(&mut self) -> anyhow::Result<()> {
        let output = self.imprint("verify", &["--json"])?;
        self.expect_code("verify", &output, self.policy.verify_codes());
        Ok(())
    }

    /// Applies an image into a folder whose surroundings are empty, and looks at both.
    fn apply(&mut self, image: u32, expected: &Entries) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir()?;
        let target = scratch.path().join("one/two/three/target");
        fs_err::create_dir_all(&target)?;
        let image = image.to_string();
        let target_word = target.to_str().context("the temporary folder is not UTF-8")?;
        let output = self.imprint("apply", &[&image, target_word])?;
        self.expect_code("apply", &output, self.policy.apply_codes());
        for path in files_below(scratch.path())? {
            if !path.starts_with(&target) {
                self.faults.push(format!("apply wrote outside its target: {}", path.display()));
            }
        }
        let hashes = hashes_below(&target)?;
        if self.policy != Policy::Refused {
            self.compare_applied(&target, expected, &hashes);
        }
        Ok(())
    }

    /// What was applied must be right; in a damaged file a part may be missing, but then not there
    /// under its name with other contents.
    fn compare_applied(
        &mut self,
        target: &Path,
        expected: &Entries,
        hashes: &BTreeMap<PathBuf, String>,
    ) {
        for (path, entry) in expected {
            let place = target.join(path.trim_start_matches('/'));
            let fault = if entry.is_dir() {
                (!place.is_dir()).then_some("is not there as a directory")
            } else {
                self.fault_of_file(entry, hashes.get(&place).map(String::as_str))
            };
            self.faults.extend(fault.map(|fault| format!("applied {path} {fault}")));
        }
        self.faults.extend(unlinked(target, expected));
        let known: BTreeSet<_> =
            expected.keys().map(|path| target.join(path.trim_start_matches('/'))).collect();
        for path in hashes.keys().filter(|path| !known.contains(*path)) {
            self.faults.push(format!("applied {} should not be there", path.display()));
        }
    }

    fn fault_of_file(&self, entry: &Entry, found: Option<&str>) -> Option<&'static str> {
        const EMPTY: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        let expected = entry.data().map_or(EMPTY, |data| data.hash.as_str());
        match found {
            Some(hash) if hash == expected => None,
            Some(_) => Some("has other contents"),
            None if self.policy == Policy::Damaged => None,
            None => Some("is missing"),
        }
    }

    fn imprint(&self, verb: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let words = [verb].into_iter().map(OsStr::new).chain([self.file.as_os_str()]);
        trial::run(self.program, words.chain(arguments.iter().map(OsStr::new)))
    }

    fn expect_code(&mut self, verb: &str, output: &Output, codes: &[i32]) {
        self.faults.extend(trial::code_fault(verb, output, codes));
    }
}

/// Names of one file that became several files.
fn unlinked(target: &Path, expected: &Entries) -> Vec<String> {
    let mut inodes: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (path, entry) in expected.iter().filter(|(_, entry)| entry.link_group != 0) {
        let place = target.join(path.trim_start_matches('/'));
        let inode = fs_err::symlink_metadata(place).map(|metadata| metadata.ino());
        inodes.entry(entry.link_group).or_default().extend(inode);
    }
    let split = inodes.into_iter().filter(|(_, inodes)| inodes.len() > 1);
    split.map(|(group, _)| format!("applied link group {group} is several files")).collect()
}

/// How two listings differ.
fn differences(expected: &Images, found: &Images) -> Vec<String> {
    let mut faults = Vec::new();
    let indices: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    for index in indices {
        let none = Entries::new();
        let expected = expected.get(index).unwrap_or(&none);
        let found = found.get(index).unwrap_or(&none);
        let paths: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        for path in paths {
            let fault = match (expected.get(path), found.get(path)) {
                (Some(expected), Some(found)) if expected == found => continue,
                (Some(expected), Some(found)) => {
                    format!("should be {expected:?}, but is {found:?}")
                }
                (Some(_), None) => "is not listed".to_owned(),
                (None, _) => "should not be listed".to_owned(),
            };
            faults.push(format!("image {index}: {path} {fault}"));
        }
    }
    faults
}

/// All files below a folder, and what is no folder either.
fn files_below(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut command = Command::new("find");
    let list = process::output(command.arg(dir).args(["!", "-type", "d", "-print0"]))?;
    let list = String::from_utf8(list).context("a file name is not UTF-8")?;
    Ok(list.split_terminator('\0').map(PathBuf::from).collect())
}

/// The SHA-1 of all files below a folder, by coreutils.
fn hashes_below(dir: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut hashes = BTreeMap::new();
    for file in files_below(dir)? {
        let output = process::output(Command::new("sha1sum").arg("--zero").arg(&file))?;
        let line = String::from_utf8(output)?;
        let (hash, _) = line.split_once(' ').context("sha1sum prints something unexpected")?;
        ensure!(hash.len() == 40, "sha1sum prints {line:?}");
        hashes.insert(file, hash.to_owned());
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let images = |paths: &[(&str, u32)]| -> Images {
            let entry = |attributes: u32| Entry { attributes, ..Entry::default() };
            let entries = paths.iter().map(|(path, bits)| ((*path).to_owned(), entry(*bits)));
            BTreeMap::from([(1, entries.collect())])
        };
        let expected = images(&[("/", 16), ("/a", 32), ("/b", 32)]);
        assert_eq!(differences(&expected, &expected), [""; 0]);
        let faults = differences(&expected, &images(&[("/", 16), ("/b", 1), ("/c", 32)]));
        assert_eq!(faults.len(), 3);
        assert_eq!(faults[0], "image 1: /a is not listed");
        assert!(faults[1].starts_with("image 1: /b should be Entry { attributes: 32"));
        assert_eq!(faults[2], "image 1: /c should not be listed");
        assert_eq!(differences(&Images::new(), &expected).len(), 3);
    }

    #[test]
    fn hard_links_are_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let entry = Entry { link_group: 1, ..Entry::default() };
        let expected = ["/a", "/b"].map(|path| (path.to_owned(), entry.clone())).into();
        fs_err::write(dir.path().join("a"), "").unwrap();
        fs_err::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        assert_eq!(unlinked(dir.path(), &expected), [""; 0]);
        fs_err::remove_file(dir.path().join("b")).unwrap();
        fs_err::write(dir.path().join("b"), "").unwrap();
        assert_eq!(unlinked(dir.path(), &expected).len(), 1);
    }

    #[test]
    fn a_program_that_does_nothing_right_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.wim");
        fs_err::write(&file, "").unwrap();
        let entries = BTreeMap::from([("/a".to_owned(), Entry::default())]);
        let expected = BTreeMap::from([(1, entries)]);
        let sound = check(Path::new("false"), &file, &expected, Policy::Sound).unwrap();
        assert_eq!(sound.len(), 5, "{sound:?}");
        let sound = check(Path::new("true"), &file, &expected, Policy::Sound).unwrap();
        assert_eq!(sound.len(), 3, "{sound:?}");
        let refused = check(Path::new("true"), &file, &Images::new(), Policy::Refused).unwrap();
        assert_eq!(refused.len(), 5, "{refused:?}");
    }
}
