//! Measuring random reads.

use std::time::{Duration, Instant};

use anyhow::ensure;
use fs_err::File;
use imprint_blockio::{ReadAt, Sparse, Stored};
use imprint_image::disk::{ChainOptions, open_chain};

use crate::Sides;

/// Bytes of one read.
const READ: usize = 4096;
const READ_BYTES: u64 = 4096;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    sides: Sides,
    /// Reads of one pass.
    #[arg(long, default_value_t = 100_000)]
    reads: usize,
    /// Passes of each side, in turn; the median counts.
    #[arg(long, default_value_t = 25)]
    passes: usize,
}

pub(crate) fn measure(options: &Options) -> anyhow::Result<()> {
    ensure!(options.passes > 0, "there should be at least one pass");
    let raw = File::open(&options.sides.raw)?;
    let chain = ChainOptions { format: None, folders: Vec::new() };
    let opened = open_chain(&options.sides.leaf, &chain)?;
    let places = places(&raw, options.reads)?;
    ensure!(!places.is_empty(), "the raw file holds no data");
    // One pass over both warms the page cache and holds one against the other.
    let (mut one, mut two) = ([0; READ], [0; READ]);
    for &at in &places {
        raw.read_exact_at(&mut one, at)?;
        opened.chain.read_exact_at(&mut two, at)?;
        ensure!(one == two, "the chain differs from the raw file at {at:#x}");
    }
    let (mut raw_times, mut chain_times) = (Vec::new(), Vec::new());
    for _ in 0..options.passes {
        raw_times.push(pass(&raw, &places)?);
        chain_times.push(pass(&opened.chain, &places)?);
    }
    for (name, mut times) in [("raw", raw_times), ("chain", chain_times)] {
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!("{name:<9} {:.1} MB/s", speed(places.len(), median));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "one digit after the point is printed")]
fn speed(reads: usize, time: Duration) -> f64 {
    (reads * READ) as f64 / 1e6 / time.as_secs_f64()
}

fn pass(device: &impl ReadAt, places: &[u64]) -> anyhow::Result<Duration> {
    let mut buf = [0; READ];
    let start = Instant::now();
    for &at in places {
        device.read_exact_at(&mut buf, at)?;
    }
    Ok(start.elapsed())
}

/// So many places at random among those that hold data, always the same for the same file.
fn places(raw: &File, count: usize) -> anyhow::Result<Vec<u64>> {
    let size = ReadAt::len(raw)?;
    let mut all = Vec::new();
    let mut at = 0;
    while at < size {
        let stored = raw.stored(at, size - at)?;
        let (Stored::Data(length) | Stored::Hole(length)) = stored;
        if let Stored::Data(length) = stored {
            let first = at.next_multiple_of(READ_BYTES);
            let last = (at + length) / READ_BYTES * READ_BYTES;
            all.extend((first..last).step_by(READ));
        }
        at += length;
    }
    let mut state = 1_u64;
    let mut next = || {
        // A linear congruential generator (Knuth's MMIX); its high bits are good enough for places.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    };
    let pick = |index: usize| all.get(index.checked_rem(all.len())?).copied();
    Ok((0..count).filter_map(|_| pick(next())).collect())
}
