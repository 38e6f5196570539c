//! Disk files made to do harm, given to every verb: a clear error with its place, little memory, an end
//! in time, no file opened that belongs to somebody else, and nothing written elsewhere.

mod forge;
mod parents;
mod trial;
mod vhd;
mod vhdx;
