//! Integration tests of `imprint-codec`.
#[cfg(test)]
mod lzms;
#[cfg(test)]
mod lzms_data;
