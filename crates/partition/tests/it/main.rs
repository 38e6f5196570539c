//! Tests of the crate as its users see it.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod judges;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod volumes;
#[cfg(test)]
mod writing;
