//! NTFS volumes beside wimlib-imagex, which writes them through libntfs-3g, and partclone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::corpus::{self, Corpus, Size};
use super::machine;
use super::measure::{self, Sample, Series};
use super::report::{self, Outcome, Row};
use crate::process;
use crate::workspace::Workspace;

/// What `cargo xtask bench ntfs` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct NtfsBench {
    /// Where the corpora are, or are built [default: imprint/corpus in the user's cache].
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Which corpus is used.
    #[arg(long, value_enum, default_value = "large")]
    size: Size,
    /// The program to compare with: a path of wimlib-imagex.
    #[arg(long, value_name = "PROGRAM", default_value = "wimlib-imagex")]
    peer: PathBuf,
    /// How often each side runs; the median counts.
    #[arg(long, default_value_t = 3)]
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

/// One thing that both sides do: shell scripts, in which `$ours` and `$peer` are the programs, `$volume` an empty file of
/// 6 GiB, `$filled` a volume with the corpus, `$out` a file that is not there, and `$image` the corpus as a WIM.
struct Work {
    name: &'static str,
    /// How the WIM is compressed that both read, if they read one.
    image: Option<&'static str>,
    /// What is made before the clock starts.
    before: &'static str,
    peer: &'static str,
    ours: &'static str,
    /// Our wall time divided by the peer's may be this at most.
    time: f64,
}

const APPLY_PEER: &str =
    r#"mkntfs -F -Q -q -p 0 -s 512 "$volume" 2>&1 && exec "$peer" apply "$image" 1 "$volume""#;
const APPLY: &str = r#"exec "$ours" apply "$image" 1 "$volume" --format"#;

const ALL: [Work; 7] = [
    Work {
        name: "apply LZX, format included",
        image: Some("lzx"),
        before: "",
        peer: APPLY_PEER,
        ours: APPLY,
        time: 0.45,
    },
    Work {
        name: "apply XPRESS, format included",
        image: Some("xpress"),
        before: "",
        peer: APPLY_PEER,
        ours: APPLY,
        time: 0.50,
    },
    Work {
        name: "apply none, format included",
        image: Some("none"),
        before: "",
        peer: APPLY_PEER,
        ours: APPLY,
        time: 0.55,
    },
    Work {
        name: "capture none",
        image: None,
        before: "",
        peer: r#"exec "$peer" capture "$filled" "$out" --compress=none"#,
        ours: r#"exec "$ours" capture "$filled" "$out" --compress=none"#,
        time: 0.70,
    },
    Work {
        name: "capture XPRESS",
        image: None,
        before: "",
        peer: r#"exec "$peer" capture "$filled" "$out" --compress=xpress"#,
        ours: r#"exec "$ours" capture "$filled" "$out" --compress=xpress"#,
        time: 0.80,
    },
    Work {
        name: "apply LZX into a dynamic VHDX (peer: ours into a raw file)",
        image: Some("lzx"),
        before: r#"exec "$ours" disk create "$out.vhdx" --size=6G --kind=dynamic"#,
        peer: APPLY,
        ours: r#"exec "$ours" apply "$image" 1 "$out.vhdx" --format"#,
        time: 1.15,
    },
    Work {
        name: "copy of the used clusters (peer: partclone)",
        image: None,
        before: "",
        peer: r#"exec partclone.ntfs -q -c -s "$filled" -o "$out" -L /dev/null"#,
        ours: r#"exec "$ours" disk convert "$filled" "$out.vhdx" --used --no-sync"#,
        time: 0.60,
    },
];

/// Bytes of the volumes.
const VOLUME: u64 = 6 << 30;

/// Builds both sides' input, runs every work, prints the result.
pub(crate) fn ntfs(workspace: &Workspace, options: &NtfsBench) -> anyhow::Result<()> {
    ensure!(options.runs > 0, "there should be at least one run");
    let bench = Bench::prepare(workspace, options)?;
    let word = options.only.as_deref().unwrap_or_default().to_lowercase();
    let mut rows = Vec::new();
    for work in ALL.iter().filter(|work| work.name.to_lowercase().contains(&word)) {
        rows.push(bench.run(work, options.runs)?);
    }
    ensure!(!rows.is_empty(), "no work has this word in its name");
    let subject = format!("{} corpus, {} files", bench.corpus.size, bench.files);
    let title = machine::describe(workspace, &bench.peer, &subject)?;
    if options.json {
        println!("{}", report::json(&title, &rows)?);
    } else {
        // 100 MiB and 1 KiB for each file.
        let files = u32::try_from(bench.files).unwrap_or(u32::MAX);
        print!("{}", report::markdown(&title, &rows, 100.0 + f64::from(files) / 1024.0));
    }
    Ok(())
}

/// Everything the works need.
struct Bench {
    corpus: Corpus,
    files: u64,
    ours: PathBuf,
    peer: PathBuf,
    /// A scratch folder beside the corpus, on the same file system; removed at the end.
    scratch: tempfile::TempDir,
}

impl Bench {
    fn prepare(workspace: &Workspace, options: &NtfsBench) -> anyhow::Result<Self> {
        let dir = options.corpus.clone().map_or_else(corpus::default_dir, Ok)?;
        let corpus = Corpus::build(workspace, &dir, options.size)?;
        let ours = match &options.ours {
            Some(program) => program.clone(),
            None => process::build(workspace, "imprint", "imprint")?,
        };
        let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(&dir)?;
        let files = corpus::count(&corpus.tree)?.files;
        Ok(Self { corpus, files, ours, peer: options.peer.clone(), scratch })
    }

    fn run(&self, work: &Work, runs: usize) -> anyhow::Result<Row> {
        let (mut ours, mut peer) = (Series::default(), Series::default());
        for run in 0..runs {
            eprintln!("{}: run {} of {runs}", work.name, run + 1);
            peer.push(self.once(work, work.peer)?);
            ours.push(self.once(work, work.ours)?);
        }
        let outcome = Outcome::Runs { ours, peer, target: work.time, size_target: None };
        Ok(Row { name: work.name, outcome })
    }

    /// Runs one side once, from a fresh start.
    fn once(&self, work: &Work, script: &str) -> anyhow::Result<Sample> {
        let volume = self.path("volume");
        fs_err::File::create(&volume)?.set_len(VOLUME)?;
        let image = work.image.map(|compression| self.image(compression)).transpose()?;
        let filled = if work.image.is_none() { Some(self.filled()?) } else { None };
        if !work.before.is_empty() {
            process::output(&mut self.shell(work.before, image.as_deref()))?;
        }
        for input in image.iter().chain(&filled) {
            warm(input)?;
        }
        let sample = measure::run(&self.shell(script, image.as_deref()), self.scratch.path())?;
        for name in ["volume", "out", "out.vhdx"] {
            let path = self.path(name);
            if path.exists() {
                fs_err::remove_file(path)?;
            }
        }
        Ok(sample)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn shell(&self, script: &str, image: Option<&Path>) -> Command {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]);
        command.env("ours", &self.ours).env("peer", &self.peer);
        for name in ["volume", "filled", "out"] {
            command.env(name, self.path(name));
        }
        if let Some(image) = image {
            command.env("image", image);
        }
        command
    }

    /// The corpus as a WIM: the peer's capture, made once.
    fn image(&self, compression: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(&format!("input-{compression}.wim"));
        if !path.exists() {
            eprintln!("preparing the {compression} input");
            let mut command = Command::new(&self.peer);
            command.arg("capture").arg(&self.corpus.tree).arg(&path);
            process::output(command.arg(format!("--compress={compression}")))?;
        }
        Ok(path)
    }

    /// A volume with the corpus, which the peer filled.
    fn filled(&self) -> anyhow::Result<PathBuf> {
        let path = self.path("filled");
        if !path.exists() {
            let image = self.image("none")?;
            eprintln!("preparing the volume");
            fs_err::File::create(&path)?.set_len(VOLUME)?;
            let script = APPLY_PEER.replace("$volume", "$filled");
            let made = process::output(&mut self.shell(&script, Some(&image)));
            made.context("failed to fill the volume")?;
        }
        Ok(path)
    }
}

/// Reads a file, so that a run finds it in the page cache.
fn warm(file: &Path) -> anyhow::Result<()> {
    std::io::copy(&mut fs_err::File::open(file)?, &mut std::io::sink())?;
    Ok(())
}
