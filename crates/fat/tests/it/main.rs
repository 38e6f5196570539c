//! Tests of the crate as its users see it.

#[cfg(test)]
mod judges;
#[cfg(test)]
mod replay;
