//! Texts users see, kept word for word.

use crate::world::World;

/// Takes out of a text what differs from run to run: times, GUIDs, numbers of hard-link groups, and
/// hashes of metadata, which holds times.
fn scrub(text: &str) -> String {
    text.lines().map(scrub_line).collect::<Vec<_>>().join("\n")
}

fn scrub_line(line: &str) -> String {
    let label = line.split(['=', ':']).next().unwrap_or_default();
    let (name, is_json) = match label.trim().strip_prefix('"') {
        Some(name) => (name.trim_end_matches('"').to_owned(), true),
        None => (label.trim().to_lowercase().replace(' ', "_"), false),
    };
    let of_known_data = KNOWN.iter().any(|hash| line.contains(hash));
    let varies = match name.as_str() {
        "guid" | "link_group_id" => true,
        "hash" => !of_known_data,
        _ => name.ends_with("_time"),
    };
    if !varies {
        return line.to_owned();
    }
    let keep = if is_json { line.find(": ").unwrap() + 2 } else { label.len() + 1 };
    let comma = if line.ends_with(',') { "," } else { "" };
    format!("{}<{name}>{comma}", line.get(..keep).unwrap())
}

/// SHA-1 of the two blobs of [`small`].
const KNOWN: [&str; 2] =
    ["f572d396fae9206628714fb2ce00f72e94f2258f", "d0941e68da8f38151ff86a61fc59f7c5cf9fcaa2"];

/// Runs the program and keeps what it says.
fn said(world: &World, words: &[&str]) -> String {
    let ran = world.imprint(words);
    let status = ran.status.unwrap();
    scrub(&format!("$ imprint {}\n{}{}[status {status}]", words.join(" "), ran.out, ran.err))
}

#[test]
fn help() {
    let world = World::new();
    insta::assert_snapshot!("help", said(&world, &["--help"]));
    insta::assert_snapshot!("help_imagex", said(&world, &["imagex", "/?"]));
    insta::assert_snapshot!("help_disk", said(&world, &["disk", "--help"]));
    for verb in [
        "create",
        "child",
        "info",
        "convert",
        "flatten",
        "merge",
        "compact",
        "resize",
        "rebase",
        "check",
        "partition",
        "partitions",
        "map",
        "mount",
        "unmount",
    ] {
        let name = format!("help_disk_{verb}");
        insta::assert_snapshot!(name, said(&world, &["disk", verb, "--help"]));
    }
    insta::assert_snapshot!("help_ntfs", said(&world, &["ntfs", "--help"]));
    for verb in ["info", "ls", "stat", "cat", "format"] {
        let name = format!("help_ntfs_{verb}");
        insta::assert_snapshot!(name, said(&world, &["ntfs", verb, "--help"]));
    }
    for verb in [
        "capture", "append", "apply", "info", "dir", "extract", "export", "delete", "optimize",
        "verify",
    ] {
        insta::assert_snapshot!(format!("help_{verb}"), said(&world, &[verb, "--help"]));
    }
}

#[test]
fn usage_errors() {
    let world = World::new();
    let lines: [&[&str]; 16] = [
        &[],
        &["captur", "a", "b"],
        &["capture", "src"],
        &["capture", "src", "a.wim", "--frob"],
        &["capture", "src", "a.wim", "--compress=zip"],
        &["capture", "src", "a.wim", "--compress=lzms"],
        &["capture", "src", "a.wim", "--chunk-size=33K"],
        &["capture", "src", "a.wim", "--compress=xpress", "--chunk-size=1M"],
        &["capture", "src", "a.wim", "--compress=none", "--chunk-size=64K"],
        &["capture", "src", "a.wim", "--update-of=1"],
        &["capture", "src", "-"],
        &["capture", "src", "a.wim", "name", "--name=other"],
        &["capture", "src", "a.wim", "--solid"],
        &["mount", "a.wim", "1", "dir"],
        &["info", "a.wim", "1", "new", "--xml"],
        &["imagex", "/apply", "a.wim", "1", "/boot"],
    ];
    let said: Vec<_> = lines.iter().map(|words| said(&world, words)).collect();
    insta::assert_snapshot!("usage_errors", said.join("\n\n"));
}

#[test]
fn failures() {
    let world = World::with_tree();
    world.write("no.wim", b"this is no WIM file");
    world.write("zeros.wim", [0; 300]);
    world.wimlib(&["capture", "src", "two.wim", "One", "--compress=none"]);
    world.wimlib(&["append", "src", "two.wim", "Two"]);
    let lines: [&[&str]; 15] = [
        &["info", "missing.wim"],
        &["info", "no.wim"],
        &["info", "zeros.wim"],
        &["info", "two.wim", "3"],
        &["dir", "two.wim"],
        &["dir", "two.wim", "Three"],
        &["dir", "two.wim", "1", "--path=/nothing"],
        &["dir", "two.wim", "1", "--ref=*.swm"],
        &["apply", "two.wim", "dir"],
        &["extract", "two.wim", "all", "/hello.txt"],
        &["extract", "two.wim", "1", "/docs", "--to-stdout"],
        &["capture", "missing", "a.wim"],
        &["append", "src", "two.wim", "One"],
        &["append", "src", "two.wim", "--compress=fast"],
        &["info", "two.wim", "1", "Two"],
    ];
    let said: Vec<_> = lines.iter().map(|words| said(&world, words)).collect();
    insta::assert_snapshot!("failures", said.join("\n\n"));
}

/// A file without anything that depends on the machine.
fn small() -> World {
    let world = World::new();
    world.write("src/a.txt", b"hello\n");
    world.write("src/sub/b.txt", b"hello\n");
    world.write("src/sub/c", b"other");
    fs_err::hard_link(world.path("src/a.txt"), world.path("src/sub/d")).unwrap();
    world.shell("find src -exec touch -d 2024-02-29 {} +");
    world.wimlib(&[
        "capture",
        "src",
        "a.wim",
        "Windows",
        "For room 12",
        "--compress=none",
        "--boot",
        "--check",
        "--flags=Professional",
        "--image-property=DISPLAYNAME=Windows 11 Pro",
        "--image-property=DISPLAYDESCRIPTION=Shown by Setup",
        "--image-property=WINDOWS/ARCH=9",
        "--image-property=WINDOWS/PRODUCTNAME=Microsoft Windows Operating System",
        "--image-property=WINDOWS/EDITIONID=Professional",
        "--image-property=WINDOWS/INSTALLATIONTYPE=Client",
        "--image-property=WINDOWS/HAL=acpiapic",
        "--image-property=WINDOWS/PRODUCTTYPE=WinNT",
        "--image-property=WINDOWS/PRODUCTSUITE=Terminal Server",
        "--image-property=WINDOWS/LANGUAGES/LANGUAGE=de-DE",
        "--image-property=WINDOWS/LANGUAGES/LANGUAGE[2]=en-US",
        "--image-property=WINDOWS/LANGUAGES/DEFAULT=de-DE",
        "--image-property=WINDOWS/VERSION/MAJOR=10",
        "--image-property=WINDOWS/VERSION/BUILD=26100",
        "--image-property=WINDOWS/SYSTEMROOT=WINDOWS",
    ]);
    world.wimlib(&["append", "src", "a.wim", "Empty words", ""]);
    world
}

#[test]
fn info() {
    let world = small();
    insta::assert_snapshot!("info", said(&world, &["info", "a.wim"]));
    insta::assert_snapshot!("info_json", said(&world, &["info", "a.wim", "--json"]));
    insta::assert_snapshot!("info_image", said(&world, &["info", "a.wim", "Empty words"]));
    let more = ["info", "a.wim", "1", "--header", "--blobs", "--metadata"];
    insta::assert_snapshot!("info_more", said(&world, &more));
    let more = ["info", "a.wim", "1", "--header", "--blobs", "--metadata", "--json"];
    insta::assert_snapshot!("info_more_json", said(&world, &more));
}

#[test]
fn dir() {
    let world = small();
    insta::assert_snapshot!("dir", said(&world, &["dir", "a.wim", "1"]));
    insta::assert_snapshot!("dir_all_json", said(&world, &["dir", "a.wim", "all", "--json"]));
    let detailed = ["dir", "a.wim", "1", "--path=SUB", "--detailed"];
    insta::assert_snapshot!("dir_detailed", said(&world, &detailed));
    let detailed =
        ["dir", "a.wim", "1", "--path=/a.txt", "--detailed", "--one-file-only", "--json"];
    insta::assert_snapshot!("dir_detailed_json", said(&world, &detailed));
    let imagex = ["imagex", "/dir", "a.wim", "1"];
    insta::assert_snapshot!("dir_imagex", said(&world, &imagex));
}

#[test]
fn verify() {
    let world = small();
    insta::assert_snapshot!("verify", said(&world, &["verify", "a.wim"]));
    insta::assert_snapshot!("verify_json", said(&world, &["verify", "a.wim", "--json"]));
    let mut bytes = world.read("a.wim");
    let at = bytes.windows(5).position(|window| window == b"other").unwrap();
    bytes[at] ^= 1;
    world.write("bad.wim", bytes);
    insta::assert_snapshot!("verify_bad", said(&world, &["verify", "bad.wim"]));
    insta::assert_snapshot!("verify_bad_json", said(&world, &["verify", "bad.wim", "--json"]));
    let nocheck = ["verify", "bad.wim", "--nocheck", "--quiet"];
    insta::assert_snapshot!("verify_bad_nocheck", said(&world, &nocheck));
}

#[test]
fn done() {
    let world = small();
    let lines: [&[&str]; 12] = [
        &["capture", "src", "b.wim", "One", "--compress=none"],
        &["append", "src", "b.wim"],
        &["append", "src", "b.wim", "--json"],
        &["apply", "a.wim", "1", "out"],
        &["apply", "a.wim", "1", "out", "--json"],
        &["extract", "a.wim", "1", "/sub", "--dest-dir=out2"],
        &["export", "a.wim", "1", "b.wim"],
        &["info", "b.wim", "1", "Uno", "--boot"],
        &["delete", "b.wim", "2"],
        &["delete", "b.wim", "2", "--soft"],
        &["optimize", "b.wim"],
        &["verify", "b.wim"],
    ];
    let said: Vec<_> = lines.iter().map(|words| said(&world, words)).collect();
    insta::assert_snapshot!("done", said.join("\n\n"));
}
