//! Disk files beside qemu-img and cp.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::corpus::{self, Corpus, Size};
use super::disk_works::{self, Ending, Input, Work};
use super::measure::{self, Sample, Series};
use super::report::{self, Outcome, Row};
use super::{machine, volume};
use crate::process;
use crate::workspace::Workspace;

/// What `cargo xtask bench disk` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct DiskBench {
    /// Where the volume is, or is made [default: imprint/corpus in the user's cache].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Fill the volume with the large corpus of `bench wim` from this folder, or built there, instead
    /// of random files.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// How often each side runs; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only works that have this word in their name.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Print all samples as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// A finished `imprint` to measure instead of building one.
    #[arg(long, value_name = "PROGRAM")]
    ours: Option<PathBuf>,
}

/// Makes the volume, runs every work, prints the result.
pub(crate) fn disk(workspace: &Workspace, options: &DiskBench) -> anyhow::Result<()> {
    ensure!(options.runs > 0, "there should be at least one run");
    let bench = Bench::prepare(workspace, options)?;
    let wants = |name: &str| {
        let word = options.only.as_deref().unwrap_or_default();
        name.to_lowercase().contains(&word.to_lowercase())
    };
    let mut rows = Vec::new();
    for work in disk_works::ALL.iter().filter(|work| wants(work.name)) {
        rows.push(bench.run(work, options.runs)?);
    }
    for (ending, child, reads) in [
        (Ending::Vhd, "empty VHD child of 127 GB", "4 KiB reads through a VHD chain of 4"),
        (Ending::Vhdx, "empty VHDX child of 127 GB", "4 KiB reads through a VHDX chain of 4"),
    ] {
        if wants(child) {
            rows.push(bench.child(child, ending, options.runs)?);
        }
        if wants(reads) {
            rows.push(bench.reads(reads, ending)?);
        }
    }
    ensure!(!rows.is_empty(), "no work has this word in its name");
    let title = machine::describe(workspace, Path::new("qemu-img"), "4 GiB volume, 1.8 GB used")?;
    if options.json {
        println!("{}", report::json(&title, &rows)?);
    } else {
        print!("{}", report::markdown(&title, &rows, disk_works::MEMORY_MIB));
    }
    Ok(())
}

/// The folder of the chain that is there.
const CHAIN: &str = "chain";

/// Everything the works need.
struct Bench {
    raw: PathBuf,
    ours: PathBuf,
    /// Makes and reads chains.
    helper: PathBuf,
    /// A scratch folder beside the volume, on the same file system; removed at the end.
    scratch: tempfile::TempDir,
}

impl Bench {
    fn prepare(workspace: &Workspace, options: &DiskBench) -> anyhow::Result<Self> {
        let dir = options.dir.clone().map_or_else(corpus::default_dir, Ok)?;
        fs_err::create_dir_all(&dir)?;
        let corpus = options.corpus.as_deref();
        let corpus = corpus.map(|dir| Corpus::build(workspace, dir, Size::Large)).transpose()?;
        let raw = volume::build(&dir, corpus.as_ref())?;
        let ours = match &options.ours {
            Some(program) => program.clone(),
            None => process::build(workspace, "imprint", "imprint")?,
        };
        let helper = process::build(workspace, "imprint-bench", "disk-speed")?;
        let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(&dir)?;
        Ok(Self { raw, ours, helper, scratch })
    }

    /// Runs the peer and ours in turn and checks once that ours did it right.
    fn run(&self, work: &Work, runs: usize) -> anyhow::Result<Row> {
        let (mut ours, mut peer) = (Series::default(), Series::default());
        let out = self.scratch.path().join(format!("out.{}", work.output.name()));
        let input = self.input(work)?;
        for run in 0..runs {
            eprintln!("{}: run {} of {runs}", work.name, run + 1);
            // Ours merges right after the chain is made. How fast memory comes depends on what was
            // done before, so the peer begins after the same.
            if matches!(work.input, Input::Child) {
                self.chain(work.output, "2", true)?;
            }
            warm(&[&self.raw, &input])?;
            peer.push(self.measured(work.peer, &input, &out, &out)?);
            fs_err::remove_file(&out)?;
            // A merge uses its input up; it writes into the parent.
            let (input, written) = match work.input {
                Input::Child => {
                    let folder = self.chain(work.output, "2", true)?;
                    let file = |level| folder.join(format!("{level}.{}", work.output.name()));
                    (file(1), file(0))
                }
                Input::Converted(_) | Input::Chain => (input.clone(), out.clone()),
            };
            warm(&chain_of(&input)?)?;
            ours.push(self.measured(work.ours, &input, &out, &written)?);
            if run == 0 {
                self.compare(work.output, &written)?;
            }
            fs_err::remove_file(&written)?;
        }
        self.clear()?;
        let outcome = Outcome::Runs { ours, peer, target: work.time, size_target: None };
        Ok(Row { name: work.name, outcome })
    }

    fn measured(
        &self,
        words: &[&str],
        input: &Path,
        out: &Path,
        written: &Path,
    ) -> anyhow::Result<Sample> {
        let mut words = words.iter().peekable();
        let mut command = match words.peek() {
            Some(&&"disk") => Command::new(&self.ours),
            _ => Command::new(words.next().context("a work has no words")?),
        };
        for word in words {
            match *word {
                "RAW" => command.arg(&self.raw),
                "IN" | "LEAF" => command.arg(input),
                "OUT" => command.arg(out),
                word => command.arg(word),
            };
        }
        self.take_memory()?;
        let mut sample = measure::run(&command, self.scratch.path())?;
        sample.bytes = Some(fs_err::metadata(written)?.blocks() * 512);
        Ok(sample)
    }

    /// Makes sure that the memory a run needs for what it writes is this machine's own. A virtual machine
    /// gives free memory back to its host within seconds, and getting it again takes four times as long
    /// as the copying that is to be measured: whoever came first after something was removed would win.
    fn take_memory(&self) -> anyhow::Result<()> {
        let path = self.scratch.path().join("memory");
        let mut file = fs_err::File::create_new(&path)?;
        let piece = vec![1; 1 << 20];
        for _ in 0..2 << 10 {
            file.write_all(&piece)?;
        }
        Ok(fs_err::remove_file(path)?)
    }

    /// The file that ours, and for conversions the peer too, reads: made by qemu-img, or a chain.
    fn input(&self, work: &Work) -> anyhow::Result<PathBuf> {
        match work.input {
            Input::Converted(Ending::Raw) | Input::Child => Ok(self.raw.clone()),
            Input::Converted(ending) => {
                let path = self.scratch.path().join(format!("in.{}", ending.name()));
                let mut command = Command::new("qemu-img");
                command.args(["convert", "-f", "raw", "-O", ending.qemu(), "-o"]);
                command.arg(if ending == Ending::Vhd {
                    "subformat=dynamic,force_size=on"
                } else {
                    "subformat=dynamic"
                });
                process::output(command.arg(&self.raw).arg(&path))?;
                Ok(path)
            }
            Input::Chain => {
                let folder = self.chain(work.output, "4", false)?;
                Ok(folder.join(format!("3.{}", work.output.name())))
            }
        }
    }

    /// Makes a chain with the contents of the volume.
    fn chain(&self, ending: Ending, depth: &str, leaf_only: bool) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.path().join(CHAIN);
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir(&folder)?;
        let mut command = Command::new(&self.helper);
        command.arg("chain").arg(&self.raw).arg(&folder);
        command.args(["--format", ending.name(), "--depth", depth]);
        if leaf_only {
            command.arg("--leaf-only");
        }
        process::output(&mut command)?;
        Ok(folder)
    }

    /// What ours wrote has the volume's contents, as qemu reads it.
    fn compare(&self, ending: Ending, written: &Path) -> anyhow::Result<()> {
        let mut command = Command::new("qemu-img");
        command.args(["compare", "-f", "raw", "-F", ending.qemu()]).arg(&self.raw).arg(written);
        process::output(&mut command).context("ours has other contents than the volume")?;
        Ok(())
    }

    /// An empty child: how long it takes and how much room. Whoever makes one waits until it is on
    /// stable storage.
    fn child(&self, name: &'static str, ending: Ending, runs: usize) -> anyhow::Result<Row> {
        let file = |name: &str| self.scratch.path().join(format!("{name}.{}", ending.name()));
        let (parent, child) = (file("parent"), file("child"));
        let mut create = Command::new(&self.ours);
        create.args(["disk", "create"]).arg(&parent).args(["--size=127G", "--kind=dynamic"]);
        process::output(&mut create)?;
        let mut ours = Series::default();
        for _ in 0..runs {
            let mut command = Command::new(&self.ours);
            command.args(["disk", "child"]).arg(&parent).arg(&child);
            let mut sample = measure::run(&command, self.scratch.path())?;
            sample.bytes = Some(fs_err::metadata(&child)?.blocks() * 512);
            ours.push(sample);
            fs_err::remove_file(&child)?;
        }
        self.clear()?;
        let (seconds, bytes) = disk_works::CHILD;
        Ok(Row { name, outcome: Outcome::Alone { ours, seconds, bytes } })
    }

    fn reads(&self, name: &'static str, ending: Ending) -> anyhow::Result<Row> {
        eprintln!("{name}");
        let folder = self.chain(ending, "4", false)?;
        let mut command = Command::new(&self.helper);
        command.arg("read").arg(&self.raw).arg(folder.join(format!("3.{}", ending.name())));
        let output = String::from_utf8(process::output(&mut command)?)?;
        let speed = |side| {
            super::codec::speed(&output, side).with_context(|| format!("{side} in {output:?}"))
        };
        let (ours, peer) = (speed("chain")?, speed("raw")?);
        self.clear()?;
        Ok(Row { name, outcome: Outcome::Speed { ours, peer, target: disk_works::READS } })
    }

    /// Empties the scratch folder.
    fn clear(&self) -> anyhow::Result<()> {
        for entry in fs_err::read_dir(self.scratch.path())? {
            let path = entry?.path();
            if path.is_dir() { fs_err::remove_dir_all(path)? } else { fs_err::remove_file(path)? }
        }
        Ok(())
    }
}

/// A disk and, if it lies in the folder of a chain, all disks of that.
fn chain_of(leaf: &Path) -> anyhow::Result<Vec<PathBuf>> {
    match leaf.parent() {
        Some(folder) if folder.ends_with(CHAIN) => {
            fs_err::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
        }
        _ => Ok(vec![leaf.to_owned()]),
    }
}

/// Reads files, so that a run finds them in the page cache. Before every run: some machines give
/// memory back that was not used for a while.
fn warm(files: &[impl AsRef<Path>]) -> anyhow::Result<()> {
    for file in files {
        std::io::copy(&mut fs_err::File::open(file.as_ref())?, &mut std::io::sink())?;
    }
    Ok(())
}
