//! Tests of the program as its users see it: the real binary, real files, independent tools.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod capture;
#[cfg(test)]
mod complete;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod export;
#[cfg(test)]
mod extract;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod forest;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_ntfs;
#[cfg(test)]
mod imagex;
#[cfg(test)]
mod interop_images;
#[cfg(test)]
mod interop_ntfs;
#[cfg(test)]
mod interop_readers;
#[cfg(test)]
mod interop_trees;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod ntfs_check;
#[cfg(test)]
mod ntfs_edit;
#[cfg(test)]
mod ntfs_verbs;
#[cfg(test)]
mod random;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod status;
#[cfg(test)]
mod system_compressed;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod volumes;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod world;
#[cfg(test)]
mod writing;
