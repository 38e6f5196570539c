//! Moves between real directories, judged by what the system and other programs say.

#[cfg(test)]
mod config_lists;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod forgotten;
#[cfg(test)]
mod host_apply;
#[cfg(test)]
mod host_attack;
#[cfg(test)]
mod host_ntfs;
#[cfg(test)]
mod host_random;
#[cfg(test)]
mod host_scan;
#[cfg(test)]
mod host_trouble;
#[cfg(test)]
mod layer;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod volume;
