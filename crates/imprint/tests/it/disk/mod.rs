//! `imprint disk` from the outside: what it makes, what it refuses, what it says.

mod chains;
mod convert;
mod hostile;
mod killed;
mod levels;
mod limits;
mod mount;
mod mount_sample;
mod mount_trouble;
mod refuse;
mod repair;
mod sample;
