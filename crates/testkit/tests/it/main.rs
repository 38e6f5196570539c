//! The judges judged: all of them read what QEMU makes, and see what we put in.

#[cfg(test)]
mod disks;
