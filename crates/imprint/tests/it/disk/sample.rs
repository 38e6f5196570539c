//! Disks to try things on.

use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use imprint_blockio::WriteAt;
use imprint_image::disk::{
    Access, ChainError, ChainOptions, Opened, open_chain_for_writing, open_file,
};
use imprint_testkit::{Random, tools};
use imprint_vdisk::{WritableContainer, WriteIds};
use imprint_winvalues::Guid;

use crate::world::World;

/// A raw disk of 40 MiB with data, zeros that are stored, and holes.
pub(super) fn raw(world: &World, name: &str) -> Vec<u8> {
    let mut random = Random::new(11);
    let mut bytes = vec![0; 40 << 20];
    let file = fs_err::File::create(world.path(name)).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (offset, len) in
        [(0, 70_000), (5 << 20, 3 << 20), ((17 << 20) + 512, 1024), (39 << 20, 1 << 20)]
    {
        let part = &mut bytes[offset..offset + len];
        random.fill(part);
        file.file().write_all_at(part, offset as u64).unwrap();
    }
    // Zeros that take room until somebody looks.
    file.file().write_all_at(&vec![0; 4 << 20], 24 << 20).unwrap();
    bytes
}

/// Opens a disk with its chain, as a guest would.
pub(super) fn open(world: &World, name: &str) -> Opened<dyn WritableContainer> {
    // Two sessions never have the same identifiers.
    static SESSION: AtomicU64 = AtomicU64::new(0);
    let mut random = Random::new(SESSION.fetch_add(1, Ordering::Relaxed));
    let mut guid = || {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Guid::from_random(bytes)
    };
    let ids = WriteIds { file_write: guid(), data_write: guid(), log: guid() };
    open_chain_for_writing(&world.path(name), &ChainOptions::default(), ids).unwrap()
}

/// Closes a disk, so that the program can have it.
pub(super) fn close(disk: Opened<dyn WritableContainer>) {
    disk.chain.close().unwrap();
    // A process that another test starts meanwhile has our locks until it becomes its program.
    for path in disk.paths {
        while let Err(error) = open_file(&path, None, Access::Write) {
            assert!(matches!(error, ChainError::InUse { .. }), "{error}");
            std::thread::yield_now();
        }
    }
}

/// Writes into a disk with its chain.
pub(super) fn write(world: &World, name: &str, changes: &[(u64, &[u8])]) {
    let disk = open(world, name);
    for (offset, bytes) in changes {
        disk.chain.write_all_at(bytes, *offset).unwrap();
    }
    close(disk);
}

/// Applies the same changes to an array.
pub(super) fn change(model: &mut [u8], changes: &[(u64, &[u8])]) {
    for (offset, bytes) in changes {
        let offset = usize::try_from(*offset).unwrap();
        model[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

/// Asks qemu-img for the contents.
#[track_caller]
pub(super) fn qemu_contents(world: &World, format: &str, name: &str) -> Vec<u8> {
    let raw = world.path("by-qemu.raw");
    let mut command = Command::new(tools::require("qemu-img"));
    command.args(["convert", "-f", format, "-O", "raw"]).arg(world.path(name)).arg(&raw);
    let output = tools::output(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = fs_err::read(&raw).unwrap();
    fs_err::remove_file(raw).unwrap();
    bytes
}

/// The first place where two arrays differ, which says more than both of them.
#[track_caller]
pub(super) fn assert_same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len());
    if found != expected {
        let first = found.iter().zip(expected).position(|(a, b)| a != b);
        panic!("first difference at {first:?}");
    }
}
