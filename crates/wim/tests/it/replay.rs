//! What fuzzing found once stays right.

use std::path::Path;

#[path = "../../../../fuzz/oracles/wim_metadata.rs"]
mod wim_metadata;
#[path = "../../../../fuzz/oracles/wim_open.rs"]
mod wim_open;
#[path = "../../../../fuzz/oracles/wim_xml.rs"]
mod wim_xml;

fn replay(target: &str, oracle: fn(&[u8])) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let count = imprint_testkit::replay(&workspace, target, oracle);
    assert!(count > 0, "no input for {target}");
}

#[test]
fn metadata() {
    replay("wim_metadata", wim_metadata::check);
}

#[test]
fn whole_files() {
    replay("wim_open", wim_open::check);
}

#[test]
fn xml_data() {
    replay("wim_xml", wim_xml::check);
}
