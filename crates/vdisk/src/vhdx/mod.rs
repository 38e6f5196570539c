//! VHDX, version 2: fixed, dynamic and differencing disks. Source: \[MS-VHDX\].
//!
//! ```text
//! header ─► log (Overlay) ─► region table ─► metadata ─► BatShape        Parts: checked once
//!                                                           │
//!                               BAT, sector bitmaps: Pages ─┴─► View::resolve ─► Extent
//! ```

mod bat;
mod check;
mod crc;
mod create;
mod header;
mod layout;
mod locator;
mod log;
mod metadata;
mod parts;
mod reader;
mod region;
mod usage;
mod writer;

pub use check::check_vhdx;
pub use create::create_vhdx;
pub use reader::Vhdx;
pub use writer::VhdxWriter;
