//! Benchmarks against an independent program, both in turn in one run.

mod codec;
mod corpus;
mod disk;
mod disk_works;
mod ground;
mod machine;
mod measure;
mod ntfs;
mod report;
mod volume;
mod works;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::process;
use crate::workspace::Workspace;
use corpus::{Corpus, Count, Size};
pub(crate) use disk::{DiskBench, disk};
use ground::Ground;
use measure::{Sample, Series};
pub(crate) use ntfs::{NtfsBench, ntfs};
use report::Row;
use works::{Side, Work};

/// What `cargo xtask bench wim` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct WimBench {
    /// Where the corpora are, or are built [default: imprint/corpus in the user's cache].
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Which corpus is used.
    #[arg(long, value_enum, default_value = "large")]
    size: Size,
    /// The program to compare with: a path of wimlib-imagex.
    #[arg(long, value_name = "PROGRAM", default_value = "wimlib-imagex")]
    peer: PathBuf,
    /// The shared library of the peer that decompresses for the codec rows [default: the installed
    /// one].
    #[arg(long, value_name = "LIBRARY")]
    peer_lib: Option<PathBuf>,
    /// How often each side runs; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only works that have this word in their name.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Print all samples as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// A finished `imprint` to measure instead of building one; the codec rows are then left out.
    #[arg(long, value_name = "PROGRAM")]
    ours: Option<PathBuf>,
}

/// Builds both sides' input, runs every work, prints the result.
pub(crate) fn wim(workspace: &Workspace, options: &WimBench) -> anyhow::Result<()> {
    ensure!(options.runs > 0, "there should be at least one run");
    let works: Vec<_> = works::ALL.iter().filter(|work| options.wants(work.name)).collect();
    let codecs: Vec<_> = codec::ALL.iter().filter(|codec| options.wants(codec.name)).collect();
    ensure!(!works.is_empty() || !codecs.is_empty(), "no work has this word in its name");
    let bench = Bench::prepare(workspace, options)?;
    let mut rows = Vec::new();
    for work in works {
        rows.extend(bench.run(work, options.runs)?);
    }
    if options.ours.is_none() {
        // Programs are what most bytes of a Windows image are.
        let input = bench.corpus.tree.join("Windows/System32");
        for codec in codecs {
            rows.push(codec.run(workspace, &input, options.peer_lib.as_deref())?);
        }
    }
    let title =
        machine::describe(workspace, &bench.peer, &format!("{} corpus", bench.corpus.size))?;
    if options.json {
        println!("{}", report::json(&title, &rows)?);
    } else {
        print!("{}", report::markdown(&title, &rows, works::MEMORY_MIB));
    }
    Ok(())
}

impl WimBench {
    fn wants(&self, name: &str) -> bool {
        let word = self.only.as_deref().unwrap_or_default();
        name.to_lowercase().contains(&word.to_lowercase())
    }
}

/// Everything the works need.
struct Bench {
    corpus: Corpus,
    ours: PathBuf,
    peer: PathBuf,
    /// A scratch folder beside the corpus, on the same file system; removed at the end.
    scratch: tempfile::TempDir,
}

impl Bench {
    fn prepare(workspace: &Workspace, options: &WimBench) -> anyhow::Result<Self> {
        let dir = options.corpus.clone().map_or_else(corpus::default_dir, Ok)?;
        let corpus = Corpus::build(workspace, &dir, options.size)?;
        let ours = match &options.ours {
            Some(program) => program.clone(),
            None => process::build(workspace, "imprint", "imprint")?,
        };
        let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(&dir)?;
        corpus.warm()?;
        Ok(Self { corpus, ours, peer: options.peer.clone(), scratch })
    }

    /// Runs one work: the peer, then each of our variants, and so on in turn. Returns a row for each
    /// variant.
    fn run(&self, work: &Work, runs: usize) -> anyhow::Result<Vec<Row>> {
        let input = work.input.map(|compression| self.input(compression)).transpose()?;
        let mut theirs = Series::default();
        let mut ours = vec![Series::default(); work.variants.len()];
        for run in 0..runs {
            eprintln!("{}: run {} of {runs}", work.name, run + 1);
            theirs.push(self.once(work, Side::Peer(work.peer), input.as_deref())?);
            for (variant, series) in work.variants.iter().zip(&mut ours) {
                series.push(self.once(work, Side::Ours(variant.arguments), input.as_deref())?);
            }
        }
        let pairs = work.variants.iter().zip(ours);
        Ok(pairs.map(|(variant, ours)| Row::of_work(variant, ours, theirs.clone())).collect())
    }

    /// Runs a work once on one side and checks what came out of it.
    fn once(&self, work: &Work, side: Side, input: Option<&Path>) -> anyhow::Result<Sample> {
        let out = self.scratch.path().join("out.wim");
        let applies = work.applies();
        let expected = if applies { corpus::count(&self.corpus.tree)? } else { Count::default() };
        let ground = applies.then(|| Ground::make(self.scratch.path(), expected.bytes));
        let ground = ground.transpose()?;
        let dir = ground.as_ref().map_or(self.scratch.path(), Ground::path).join("out");
        if let Some(input) = input
            && work.changes_input
        {
            fs_err::copy(input, &out)?;
        }
        let (program, arguments) = match side {
            Side::Ours(arguments) => (&self.ours, arguments),
            Side::Peer(arguments) => (&self.peer, arguments),
        };
        let mut command = Command::new(program);
        for argument in arguments {
            match *argument {
                "TREE" => command.arg(&self.corpus.tree),
                "SECOND" => command.arg(&self.corpus.second),
                "INPUT" => command.arg(input.context("the work has no input")?),
                "OUT" => command.arg(&out),
                "DIR" => command.arg(&dir),
                word => command.arg(word),
            };
        }
        let mut sample = measure::run(&command, self.scratch.path())?;
        if out.exists() {
            sample.bytes = Some(fs_err::metadata(&out)?.len());
            fs_err::remove_file(&out)?;
        }
        if applies {
            let found = corpus::count(&dir)?;
            ensure!(found == expected, "{command:?} made {found:?}, but the tree is {expected:?}");
        }
        Ok(sample)
    }

    /// The WIM that both sides read: the peer's capture of the corpus, made once.
    fn input(&self, compression: &str) -> anyhow::Result<PathBuf> {
        let path = self.scratch.path().join(format!("input-{compression}.wim"));
        if !path.exists() {
            eprintln!("preparing the {compression} input");
            let mut command = Command::new(&self.peer);
            command.arg("capture").arg(&self.corpus.tree).arg(&path);
            process::output(command.arg(format!("--compress={compression}")))?;
        }
        Ok(path)
    }
}
