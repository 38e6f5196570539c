//! What a level means.

use crate::Level;

/// How to choose literals and matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// Lazy parsing with few, some, more or many chain steps.
    Lazy(Effort),
}

/// Chain steps of lazy parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// For speed above all.
    Least,
    /// Level 20.
    Little,
    /// Between.
    Medium,
    /// Level 50.
    Normal,
    /// The most that lazy parsing is good for.
    Much,
}

/// The settings of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Params {
    pub(super) strategy: Strategy,
    /// Matches of this many bytes are taken without looking further.
    pub(super) nice: usize,
}

impl Params {
    /// The settings of `level`; those above 100 add nothing.
    pub(super) fn of(level: Level) -> Self {
        let effort = match level.0 {
            0..10 => Effort::Least,
            10..30 => Effort::Little,
            30..45 => Effort::Medium,
            45..55 => Effort::Normal,
            _ => Effort::Much,
        };
        let nice = level.0.saturating_mul(2).clamp(16, 128) as usize;
        Self { strategy: Strategy::Lazy(effort), nice }
    }
}
