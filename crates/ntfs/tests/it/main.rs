//! Volumes held against other programs.

#[cfg(test)]
mod directory;
#[cfg(test)]
mod fill;
#[cfg(test)]
mod information;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod values;
#[cfg(test)]
mod volume;
#[cfg(test)]
mod wof;
