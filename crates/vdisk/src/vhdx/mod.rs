//! VHDX, version 2: fixed, dynamic and differencing disks. Source: \[MS-VHDX\].

mod bat;
mod crc;
mod header;
mod layout;
mod log;
