//! No test file may lie about unused.

#[test]
fn every_file_is_a_module() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let main = fs_err::read_to_string(format!("{directory}/main.rs")).unwrap();
    for entry in fs_err::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|&module| module != "main") {
            assert!(main.contains(&format!("mod {module};")), "{name} is not in main.rs");
        }
    }
}
