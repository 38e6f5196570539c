//! Whole volumes: every directory and file is read, none past its size; no walk visits a cluster of
//! directories twice. A file that could be made and flushed is found again with its data.

use std::collections::HashSet;

use imprint_blockio::MemoryFile;
use imprint_fat::{Directory, New, Volume};
use imprint_winvalues::Attributes;
use imprint_winvalues::tree::Times;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(volume) = Volume::open(MemoryFile::new(bytes.to_vec())) else { return };
    walk(&volume, volume.root(), &mut HashSet::new());
    let _label = volume.label();
    change(&volume);
}

fn walk(volume: &Volume<MemoryFile>, directory: Directory, seen: &mut HashSet<u32>) {
    let Ok(clusters) = volume.directory_clusters(directory) else { return };
    if !clusters.into_iter().all(|cluster| seen.insert(cluster)) {
        return;
    }
    let listing = volume.list(directory).expect("its clusters could be had");
    for entry in &listing.entries {
        assert!(!entry.name.is_empty() && !entry.name.is_dots());
        if entry.is_directory() {
            if let Ok(below) = volume.directory(entry) {
                walk(volume, below, seen);
            }
        } else if let Ok(data) = volume.data(entry) {
            assert_eq!(data.size(), entry.size);
            let mut buf = [0; 4096];
            let mut at = 0;
            while at < u64::from(entry.size) {
                let read = volume.read_at(&data, &mut buf, at).expect("it lies on the device");
                assert!(read > 0);
                at += read as u64;
            }
        }
    }
}

fn change(volume: &Volume<MemoryFile>) {
    let new = |name: &str, attributes| New {
        name: name.into(),
        short_name: "FUZZ~1.NEW".into(),
        attributes,
        times: Times::default(),
    };
    let news =
        [new("a new file of the fuzzer", Attributes::empty()), new("sub", Attributes::DIRECTORY)];
    let Ok(made) = volume.make(volume.root(), &news) else { return };
    let Some(Ok(file)) = made.first() else { return };
    let Ok(data) = volume.allocate(file.place, 3000) else { return };
    volume.write_at(&data, &[7; 3000], 0).expect("memory takes all");
    if volume.flush().is_err() {
        return;
    }
    // A root that shares its clusters with a file can lose its entries by that file's data.
    if let Ok(Some(entry)) = volume.find("A NEW FILE of the fuzzer")
        && let Ok(data) = volume.data(&entry)
    {
        let mut buf = vec![0; 3000];
        let read = volume.read_at(&data, &mut buf, 0).expect("it lies on the device");
        assert!(read as u64 <= u64::from(entry.size));
    }
}
