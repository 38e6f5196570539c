//! Tests of the crate as its users see it.

#[cfg(test)]
mod failing;
#[cfg(test)]
mod leave;
#[cfg(test)]
mod read;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod unmount;
#[cfg(test)]
mod write;
