//! LZMS.

mod bits;
mod build;
mod code;
mod copy;
mod decoder;
mod layout;
mod range;
mod recent;
mod x86;

pub(crate) use decoder::Decoder;
