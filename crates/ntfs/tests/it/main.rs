//! Volumes held against other programs.

#[cfg(test)]
mod check;
#[cfg(test)]
mod check_damage;
#[cfg(test)]
mod check_repair;
#[cfg(test)]
mod check_volume;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod edit;
#[cfg(test)]
mod edit_crash;
#[cfg(test)]
mod edit_limits;
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
