//! `imprint disk` from the outside: what it makes, what it refuses, what it says.

mod chains;
mod convert;
mod hostile;
mod killed;
mod levels;
mod limits;
mod refuse;
mod sample;
