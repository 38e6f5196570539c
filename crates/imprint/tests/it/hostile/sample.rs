//! A small WIM file and where things are in its bytes.

use imprint_testkit::Kind;
use sha1::{Digest, Sha1};

use crate::world::World;

pub(super) fn get(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut value = [0; 8];
    value[..width].copy_from_slice(&bytes[at..at + width]);
    u64::from_le_bytes(value)
}

pub(super) fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    usize::try_from(get(bytes, at, width)).unwrap()
}

/// Where the entries of the blob table are.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let (at, length) = (number(bytes, 0x38, 8), number(bytes, 0x30, 7));
    (at..at + length).step_by(50)
}

/// Where the uncompressed metadata of the first image is, and its entry of the blob table.
pub(super) fn metadata(bytes: &[u8]) -> (usize, usize, usize) {
    let entry = entries(bytes).find(|at| bytes[at + 7] & 2 != 0).unwrap();
    (number(bytes, entry + 8, 8), number(bytes, entry + 16, 8), entry)
}

/// Makes the hash of changed metadata right again, and takes the integrity table away.
pub(super) fn sign(bytes: &mut [u8]) {
    let (at, length, entry) = metadata(bytes);
    let hash = Sha1::digest(&bytes[at..at + length]);
    bytes[entry + 30..entry + 50].copy_from_slice(&hash);
    bytes[0x7c..0x94].fill(0);
}

/// A small file by wimlib, of a tree with several kinds of files.
pub(super) fn sample(options: &[&str]) -> Vec<u8> {
    let world = World::new();
    world.write("t/small", b"small");
    world.write("t/text", Kind::Text.bytes(70_000, 1));
    world.write("t/noise", Kind::Random.bytes(5_000, 2));
    world.write("t/directory/deep/file", b"deep");
    world.write("t/empty", b"");
    world.shell("ln t/small t/directory/linked; ln -s ../small t/directory/symbolic");
    let words = ["capture", "t", "w.wim", "name", "--unix-data", "--check"];
    world.wimlib(&[&words[..], options].concat());
    world.read("w.wim")
}
