//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/wim_metadata.rs"]
mod wim_metadata;
#[path = "../../../../fuzz/oracles/wim_open.rs"]
mod wim_open;
#[path = "../../../../fuzz/oracles/wim_xml.rs"]
mod wim_xml;

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
