//! A file in this folder that `main.rs` does not name would never run.

#[test]
fn no_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let main = fs_err::read_to_string(format!("{folder}/main.rs")).unwrap();
    for entry in fs_err::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(main.contains(&format!("mod {module};\n")), "{name} is not named in main.rs");
        }
    }
}
