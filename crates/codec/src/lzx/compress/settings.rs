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
    /// The cheapest path is sought.
    Optimal(Optimal),
}

/// How the cheapest path is sought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Optimal {
    pub(super) jump: Jump,
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
                    depth: (level * 3 / 2).max(2),
                    nice: (level as usize * 4).max(12),
                },
                strategy: Strategy::Lazy,
                cell_size: 4096,
            };
        }
        let (depth, nice, margin, sample, passes) = match level {
            ..45 => (8, 32, 3, 0, 1),
            45..70 => (level / 2, level as usize * 8 / 5, 0, 1024, 1),
            70..90 => (level / 2, level as usize * 3 / 2, 0, 0, 2),
            _ => (level / 2, (level as usize * 3 / 2).min(250), 0, 0, (level / 33).min(6)),
        };
        let jump = Jump { length: nice, keep: 8, margin: u64::from(margin * UNIT) << COST_SHIFT };
        Self {
            effort: Effort { depth, nice },
            strategy: Strategy::Optimal(Optimal { jump, sample, passes }),
            cell_size: 2048,
        }
    }
}
