//! The project's chores: `cargo xtask COMMAND`, the same commands on a desk and in CI.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program talks to a person")]

mod bench;
mod ci;
mod fuzz;
mod process;
mod testdata;
mod testing;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::testing::TestsFailed;
use crate::workspace::Workspace;

/// Checks, tests, fuzzing and benchmarks of Imprint.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check the rules no compiler knows: floors, file lengths, licences, forgotten files.
    Tidy,
    /// Run what CI runs, or only the named steps of it.
    Ci {
        /// Steps, in the order they run; all when none is named.
        steps: Vec<ci::Step>,
    },
    /// Run all tests and then every fuzz target for a moment; the last line is the count.
    Test {
        /// Seconds each fuzz target runs; 0 leaves fuzzing out.
        #[arg(long, default_value_t = 5)]
        fuzz_seconds: u32,
    },
    /// Run the tests that set independent programs over our output.
    Interop,
    /// Run the tests whose name contains NAME in their long form.
    Soak {
        /// Part of the tests' path.
        name: String,
    },
    /// Work with the fuzz targets.
    Fuzz {
        #[command(subcommand)]
        command: FuzzChore,
    },
    /// Check files by others, in a folder with MANIFEST.tsv, against what other readers see in them.
    Testdata(testdata::Suite),
    /// Measure against an independent program.
    Bench {
        #[command(subcommand)]
        command: BenchChore,
    },
}

#[derive(Debug, Subcommand)]
enum BenchChore {
    /// Capture, apply, verify and append beside wimlib-imagex, in turn, on a Windows-like tree.
    Wim(bench::WimBench),
    /// Convert, flatten, merge and read disk files beside qemu-img and cp, in turn, on a 4 GiB volume.
    Disk(bench::DiskBench),
    /// NTFS volumes beside wimlib-imagex and partclone
    Ntfs(bench::NtfsBench),
}

#[derive(Debug, Subcommand)]
enum FuzzChore {
    /// Build all targets and run each for a while; a crash fails and names its input.
    Smoke(fuzz::Smoke),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // The count of tests is to be the last line.
        Err(error) if error.is::<TestsFailed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    match chore {
        Chore::Tidy => tidy::run(&workspace),
        Chore::Ci { steps } => ci::run(&workspace, &steps),
        Chore::Test { fuzz_seconds } => testing::run_all(&workspace, fuzz_seconds),
        Chore::Interop => {
            testing::run_matching(&workspace, &testing::JUDGED, testing::Length::Short)
        }
        Chore::Soak { name } => testing::run_matching(&workspace, &[&name], testing::Length::Long),
        Chore::Fuzz { command: FuzzChore::Smoke(smoke) } => fuzz::run(&workspace, &smoke),
        Chore::Testdata(suite) => testdata::run(&workspace, &suite),
        Chore::Bench { command: BenchChore::Wim(options) } => bench::wim(&workspace, &options),
        Chore::Bench { command: BenchChore::Disk(options) } => bench::disk(&workspace, &options),
        Chore::Bench { command: BenchChore::Ntfs(options) } => bench::ntfs(&workspace, &options),
    }
}
