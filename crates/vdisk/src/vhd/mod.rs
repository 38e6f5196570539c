//! VHD files: fixed, dynamic and differencing disks.
//!
//! Specification: Microsoft, *Virtual Hard Disk Image Format Specification* 1.0 (2006). [`layout`] has
//! the bytes.
//!
//! **Writing.** The format has no log; the order of writes takes its place.
//!
//! ```text
//!  block      │ ... │ footer │                       the end of the file before
//!             │ ... │ footer │ bitmap │ data │ footer │   the file is extended and gets a new footer;
//!             │ ... │ (left) │ bitmap │ data │ footer │   the old one stays in the padding
//!  commit 1   data, bitmaps of new blocks                 no table leads there yet     ─ flush
//!  commit 2   changed sectors of table and old bitmaps    each is whole or not at all  ─ flush
//! ```
//!
//! So neither an entry of the table nor a bit of a bitmap ever leads to what is not durable. A crash may
//! take the footer at the end; the copy at the start then counts, and opening for writing restores it
//! behind the last block.
//!
//! **Header.** The dynamic header has 1024 bytes, which no disk writes at once. A changed header therefore
//! goes into fresh room at the end, together with the locators and the table if those change; then
//! the footers, which are one sector each, lead to it. The copy at the start is written before the
//! footer at the end, which counts. Afterwards the header goes back to its old place in the same
//! manner, because simple readers look for it there.
mod create;
mod footer;
mod geometry;
mod header;
mod layout;
mod locator;
mod map;
mod parts;
mod reader;
mod writer;

pub use create::create_vhd;
pub use reader::Vhd;
pub use writer::VhdWriter;
