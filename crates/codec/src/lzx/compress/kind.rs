//! Tells text from programs and tables: they want different habits.

/// One byte in this many decides.
const STRIDE: usize = 24;

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Programs and other tables of numbers.
    Binary,
    /// Hardly a byte is zero or not ASCII.
    Text,
}

impl Kind {
    /// The kind of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let sampled = bytes.iter().step_by(STRIDE);
        let all = sampled.len();
        let foreign = sampled.filter(|&&byte| byte == 0 || !byte.is_ascii()).count();
        if foreign * 16 < all { Self::Text } else { Self::Binary }
    }
}
