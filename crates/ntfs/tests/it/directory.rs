//! Directories that ntfs-3g made, listed and looked into; and broken ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_ntfs::{AttributeKind, FileValue, Volume};
use imprint_testkit::{Mount, tools};

/// A volume by mkntfs with a directory `Many` of so many names.
fn sample(folder: &Path, cluster: u32, names: u32) -> PathBuf {
    let path = folder.join("volume");
    fs_err::File::create(&path).unwrap().set_len(32 << 20).unwrap();
    let cluster = cluster.to_string();
    let mut command = Command::new(tools::require("mkntfs"));
    let made = command.args(["-F", "-Q", "-q", "-c", &cluster]).arg(&path).output().unwrap();
    assert!(made.status.success());
    let at = Mount::ntfs(&path, &folder.join("at"), "rw");
    let many = at.path().join("Many");
    fs_err::create_dir(&many).unwrap();
    for number in 0..names {
        fs_err::write(many.join(format!("Name Ä {number}")), number.to_string()).unwrap();
    }
    fs_err::create_dir_all(at.path().join("Windows/System32")).unwrap();
    fs_err::write(at.path().join("Windows/System32/Kernel.dll"), b"k").unwrap();
    for name in ["same", "Same", "SAME"] {
        fs_err::write(at.path().join(name), name).unwrap();
    }
    drop(at);
    path
}

fn open(path: &Path) -> Volume<fs_err::File> {
    Volume::open(fs_err::File::open(path).unwrap()).unwrap()
}

/// What the file at a path holds, in its record.
fn content(volume: &Volume<fs_err::File>, path: &str) -> Option<Vec<u8>> {
    let found = volume.find(path, &volume.upcase().unwrap()).unwrap()?;
    let file = volume.file(found.record).unwrap().unwrap();
    file.attributes.into_iter().find_map(|attribute| match attribute.value {
        FileValue::Resident(value) if attribute.kind == AttributeKind::DATA => {
            Some(value.into_vec())
        }
        _ => None,
    })
}

#[track_caller]
fn check(cluster: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), cluster, 1500);
    let volume = open(&path);
    let upcase = volume.upcase().unwrap();
    let many = volume.find("many", &upcase).unwrap().unwrap();
    let directory = volume.directory(many.record).unwrap().unwrap();
    let entries: Vec<_> = directory.entries().unwrap().map(|entry| entry.unwrap()).collect();
    assert!(entries.is_sorted_by(|a, b| upcase.order(&a.name, &b.name).is_lt()));
    let ours: Vec<_> = entries.iter().map(|entry| String::from_utf16_lossy(&entry.name)).collect();
    let output = Command::new(tools::require("ntfsls"))
        .env("LC_ALL", "C.UTF-8")
        .args(["-p", "/Many"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success());
    let mut theirs: Vec<_> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let mut sorted = ours;
    // It lists the directory itself as well.
    theirs.retain(|name| name != ".");
    theirs.sort();
    sorted.sort();
    assert_eq!(sorted.len(), 1500);
    assert!(sorted == theirs, "ntfsls lists {} names", theirs.len());
    for number in (0..1500).step_by(7) {
        let found = content(&volume, &format!("MANY/nAME ä {number}"));
        assert_eq!(found, Some(number.to_string().into_bytes()));
    }
    assert_eq!(content(&volume, "windows\\SYSTEM32/kernel.DLL"), Some(b"k".to_vec()));
    // The very same name comes before one that differs in case.
    for name in ["same", "Same", "SAME"] {
        assert_eq!(content(&volume, name), Some(name.as_bytes().to_vec()));
    }
    assert!(content(&volume, "sAmE").is_some());
    for missing in ["nothing", "Many/Name Ä 1500", "same/below"] {
        assert_eq!(volume.find(missing, &upcase).unwrap(), None, "{missing}");
    }
}

#[test]
fn interop_names_are_those_ntfsls_lists() {
    check(512);
    check(4096);
    check(65_536);
}

/// Breaks the index block of `Many` that is its first or second: `change` gets its bytes.
#[track_caller]
fn check_broken(change: impl Fn(&mut [u8]), expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), 4096, 200);
    let volume = open(&path);
    let upcase = volume.upcase().unwrap();
    let many = volume.find("Many", &upcase).unwrap().unwrap();
    let file = volume.file(many.record).unwrap().unwrap();
    let mut bytes = fs_err::read(&path).unwrap();
    for attribute in file.attributes {
        let FileValue::Clusters(clusters) = attribute.value else { continue };
        if attribute.kind == AttributeKind::INDEX_ALLOCATION {
            for run in clusters.runs() {
                let start = usize::try_from(run.lcn.unwrap().0 * 4096).unwrap();
                let end = start + usize::try_from(run.length * 4096).unwrap();
                bytes[start..end].chunks_mut(4096).for_each(&change);
            }
        }
    }
    fs_err::write(&path, bytes).unwrap();
    let volume = open(&path);
    let directory = volume.directory(many.record).unwrap().unwrap();
    let error = directory.entries().unwrap().find_map(Result::err).unwrap().to_string();
    assert!(error.contains(expected), "{error}");
    // Looking up ends as well, whatever it finds.
    let name: Vec<u16> = "zzz".encode_utf16().collect();
    directory.lookup(&name, &upcase).ok();
}

/// Makes each block's first entry have a child, the block of this number.
fn child(number: u64) -> impl Fn(&mut [u8]) {
    move |block| {
        let at = 0x18 + usize::from(u16::from_le_bytes([block[0x18], block[0x19]]));
        let length = usize::from(u16::from_le_bytes([block[at + 8], block[at + 9]]));
        block[at + 12] = 1;
        // Its key, of which nothing else is looked at, becomes that of the entry's last 8 bytes.
        block[at + length - 8..at + length].copy_from_slice(&number.to_le_bytes());
        block[at + 10..at + 12].copy_from_slice(&66_u16.to_le_bytes());
        block[at + 0x50] = 0;
    }
}

#[test]
fn hostile_indexes_are_refused() {
    check_broken(|block| block[0] = b'X', "signature should be");
    check_broken(|block| block[0x10] = 77, "number of the block should be");
    check_broken(|block| block[0x1c..0x20].fill(0xff), "entries");
    check_broken(|block| block[0x18..0x1c].fill(0xff), "offset of the first entry should be");
    check_broken(|block| block[0x18] = 0, "offset of the first entry should be");
    check_broken(child(0), "parents of an index block should be 1, but is 2");
    check_broken(child(1 << 60), "index block");
    check_broken(
        |block| {
            let at = 0x18 + usize::from(u16::from_le_bytes([block[0x18], block[0x19]]));
            block[at + 8..at + 10].fill(0);
        },
        "bytes of an entry should be",
    );
}
