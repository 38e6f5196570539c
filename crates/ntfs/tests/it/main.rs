//! Volumes held against other programs.

#[cfg(test)]
mod volume;
