//! Tests of the program as its users see it: the real binary, real files, independent tools.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod capture;
#[cfg(test)]
mod complete;
#[cfg(test)]
mod extract;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod imagex;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod status;
#[cfg(test)]
mod world;
#[cfg(test)]
mod writing;
