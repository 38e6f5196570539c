//! The volume that disks are made of: an NTFS of 4 GiB that 1.8 GB of files lie in.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use imprint_testkit::{Mount, Random, ntfs_volume};

use super::corpus::Corpus;
use crate::process;

const MEBIBYTES: u64 = 4096;

/// What the file system takes itself is not counted.
const BYTES: u64 = 1_740_000_000;

/// Makes the volume in `dir` unless it is there, through ntfs-3g: of the files of a corpus or, without one,
/// of random bytes in files of 4 KiB to 16 MiB, most of them small. Needs root.
pub(super) fn build(dir: &Path, corpus: Option<&Corpus>) -> anyhow::Result<PathBuf> {
    let name = if corpus.is_some() { "volume-corpus.img" } else { "volume.img" };
    let path = dir.join(name);
    if path.exists() {
        return Ok(path);
    }
    eprintln!("making {}", path.display());
    let made = tempfile::Builder::new().prefix("volume-").tempdir_in(dir)?;
    let (volume, at) = (made.path().join("volume"), made.path().join("mounted"));
    ntfs_volume(&volume, MEBIBYTES);
    let mount = Mount::ntfs(&volume, &at, "big_writes");
    match corpus {
        Some(corpus) => {
            let mut copy = std::process::Command::new("cp");
            process::run(copy.arg("-r").arg(&corpus.tree).arg(mount.path()))?;
        }
        None => fill(mount.path())?,
    }
    drop(mount);
    fs_err::rename(&volume, &path)?;
    Ok(path)
}

fn fill(root: &Path) -> anyhow::Result<()> {
    let mut random = Random::new(1);
    let mut bytes = vec![0; 16 << 20];
    random.fill(&mut bytes);
    let (mut left, mut number) = (BYTES, 0);
    while left > 0 {
        let length = match random.below(100) {
            0..70 => 4 << 10 | random.below(60 << 10),
            70..95 => random.below(1 << 20),
            _ => random.below(16 << 20),
        };
        let length = length.min(left);
        let folder = root.join(format!("{:03}", number / 200));
        if number % 200 == 0 {
            fs_err::create_dir(&folder)?;
        }
        // No two files are alike.
        let start = random.below(bytes.len() as u64 - length);
        let start = usize::try_from(start).unwrap_or_default();
        let rest = bytes.get(start..).unwrap_or_default();
        let mut file = fs_err::File::create_new(folder.join(format!("{number:06}")))?;
        let mut piece = Vec::new();
        rest.take(length).read_to_end(&mut piece)?;
        file.write_all(&piece)?;
        left -= length;
        number += 1;
    }
    Ok(())
}
