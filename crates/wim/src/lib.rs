//! WIM.
