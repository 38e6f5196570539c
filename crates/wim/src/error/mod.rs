//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format
//! ([`Corruption`]), kept apart for every operation.

mod fault;
mod read;
mod write;

pub use fault::{Corruption, Expected, Fault, Structure, XmlFault};
pub use read::{OpenError, ReadError, SetError};
pub use write::{MetadataError, PropertyError, Refusal, WriteError};
