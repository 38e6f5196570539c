//! Reading what other programs wrote.

use imprint_wim::{BlobSet, OpenError, Wim};

use super::fixtures::{self, EMPTY, WHOLE};

#[test]
fn every_file_opens_and_lists_what_was_captured() {
    for (name, lists) in WHOLE {
        let wim = Wim::open(fixtures::bytes(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (list, index) in lists.iter().zip(1..) {
            let image = wim.read_tree(index).unwrap_or_else(|e| panic!("{name} {index}: {e:?}"));
            assert_eq!(image.warnings, [], "{name}");
            let found: Vec<_> = fixtures::files(&image.tree)
                .into_iter()
                .map(|(path, hash)| (path, hash.map_or(EMPTY.to_owned(), |h| h.to_string())))
                .collect();
            let expected: Vec<_> =
                fixtures::list(list).into_iter().map(|l| (l.path, l.hash)).collect();
            assert_eq!(found, expected, "{name} {index}");
        }
    }
}

#[test]
fn every_blob_has_its_hash() {
    for (name, _) in WHOLE {
        let wim = Wim::open(fixtures::bytes(name)).unwrap();
        for blob in wim.blobs().iter() {
            wim.verify_blob(blob).unwrap_or_else(|e| panic!("{name} {}: {e:?}", blob.hash));
            let bytes = wim.read_blob(blob, blob.size).unwrap();
            assert_eq!(bytes.len() as u64, blob.size);
        }
    }
}

#[test]
fn blobs_of_a_set_are_found_in_any_part() {
    let open = |name| Wim::open(fixtures::bytes(name)).unwrap();
    let mut set = BlobSet::new(open("split2.swm"));
    set.push(open("split.swm"));
    let _ = &mut set;
}

#[test]
fn pipable_files_are_refused() {
    let error = Wim::open(fixtures::bytes("pipable.wim")).unwrap_err();
    assert!(matches!(error, OpenError::Pipable));
    assert_eq!(error.to_string(), "pipable WIM files are not supported");
}
