//! Disk files, read and checked by `imprint` and held against the expectations and against what other
//! readers see in them now.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use imprint_testkit::disks::{
    BLOCK, Contents, Disk, Format, Kind, Reader, first_difference, qemu_replay_log, readers,
};
use serde::Deserialize;

use super::policy::{self, DiskPolicy};
use super::trial;
use crate::process;

/// What is known of the contents of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    size: u64,
    hash: Hash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hash {
    /// As in [`Contents::hash`].
    Blocks(String),
    /// SHA-256 over all bytes.
    Plain(String),
}

/// Reads `expected/vdisks.tsv`: file to contents.
pub(super) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Expected>> {
    parse(&fs_err::read_to_string(path)?)
        .with_context(|| format!("failed to read {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Expected>> {
    let row = |line: &str| {
        let cells: Vec<_> = line.split('\t').collect();
        let &[file, size, _, hash, ..] = cells.as_slice() else { bail!("in line {line:?}") };
        let hash = match hash.strip_prefix("plain sha256 ") {
            Some(plain) => Hash::Plain(plain.to_owned()),
            None => Hash::Blocks(hash.to_owned()),
        };
        // The name may be followed by a remark.
        let file = file.split(' ').next().unwrap_or(file);
        Ok((file.to_owned(), Expected { size: size.parse()?, hash }))
    };
    text.lines().skip(1).map(row).collect()
}

/// Puts a file into a folder, unpacked, and returns its name there: without the ending of the packer.
pub(super) fn unpack(file: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    let packer = match file.extension().and_then(OsStr::to_str) {
        Some("gz") => "gzip",
        Some("bz2") => "bzip2",
        Some("xz") => "xz",
        _ => {
            let target = into.join(file.file_name().context("a file has no name")?);
            fs_err::copy(file, &target)?;
            return Ok(target);
        }
    };
    let target = into.join(file.file_stem().context("a file has no name")?);
    let out = fs_err::File::create(&target)?;
    let (stdout, _) = out.into_parts();
    let mut command = Command::new(packer);
    command.args(["--decompress", "--stdout"]).arg(file).stdin(Stdio::null()).stdout(stdout);
    process::run(&mut command)?;
    Ok(target)
}

/// Checks one unpacked file, whose parents lie beside it, and returns what is wrong. `name` is that of
/// the expectations.
pub(super) fn check(
    program: &Path,
    file: &Path,
    name: &str,
    expected: &Expected,
) -> anyhow::Result<Vec<String>> {
    let mut check =
        Check { program, file, policy: policy::of_disk(name), expected, faults: Vec::new() };
    check.findings()?;
    let Some(disk) = check.info()? else { return Ok(check.faults) };
    let scratch = tempfile::tempdir()?;
    let raw = scratch.path().join("raw");
    let output = check.imprint(&["convert"], &[raw.as_os_str(), "--format=raw".as_ref()])?;
    check.faults.extend(trial::code_fault("convert", &output, &[0]));
    if output.status.success() {
        check.contents(&raw, &disk)?;
    }
    Ok(check.faults)
}

struct Check<'a> {
    program: &'a Path,
    file: &'a Path,
    policy: DiskPolicy,
    expected: &'a Expected,
    faults: Vec<String>,
}

/// What `imprint disk check --json` prints.
#[derive(Debug, Deserialize)]
struct Checked {
    faults: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    severity: String,
    message: String,
}

/// What `imprint disk info --json` prints.
#[derive(Debug, Deserialize)]
struct Info {
    chain: Vec<InfoDisk>,
}

#[derive(Debug, Deserialize)]
struct InfoDisk {
    format: String,
    kind: String,
    size: u64,
    sector_size: u32,
}

impl Check<'_> {
    /// Checks the file: it has the findings that are known of it, and no others.
    fn findings(&mut self) -> anyhow::Result<()> {
        let output = self.imprint(&["check", "--json"], &[])?;
        let codes = if self.policy.findings.is_empty() { &[0] } else { &[3] };
        self.faults.extend(trial::code_fault("check", &output, codes));
        let found = match serde_json::from_slice::<Checked>(&output.stdout) {
            Ok(checked) => checked.faults,
            Err(error) => {
                self.faults.push(format!("check --json: {error}"));
                return Ok(());
            }
        };
        self.faults.extend(unexpected(&found, self.policy.findings));
        Ok(())
    }

    fn info(&mut self) -> anyhow::Result<Option<Disk>> {
        let output = self.imprint(&["info", "--json"], &[])?;
        self.faults.extend(trial::code_fault("info", &output, &[0]));
        let chain = match serde_json::from_slice::<Info>(&output.stdout) {
            Ok(info) => info.chain,
            Err(error) => {
                self.faults.push(format!("info --json: {error}"));
                return Ok(None);
            }
        };
        let disk = chain.first().context("info --json: the chain is empty")?;
        if disk.size != self.expected.size {
            let wanted = self.expected.size;
            self.faults.push(format!("the size should be {wanted}, but is {}", disk.size));
        }
        let format = match disk.format.to_lowercase().as_str() {
            "vhd" => Format::Vhd,
            "vhdx" => Format::Vhdx,
            other => bail!("info --json: format {other:?}"),
        };
        let kind = match disk.kind.as_str() {
            "fixed" => Kind::Fixed,
            "dynamic" => Kind::Dynamic,
            "differencing" => Kind::Differencing,
            other => bail!("info --json: kind {other:?}"),
        };
        Ok(Some(Disk::new(format, kind, disk.sector_size, disk.size)))
    }

    /// Holds our raw copy against the expectation and against the readers.
    fn contents(&mut self, raw: &Path, disk: &Disk) -> anyhow::Result<()> {
        let ours = Contents::of_file(raw);
        match &self.expected.hash {
            Hash::Blocks(hash) if *hash == ours.hash => {}
            Hash::Blocks(hash) => {
                self.faults.push(format!("the hash should be {hash}, but there are {ours:?}"));
            }
            Hash::Plain(hash) => {
                let output = process::output(Command::new("sha256sum").arg(raw))?;
                let found = String::from_utf8_lossy(&output);
                if !found.starts_with(hash) {
                    self.faults.push(format!("SHA-256 should be {hash}, but is {found}"));
                }
            }
        }
        let judges = match self.policy.judges {
            Some(judges) => judges.to_vec(),
            None => readers(disk).collect(),
        };
        if self.policy.replayed {
            // Only now: ours had to read it as it was.
            self.guarded("qemu-img", || qemu_replay_log(self.file));
        }
        // libvhdi shows no holes: of a long disk it is asked for the ends only.
        let ends = [0..16 * BLOCK, disk.size.saturating_sub(16 * BLOCK) / BLOCK * BLOCK..disk.size];
        let long = disk.size > 4 << 30;
        for reader in judges {
            let part = long && reader == Reader::Vhdimount;
            let ranges = if part { ends.as_slice() } else { &[] };
            let theirs = self
                .guarded(&reader.to_string(), || reader.contents(self.file, disk.format, ranges));
            let difference = theirs.and_then(|theirs| {
                if part {
                    let file = fs_err::File::open(raw).ok()?;
                    return first_difference(&Contents::of_ranges(&file, ranges), &theirs);
                }
                first_difference(&ours, &theirs)
            });
            let told = |difference| format!("{reader} reads it otherwise than we do: {difference}");
            self.faults.extend(difference.map(told));
        }
        Ok(())
    }

    /// Does something that panics where it fails, and notes that.
    fn guarded<R>(&mut self, what: &str, act: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(act))
            .inspect_err(|cause| {
                let cause = cause.downcast_ref::<String>().map_or("it panicked", String::as_str);
                self.faults.push(format!("{what}: {cause}"));
            })
            .ok()
    }

    fn imprint(&self, verb: &[&str], arguments: &[&OsStr]) -> anyhow::Result<std::process::Output> {
        let words = ["disk"].into_iter().chain(verb.iter().copied()).map(OsStr::new);
        let words = words.chain([self.file.as_os_str()]).chain(arguments.iter().copied());
        trial::run(self.program, words)
    }
}

/// Findings that were not foreseen, and foreseen ones that did not come. Notes are of no matter.
fn unexpected(found: &[Finding], foreseen: &[&str]) -> Vec<String> {
    let grave = || found.iter().filter(|finding| finding.severity != "note");
    let new = grave().filter(|finding| !foreseen.iter().any(|word| finding.message.contains(word)));
    let faults =
        new.map(|finding| format!("check finds: {}: {}", finding.severity, finding.message));
    let missing = foreseen
        .iter()
        .filter(|word| !grave().any(|finding| finding.message.contains(**word)))
        .map(|word| format!("check should find something with {word:?}, but does not"));
    faults.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_expectations() {
        let text = "file\tvirtual_size\tn\thash\tsecond\n\
                    a/one.vhd\t512\t0\te3b0\tx\n\
                    a/two.vhd (parent one.vhd)\t1024\t-\tplain sha256 c6db\ty\n";
        let files = parse(text).unwrap();
        assert_eq!(files["a/one.vhd"], Expected { size: 512, hash: Hash::Blocks("e3b0".into()) });
        assert_eq!(files["a/two.vhd"].hash, Hash::Plain("c6db".into()));
        parse("file\na/one.vhd\tmany\t0\t0\n").unwrap_err();
    }

    #[test]
    fn unpacks() {
        let dir = tempfile::tempdir().unwrap();
        let (packed, into) = (dir.path().join("a.vhd"), dir.path().join("into"));
        fs_err::create_dir(&into).unwrap();
        fs_err::write(&packed, "contents").unwrap();
        assert_eq!(unpack(&packed, &into).unwrap(), into.join("a.vhd"));
        for (program, ending) in [("gzip", "gz"), ("bzip2", "bz2"), ("xz", "xz")] {
            process::run(Command::new(program).args(["--force", "--keep"]).arg(&packed)).unwrap();
            let unpacked = unpack(&packed.with_extension(format!("vhd.{ending}")), &into).unwrap();
            assert_eq!(unpacked, into.join("a.vhd"));
            assert_eq!(fs_err::read(unpacked).unwrap(), b"contents");
        }
    }

    #[test]
    fn findings_are_those_foreseen() {
        let finding = |severity: &str, message: &str| Finding {
            severity: severity.to_owned(),
            message: message.to_owned(),
        };
        let found = [finding("note", "room"), finding("warning", "header: checksum is wrong")];
        assert_eq!(unexpected(&found, &["checksum"]), [""; 0]);
        assert_eq!(unexpected(&found, &[]).len(), 1);
        assert_eq!(unexpected(&found, &["checksum", "footer"]).len(), 1);
    }

    #[test]
    fn a_program_that_does_nothing_right_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.vhd");
        fs_err::write(&file, "").unwrap();
        let expected = Expected { size: 1, hash: Hash::Plain(String::new()) };
        assert_eq!(check(Path::new("true"), &file, "a.vhd", &expected).unwrap().len(), 2);
        assert_eq!(check(Path::new("false"), &file, "a.vhd", &expected).unwrap().len(), 4);
    }
}
