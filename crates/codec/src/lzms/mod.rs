//! LZMS.

mod bits;
mod build;
mod code;
mod copy;
mod decoder;
mod layout;
mod range;
mod recent;
#[cfg(test)]
mod testing;
mod x86;

pub(crate) use decoder::Decoder;
