//! Windows values.
