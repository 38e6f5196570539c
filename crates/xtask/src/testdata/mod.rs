//! Real files made by others, and what independent readers say of them.
//!
//! The folder lies outside the project, because its files' licences or contents keep them out. It
//! holds `MANIFEST.tsv` (every file with its hash), the files in folders named after their family
//! (`wim-wimlib`), and `expected/` (what other readers see in them).

mod disk;
mod expected;
mod listing;
mod policy;
mod trial;
mod volume;
mod wim;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::process;
use crate::workspace::Workspace;

/// What `cargo xtask testdata` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Suite {
    /// The folder with MANIFEST.tsv.
    dir: PathBuf,
    /// A finished `imprint` to test instead of building one.
    #[arg(long, value_name = "PROGRAM")]
    ours: Option<PathBuf>,
}

/// A family that is looked at.
struct Family {
    name: &'static str,
    /// What ends the names of its files, among others.
    endings: &'static [&'static str],
}

const WIM: Family = Family { name: "wim", endings: &["wim", "esd", "swm", "ppkg"] };
const DISK: Family =
    Family { name: "vhd", endings: &["vhd", "vhdx", "vhd.gz", "vhdx.gz", "vhd.bz2", "vhdx.bz2"] };
/// Its other files are single sectors.
const NTFS: Family = Family { name: "ntfs", endings: &["gz", "bz2", "xz"] };

/// Checks every file that is looked at and prints what is wrong.
pub(crate) fn run(workspace: &Workspace, suite: &Suite) -> anyhow::Result<()> {
    let manifest = Manifest::read(&suite.dir)?;
    manifest.check(&suite.dir)?;
    let program = match &suite.ours {
        Some(program) => program.clone(),
        None => process::build(workspace, "imprint", "imprint")?,
    };
    let faults = wims(&manifest, suite, &program)?
        + disks(&manifest, suite, &program)?
        + volumes(&manifest, suite, &program)?;
    for (family, count) in manifest.other_families(&[WIM, DISK, NTFS]) {
        println!("testdata: {count} files of family {family:?} are not looked at");
    }
    if faults == 0 { Ok(()) } else { bail!("{faults} faults") }
}

fn wims(manifest: &Manifest, suite: &Suite, program: &Path) -> anyhow::Result<usize> {
    let expected = expected::read(&suite.dir.join("expected/wim.tsv"))?;
    let mut tally = Tally::new(&WIM);
    for file in manifest.files_of(&WIM) {
        let empty = expected::Images::default();
        let expected = expected.get(file).unwrap_or(&empty);
        tally.add(file, &wim::check(program, &suite.dir.join(file), expected, policy::of(file))?);
    }
    tally.close()
}

fn disks(manifest: &Manifest, suite: &Suite, program: &Path) -> anyhow::Result<usize> {
    let expected = disk::read(&suite.dir.join("expected/vdisks.tsv"))?;
    let mut tally = Tally::new(&DISK);
    // Children look for their parents beside them, so each folder is unpacked whole.
    let mut folders: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
    for file in manifest.files_of(&DISK) {
        folders.entry(Path::new(file).parent().unwrap_or(Path::new(""))).or_default().push(file);
    }
    for (folder, files) in folders {
        let scratch = tempfile::tempdir()?;
        for file in &files {
            disk::unpack(&suite.dir.join(file), scratch.path())?;
        }
        for file in files {
            let name = file.trim_end_matches(".gz").trim_end_matches(".bz2");
            let unpacked = scratch.path().join(Path::new(name).strip_prefix(folder)?);
            let faults = match expected.get(name) {
                Some(expected) => disk::check(program, &unpacked, name, expected)?,
                None => vec!["nothing is known of its contents".to_owned()],
            };
            tally.add(file, &faults);
        }
    }
    tally.close()
}

fn volumes(manifest: &Manifest, suite: &Suite, program: &Path) -> anyhow::Result<usize> {
    let mut tally = Tally::new(&NTFS);
    for file in manifest.files_of(&NTFS) {
        let known = volume::IMAGES.iter().any(|image| image.file == file);
        if !known {
            tally.add(file, &["nothing is known of this volume".to_owned()]);
        }
    }
    for image in &volume::IMAGES {
        let scratch = tempfile::tempdir()?;
        let unpacked = disk::unpack(&suite.dir.join(image.file), scratch.path())?;
        let table = image.table.map(|table| suite.dir.join("expected").join(table));
        let expected = table.map(|table| volume::expected(&table)).transpose()?;
        tally.add(image.file, &volume::compare(program, &unpacked, image, expected)?);
    }
    tally.close()
}

/// Counts and prints faults.
struct Tally {
    family: &'static Family,
    files: usize,
    faults: usize,
}

impl Tally {
    const fn new(family: &'static Family) -> Self {
        Self { family, files: 0, faults: 0 }
    }

    fn add(&mut self, file: &str, faults: &[String]) {
        self.files += 1;
        self.faults += faults.len();
        for fault in faults {
            println!("{file}: {fault}");
        }
    }

    fn close(self) -> anyhow::Result<usize> {
        let Self { family: Family { name, .. }, files, faults } = self;
        ensure!(files > 0, "there are no files of the family {name:?}");
        println!("testdata: {files} files of family {name:?}, {faults} faults");
        Ok(faults)
    }
}

/// The list of files.
#[derive(Debug)]
struct Manifest {
    /// Path below the folder, and SHA-256.
    files: Vec<(String, String)>,
}

impl Manifest {
    fn read(dir: &Path) -> anyhow::Result<Self> {
        Self::parse(&fs_err::read_to_string(dir.join("MANIFEST.tsv"))?)
    }

    /// Reads a table whose columns are named in its first line.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let names: Vec<_> = lines.next().context("MANIFEST.tsv is empty")?.split('\t').collect();
        let column = |wanted: &str| {
            let index = names.iter().position(|name| *name == wanted);
            index.with_context(|| format!("MANIFEST.tsv has no column {wanted:?}"))
        };
        let (path, hash) = (column("stored_path")?, column("stored_sha256")?);
        let row = |line: &str| {
            let cells: Vec<_> = line.split('\t').collect();
            let cell = |index: usize| cells.get(index).copied().map(str::to_owned);
            cell(path).zip(cell(hash)).with_context(|| format!("MANIFEST.tsv: short line {line:?}"))
        };
        Ok(Self { files: lines.map(row).collect::<Result<_, _>>()? })
    }

    /// Proves that the files are those the expectations were made from.
    fn check(&self, dir: &Path) -> anyhow::Result<()> {
        let mut command = Command::new("sha256sum");
        command.current_dir(dir).args(["--check", "--quiet", "-"]).stdin(Stdio::piped());
        let mut child = command.spawn().context("failed to start sha256sum")?;
        let mut stdin = child.stdin.take().context("sha256sum has no standard input")?;
        for (path, hash) in &self.files {
            writeln!(stdin, "{hash}  {path}")?;
        }
        drop(stdin);
        let status = child.wait()?;
        ensure!(status.success(), "files are not those of MANIFEST.tsv");
        Ok(())
    }

    /// The files of a family.
    fn files_of(&self, family: &Family) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(path, _)| path.as_str()).filter(move |path| {
            let is = |ending: &&str| path.strip_suffix(*ending).is_some_and(|p| p.ends_with('.'));
            family_of(path) == family.name && family.endings.iter().any(is)
        })
    }

    fn other_families(&self, families: &[Family]) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for (path, _) in &self.files {
            if families.iter().all(|family| family_of(path) != family.name) {
                *counts.entry(family_of(path)).or_default() += 1;
            }
        }
        counts
    }
}

/// `wim-wimlib/README` is of the family `wim`.
fn family_of(path: &str) -> &str {
    path.split(['-', '/']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
stored_path\tstored_size\tstored_sha256
wim-a/one.wim\t1\tabc
wim-a/README\t2\tdef
hive-b/SYSTEM\t3\t012
vhd-c/two.vhd.gz\t3\t012
vhd-c/avhd\t3\t012
";

    #[test]
    fn sorts_files_into_families() {
        let manifest = Manifest::parse(TEXT).unwrap();
        assert_eq!(manifest.files_of(&WIM).collect::<Vec<_>>(), ["wim-a/one.wim"]);
        assert_eq!(manifest.files_of(&DISK).collect::<Vec<_>>(), ["vhd-c/two.vhd.gz"]);
        assert_eq!(manifest.other_families(&[WIM, DISK]), BTreeMap::from([("hive", 1)]));
        Manifest::parse("path\tsize\n").unwrap_err();
    }

    #[test]
    fn notices_files_that_are_not_those_of_the_list() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("a"), "abc").unwrap();
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let manifest = |hash: &str| Manifest { files: vec![("a".to_owned(), hash.to_owned())] };
        manifest(hash).check(dir.path()).unwrap();
        manifest(&hash.replace("ba78", "ca78")).check(dir.path()).unwrap_err();
    }
}
