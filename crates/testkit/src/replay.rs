//! Replay: inputs that once broke a fuzz target, run through what the target demands.

use std::path::Path;

/// Runs `oracle` on every seed and on every found input of a fuzz target.
///
/// Seeds stand in `fuzz/seeds/<target>`, inputs that once failed in `fuzz/found/<target>`.
///
/// # Panics
/// As `oracle` does, naming the file first; if there is no input, or a folder cannot be read.
#[expect(clippy::print_stdout, reason = "the test runner shows it with the panic")]
#[track_caller]
pub fn replay(target: &str, oracle: impl Fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut count = 0;
    for folder in ["seeds", "found"].map(|kind| fuzz.join(kind).join(target)) {
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
    assert!(count > 0, "no input for {target}");
}
