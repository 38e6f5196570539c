//! Volumes held against other programs.

#[cfg(test)]
mod fill;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod volume;
