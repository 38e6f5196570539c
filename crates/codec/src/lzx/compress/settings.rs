//! What a level means.

use super::lazy::Patience;
use super::optimal::Jump;
use crate::Level;
use crate::matchfinder::links::Effort;

/// How a chunk is parsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) strategy: Strategy,
    /// Smallest block, in bytes.
    pub(super) cell_size: usize,
}

/// Lazily or optimally.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strategy {
    /// Each match is chosen by looking a position or two ahead.
    Lazy(Patience),
    /// The cheapest path is sought.
    Optimal(Optimal),
}

/// How the cheapest path is sought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Optimal {
    pub(super) effort: Effort,
    pub(super) jump: Jump,
    /// A match longer than this leaves only longer ones of interest to the positions it covers.
    pub(super) satisfied: usize,
    /// Parses of the whole block, each with the costs that the one before found.
    pub(super) passes: u32,
}

/// Levels below this one parse lazily.
const FIRST_OPTIMAL: u32 = 45;
/// Levels below this one do not look ahead from matches that are not short.
pub(super) const FIRST_PATIENT: u32 = 21;
/// Lazy levels from this one on are thorough.
const FIRST_THOROUGH: u32 = 30;

impl Settings {
    pub(super) fn new(Level(level): Level) -> Self {
        // Effort grows with the level and ends somewhere.
        let level = level.clamp(1, 400);
        if level < FIRST_OPTIMAL {
            return Self::lazy(level);
        }
        let (depth, nice, satisfied, lengths) = match level {
            ..60 => (level * 4 / 5, (level as usize * 5).min(250), 12, 16),
            60..70 => (level * 4 / 5, 250, 24, 28),
            _ => (level / 2, 250, 64, 32),
        };
        let passes = match level {
            ..70 => 1,
            70..90 => 2,
            _ => (level / 33).min(6),
        };
        let jump = Jump { length: nice, keep: 8, lengths };
        let effort = Effort { depth, nice };
        Self {
            strategy: Strategy::Optimal(Optimal { effort, jump, satisfied, passes }),
            cell_size: 512,
        }
    }

    fn lazy(level: u32) -> Self {
        let thorough = level >= FIRST_THOROUGH;
        let (depth, satisfied, cell_size) = match level {
            ..FIRST_PATIENT => (level.div_ceil(4), 10, 8192),
            FIRST_PATIENT..FIRST_THOROUGH => (level / 2, 64, 4096),
            FIRST_THOROUGH..40 => ((level - FIRST_THOROUGH) * 4 + 4, 64, 512),
            _ => ((level - FIRST_THOROUGH) * 4 + 4, 128, 256),
        };
        let patience = Patience {
            effort: Effort { depth, nice: 128 },
            ahead: Effort { depth: depth.div_ceil(2), nice: satisfied },
            thorough,
        };
        Self { strategy: Strategy::Lazy(patience), cell_size }
    }
}
