//! What a level means.

use super::cost::{COST_SHIFT, UNIT};
use super::optimal::Jump;
use crate::Level;
use crate::matchfinder::links::Effort;

/// How a chunk is parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) effort: Effort,
    pub(super) strategy: Strategy,
    /// Smallest block, in bytes.
    pub(super) cell_size: usize,
}

/// Lazily or optimally.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strategy {
    /// Each match is chosen by looking one position ahead.
    Lazy,
    /// In one sweep.
    Sweep(Jump),
    /// The cheapest path is sought.
    Optimal(Optimal),
}

/// How the cheapest path is sought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Optimal {
    pub(super) jump: Jump,
    /// A match longer than this leaves only longer ones of interest to the positions it covers.
    pub(super) satisfied: usize,
    /// Bytes of each [`SAMPLE_STRIDE`] that are parsed first, for better statistics than those of the
    /// quick parse; zero for none.
    pub(super) sample: usize,
    /// Parses of the whole block, each with the costs that the one before found.
    pub(super) passes: u32,
}

/// Distance between the beginnings of samples, in bytes.
pub(super) const SAMPLE_STRIDE: usize = 4096;

/// Levels below this one parse lazily.
const FIRST_OPTIMAL: u32 = 35;

impl Settings {
    pub(super) fn new(Level(level): Level) -> Self {
        // Effort grows with the level and ends somewhere.
        let level = level.clamp(1, 400);
        if level < FIRST_OPTIMAL {
            return Self {
                effort: Effort {
                    depth: super::lazy::PR[10] as u32,
                    nice: (level as usize * 8).clamp(12, 250),
                },
                strategy: Strategy::Lazy,
                cell_size: super::lazy::PR[13] as usize,
            };
        }
        if level < 45 {
            let jump = Jump { length: 64, keep: 0, lengths: 10, margin: u64::from(3 * UNIT) << COST_SHIFT };
            return Self {
                effort: Effort { depth: 8, nice: 64 },
                strategy: Strategy::Sweep(jump),
                cell_size: 2048,
            };
        }
        let (depth, nice, satisfied, lengths, margin) = match level {
            ..45 => (8, 64, 10, 10, 3),
            45..70 => (level * 4 / 5, (level as usize * 5).min(250), 16, 20, 0),
            _ => (level / 2, 250, 64, 32, 0),
        };
        let passes = match level {
            ..70 => 1,
            70..90 => 2,
            _ => (level / 33).min(6),
        };
        let sample = if (60..70).contains(&level) { 512 } else { 0 };
        let margin = u64::from(margin * UNIT) << COST_SHIFT;
        let jump = Jump { length: nice, keep: 8, lengths, margin };
        Self {
            effort: Effort { depth, nice },
            strategy: Strategy::Optimal(Optimal { jump, satisfied, sample, passes }),
            cell_size: if level < 45 { 4096 } else { 2048 },
        }
    }
}
