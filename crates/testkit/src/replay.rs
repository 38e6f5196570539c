//! Replay: inputs that once broke a fuzz target, run through what the target demands.

use std::path::Path;

/// Runs `oracle` on every seed and on every found input of a fuzz target, and returns how many
/// there were.
///
/// Seeds stand in `fuzz/seeds/<target>`, inputs that once failed in `fuzz/found/<target>`.
///
/// # Panics
/// Panics as `oracle` does, naming the file first, or if a folder cannot be read.
#[expect(clippy::print_stdout, reason = "the test runner shows it with the panic")]
pub fn replay(workspace: &Path, target: &str, oracle: impl Fn(&[u8])) -> usize {
    let mut count = 0;
    for folder in ["seeds", "found"] {
        let folder = workspace.join("fuzz").join(folder).join(target);
        if !folder.exists() {
            continue;
        }
        for entry in fs_err::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let bytes = fs_err::read(&path).expect("the input can be read");
            println!("{}", path.display());
            oracle(&bytes);
            count += 1;
        }
    }
    count
}
