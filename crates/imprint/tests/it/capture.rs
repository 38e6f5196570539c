//! What we write, read by others.

use crate::world::{Modes, World};

#[test]
fn wimlib_and_7zip_apply_what_we_capture() {
    let world = World::with_tree();
    let seven_zip = imprint_testkit::tools::require_any(&["7zz", "7z"]);
    for compress in ["none", "xpress", "lzx", "lzx:20", "fast:80"] {
        let option = format!("--compress={compress}");
        let file = format!("{}.wim", compress.replace(':', "-"));
        world.done(&["capture", "src", &file, "Name", "Text", "--check", "--unix-data", &option]);
        world.wimlib(&["verify", &file]);
        let out = format!("{file}.wimlib");
        world.wimlib(&["apply", &file, "1", &out, "--unix-data"]);
        assert_eq!(world.snapshot(&out, Modes::Compare), world.snapshot("src", Modes::Compare));
        let list = imprint_testkit::tools::run(
            &seven_zip,
            ["t".into(), world.path(&file).into_os_string()],
        );
        assert!(list.contains("Everything is Ok"), "{list}");
    }
    let size = |name: &str| world.read(name).len();
    assert!(size("lzx.wim") < size("xpress.wim") && size("xpress.wim") < size("none.wim"));
}

#[test]
fn names_descriptions_and_properties_arrive() {
    let world = World::with_tree();
    world.done(&[
        "capture",
        "src",
        "a.wim",
        "N\u{e4}me & <x>",
        "--description=Some \"text\"",
        "--flags=Professional",
        "--image-property=WINDOWS/LANGUAGES/LANGUAGE=de-DE",
        "--image-property=WINDOWS/LANGUAGES/LANGUAGE[2]=en-US",
        "--image-property=OTHER/THING=1",
        "--boot",
        "--compress=none",
    ]);
    let info = world.wimlib(&["info", "a.wim"]);
    for line in [
        "Name:                   N\u{e4}me & <x>\n",
        "Description:            Some \"text\"\n",
        "Flags:                  Professional\n",
        "Languages:              de-DE en-US",
        "Boot Index:     1\n",
        "Attributes:     Relative path junction\n",
    ] {
        assert!(info.contains(line), "{line}: {info}");
    }
    let xml = world.done(&["info", "a.wim", "--xml", "--json"]).json();
    assert!(xml["xml"].as_str().unwrap().contains("<OTHER><THING>1</THING></OTHER>"), "{xml}");
}

#[test]
fn an_image_is_named_after_its_directory() {
    let world = World::with_tree();
    for (source, name) in
        [("src", "src"), ("src/docs/", "docs"), ("src/..", "src/.."), ("src/.", "src")]
    {
        world.done(&["capture", source, "../names.wim", "--compress=none", "--quiet"]);
        let info = world.done(&["info", "../names.wim", "--json"]).json();
        let expected = match name {
            "src/.." => world.path(".").canonicalize().unwrap(),
            _ => name.into(),
        };
        let expected = expected.file_name().unwrap().to_str().unwrap();
        assert_eq!(info["images"][0]["name"], expected, "{source}");
        fs_err::remove_file(world.path("../names.wim")).unwrap();
    }
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_the_new_one_is_whole() {
    let world = World::with_tree();
    world.write("a.wim", b"precious");
    assert_eq!(world.imprint(&["capture", "missing", "a.wim"]).status, Some(1));
    assert_eq!(world.read("a.wim"), b"precious");
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    world.wimlib(&["verify", "a.wim"]);
    assert_eq!(world.names(), ["a.wim", "src"]);
}

#[test]
fn appended_images_share_data_and_keep_the_others() {
    let world = World::with_tree();
    world.wimlib(&["capture", "src", "a.wim", "One", "--compress=none", "--unix-data"]);
    let before = world.read("a.wim").len();
    world.write("src/new", b"new data");
    world.done(&["append", "src", "a.wim", "Two", "--unix-data", "--check", "--boot"]);
    world.wimlib(&["verify", "a.wim"]);
    assert!(world.read("a.wim").len() < before + 30_000);
    world.wimlib(&["apply", "a.wim", "2", "two", "--unix-data"]);
    assert_eq!(world.snapshot("two", Modes::Compare), world.snapshot("src", Modes::Compare));
    world.wimlib(&["apply", "a.wim", "1", "one", "--unix-data"]);
    assert!(!world.has("one/new"));
    let info = world.wimlib(&["info", "a.wim"]);
    assert!(info.contains("Boot Index:     2\n") && info.contains("Integrity info"), "{info}");
}

#[test]
fn append_makes_a_file_when_asked_to() {
    let world = World::with_tree();
    assert_eq!(world.imprint(&["append", "src", "a.wim", "--compress=none"]).status, Some(1));
    let create = ["append", "src", "a.wim", "--create", "--update-of=-1"];
    world.done(&create);
    world.done(&create);
    let info = world.done(&["info", "a.wim", "--json"]).json();
    assert_eq!(info["images"][0]["name"], "src");
    assert_eq!(info["images"][1]["name"], "src (2)");
    world.wimlib(&["verify", "a.wim"]);
}

#[test]
fn unchanged_files_are_not_read_again() {
    let world = World::with_tree();
    world.done(&["capture", "src", "a.wim", "--compress=none"]);
    world.write("src/log/text.log", b"changed");
    let json = world.done(&["append", "src", "a.wim", "--update-of=src", "--json"]).json();
    assert!(json["unchanged_streams"].as_u64().unwrap() >= 6, "{json}");
    assert_eq!(json["new_bytes"], 7, "{json}");
    world.wimlib(&["apply", "a.wim", "2", "out"]);
    assert_eq!(world.snapshot("out", Modes::Ignore), world.snapshot("src", Modes::Ignore));
}

#[test]
fn unchanged_data_is_copied_from_another_file() {
    let world = World::with_tree();
    world.done(&["capture", "src", "old.wim", "--compress=none"]);
    world.write("src/log/text.log", b"changed");
    // Were it read from the source, this change that keeps size and time would show.
    world.shell("touch -r src/log/noise stamp && printf X > src/log/noise.new");
    world.shell("cat src/log/noise | tail -c +2 >> src/log/noise.new");
    world.shell("cat src/log/noise.new > src/log/noise && rm src/log/noise.new");
    world.shell("touch -r stamp src/log/noise && rm stamp");
    let capture = ["capture", "src", "new.wim", "--compress=none", "--update-of=old.wim:-1"];
    let json = world.done(&[&capture[..], &["--json"]].concat()).json();
    assert!(json["unchanged_streams"].as_u64().unwrap() >= 6, "{json}");
    // What links hold is read with the tree.
    assert!(json["new_bytes"].as_u64().unwrap() < 200, "{json}");
    world.wimlib(&["verify", "new.wim"]);
    world.wimlib(&["apply", "new.wim", "1", "new"]);
    world.wimlib(&["apply", "old.wim", "1", "old"]);
    assert_eq!(world.read("new/log/noise"), world.read("old/log/noise"));
    assert_ne!(world.read("new/log/noise"), world.read("src/log/noise"));
    assert_eq!(world.read("new/log/text.log"), b"changed");
    let capture = ["capture", "src", "lzx.wim", "--compress=lzx", "--update-of=old.wim:1"];
    assert_eq!(world.done(&[&capture[..], &["--json"]].concat()).json()["unchanged_streams"], 0);
    world.wimlib(&["apply", "lzx.wim", "1", "lzx"]);
    assert_eq!(world.snapshot("lzx", Modes::Ignore), world.snapshot("src", Modes::Ignore));
}

#[test]
fn what_windows_makes_anew_is_left_out() {
    let world = World::with_tree();
    world.write("src/pagefile.sys", b"swapped out");
    world.write("src/System Volume Information/x", b"x");
    world.write("src/$Recycle.Bin/x", b"x");
    world.write("src/docs/pagefile.sys", b"kept: not in the root");
    let json = world.done(&["capture", "src", "a.wim", "--compress=none", "--json"]).json();
    assert_eq!(json["excluded"], 3, "{json}");
    let list = world.wimlib(&["dir", "a.wim"]);
    assert!(list.contains("/docs/pagefile.sys\n") && !list.contains("\n/pagefile.sys"), "{list}");
    assert!(!list.contains("Recycle") && !list.contains("System Volume"), "{list}");
}

#[test]
fn a_configuration_of_ones_own_replaces_the_list() {
    let world = World::with_tree();
    world.write("src/pagefile.sys", b"kept");
    world.write(
        "my.ini",
        "[ExclusionList]\r\n*.txt\r\n\\LOG\r\n[ExclusionException]\r\n\\docs\\hello*.txt\r\n[New]\r\nx\r\n",
    );
    for verb in ["capture", "append"] {
        let compress = ["--compress=none"];
        let ran = world.done(&[&[verb, "src", "a.wim", "--config=my.ini"][..], &compress].concat());
        assert!(
            ran.err.contains("warning: my.ini: line 6: section [New] is not known\n"),
            "{ran:?}"
        );
    }
    for image in ["1", "2"] {
        let list = world.wimlib(&["dir", "a.wim", image]);
        assert!(
            list.contains("/pagefile.sys\n") && list.contains("/docs/hello again.txt\n"),
            "{list}"
        );
        assert!(!list.contains("/hello.txt") && !list.contains("/log"), "{list}");
    }
    let ran = world.imprint(&["capture", "src", "b.wim", "--config=missing.ini"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(!world.has("b.wim"));
}

#[test]
fn data_that_is_not_worth_it_is_not_compressed() {
    let world = World::new();
    world.write("src/a.zip", vec![7; 100_000]);
    world.write("src/b.txt", vec![8; 100_000]);
    world.done(&["capture", "src", "a.wim", "--compress=xpress"]);
    let json = world.done(&["dir", "a.wim", "--detailed", "--json"]).json();
    let stored = |index: usize| {
        let entry = &json["images"][0]["entries"][index];
        (entry["path"].clone(), entry["streams"][0]["blob"]["resource"]["stored_size"].clone())
    };
    assert_eq!(stored(1), ("/a.zip".into(), 100_000.into()));
    let (path, size) = stored(2);
    assert!(path == "/b.txt" && size.as_u64().unwrap() < 10_000, "{json}");
}
