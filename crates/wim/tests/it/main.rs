//! Tests of the crate as its users see it.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod concurrent;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod economy;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod large;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod random;
#[cfg(test)]
mod read;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod volumes;
#[cfg(test)]
mod words;
#[cfg(test)]
mod writer;
