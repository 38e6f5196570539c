//! Disk files made by QEMU, and contents for them.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::Format;
use crate::{Random, tools};

/// Makes an empty disk file. `options` are those of `qemu-img create -o`, such as
/// `subformat=fixed,force_size=on`.
///
/// # Panics
/// If qemu-img fails.
#[track_caller]
pub fn qemu_create(path: &Path, format: Format, options: &str, size: u64) {
    let size = size.to_string();
    let words = ["create", "-q", "-f", format.qemu()].map(AsRef::as_ref);
    let words = words.into_iter().chain(with_options(options));
    let words = words.chain([path.as_os_str(), size.as_ref()]);
    tools::run(&tools::require("qemu-img"), words);
}

/// Makes a disk file with the contents of another. `options` are as for [`qemu_create`].
///
/// # Panics
/// If qemu-img fails.
#[track_caller]
pub fn qemu_convert(from: (&Path, Format), to: (&Path, Format), options: &str) {
    let words = ["convert", "-f", from.1.qemu(), "-O", to.1.qemu()].map(AsRef::as_ref);
    let words = words.into_iter().chain(with_options(options));
    let words = words.chain([from.0.as_os_str(), to.0.as_os_str()]);
    tools::run(&tools::require("qemu-img"), words);
}

/// Changes a disk file with qemu-io. `commands` are its own, such as `write -P 7 64k 4k`.
///
/// # Panics
/// If qemu-io fails.
#[track_caller]
pub fn qemu_io(path: &Path, format: Format, commands: &[&str]) {
    let words = ["-f", format.qemu()].into_iter();
    let words = words.chain(commands.iter().flat_map(|command| ["-c", command]));
    let words = words.map(AsRef::as_ref).chain([path.as_os_str()]);
    let printed = tools::run(&tools::require("qemu-io"), words);
    // It ends with 0 whatever became of a write.
    assert!(!printed.contains("failed") && !printed.contains("invalid"), "{printed}");
}

/// Lets qemu replay the log of a VHDX, which it writes into the file.
///
/// # Panics
/// If qemu-img fails.
#[track_caller]
pub fn qemu_replay_log(path: &Path) {
    let words = ["check", "-q", "-r", "all", "-f", "vhdx"].map(AsRef::as_ref);
    tools::run(&tools::require("qemu-img"), words.into_iter().chain([path.as_os_str()]));
}

fn with_options(options: &str) -> impl Iterator<Item = &std::ffi::OsStr> {
    let words = if options.is_empty() { [].as_slice() } else { &["-o"] };
    let options = Some(options).filter(|options| !options.is_empty());
    words.iter().copied().chain(options).map(AsRef::as_ref)
}

/// Makes a raw file of `size` bytes: up to `extents` runs of random bytes, each from `unit` bytes to 300 KiB
/// long and beginning at a multiple of `unit`, the rest holes. The first and the last unit are written. The
/// same seed gives the same file.
///
/// # Panics
/// If the file cannot be written.
#[track_caller]
pub fn raw_file(path: &Path, size: u64, extents: u32, unit: u64, seed: u64) {
    let mut random = Random::new(seed);
    let file = fs_err::File::create(path).unwrap_or_else(|error| panic!("{error}"));
    file.set_len(size).unwrap_or_else(|error| panic!("{error}"));
    let units = size / unit;
    let mut write = |start: u64, count: u64| {
        let length = (count * unit).min(size - start * unit);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        random.fill(&mut bytes);
        let written = file.file().write_all_at(&bytes, start * unit);
        written.unwrap_or_else(|error| panic!("{error}"));
        (random.below(units), 1 + random.below((300 << 10) / unit))
    };
    let mut next = write(0, 1);
    for _ in 0..extents {
        next = write(next.0, next.1);
    }
    write(units - 1, 1);
}
