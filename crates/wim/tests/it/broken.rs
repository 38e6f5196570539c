//! Files with one damage each, and the words they are refused with.

use std::collections::BTreeMap;

use imprint_wim::Wim;

use super::fixtures;
use super::hostile::read_everything;

/// What is said of a file: the first error, or the warnings of its first image.
fn verdict(bytes: Vec<u8>) -> String {
    if let Err(text) = read_everything(bytes.clone()) {
        return text;
    }
    let wim = Wim::open(bytes).unwrap();
    let warnings = wim.read_tree(1).unwrap().warnings;
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    format!("warning: {}", texts.join("; "))
}

#[test]
fn every_damage_is_named_with_its_place() {
    let expected = String::from_utf8(fixtures::bytes("broken/expected.txt")).unwrap();
    let expected: BTreeMap<_, _> =
        expected.lines().map(|line| line.split_once(": ").unwrap()).collect();
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(fixtures::path("broken")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            found.insert(name, verdict(fs_err::read(&path).unwrap()));
        }
    }
    let found: BTreeMap<_, _> =
        found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    for (name, text) in &found {
        assert_eq!(Some(text), expected.get(name), "{name}");
    }
    assert_eq!(found.len(), expected.len());
}
